"""What a query or a form of the console may say, read strictly: whole numbers, days, words of a list, short texts."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from underwing.server.console.visit import Problem

MOST_TEXT = 500
"""Characters of a reason: what a custody record can hold."""


def number(given: Mapping[str, str], name: str, least: int, most: int) -> int | None:
    """A whole number, None where it is missing or empty.

    Raises:
        Problem: 400, it is not one or out of range.
    """
    value = given.get(name, "").strip()
    if not value:
        return None
    if not (value.isascii() and value.isdigit() and len(value) <= 16 and least <= int(value) <= most):
        raise Problem(400, "asked.number", name=name, least=least, most=most)
    return int(value)


def chosen(given: Mapping[str, str], name: str, known: Iterable[str]) -> str:
    """One word of a list, "" where it is missing.

    Raises:
        Problem: 400, another word.
    """
    value = given.get(name, "")
    if value and value not in known:
        raise Problem(400, "asked.choice", name=name)
    return value


def text(given: Mapping[str, str], name: str, most: int = MOST_TEXT, *, needed: bool = False) -> str:
    """A text without blanks around it.

    Raises:
        Problem: 400, it is too long, or missing though it is needed.
    """
    value = given.get(name, "").strip()
    if len(value) > most:
        raise Problem(400, "asked.long", name=name, most=most)
    if needed and not value:
        raise Problem(400, "asked.missing", name=name)
    return value


def day(given: Mapping[str, str], name: str) -> int | None:
    """The first second (epoch) of a day written as 2027-01-31, UTC; None where it is missing.

    Raises:
        Problem: 400, no day.
    """
    value = given.get(name, "").strip()
    if not value:
        return None
    try:
        return int(datetime.strptime(value, "%Y-%m-%d").replace(tzinfo=UTC).timestamp())
    except ValueError:
        raise Problem(400, "asked.day", name=name) from None
