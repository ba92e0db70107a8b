"""Which watcher process takes a stream: pure, over what is known of the processes and of the stream's past.

A stream whose watchers died may be what kills them. After a second death within `SUSPECT_FOR` seconds it is a suspect, and
so is whoever sat beside it. Suspects go into lanes apart from the others: two for each number of deaths, by their ids. The
one that kills has died most, so that it leaves half of the innocent behind with each death, and never meets them again.
"""

from collections.abc import Sequence
from hashlib import sha256

from msgspec import Struct

SUSPECT_FOR = 600.0
SUSPECT_AFTER, MOST_LEVELS = 2, 6
FULL_AFTER = 25
"""Streams of a process from which on another one is started, as long as there may be more."""


class Place(Struct, frozen=True):
    """A process: its number, how many streams it has, and the lane that it is for ("" for ordinary streams)."""

    number: int
    streams: int
    lane: str = ""


def lane_of(stream: str, deaths: Sequence[float], now: float) -> str:
    """The lane of a stream whose watchers died at these times; "" while it is no suspect."""
    late = sum(now - at < SUSPECT_FOR for at in deaths)
    if late < SUSPECT_AFTER:
        return ""
    return f"{min(late, SUSPECT_AFTER + MOST_LEVELS)}.{sha256(f'{stream} {late}'.encode()).digest()[0] % 2}"


def choose(places: Sequence[Place], most: int, lane: str = "") -> int | None:
    """The number of the process that takes a stream next, None: a new one. `most` is how many there may be for ordinary
    streams; each lane of suspects has one."""
    able = sorted((place.streams, place.number) for place in places if place.lane == lane)
    if not able:
        return None
    streams, number = able[0]
    return None if not lane and len(able) < most and streams >= FULL_AFTER else number


def again_after(deaths: int) -> float:
    """Seconds until a stream is taken up again whose watchers died so often of late: at once, then ever later."""
    return float(0 if deaths < SUSPECT_AFTER else min(60, 2 ** (deaths - SUSPECT_AFTER)))
