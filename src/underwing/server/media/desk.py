"""What lies behind the media routes: workers that look at bytes, matching, and one thread that writes the banks.

Bytes go to a worker process and nowhere else. What is found is matched by the event loop itself while that is quick, as
waking a thread costs more than most matching, and else by a thread of its own. They take turns, and whatever another
thread or process writes into the banks, they see at the next look.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from msgspec import Struct

from underwing.banks.checker import Checker
from underwing.banks.matching import Matches
from underwing.banks.store import Store
from underwing.media.orders import Job, Order, joined
from underwing.media.still import Still, Wish
from underwing.media.workers import Workers
from underwing.model import MediaHashes, Pdq, View
from underwing.server.http import Refusal
from underwing.server.logs import note
from underwing.server.media.receipts import Signer
from underwing.server.metrics import Metrics

R = TypeVar("R")
MOST_WAITING = 10_000
"""Look-ups of hashes that wait for their answer; beyond, new ones are told to come back."""
FEW = 4
"""At most so many hashes at a time are looked up by the event loop itself."""
QUICK, PAUSE = 0.002, 1.0
"""Seconds of processor time: a look-up by the event loop that took longer sends those of the next second to the thread."""


class Checked(Struct, frozen=True):
    """What a check found, and against which state of the banks."""

    hashes: MediaHashes
    found: Matches
    banks: str


class Desk:
    """Checks media and keeps the banks. Its coroutines are for one event loop."""

    def __init__(
        self,
        banks: Path,
        signer: Signer,
        metrics: Metrics,
        *,
        workers: Callable[[], Workers],
        in_flight: int,
    ) -> None:
        """`workers` makes the workers, at the first file; `in_flight` files are held in memory.

        Raises:
            BankError: the file of the banks cannot be opened.
        """
        self.signer, self._metrics = signer, metrics
        self._make_workers = workers
        self._made: Workers | None = None
        self._matching = ThreadPoolExecutor(1, "underwing-matching")
        self._writing = ThreadPoolExecutor(1, "underwing-banks")
        self._store, self._own = Store.open(banks), Store.open(banks)
        self._turn = threading.Lock()
        self._checker = Checker(self._own, beside=banks)
        self._free, self._in_flight = in_flight, in_flight
        self._lookups = 0
        self._busy_until = 0.0
        metrics.media_waiting.set_function(lambda: self._in_flight - self._free)
        self._look_seconds, self._match_seconds = map(metrics.media_seconds.labels, ("look", "match"))

    async def warm(self) -> None:
        """Load the index; until it is there, the first look waits for it."""
        nothing = MediaHashes(sha256="", sha1="", md5="", size=0, views=(View("plain", Pdq("0" * 64, 100)),))
        await self._on(self._matching, lambda: self._turned(lambda: self._matched(nothing)))

    async def close(self) -> None:
        """End the threads and the worker processes."""
        for threads in (self._matching, self._writing):
            await asyncio.to_thread(threads.shutdown, cancel_futures=True)
        if self._made is not None:
            await self._made.close()
        self._own.close()
        self._store.close()

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place in memory for one file, from its first byte to its answer.

        Raises:
            Refusal: 503, all are taken.
        """
        if self._free <= 0:
            raise Refusal(
                503, "overloaded", "too many files are being checked; try again in 1 s", retry_after=1
            )
        self._free -= 1
        try:
            yield
        finally:
            self._free += 1

    async def check(self, data: bytes, *, scored: bool = False) -> Checked:
        """Look at a file and match it; looked at closer wherever that could make another verdict. `scored` asks for the
        classifier's score too, where there is one."""
        hashes = await self._look(data, "scored" if scored else "draft")
        self._count_score(hashes)
        seen = await self._matching_of(
            hashes, lambda: self._checker.second_look(hashes) or self._matched(hashes)
        )
        if isinstance(seen, Checked):
            return seen
        closer = joined(hashes, await self._look(data, seen))
        return await self._matching_of(closer, lambda: self._matched(closer))

    async def _matching_of(self, hashes: MediaHashes, work: Callable[[], R]) -> R:
        began = time.perf_counter()
        made = await self._in_turn(work, may_be_quick=not hashes.frames)
        self._match_seconds.observe(time.perf_counter() - began)
        return made

    def _count_score(self, hashes: MediaHashes) -> None:
        if hashes.score is not None:
            self._metrics.media_scored.labels("scored").inc()
        elif hashes.unscored is not None:
            self._metrics.media_scored.labels("unscored").inc()
            note("media_unscored", logging.WARNING, problem=hashes.unscored)

    async def hash(self, data: bytes) -> MediaHashes:
        """The hashes of a file, decoded in full."""
        return await self._look(data, "full")

    async def hash_to_bank(self, data: bytes) -> MediaHashes:
        """The hashes of a file that is to be banked."""
        return await self._look(data, "bank")

    async def _look(self, data: bytes, job: Job | Order) -> MediaHashes:
        began = time.perf_counter()
        try:
            return await self._workers().look(data, job)
        except RuntimeError:
            raise _stopping() from None
        finally:
            self._look_seconds.observe(time.perf_counter() - began)

    async def still(self, data: bytes, wish: Wish) -> Still:
        """A small still of a file, for a person to look at."""
        try:
            return await self._workers().still(data, wish)
        except RuntimeError:
            raise _stopping() from None

    def _workers(self) -> Workers:
        if self._made is None:
            self._made = self._make_workers()
            self._metrics.media_deaths.set_function(lambda: self._made.deaths if self._made else 0)
        return self._made

    async def match(self, hashes: MediaHashes) -> Checked:
        """What of these hashes is in the banks as they are now.

        Raises:
            Refusal: 503, too many wait.
        """
        return (await self.match_all([hashes]))[0]

    async def match_all(self, several: list[MediaHashes]) -> list[Checked]:
        """As `match`, for many at a time."""
        if self._lookups >= MOST_WAITING:
            raise Refusal(503, "overloaded", "too many look-ups are waiting; try again in 1 s", retry_after=1)
        began = time.perf_counter()
        self._lookups += 1
        try:
            return await self._in_turn(
                lambda: [self._matched(hashes) for hashes in several], may_be_quick=len(several) <= FEW
            )
        finally:
            self._lookups -= 1
            self._match_seconds.observe(time.perf_counter() - began)

    def _matched(self, hashes: MediaHashes) -> Checked:
        return Checked(hashes, self._checker.match(hashes), self._checker.fingerprint())

    async def _in_turn(self, work: Callable[[], R], *, may_be_quick: bool) -> R:
        """What `work` makes while nobody else uses the checker: at once by the event loop, if the banks are as they were
        and such work was quick of late; else by the thread."""
        if may_be_quick and time.monotonic() >= self._busy_until and self._turn.acquire(blocking=False):
            began = time.thread_time()
            try:
                if self._checker.settled():
                    return work()
            finally:
                self._turn.release()
                if time.thread_time() - began > QUICK:
                    self._busy_until = time.monotonic() + PAUSE
        return await self._on(self._matching, lambda: self._turned(work))

    def _turned(self, work: Callable[[], R]) -> R:
        with self._turn:
            return work()

    async def numbers(self, checked: Checked) -> dict[tuple[str, str], int]:
        """The numbers of the entries that were matched, by bank and id."""
        pairs = [(match.bank, match.entry) for match in checked.found.matches]
        if not pairs:
            return {}
        return await self._in_turn(lambda: self._own.lookups.numbers(pairs), may_be_quick=True)

    async def banks(self, work: Callable[[Store], R]) -> R:
        """Read or write the banks, one at a time; in effect for every check that begins afterwards.

        Raises:
            BankError: as `work` raises.
        """
        return await self._on(self._writing, lambda: work(self._store))

    async def _on(self, pool: ThreadPoolExecutor, work: Callable[[], R]) -> R:
        try:
            future = pool.submit(work)
        except RuntimeError:
            raise _stopping() from None
        return await asyncio.wrap_future(future)


def _stopping() -> Refusal:
    return Refusal(503, "stopping", "the service is stopping; try again", retry_after=1)
