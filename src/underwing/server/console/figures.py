"""The insights of a span of days, read once and kept for a minute: many who look cost no more than one."""

import asyncio
from collections.abc import Callable

from msgspec import Struct

from underwing.casebook.database import Database
from underwing.casebook.insights import Day, Decided, Overturned, days, decided, overturned

KEPT_SECONDS = 60
SPANS = (7, 30, 90, 365)
"""Days that can be asked for."""
DAY = 86_400


class Figures(Struct, frozen=True, kw_only=True):
    """What was read, and when (epoch seconds)."""

    at: int
    span: int
    days: list[Day]
    decided: list[Decided]
    overturned: Overturned


def read(database: Database, now: int, span: int) -> Figures:
    """Ask the casebook about the last `span` days."""
    since = now // DAY * DAY - (span - 1) * DAY
    return Figures(
        at=now, span=span, days=days(database, since, now), decided=decided(database, since, now),
        overturned=overturned(database, since, now),
    )  # fmt: skip


class Kept:
    """The figures of each span, asked for again when they are older than a minute. For one event loop."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._held: dict[int, Figures] = {}
        self._asking = asyncio.Lock()

    async def get(self, database: Database, span: int) -> Figures:
        """The figures of the last `span` days."""
        async with self._asking:
            now = int(self._clock())
            held = self._held.get(span)
            if held is None or not 0 <= now - held.at < KEPT_SECONDS:
                held = self._held[span] = await asyncio.to_thread(read, database, now, span)
            return held
