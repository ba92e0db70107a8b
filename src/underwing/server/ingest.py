"""The one thread that talks to the engine: group commit, big bodies in slices, reads in between.

Single events that arrive while a transaction runs are folded together in the next one, so that a thousand a
second share a few hundred commits; conversations take turns, so that a flood in one delays no other. A big body is
cut into slices, short ones while single events are about, and one slice goes between two groups of single
events: neither starves the other. Whatever is answered has been committed.
"""

import asyncio
import logging
import queue
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from underwing.engine import Runner, StoreError
from underwing.engine.runner import Answer
from underwing.model import Event
from underwing.server.casework import Casework
from underwing.server.fair import Turns
from underwing.server.http import Refusal
from underwing.server.intake import Problem, take
from underwing.server.logs import note
from underwing.server.metrics import Metrics

R = TypeVar("R")
GROUP = 1_000
"""At most this many single events in a transaction."""
SLICE, SHORT_SLICE, LEAST = 2_000, 100, 10
"""Lines of a big body in a transaction, without and with single events about; and the fewest."""
SHORT_SECONDS = 0.003
"""While single events are about, so much work goes into a transaction, as far as that can be told from those before:
nobody waits longer for what others said."""
APART_SECONDS = 0.0025
"""Groups of single events are committed at least this far apart: alone an event goes at once, in a rush a few
share what a commit costs."""
_ABOUT_SECONDS = 0.25
_MOST_FAULTS = 32

INTERNAL = Problem(500, "internal", "this event could not be decided on; it is safe to send it again")
STORE = Problem(503, "store_unavailable", "the store cannot be written; it is safe to send the event again")
Outcome = Answer | Problem
Line = tuple[int, bytes]


class _Single:
    __slots__ = ("event", "future")

    def __init__(self, event: Event, future: "asyncio.Future[Outcome]") -> None:
        self.event, self.future = event, future


class _Bulk:
    __slots__ = ("done", "future", "lines", "outcomes")

    def __init__(self, lines: Sequence[Line], future: "asyncio.Future[list[Outcome]]") -> None:
        self.lines, self.future = lines, future
        self.done = 0
        self.outcomes: list[Outcome] = []


class _Call:
    __slots__ = ("function", "future")

    def __init__(self, function: Callable[[], Any], future: "asyncio.Future[Any]") -> None:
        self.function, self.future = function, future


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
        self.runner, self._metrics, self._casework = runner, metrics, casework
        self._max_waiting, self._max_ahead = max_waiting, max_ahead
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[_Single | _Bulk | _Call | None] = queue.SimpleQueue()
        self._waiting = self._singles_waiting = 0
        metrics.waiting.set_function(lambda: self._waiting)
        self._singles: Turns[_Single] = Turns()
        self._costs = {GROUP: 0.0001, SHORT_SLICE: 0.0001}
        """Seconds of the processor that a single event, and a line of a body, took of late."""
        self._bulks: deque[_Bulk] = deque()
        self._closed = False
        self._last_single = 0.0
        self.follow: Callable[[Sequence[tuple[Event, bytes, bool]]], None] = lambda _: None
        """Told, in the thread, of each event that was decided on, its decision, and whether that had been given before."""
        self.store_ok = True
        self._thread = threading.Thread(target=self._run, name="underwing-ingest", daemon=True)
        self._thread.start()

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
        ending = False
        while not (ending and self._queue.empty() and not self._singles and not self._bulks):
            ending = self._collect(ending) or ending
            pause = self._last_single + APART_SECONDS - time.monotonic()
            if self._singles and not self._bulks and not ending and pause > 0:
                time.sleep(pause)
                continue
            if self._singles:
                self._last_single = time.monotonic()
                group = self._singles.take(self._short(GROUP))
                outcomes = self._decide([job.event for job in group], GROUP)
                self._answer([(job.future, outcome) for job, outcome in zip(group, outcomes, strict=True)])
            if self._bulks:
                job = self._bulks.popleft()
                try:
                    self._slice(job)
                except Exception as error:  # a mistake of ours: the thread must outlive it
                    note("ingest_fault", logging.ERROR, error)
                    self._answer([(job.future, [INTERNAL] * len(job.lines))])

    def _collect(self, ending: bool) -> bool:
        """Sort what waits; wait for something when nothing does. True when it is time to end."""
        block = not (ending or self._singles or self._bulks)
        while True:
            try:
                job = self._queue.get(block)
            except queue.Empty:
                return False
            block = False
            if job is None:
                return True
            if type(job) is _Single:
                self._singles.put(getattr(job.event, "conversation", ""), job)
            elif type(job) is _Bulk:
                self._bulks.append(job)
            elif isinstance(job, _Call):
                self._perform(job)

    def _perform(self, job: _Call) -> None:
        try:
            result = job.function()
        except Exception as error:
            self._loop.call_soon_threadsafe(_fail, job.future, error)
        else:
            self._answer([(job.future, result)])

    def _short(self, most: int) -> int:
        """How many events take `SHORT_SECONDS`, at most so many."""
        return max(LEAST, min(most, int(SHORT_SECONDS / self._costs[most])))

    def _slice(self, job: _Bulk) -> None:
        about = time.monotonic() - self._last_single < _ABOUT_SECONDS
        part = job.lines[job.done : job.done + (self._short(SHORT_SLICE) if about else SLICE)]
        now = time.time()
        taken = [take(data, now, self._max_ahead) for _, data in part]
        decided = iter(
            self._decide([event for event in taken if not isinstance(event, Problem)], SHORT_SLICE)
        )
        job.outcomes += [event if isinstance(event, Problem) else next(decided) for event in taken]
        job.done += len(part)
        if job.done < len(job.lines):
            self._bulks.append(job)
        else:
            self._answer([(job.future, job.outcomes)])

    def _tell(self, events: list[Event], outcomes: list[Outcome]) -> None:
        """Tell who follows what was decided; a decision is answered whatever becomes of that."""
        try:
            pairs = zip(events, outcomes, strict=True)
            self.follow(
                [(event, made.body, made.repeated) for event, made in pairs if isinstance(made, Answer)]
            )
        except Exception as error:
            self._metrics.faults.labels("streams").inc()
            note("streams_fault", logging.ERROR, error)

    def _decide(self, events: list[Event], most: int) -> list[Outcome]:
        if not events:
            return []
        faults: list[BaseException] = []
        began = time.thread_time()
        outcomes = self._attempt(events, faults)
        self._costs[most] += 0.1 * ((time.thread_time() - began) / len(events) - self._costs[most])
        if self._casework is not None:
            outcomes = self._record(self._casework, events, outcomes)
        self._tell(events, outcomes)
        for error in faults[:1]:
            note("engine_fault", logging.ERROR, error, faults=len(faults), events=len(events))
        try:
            good = [(e, o) for e, o in zip(events, outcomes, strict=True) if isinstance(o, Answer)]
            if good:
                self._metrics.count([e for e, _ in good], [o for _, o in good])
        except Exception as error:  # counting must never cost an answer
            note("metrics_fault", logging.ERROR, error)
        return outcomes

    def _record(self, casework: Casework, events: list[Event], outcomes: list[Outcome]) -> list[Outcome]:
        """Bring what was decided to the casebook; what could not be written there is not answered."""
        answered = [(n, o) for n, o in enumerate(outcomes) if isinstance(o, Answer)]
        lost = casework.record([(events[n], answer.body, answer.repeated) for n, answer in answered])
        if lost:
            self._metrics.faults.labels("casebook").inc(len(lost))
            outcomes = list(outcomes)
            for index in lost:
                outcomes[answered[index][0]] = STORE
        return outcomes

    def _attempt(self, events: list[Event], faults: list[BaseException]) -> list[Outcome]:
        """Decide on all, or, where that fails, on each half: one bad event does not spoil the others."""
        try:
            answers: list[Outcome] = list(self.runner.process(events))
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
