"""Which acts take a second person: data (`second.toml`), with an operator's own laid over it, act by act."""

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from underwing.casebook.database import CasebookError

_Hours = Annotated[int, Meta(ge=1, le=720)]


class Act(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One kind of act: whether it needs a second person, `when` it does (fact → values, all must fit), when it does not
    `unless_alone`, that is as long as nobody could be it; how many hours a request waits, and why."""

    needs: bool
    hours: _Hours = 24
    why: str = ""
    when: dict[str, tuple[str, ...]] = {}
    unless_alone: dict[str, tuple[str, ...]] = {}


class Rules(Struct, frozen=True):
    """All acts by name."""

    acts: dict[str, Act]

    def of(self, what: str, facts: dict[str, str], alone: bool = False) -> Act | None:
        """The rule that asks for a second person for this, or None when one does; `alone`: nobody could be the second. A
        fact that is not told fits: who does not say what it is about is looked at."""
        act = self.acts.get(what)
        if act is None or not act.needs:
            return None
        fits = all(facts.get(name, values[0]) in values for name, values in act.when.items() if values)
        spared = alone and act.unless_alone and all(facts.get(n) in v for n, v in act.unless_alone.items())
        return act if fits and not spared else None


class _File(Struct, forbid_unknown_fields=True):
    format: int
    act: dict[str, Act] = {}


def load_rules(over: Path | None = None) -> Rules:
    """The shipped rules with an operator's file laid over them.

    Raises:
        CasebookError: the file cannot be read, is not in the form, or names an act that does not exist.
    """
    shipped = _read(files(__package__).joinpath("second.toml").read_text("utf-8"), "second.toml")
    if over is None:
        return Rules(shipped)
    try:
        own = _read(over.read_text("utf-8"), str(over))
    except (OSError, UnicodeDecodeError) as error:
        raise CasebookError(f"{over} cannot be read: {error}") from None
    unknown = sorted(set(own) - set(shipped))
    if unknown:
        raise CasebookError(f"{over}: {', '.join(unknown)}: no such act; there are {', '.join(shipped)}")
    return Rules(shipped | own)


def _read(text: str, name: str) -> dict[str, Act]:
    try:
        read = msgspec.convert(tomllib.loads(text), _File)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise CasebookError(f"{name}: {error}") from None
    if read.format != 1:
        raise CasebookError(f"{name}: format {read.format} is not known, this version reads format 1")
    return read.act
