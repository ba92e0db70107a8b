"""The state of each fold: frozen, small, bounded, and without any message text.

Encoded as MessagePack arrays; a pair stays under 1 KiB whatever the input (a property test holds that).
Times are whole epoch seconds.
"""

from msgspec import Struct

MAX_CONTRIBUTIONS = 6
MAX_SIGNAL_ID = 40


class Contribution(Struct, frozen=True, gc=False, array_like=True):
    """One dated piece of evidence: `milli` is its weight in thousandths of a nat."""

    signal: str
    stage: str
    milli: int
    at: int
    event: str
    start: int = -1
    end: int = -1
    source: str = ""


class Reading(Struct, frozen=True, gc=False, array_like=True):
    """How one sender's part of a conversation reads: decayed sums of context, their weight, the evidence so far.

    All in nats; `risk/reading.py` folds it.
    """

    own: float = 0.0
    other: float = 0.0
    weight: float = 0.0
    evidence: float = 0.0
    peak: float = 0.0
    """The most that the evidence came to, fading like it."""
    at: int = 0
    worded: int = 0
    """Of the messages that read as risky, how many held a cue or a telling word of a pack (at most 9)."""
    said: tuple[int, ...] = ()
    """16-bit hashes of the sender's last messages: the same again says nothing new."""


class PairState(Struct, frozen=True, gc=False, array_like=True):
    """What one account did towards another: two decaying scores and what they are made of."""

    at: int
    fast: float = 0.0
    slow: float = 0.0
    protect: float = 0.0
    stages: dict[str, int] = {}
    """Stage → last time it was seen; at most one item a stage."""
    refused: int = 0
    level: int = 0
    """The highest level reached so far (of `Level`), to tell a rise from a repeat."""
    kept: tuple[Contribution, ...] = ()
    """The weightiest contributions, oldest first."""
    reading: Reading | None = None
    """What the meaning layer makes of it; None while its gate is closed."""


class ActorState(Struct, frozen=True, gc=False, array_like=True):
    """What one account does across others. Accounts are kept as 32-bit hashes."""

    at: int
    score: float = 0.0
    level: int = 0
    contacts: tuple[tuple[int, int], ...] = ()
    """(hash of a young account, first contact), the last 40."""
    openers: tuple[tuple[int, int], ...] = ()
    """(SimHash of the opener, hash of the young account), the last 40."""
    ages: tuple[tuple[int, int, int], ...] = ()
    """(claimed age, hash of whom it was told, time), the last 6."""
    payments: tuple[tuple[int, int], ...] = ()
    """(hash of a payment handle, hash of whom it was told), the last 12."""
    complaints: float = 0.0
    breadth: float = 0.0
    kept: tuple[Contribution, ...] = ()
    handles: tuple[tuple[int, int], ...] = ()
    """(hash of a handle on another platform, hash of whom it was told), the last 12."""
    places: tuple[tuple[int, int], ...] = ()
    """(hash of a place said to live in, hash of whom it was told), the last 12."""


class TargetState(Struct, frozen=True, gc=False, array_like=True):
    """Who presses one account at the moment: (hash of the sender, score, time), the strongest 8."""

    at: int
    pressing: tuple[tuple[int, float, int], ...] = ()
    level: int = 0


class RoomState(Struct, frozen=True, gc=False, array_like=True):
    """Who spoke last in a room of many: (account, time), newest last, at most 8.

    Of a live stream also whose it is, and what was seen in it of late (pictures, gifts), oldest first, at most 6.
    """

    speakers: tuple[tuple[str, int], ...] = ()
    host: str = ""
    seen: tuple[Contribution, ...] = ()
    reads_until: float = 0.0
    """Up to when (epoch seconds) its second readings are used up: how much of them a crowd may cost is bounded."""
