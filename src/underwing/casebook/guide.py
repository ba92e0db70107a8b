"""The lone operator's guide: "I found something, what now?", step by step, with what must not be done. Data with sources."""

import tomllib
from datetime import date
from functools import cache
from importlib.resources import files

import msgspec
from msgspec import Struct


class Step(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One step: what to do, what never to do, and the keys of its sources."""

    id: str
    title: str
    do: tuple[str, ...]
    never: tuple[str, ...]
    sources: tuple[str, ...]


class Guide(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole guide; `checked` is when its facts were looked at last, `source` what the keys stand for."""

    format: int
    checked: date
    about: str
    step: tuple[Step, ...]
    source: dict[str, str]


IN = {"en": "guide.toml", "de": "guide.de.toml"}
"""The languages there are."""


@cache
def load_guide(language: str = "en") -> Guide:
    """The shipped guide, in English where it is not there in a language."""
    text = files(__package__).joinpath(IN.get(language, IN["en"])).read_text("utf-8")
    return msgspec.convert(tomllib.loads(text), Guide)
