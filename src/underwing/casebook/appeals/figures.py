"""The statistics of appeals: how many, how long, which share was overturned. Pure, and never by person."""

from collections.abc import Iterable
from statistics import median
from typing import NamedTuple

from msgspec import Struct

from underwing.casebook.appeals.values import Kind, State


class Outline(NamedTuple):
    """What the statistics need of an appeal. `decided` None: open. `alone`: not independently reviewed."""

    kind: Kind
    state: State
    filed: int
    decided: int | None
    alone: bool = False


class Figures(Struct, frozen=True, kw_only=True):
    """Sums over appeals. `overturned` is the share of decided ones that were reversed, wholly or in part (None: none was
    decided yet); `alone` how many were not independently reviewed; `seconds` the median time from filing to decision."""

    filed: int = 0
    open: int = 0
    upheld: int = 0
    partly: int = 0
    reversed: int = 0
    overturned: float | None = None
    alone: int = 0
    seconds: int | None = None


def figures(appeals: Iterable[Outline]) -> Figures:
    """The sums."""
    appeals = list(appeals)
    states = [appeal.state for appeal in appeals]
    times = [appeal.decided - appeal.filed for appeal in appeals if appeal.decided is not None]
    turned, decided = states.count("reversed") + states.count("partly"), len(times)
    return Figures(
        filed=len(appeals),
        open=len(appeals) - decided,
        upheld=states.count("upheld"),
        partly=states.count("partly"),
        reversed=states.count("reversed"),
        overturned=turned / decided if decided else None,
        alone=sum(appeal.alone for appeal in appeals),
        seconds=round(median(times)) if times else None,
    )
