"""Which watcher process takes a stream: pure, over what is known of the processes and of the stream's past.

A stream whose watchers died may be what kills them. After a second death within `SUSPECT_FOR` seconds it is a suspect: it
goes where no others are but suspects, so that one poisonous stream takes no more than two processes' watches with it.
"""

from collections.abc import Sequence

from msgspec import Struct

SUSPECT_FOR = 600.0
SUSPECT_AFTER = 2
FULL_AFTER = 25
"""Streams of a process from which on another one is started, as long as there may be more."""


class Place(Struct, frozen=True):
    """A process: its number, how many streams it has, and whether it is for suspects."""

    number: int
    streams: int
    alone: bool = False


def suspect(deaths: Sequence[float], now: float) -> bool:
    """Whether a stream may be what killed its watchers; `deaths` are the times when one died of which it was part."""
    return sum(now - at < SUSPECT_FOR for at in deaths) >= SUSPECT_AFTER


def choose(places: Sequence[Place], most: int, alone: bool) -> int | None:
    """The number of the process that takes a stream next, None: a new one. `most` is how many there may be for ordinary
    streams; for suspects there is one more."""
    able = sorted((place.streams, place.number) for place in places if place.alone == alone)
    if not able:
        return None
    streams, number = able[0]
    if not alone and len(able) < most and streams >= FULL_AFTER:
        return None
    return number


def again_after(deaths: int) -> float:
    """Seconds until a stream is taken up again whose watchers died so often of late: at once, then ever later."""
    return float(0 if deaths < SUSPECT_AFTER else min(60, 5 * 2 ** min(deaths - SUSPECT_AFTER, 5)))
