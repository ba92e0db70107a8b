"""The embedded runner: the fold over a SQLite file, durable before it answers.

All events of a call are folded and written in one transaction (WAL, synchronous FULL by default), so an
answered event is on disk whatever happens next, and an unanswered one left no trace. An event id that was
answered before gets the same bytes again.
"""

import fcntl
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from underwing.engine.core import Engine
from underwing.engine.keys import pair_key
from underwing.engine.store import Decisions, StoreError, connect
from underwing.engine.stored import MANY, StoredState
from underwing.model import Account, BadEvent, Event, Message, decode_event, encode
from underwing.risk import is_minor


class Answer(msgspec.Struct, frozen=True):
    """The answer to one event: the decision's bytes and whether they were given before."""

    body: bytes
    repeated: bool = False


class _Work:
    """What a transaction has decided so far: answers, what was answered before, rows to be written."""

    __slots__ = ("answers", "judged", "known", "rows")

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.known: dict[str, bytes] = {}
        self.rows: list[tuple[str, int, bytes]] = []
        self.judged: list[tuple[str, str | None, str | None, int, str]] = []


class Runner:
    """Owns one SQLite file. Safe to call from several threads; one transaction at a time.

    `path` is the file (":memory:" for none), `capacity` the number of entries of each kind kept in memory,
    `durability` "full" (survives loss of power) or "normal" (survives the death of the process).

    Raises:
        StoreError: the file is in use by another runner, is not ours, or cannot be opened.
    """

    def __init__(
        self,
        engine: Engine,
        path: Path | str,
        *,
        capacity: int = 200_000,
        durability: Literal["full", "normal"] = "full",
    ) -> None:
        self.engine = engine
        self._lock = threading.Lock()
        self._guard = None
        if str(path) != ":memory:":
            self._guard = open(f"{path}.lock", "w")  # noqa: SIM115 (held while the runner lives)
            try:
                fcntl.flock(self._guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                self._guard.close()
                raise StoreError(
                    f"{path} is in use by another Underwing; stop that one or choose another file"
                ) from None
        self._connection = connect(path, durability)
        self._decisions = Decisions(self._connection)
        self.state = StoredState(self._connection, capacity)

    def process(self, events: Sequence[Event]) -> list[Answer]:
        """Decide on events in order. When this returns, every answer is durable; when it raises, none is."""
        return self.process_parts((events,))

    def process_parts(self, parts: Iterable[Sequence[Event]]) -> list[Answer]:
        """Decide on events in order, in one transaction, asking for the next of its parts only when the last is decided.

        When this returns, every answer is durable; when it raises, none is. No part may call this runner.
        """
        with self._lock:
            db = self._connection
            work = _Work()
            db.execute("BEGIN IMMEDIATE")
            try:
                for part in parts:
                    self._part(part, work)
                db.executemany("INSERT INTO decisions (event, at, body) VALUES (?, ?, ?)", work.rows)
                db.executemany(
                    "INSERT INTO judged (event, actor, target, at, level) VALUES (?, ?, ?, ?, ?)", work.judged
                )
                for table in self.state.all():
                    table.flush()
                db.execute("COMMIT")
                for table in self.state.all():
                    table.trim()
            except BaseException:
                # On a full disk SQLite has rolled back by itself; what is in memory must go either way.
                if db.in_transaction:
                    db.execute("ROLLBACK")
                for table in self.state.all():
                    table.forget()
                raise
            return work.answers

    def _part(self, events: Sequence[Event], work: "_Work") -> None:
        known = work.known
        asked = [event.id for event in events if type(event) is not Account]
        for start in range(0, len(asked), MANY):
            some = asked[start : start + MANY]
            marks = ",".join("?" * len(some))
            known.update(
                self._connection.execute(f"SELECT event, body FROM decisions WHERE event IN ({marks})", some)
            )
        if len(events) > 1:
            self._fetch(events)
        step, state = self.engine.step, self.state
        for event in events:
            if type(event) is Account:
                work.answers.append(Answer(encode(step(state, event))))
                continue
            body = known.get(event.id)
            if body is not None:
                work.answers.append(Answer(body, True))
                continue
            decision = step(state, event)
            body = known[event.id] = encode(decision)
            at = int(event.at.timestamp())  # type: ignore[union-attr]
            work.rows.append((event.id, at, body))
            if decision.reasons:
                work.judged.append((event.id, decision.actor, decision.target, at, decision.level))
            work.answers.append(Answer(body))

    def _fetch(self, events: Sequence[Event]) -> None:
        """Read what messages between two accounts will ask for, in a few queries: what is known of both, and where one is a
        child, their pair. Of other pairs little is asked but that they are there."""
        both = [
            (event.sender, event.to[0])
            for event in events
            if type(event) is Message and event.surface == "dm" and len(event.to) == 1
        ]
        accounts = self.state.accounts.fetch([account for pair in both for account in pair])
        children = {account for account, facts in accounts.items() if is_minor(facts)}
        if children:
            couples = (pair for pair in both if not children.isdisjoint(pair))
            self.state.pairs.fetch([pair_key(one, other) for one, other in couples])

    def process_lines(self, lines: Sequence[bytes]) -> list[Answer | BadEvent]:
        """Decide on events given as JSON, in order; a line that cannot be taken becomes its error."""
        parsed: list[Event | BadEvent] = []
        for line in lines:
            try:
                parsed.append(decode_event(line))
            except BadEvent as error:
                parsed.append(error)
        answers = iter(self.process([e for e in parsed if not isinstance(e, BadEvent)]))
        return [e if isinstance(e, BadEvent) else next(answers) for e in parsed]

    def decision(self, event: str) -> bytes | None:
        """The decision given for an event id, as it was answered, or None."""
        with self._lock:
            return self._decisions.decision(event)

    def explain(
        self, *, actor: str | None = None, target: str | None = None, limit: int = 200
    ) -> list[bytes]:
        """The decisions with reasons about an actor, a target or both (a pair), oldest first."""
        with self._lock:
            return self._decisions.explain(actor=actor, target=target, limit=limit)

    def recent(self, after: int = 0, limit: int = 100) -> list[tuple[int, bytes]]:
        """(number, decision) of decisions with reasons, numbers above `after`, oldest first."""
        with self._lock:
            return self._decisions.recent(after, limit)

    def prune(self, before: int) -> int:
        """Forget the answers to quiet events dated before `before` (epoch seconds); how many went.

        A forgotten id is no longer recognised when it is sent again. Decisions with reasons stay.
        """
        with self._lock:
            cursor = self._connection.execute(
                "DELETE FROM decisions WHERE at < ?1 AND event NOT IN (SELECT event FROM judged WHERE at < ?1)",
                (before,),
            )
            return cursor.rowcount

    def close(self) -> None:
        """Close the file. Nothing is lost if this is never called."""
        with self._lock:
            self._connection.close()
            if self._guard is not None:
                self._guard.close()

    def __enter__(self) -> "Runner":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
