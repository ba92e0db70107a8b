"""The embedded runner: the fold over a SQLite file, durable before it answers.

All events of a call are folded and written in one transaction (WAL, synchronous FULL by default), so an
answered event is on disk whatever happens next, and an unanswered one left no trace. An event id that was
answered before gets the same bytes again.
"""

import fcntl
import sqlite3
import threading
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

import msgspec

from underwing.engine.core import Engine
from underwing.engine.keys import pair_key
from underwing.engine.known import KnownKeys
from underwing.engine.store import SCHEMA, Decisions, StoreError, connect
from underwing.model import Account, BadEvent, Event, Message, decode_event, encode
from underwing.policy import QuotaState
from underwing.risk import ActorState, Facts, PairState, RoomState, TargetState, is_minor

T = TypeVar("T")
_KINDS: dict[str, type] = {
    "pairs": PairState,
    "actors": ActorState,
    "targets": TargetState,
    "rooms": RoomState,
    "accounts": Facts,
    "quotas": QuotaState,
}
_MANY = 500
"""Keys in one query."""
_KNOWN = 32
"""Of so many keys for each entry in memory it is remembered that they are there."""
_pack = msgspec.msgpack.Encoder().encode


class _StoredTable(Generic[T]):
    """One keyed map: a bounded cache in memory before a SQLite table, and which keys the table has.

    What is not in the table is never looked for in it, unless there are too many keys to remember.
    """

    def __init__(self, connection: sqlite3.Connection, kind: str, type_: type, capacity: int) -> None:
        self._select = f"SELECT body FROM state_{kind} WHERE key = ?"
        self._select_many = f"SELECT key, body FROM state_{kind} WHERE key IN"
        self._upsert = f"INSERT INTO state_{kind} (key, body) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET body = excluded.body"  # noqa: E501
        self._connection, self._capacity = connection, capacity
        self._decode: Callable[[bytes], T] = msgspec.msgpack.Decoder(type_).decode
        self._cache: dict[str, T | None] = {}
        self._dirty: dict[str, T] = {}
        self._new: list[str] = []
        most = capacity * _KNOWN
        rows = connection.execute(f"SELECT key FROM state_{kind} LIMIT ?", (most + 1,))
        self._known = KnownKeys(most, (key for (key,) in rows))

    def get(self, key: str) -> T | None:
        """The value of `key`, or None."""
        value = self._cache.get(key)
        if value is not None or self._absent(key):
            return value
        row = self._connection.execute(self._select, (key,)).fetchone()
        value = self._cache[key] = self._decode(row[0]) if row else None
        if value is not None and not self._known.whole:
            self._known.add(key)
        return value

    def __contains__(self, key: str) -> bool:
        return key in self._known or self.get(key) is not None

    def _absent(self, key: str) -> bool:
        """Whether it is known that there is no such key."""
        return key not in self._known and (self._known.whole or key in self._cache)

    def fetch(self, keys: Iterable[str]) -> dict[str, T]:
        """The values of those of `keys` that there are, read many at a time: far cheaper than one by one."""
        cache, known = self._cache, self._known
        there = [key for key in dict.fromkeys(keys) if not self._absent(key)]
        missing = [key for key in there if key not in cache]
        for start in range(0, len(missing), _MANY):
            part = missing[start : start + _MANY]
            marks = ",".join("?" * len(part))
            cache.update(dict.fromkeys(part))
            for key, body in self._connection.execute(f"{self._select_many} ({marks})", part):
                cache[key] = self._decode(body)
                if not known.whole:
                    known.add(key)
        return {key: value for key in there if (value := cache.get(key)) is not None}

    def put(self, key: str, value: T) -> None:
        """Set the value of `key`; written with the running transaction."""
        self._cache.pop(key, None)
        self._cache[key] = value
        self._dirty[key] = value
        if self._known.add(key):
            self._new.append(key)

    def flush(self) -> None:
        """Write what changed into the running transaction."""
        if self._dirty:
            self._connection.executemany(self._upsert, [(k, _pack(v)) for k, v in self._dirty.items()])
            self._dirty.clear()

    def trim(self) -> None:
        """What was written is durable; forget the entries beyond the capacity, a sixteenth more than needed: to come to the
        oldest, a dict goes past the places of all that went before."""
        self._new.clear()
        surplus = len(self._cache) - self._capacity
        if surplus > 0:
            for key in list(islice(self._cache, surplus + self._capacity // 16)):
                del self._cache[key]

    def forget(self) -> None:
        """Drop everything in memory (after a transaction that was rolled back)."""
        self._cache.clear()
        self._dirty.clear()
        for key in self._new:
            self._known.discard(key)
        self._new.clear()


class StoredState:
    """The engine's state in SQLite, at most `capacity` entries of each kind in memory."""

    def __init__(self, connection: sqlite3.Connection, capacity: int) -> None:
        self.pairs: _StoredTable[PairState] = _StoredTable(connection, "pairs", PairState, capacity)
        self.actors: _StoredTable[ActorState] = _StoredTable(connection, "actors", ActorState, capacity)
        self.targets: _StoredTable[TargetState] = _StoredTable(connection, "targets", TargetState, capacity)
        self.rooms: _StoredTable[RoomState] = _StoredTable(connection, "rooms", RoomState, capacity)
        self.accounts: _StoredTable[Facts] = _StoredTable(connection, "accounts", Facts, capacity)
        self.quotas: _StoredTable[QuotaState] = _StoredTable(connection, "quotas", QuotaState, 8)

    def all(self) -> tuple[_StoredTable[Any], ...]:
        """Every table."""
        return (self.pairs, self.actors, self.targets, self.rooms, self.accounts, self.quotas)


class Answer(msgspec.Struct, frozen=True):
    """The answer to one event: the decision's bytes and whether they were given before."""

    body: bytes
    repeated: bool = False


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
        self._connection.executescript(SCHEMA)
        self._decisions = Decisions(self._connection)
        self.state = StoredState(self._connection, capacity)

    def process(self, events: Sequence[Event]) -> list[Answer]:
        """Decide on events in order. When this returns, every answer is durable; when it raises, none is."""
        with self._lock:
            db = self._connection
            keyed = [event.id for event in events if type(event) is not Account]
            known: dict[str, bytes] = {}
            for start in range(0, len(keyed), _MANY):
                part = keyed[start : start + _MANY]
                marks = ",".join("?" * len(part))
                known.update(db.execute(f"SELECT event, body FROM decisions WHERE event IN ({marks})", part))
            answers: list[Answer] = []
            rows: list[tuple[str, int, bytes]] = []
            judged: list[tuple[str, str | None, str | None, int, str]] = []
            step, state = self.engine.step, self.state
            if len(events) > 1:
                self._fetch(events)
            db.execute("BEGIN IMMEDIATE")
            try:
                for event in events:
                    if type(event) is Account:
                        answers.append(Answer(encode(step(state, event))))
                        continue
                    body = known.get(event.id)
                    if body is not None:
                        answers.append(Answer(body, True))
                        continue
                    decision = step(state, event)
                    body = known[event.id] = encode(decision)
                    at = int(event.at.timestamp())  # type: ignore[union-attr]
                    rows.append((event.id, at, body))
                    if decision.reasons:
                        judged.append((event.id, decision.actor, decision.target, at, decision.level))
                    answers.append(Answer(body))
                db.executemany("INSERT INTO decisions (event, at, body) VALUES (?, ?, ?)", rows)
                db.executemany(
                    "INSERT INTO judged (event, actor, target, at, level) VALUES (?, ?, ?, ?, ?)", judged
                )
                for table in state.all():
                    table.flush()
                db.execute("COMMIT")
                for table in state.all():
                    table.trim()
            except BaseException:
                # On a full disk SQLite has rolled back by itself; what is in memory must go either way.
                if db.in_transaction:
                    db.execute("ROLLBACK")
                for table in state.all():
                    table.forget()
                raise
            return answers

    def _fetch(self, events: Sequence[Event]) -> None:
        """Read what messages between two accounts will ask for, in a few queries: what is known of both, and where one is a
        child, their pair. Of other pairs little is asked but that they are there."""
        both = [
            (event.sender, event.to[0])
            for event in events
            if type(event) is Message and event.surface == "dm" and len(event.to) == 1
        ]
        accounts = self.state.accounts.fetch(chain.from_iterable(both))
        children = {account for account, facts in accounts.items() if is_minor(facts)}
        if children:
            couples = (pair for pair in both if not children.isdisjoint(pair))
            self.state.pairs.fetch(pair_key(one, other) for one, other in couples)

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
                "DELETE FROM decisions WHERE at < ? AND event NOT IN (SELECT event FROM judged)", (before,)
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
