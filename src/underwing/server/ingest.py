"""The one thread that talks to the engine: group commit, bodies in parts, single events first.

Single events that arrive while a transaction runs are folded together in the next one, so that a thousand a
second share a few hundred commits; conversations take turns, so that a flood in one delays no other. Of big bodies
a few lines are decided on at a time, and a single event that arrives in between joins their transaction, which ends
with it: it waits for a few lines, not for a body, and no commit more. While single events are about, what follows the
commit of a body's lines is done beside (`afterwards`). Whatever is answered has been committed.
"""

import asyncio
import logging
import queue
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, TypeVar

from underwing.engine import Runner, StoreError
from underwing.model import Event
from underwing.server.afterwards import INTERNAL, STORE, Afterwards, Follow, Outcome
from underwing.server.casework import Casework
from underwing.server.fair import Turns
from underwing.server.http import Refusal
from underwing.server.intake import Problem, take
from underwing.server.logs import note
from underwing.server.metrics import Metrics

R = TypeVar("R")
GROUP, LEAST = 1_000, 10
"""At most this many single events in a transaction, and at least."""
SHORT_SECONDS = 0.003
"""So much work of single events goes into a transaction, as far as that can be told from those before: nobody waits longer
for what others said."""
SLICE, SHORT_SLICE = 2_000, 100
"""Lines of bodies in a transaction, without and with single events about."""
STEP, SHORT_STEP = 200, 5
"""Lines decided on before it is looked whether a single event has come, without and with such about."""
EASE_SECONDS = 0.0007
HURRY_LINES = 2_000
"""While single events are about, the thread lets others have its core for so long after each such step, or until a single
event comes; when more lines than this wait, it does not: they must not pile up."""
APART_SECONDS = 0.0025
"""Groups of single events are committed at least this far apart: alone an event goes at once, in a rush a few
share what a commit costs."""
_ABOUT_SECONDS = 0.25
_ROOM_SECONDS = 0.001
"""After so long it is looked again whether there is room for what follows."""
_MOST_FAULTS = 32

Line = tuple[int, bytes]


class _Single:
    __slots__ = ("event", "future")

    def __init__(self, event: Event, future: "asyncio.Future[Outcome]") -> None:
        self.event, self.future = event, future


class _Bulk:
    __slots__ = ("future", "lines", "outcomes", "read")

    def __init__(self, lines: Sequence[Line], future: "asyncio.Future[list[Outcome]]") -> None:
        self.lines, self.future = lines, future
        self.read = 0
        """Lines of it that were taken into transactions."""
        self.outcomes: list[Outcome] = []


class _Call:
    __slots__ = ("function", "future")

    def __init__(self, function: Callable[[], Any], future: "asyncio.Future[Any]") -> None:
        self.function, self.future = function, future


class _Round:
    """What goes into one transaction: single events and lines of bodies, in the order in which they are decided on."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.singles: list[tuple[int, _Single]] = []
        """With the place of each among the events."""
        self.lines: list[tuple[_Bulk, list[Problem | int]]] = []
        """Parts of bodies: of each line what is wrong with it, or its place among the events."""

    def take_singles(self, group: list[_Single]) -> list[Event]:
        """Add single events; returns them."""
        begin = len(self.events)
        self.singles += [(begin + n, job) for n, job in enumerate(group)]
        return self._add([job.event for job in group])

    def take_lines(self, job: _Bulk, most: int, max_ahead: float) -> list[Event]:
        """Add so many of a body's next lines; returns the events in them."""
        part = job.lines[job.read : job.read + most]
        job.read += len(part)
        now = time.time()
        read = [take(data, now, max_ahead) for _, data in part]
        place = iter(range(len(self.events), len(self.events) + len(read)))
        self.lines.append((job, [one if isinstance(one, Problem) else next(place) for one in read]))
        return self._add([one for one in read if not isinstance(one, Problem)])

    def _add(self, events: list[Event]) -> list[Event]:
        self.events += events
        return events


class Ingest:
    """Owns the thread beside `runner`. Its methods are for the event loop that made it."""

    def __init__(
        self,
        runner: Runner,
        metrics: Metrics,
        *,
        max_waiting: int,
        max_ahead: float,
        casework: Casework | None = None,
    ) -> None:
        self.runner, self._metrics = runner, metrics
        self._max_waiting, self._max_ahead = max_waiting, max_ahead
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[_Single | _Bulk | _Call | None] = queue.SimpleQueue()
        self._waiting = self._singles_waiting = 0
        metrics.waiting.set_function(lambda: self._waiting)
        self._afterwards = Afterwards(casework, metrics)
        self._singles: Turns[_Single] = Turns()
        self._bulks: deque[_Bulk] = deque()
        self._calls: deque[_Call] = deque()
        self._cost = 0.0001
        """Seconds of the processor that a single event took of late."""
        self._closed = self._ending = False
        self._last_single = 0.0
        self._lines_next = False
        self.store_ok = True
        self._thread = threading.Thread(target=self._run, name="underwing-ingest", daemon=True)
        self._thread.start()

    def follow(self, told: Follow) -> None:
        """Have somebody told, in our threads and one call at a time, of each event that was decided on, its decision, and
        whether that had been given before."""
        self._afterwards.follow = told

    # -- for the event loop -----------------------------------------------------------------------------

    @property
    def alive(self) -> bool:
        """Whether the thread runs and takes work."""
        return not self._closed and self._thread.is_alive()

    async def single(self, event: Event) -> Outcome:
        """Decide on one event, committed with whatever else is waiting.

        Raises:
            Refusal: 503, too much is waiting or the service stops.
        """
        if self._singles_waiting >= self._max_waiting:
            raise Refusal(503, "overloaded", "too many events are waiting; try again in 1 s", retry_after=1)
        future: asyncio.Future[Outcome] = self._loop.create_future()
        self._singles_waiting += 1
        try:
            return await self._put(_Single(event, future), future, 1)
        finally:
            self._singles_waiting -= 1

    async def bulk(self, lines: Sequence[Line]) -> list[Outcome]:
        """Decide on numbered lines of JSON, in order; one outcome for each.

        Raises:
            Refusal: 503, the service stops.
        """
        future: asyncio.Future[list[Outcome]] = self._loop.create_future()
        return await self._put(_Bulk(lines, future), future, len(lines))

    async def call(self, function: Callable[[], R]) -> R:
        """Run `function` between two transactions and return what it returns (or raise what it raises)."""
        future: asyncio.Future[R] = self._loop.create_future()
        return await self._put(_Call(function, future), future, 0)

    async def close(self) -> None:
        """Finish everything that was put in, then end the thread."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)
            await asyncio.to_thread(self._thread.join)
            await asyncio.to_thread(self._afterwards.close)

    async def _put(self, job: "_Single | _Bulk | _Call", future: "asyncio.Future[R]", size: int) -> R:
        if not self.alive:
            raise Refusal(503, "stopping", "the service is stopping; try again", retry_after=1)
        self._waiting += size
        self._queue.put(job)
        try:
            return await future
        finally:
            self._waiting -= size

    # -- in the thread ----------------------------------------------------------------------------------

    def _run(self) -> None:
        while not (self._ending and self._queue.empty() and not self._singles and not self._bulks):
            self._collect(wait=not (self._ending or self._singles or self._ready()))
            while self._calls:
                self._perform(self._calls.popleft())
            pause = self._last_single + APART_SECONDS - time.monotonic()
            if self._singles and not self._bulks and not self._ending and pause > 0:
                time.sleep(pause)
            elif self._singles or self._ready():
                taken = _Round()
                try:
                    self._decide(taken)
                except Exception as error:  # a mistake of ours: the thread must outlive it
                    note("ingest_fault", logging.ERROR, error)
                    self._give_up(taken)

    def _ready(self) -> bool:
        """Whether there are lines of bodies to be decided on, and room for what follows."""
        return bool(self._bulks) and self._afterwards.room

    def _about(self) -> bool:
        """Whether single events have come of late."""
        return time.monotonic() - self._last_single < _ABOUT_SECONDS

    def _collect(self, wait: bool, most: float = _ROOM_SECONDS) -> None:
        """Sort what waits; wait for something when nothing does, but `most` seconds only when there are lines. Calls are for
        between two transactions."""
        while True:
            try:
                job = self._queue.get(wait, most if self._bulks else None)
            except queue.Empty:
                return
            wait = False
            if job is None:
                self._ending = True
            elif type(job) is _Single:
                self._singles.put(getattr(job.event, "conversation", ""), job)
            elif type(job) is _Bulk:
                self._bulks.append(job)
            elif isinstance(job, _Call):
                self._calls.append(job)

    def _perform(self, job: _Call) -> None:
        try:
            result = job.function()
        except Exception as error:
            self._loop.call_soon_threadsafe(_fail, job.future, error)
        else:
            self._answer([(job.future, result)])

    def _draw(self, taken: _Round) -> Iterator[list[Event]]:
        """What a transaction decides on, part by part: single events that wait; or lines of bodies in turn until there are
        enough, or single events have come: with those it ends. While both wait, they take turns to begin."""
        if self._singles and not (self._lines_next and self._ready()):
            self._lines_next = True
            yield self._next_singles(taken)
            return
        self._lines_next = False
        room, step = (SHORT_SLICE, SHORT_STEP) if self._about() else (SLICE, STEP)
        while room > 0 and self._ready():
            job = self._bulks.popleft()
            part = taken.take_lines(job, step, self._max_ahead)
            if job.read < len(job.lines):
                self._bulks.append(job)
            room -= step
            yield part
            at_ease = step == SHORT_STEP and self._waiting < HURRY_LINES and bool(self._bulks)
            self._collect(wait=at_ease, most=EASE_SECONDS)
            if self._singles:
                yield self._next_singles(taken)
                return

    def _next_singles(self, taken: _Round) -> list[Event]:
        self._last_single = time.monotonic()
        most = max(LEAST, min(GROUP, int(SHORT_SECONDS / self._cost)))
        return taken.take_singles(self._singles.take(most))

    def _decide(self, taken: _Round) -> None:
        faults: list[BaseException] = []
        began = time.thread_time()
        parts = self._draw(taken)
        # The first is drawn here: were the store not even to begin, somebody must be told.
        outcomes = self._attempt(taken.events, faults, chain((next(parts),), parts))
        if taken.singles and not taken.lines:
            self._cost += 0.1 * ((time.thread_time() - began) / len(taken.events) - self._cost)
        for error in faults[:1]:
            note("engine_fault", logging.ERROR, error, faults=len(faults), events=len(taken.events))
        self._finish_singles(taken, outcomes)
        self._finish_lines(taken, outcomes)

    def _give_up(self, taken: _Round) -> None:
        self._answer([(job.future, INTERNAL) for _, job in taken.singles])
        failed = {id(job): job for job, _ in taken.lines}
        self._bulks = deque(job for job in self._bulks if id(job) not in failed)
        self._answer([(job.future, [INTERNAL] * len(job.lines)) for job in failed.values()])

    def _finish_singles(self, taken: _Round, outcomes: list[Outcome]) -> None:
        if not taken.singles:
            return
        places, jobs = zip(*taken.singles, strict=True)
        lot = self._afterwards.prepare([job.event for job in jobs], [outcomes[place] for place in places])
        done = self._afterwards.finish(lot)
        self._answer([(job.future, outcome) for job, outcome in zip(jobs, done, strict=True)])

    def _finish_lines(self, taken: _Round, outcomes: list[Outcome]) -> None:
        if not taken.lines:
            return
        places = [place for _, lines in taken.lines for place in lines if isinstance(place, int)]
        lot = self._afterwards.prepare(
            [taken.events[place] for place in places], [outcomes[place] for place in places]
        )
        if self._about() or not self._afterwards.idle:
            self._afterwards.later(lot, lambda done: self._answer_lines(taken.lines, iter(done)))
        else:  # two threads would only take turns
            self._answer_lines(taken.lines, iter(self._afterwards.finish(lot)))

    def _answer_lines(self, parts: list[tuple[_Bulk, list[Problem | int]]], done: Iterator[Outcome]) -> None:
        """Give bodies the outcomes of their lines, and answer those that have all."""
        for job, lines in parts:
            job.outcomes += [next(done) if isinstance(line, int) else line for line in lines]
            if len(job.outcomes) == len(job.lines):
                self._answer([(job.future, job.outcomes)])

    def _attempt(
        self, events: list[Event], faults: list[BaseException], parts: Iterable[list[Event]] = ()
    ) -> list[Outcome]:
        """Decide on all, or, where that fails, on each half: one bad event does not spoil the others. With `parts`, the
        events are those drawn so far."""
        try:
            answers: list[Outcome] = list(self.runner.process_parts(parts or (events,)))
            self.store_ok = True
            return answers
        except (sqlite3.Error, StoreError, OSError) as error:
            self.store_ok = False
            faults.append(error)
            self._metrics.faults.labels("store").inc(len(events))
            return [STORE] * len(events)
        except Exception as error:
            if len(events) > 1 and len(faults) < _MOST_FAULTS:
                half = len(events) // 2
                return self._attempt(events[:half], faults) + self._attempt(events[half:], faults)
            faults.append(error)
            self._metrics.faults.labels("engine").inc(len(events))
            return [INTERNAL] * len(events)

    def _answer(self, results: "list[tuple[asyncio.Future[Any], Any]]") -> None:
        try:
            self._loop.call_soon_threadsafe(_settle, results)
        except RuntimeError:  # the loop is gone: what was decided is on disk, nobody is left to be told
            note("loop_gone", logging.WARNING, answers=len(results))


def _settle(results: "list[tuple[asyncio.Future[Any], Any]]") -> None:
    for future, result in results:
        if not future.done():
            future.set_result(result)


def _fail(future: "asyncio.Future[Any]", error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
