"""Caps and breaks as data: the shipped file, and an operator's over it."""

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct, field

from underwing.casebook.errors import CasebookError
from underwing.model import LABELS

WORST = 3
"""The highest severity; files of it are `severe`."""
_Count = Annotated[int, Meta(ge=1, le=100_000)]
_Seconds = Annotated[int, Meta(ge=1, le=7 * 86_400)]


class LimitsError(CasebookError):
    """A file of limits that cannot be used; names it and what to mend."""


class Cap(Struct, frozen=True, forbid_unknown_fields=True):
    """What is enough within a window: different files, seconds revealed, different files of the highest severity."""

    items: _Count
    seconds: _Seconds
    severe: _Count


class Sitting(Struct, frozen=True, forbid_unknown_fields=True):
    """When a break is due: seconds from the first look to the end of the last, seconds revealed, severe files; and how long
    it lasts, in seconds."""

    seconds: _Seconds
    revealed: _Seconds
    severe: _Count
    rest: _Seconds = field(name="break")


class Reveal(Struct, frozen=True, forbid_unknown_fields=True):
    """How long one reveal lasts at the most, and how long a page without script shows it, in seconds."""

    most: Annotated[int, Meta(ge=1, le=300)]
    once: Annotated[int, Meta(ge=1, le=30)]


class Limits(Struct, frozen=True, forbid_unknown_fields=True):
    """Everything of `care.toml`; see there for what each number means and where it comes from."""

    format: Literal[1]
    over: Literal["refuse", "ask"]
    near: Annotated[float, Meta(gt=0, le=1)]
    severity: dict[str, Annotated[int, Meta(ge=0, le=WORST)]]
    day: Cap
    week: Cap
    sitting: Sitting
    reveal: Reveal

    def severity_of(self, labels: tuple[str, ...]) -> int:
        """The severity of a file with matches of these labels; the highest counts."""
        return max((self.severity[label] for label in labels or ("",)), default=0)


def load_limits(path: Path | None = None) -> Limits:
    """The shipped limits, and those of an operator's file over them, table by table.

    Raises:
        LimitsError: the file cannot be read, or says something that is not known.
    """
    values = _read(files(__package__) / "care.toml", "care.toml")
    if path is not None:
        values = _over(values, _read(path, str(path)))
    try:
        limits = msgspec.convert(values, Limits)
    except msgspec.ValidationError as error:
        raise LimitsError(f"{path or 'care.toml'}: {error}") from None
    unknown = set(limits.severity) - set(LABELS) - {""}
    if unknown:
        raise LimitsError(f"{path or 'care.toml'}: severity.{min(unknown)}: no such label")
    return limits


def _read(path: Any, name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise LimitsError(f"{name}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise LimitsError(f"{name}: {error}") from None


def _over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    tables = {
        k: below[k] | v for k, v in above.items() if isinstance(v, dict) and isinstance(below.get(k), dict)
    }
    return below | above | tables
