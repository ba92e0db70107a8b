"""What a watch tells, decided on by the engine: in the order of each stream, again and again where that fails."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

from underwing.live.watch import Sighting
from underwing.model import Event, MediaHashes, MediaMatch
from underwing.server.http import Refusal
from underwing.server.ingest import Ingest
from underwing.server.intake import Problem
from underwing.server.streams.standing import Standing

AGAIN_SECONDS = 1.0
PROMPTLY = 2.0
"""Seconds that somebody waits for what is decided at once."""
Match = Callable[[MediaHashes], Awaitable[Sequence[MediaMatch]]]


class Deciding:
    """Matches what was looked at and has events decided on. `match` may refuse: then it is asked again; `keep` runs work
    beside."""

    def __init__(
        self, ingest: Ingest, match: Match, keep: Callable[[Coroutine[Any, Any, None]], None]
    ) -> None:
        self._ingest, self._match, self._keep = ingest, match, keep

    def put(self, one: Standing, *items: Sighting | Event) -> None:
        """Decide on these after what waits of this stream."""
        for item in items:
            one.enqueue(item)
        if one.queue and not one.working:
            one.working = True
            self._keep(self._work(one))

    async def promptly(self, one: Standing, *events: Event) -> None:
        """Decide on events before going on, unless that takes long: then they follow."""
        self.put(one, *events)
        until = time.monotonic() + PROMPTLY
        while one.working and time.monotonic() < until:
            await asyncio.sleep(0.005)

    async def _work(self, one: Standing) -> None:
        try:
            while one.queue:
                item = one.queue.popleft()
                try:
                    waiting = deque(
                        await self._events_of(one, item) if isinstance(item, Sighting) else [item]
                    )
                except Refusal:  # the banks are not there yet, or too much waits
                    one.queue.appendleft(item)
                    await asyncio.sleep(AGAIN_SECONDS)
                    continue
                while waiting:
                    if await self._decided(waiting[0]):
                        waiting.popleft()
                    else:
                        await asyncio.sleep(AGAIN_SECONDS)
        finally:
            one.working = False

    async def _events_of(self, one: Standing, sighting: Sighting) -> list[Event]:
        hashes = MediaHashes(sha256="", sha1="", md5="", size=0, views=sighting.views)
        return one.guard.seen(sighting, await self._match(hashes))

    async def _decided(self, event: Event) -> bool:
        """Whether an event was decided on, or never can be."""
        try:
            outcome = await self._ingest.single(event)
        except Refusal:
            return False
        return outcome.status < 503 if isinstance(outcome, Problem) else True
