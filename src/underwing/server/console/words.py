"""The interface's text: one TOML file for each page and language, read once.

A key is `<page>.<name>`, deeper names with dots: `queue.empty`. `{name}` in a text is filled from the values. A text that
depends on a number is a table with `one` and `other`, chosen by the value `count`.
"""

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

HOME = Path(__file__).parent / "words"
LANGUAGES: dict[str, str] = {"en": "English", "de": "Deutsch"}
"""The languages there are, each by its own name; the first is what is shown when none is known."""


@cache
def catalogue(language: str) -> dict[str, str]:
    """All texts of a language by their keys."""
    texts: dict[str, str] = {}
    for path in sorted((HOME / language).glob("*.toml")):
        _flatten(path.stem, tomllib.loads(path.read_text("utf-8")), texts)
    return texts


def _flatten(prefix: str, table: dict[str, Any], texts: dict[str, str]) -> None:
    for name, value in table.items():
        key = f"{prefix}.{name}"
        if isinstance(value, dict):
            _flatten(key, value, texts)
        else:
            texts[key] = str(value)


def say(language: str, key: str, **values: object) -> str:
    """The text of a key.

    Raises:
        KeyError: there is no such key, or a value is missing.
    """
    texts = catalogue(language)
    text = texts.get(key)
    if text is None and "count" in values:
        text = texts.get(f"{key}.one" if values["count"] == 1 else f"{key}.other")
    if text is None:
        raise KeyError(f"the catalogue {language} has no {key}")
    return text.format_map(values) if values else text


def known(key: str) -> bool:
    """Whether there is such a text."""
    return key in catalogue(next(iter(LANGUAGES)))


def choose(wanted: str, accepted: bytes | None) -> str:
    """The language for somebody: the one they chose, else the first of the browser's that we have, else English."""
    if wanted in LANGUAGES:
        return wanted
    ranked: list[tuple[float, int, str]] = []
    for place, part in enumerate((accepted or b"").decode("latin-1")[:500].split(",")):
        name, _, more = part.strip().partition(";")
        try:
            weight = float(more.strip().removeprefix("q=")) if more else 1.0
        except ValueError:
            weight = 0.0
        ranked.append((-weight, place, name.lower().partition("-")[0]))
    return next((name for weight, _, name in sorted(ranked) if weight < 0 and name in LANGUAGES), "en")
