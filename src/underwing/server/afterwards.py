"""What follows the engine's commit, before an answer goes out: casebook, who follows, metrics.

Of single events it is done at once, in the engine's thread. Of bodies it may be done in a thread beside it, in their order,
so that no single event waits until a flood's cases are written. A crash in between loses nothing: what the casebook misses
of the engine's decisions it takes in at the next start.
"""

import logging
import queue
import threading
from collections.abc import Callable, Sequence

from msgspec import Struct

from underwing.engine.runner import Answer
from underwing.model import Event
from underwing.server.casework import Casework, Prepared
from underwing.server.intake import Problem
from underwing.server.logs import note
from underwing.server.metrics import Metrics

MOST_LOTS = 4
"""Lots of bodies that may wait for what follows; no more is decided on before."""
INTERNAL = Problem(500, "internal", "this event could not be decided on; it is safe to send it again")
STORE = Problem(503, "store_unavailable", "the store cannot be written; it is safe to send the event again")
Outcome = Answer | Problem
Follow = Callable[[Sequence[tuple[Event, bytes, bool]]], None]


class Lot(Struct, frozen=True):
    """What was decided on together: events, what came of each, and what of it is for the casebook."""

    events: list[Event]
    outcomes: list[Outcome]
    prepared: Prepared | None


class Afterwards:
    """`prepare` is for the engine's thread, `finish` for any; `later` has the thread beside finish a lot and tell `done`."""

    def __init__(self, casework: Casework | None, metrics: Metrics) -> None:
        self._casework, self._metrics = casework, metrics
        self.follow: Follow = lambda _: None
        """Told of each event that was decided on, its decision, and whether that had been given before; by one at a time."""
        self._following = threading.Lock()
        self._lots: queue.SimpleQueue[tuple[Lot, Callable[[list[Outcome]], None]] | None] = (
            queue.SimpleQueue()
        )
        self._given = self._finished = 0
        self._thread = threading.Thread(target=self._run, name="underwing-afterwards", daemon=True)
        self._thread.start()

    @property
    def room(self) -> bool:
        """Whether a further lot may come."""
        return self._given - self._finished < MOST_LOTS

    @property
    def idle(self) -> bool:
        """Whether no lot is waiting or being finished."""
        return self._given == self._finished

    def prepare(self, events: list[Event], outcomes: list[Outcome]) -> Lot:
        """A lot, with what the engine's state adds to it for the casebook."""
        if self._casework is None:
            return Lot(events, outcomes, None)
        answered = [
            (e, o.body, o.repeated) for e, o in zip(events, outcomes, strict=True) if isinstance(o, Answer)
        ]
        return Lot(events, outcomes, self._casework.prepare(answered))

    def finish(self, lot: Lot) -> list[Outcome]:
        """Do what follows; what the casebook could not take is not answered."""
        outcomes = self._record(lot)
        pairs = [(e, o) for e, o in zip(lot.events, outcomes, strict=True) if isinstance(o, Answer)]
        self._tell(pairs)
        try:
            if pairs:
                self._metrics.count([e for e, _ in pairs], [o for _, o in pairs])
        except Exception as error:  # counting must never cost an answer
            note("metrics_fault", logging.ERROR, error)
        return outcomes

    def later(self, lot: Lot, done: Callable[[list[Outcome]], None]) -> None:
        """Finish a lot in the thread beside; lots are finished in their order."""
        self._given += 1
        self._lots.put((lot, done))

    def close(self) -> None:
        """Finish all lots, then end the thread."""
        self._lots.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (job := self._lots.get()) is not None:
            lot, done = job
            try:
                outcomes = self.finish(lot)
            except Exception as error:  # a mistake of ours: the thread must outlive it
                note("ingest_fault", logging.ERROR, error)
                outcomes = [INTERNAL] * len(lot.events)
            done(outcomes)
            self._finished += 1

    def _record(self, lot: Lot) -> list[Outcome]:
        if self._casework is None or lot.prepared is None:
            return lot.outcomes
        lost = self._casework.write(lot.prepared)
        if not lost:
            return lot.outcomes
        self._metrics.faults.labels("casebook").inc(len(lost))
        outcomes = list(lot.outcomes)
        answered = [n for n, outcome in enumerate(outcomes) if isinstance(outcome, Answer)]
        for place in lost:
            outcomes[answered[place]] = STORE
        return outcomes

    def _tell(self, pairs: Sequence[tuple[Event, Answer]]) -> None:
        """Tell who follows what was decided; a decision is answered whatever becomes of that."""
        try:
            with self._following:
                self.follow([(event, made.body, made.repeated) for event, made in pairs])
        except Exception as error:
            self._metrics.faults.labels("streams").inc()
            note("streams_fault", logging.ERROR, error)
