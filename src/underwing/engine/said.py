"""What was found in a message, on its way from the scan to the folds."""

from collections.abc import Sequence

from msgspec import Struct

from underwing.engine.links import LinkMatch
from underwing.model import Signal
from underwing.risk import Contribution
from underwing.text import Claims


class Said(Struct, frozen=True, gc=False, kw_only=True):
    """A message that says something: when, between whom, what was found in it and how it reads."""

    at: int
    key: str
    other: str
    direct: bool
    opening: bool
    view: str
    signals: tuple[Signal, ...]
    claims: Claims
    read: tuple[Contribution | None] | None
    listed: Sequence[LinkMatch]
