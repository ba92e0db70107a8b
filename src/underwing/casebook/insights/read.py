"""Questions to the casebook's database. Each is answered from an index, or from so many of the newest cases: a casebook of
a million cases costs no more than one of ten thousand. Times are epoch seconds; test cases are never counted.
"""

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Select, false, func, select

from underwing.casebook.cases.gather import SYSTEM
from underwing.casebook.cases.tables import cases, history, items
from underwing.casebook.cases.values import OUTCOMES, Flag, Priority
from underwing.casebook.database import Database

DAY = 86_400
MOST_DAYS = 400
MOST_CASES = 5_000
"""Decided cases that are looked into, the newest."""
MOST_ITEMS = 20_000
"""Events of them that are looked into, those of the newest cases."""
_PART = 500
"""Cases that are named in one question: so few are found by their numbers, whatever the planner thinks of the rest."""
HARM = Flag.threat | Flag.deadline | Flag.live | Flag.self_harm | Flag.payment | Flag.urgent
"""What stands for harm that has begun: a threat, a camera, a payment demanded, words of self-harm."""


class Day(Struct, frozen=True):
    """Cases opened and closed on one day (UTC), by its number since 1970-01-01."""

    day: int
    opened: int
    closed: int


class Decided(Struct, frozen=True, kw_only=True):
    """A decided case as far as it is counted: times, what it was found to be, and what its alarms were made of.

    `taken` is when somebody took it first. `first` is when its first event was, `harm_at` when the first one was that
    stands for harm (`HARM`); None where there was none. `signals` are the entries of packs that any of its decisions cites.
    """

    id: int
    priority: Priority
    outcome: str
    opened: int
    due: int
    closed: int
    taken: int | None = None
    first: int | None = None
    harm_at: int | None = None
    signals: frozenset[str] = frozenset()

    @property
    def harm(self) -> bool | None:
        """Whether its outcome says that there was harm; None where it says nothing."""
        return OUTCOMES.get(self.outcome)


class Overturned(Struct, frozen=True, kw_only=True):
    """Of `closed` decisions so many were opened again: `by_people` thought again, or `by_news` something came that asked for
    another look."""

    closed: int
    by_people: int
    by_news: int


class _Found(Struct, frozen=True):
    flags: int = 0


class _Cited(Struct, frozen=True):
    signal: str


class _Decision(Struct, frozen=True):
    reasons: tuple[_Cited, ...] = ()


_found = msgspec.json.Decoder(_Found).decode
_cited = msgspec.json.Decoder(_Decision).decode


def days(database: Database, since: int, until: int) -> list[Day]:
    """Cases opened and closed on each day from `since` to `until`, days without any too; at most `MOST_DAYS`, the last."""
    first, last = max(since // DAY, until // DAY - MOST_DAYS + 1), until // DAY
    opened, closed = (_by_day(database, column, first, last) for column in (cases.c.opened, cases.c.closed))
    return [Day(day, opened.get(day, 0), closed.get(day, 0)) for day in range(first, last + 1)]


def _by_day(database: Database, column: Any, first: int, last: int) -> dict[int, int]:
    day = (column // DAY).label("day")
    asked = (
        select(day, func.count())
        .where(column >= first * DAY, column < (last + 1) * DAY, cases.c.test == false())
        .group_by(day)
    )
    return {int(number): int(count) for number, count in database.rows(asked)}


def overturned(database: Database, since: int, until: int) -> Overturned:
    """How many decisions there were, and how many were opened again."""

    def count(what: str, *more: Any) -> int:
        asked = select(func.count()).where(
            history.c.what == what, history.c.at >= since, history.c.at <= until, *more
        )
        return int(database.value(asked) or 0)

    by_news = count("reopened", history.c.who == SYSTEM)
    return Overturned(closed=count("closed"), by_people=count("reopened") - by_news, by_news=by_news)


def decided(database: Database, since: int, until: int, most: int = MOST_CASES) -> list[Decided]:
    """The newest decided cases, the newest first, with what their alarms were made of."""
    found = [
        Decided(
            id=row.id, priority=Priority(row.priority), outcome=row.outcome, opened=row.opened, due=row.due,
            closed=row.closed,
        )
        for row in database.rows(_chosen(since, until, most))
    ]  # fmt: skip
    taken: dict[int, int] = {}
    looked: dict[int, dict[str, Any]] = {}
    left = MOST_ITEMS
    for start in range(0, len(found), _PART):
        ids = [case.id for case in found[start : start + _PART]]
        taken |= _first_taken(database, ids)
        rows = _items(database, ids, left) if left else []
        left -= len(rows)
        looked |= _looked_into(rows)
    return [
        msgspec.structs.replace(case, taken=taken.get(case.id), **looked.get(case.id, {})) for case in found
    ]


def _chosen(since: int, until: int, most: int) -> Select[Any]:
    """The newest decided cases. Only a closed case has an outcome; to ask for its state as well would send SQLite to the
    index of states, and through all closed cases."""
    c = cases.c
    return (
        select(c.id, c.priority, c.outcome, c.opened, c.due, c.closed)
        .where(
            c.closed >= since,
            c.closed <= until,
            c.state == "closed",
            c.test.is_(False),
            c.outcome.is_not(None),
        )
        .order_by(c.closed.desc(), c.id.desc())
        .limit(most)
    )


def _first_taken(database: Database, ids: list[int]) -> dict[int, int]:
    asked = (
        select(history.c.case_id, func.min(history.c.at))
        .where(history.c.case_id.in_(ids), history.c.what == "took")
        .group_by(history.c.case_id)
    )
    return {int(case): int(at) for case, at in database.rows(asked)}


def _items(database: Database, ids: list[int], most: int) -> list[Any]:
    i = items.c
    return database.rows(
        select(i.case_id, i.at, i.found, i.decision)
        .where(i.case_id.in_(ids))
        .order_by(i.case_id.desc(), i.at)
        .limit(most)
    )


def _looked_into(rows: Iterable[Any]) -> dict[int, dict[str, Any]]:
    """By case: first event, first that stands for harm, entries cited."""
    made: dict[int, dict[str, Any]] = {}
    for case, at, found, decision in rows:
        held = made.setdefault(case, {"first": at, "harm_at": None, "signals": frozenset()})
        held["first"] = min(held["first"], at)
        if _found(found).flags & HARM:
            held["harm_at"] = at if held["harm_at"] is None else min(held["harm_at"], at)
        if decision is not None:
            held["signals"] |= {reason.signal for reason in _cited(decision).reasons}
    return made
