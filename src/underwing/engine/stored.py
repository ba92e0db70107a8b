"""Keyed state in SQLite: each map a bounded cache before a table, and which keys the table has (`known.py`)."""

import sqlite3
from collections.abc import Callable, Collection
from itertools import islice
from typing import Any, Final, Generic, TypeVar

import msgspec

from underwing.engine.known import KnownKeys
from underwing.policy import QuotaState
from underwing.risk import ActorState, Facts, PairState, RoomState, TargetState

T = TypeVar("T")
MANY: Final = 500
"""Keys in one query."""
_KNOWN: Final = 32
"""Of so many keys for each entry in memory it is remembered that they are there."""
_pack = msgspec.msgpack.Encoder().encode


def _opened(pair: PairState) -> int:
    """When a pair was opened of which nothing else is kept; 0 of any other."""
    more = pair.kept or pair.reading or pair.stages or pair.fast or pair.slow or pair.protect
    return pair.at if not (more or pair.refused or pair.level) and 0 < pair.at < 2**32 else 0


class StoredTable(Generic[T]):
    """One keyed map. What is not in the table is never looked for in it, unless there are too many keys to remember.

    Values that `note` makes a number of (1 to 2³² - 1; 0 of the others), and `noted` makes of it again, are kept by that
    number beside their key. Only `get` may be called while another thread is at work, and not where there are notes.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        kind: str,
        type_: type[T],
        capacity: int,
        note: Callable[[T], int] = lambda value: 0,
        noted: Callable[[int], T] | None = None,
    ) -> None:
        self._select = f"SELECT body FROM state_{kind} WHERE key = ?"
        self._select_many = f"SELECT key, body FROM state_{kind} WHERE key IN"
        self._upsert = f"INSERT INTO state_{kind} (key, body) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET body = excluded.body"  # noqa: E501
        self._connection, self._capacity = connection, capacity
        self._note, self._noted = note, noted
        self._decode: Callable[[bytes], T] = msgspec.msgpack.Decoder(type_).decode
        self._cache: dict[str, T | None] = {}
        self._dirty: dict[str, T] = {}
        self._put: dict[str, bool] = {}
        """The keys of the running transaction, and which are new."""
        most = capacity * _KNOWN
        rows = connection.execute(f"SELECT key FROM state_{kind} LIMIT ?", (most + 1,))
        self._known = KnownKeys(most, (key for (key,) in rows))

    def get(self, key: str) -> T | None:
        """The value of `key`, or None."""
        value = self._cache.get(key)
        if value is not None or self._absent(key):
            return value
        if self._noted is not None and (note := self._known.note(key)):
            return self._noted(note)
        if (value := self._dirty.get(key)) is not None:
            return value
        row = self._connection.execute(self._select, (key,)).fetchone()
        if row is None:
            self._cache[key] = None
            return None
        return self._remember(key, self._decode(row[0]))

    def __contains__(self, key: str) -> bool:
        return key in self._known or self.get(key) is not None

    def _absent(self, key: str) -> bool:
        """Whether it is known that there is no such key, of one that has no value in the cache."""
        return key not in self._known and (self._known.whole or key in self._cache)

    def _remember(self, key: str, value: T) -> T:
        """Keep what was read, as a number if it can be."""
        note = self._note(value)
        if note:
            self._cache.pop(key, None)
            self._known.add(key, note)
        else:
            self._cache[key] = value
            if not self._known.whole:
                self._known.add(key)
        return value

    def fetch(self, keys: Collection[str]) -> dict[str, T]:
        """The values of those of `keys` that there are, read many at a time: far cheaper than one by one."""
        cache, dirty, note = self._cache, self._dirty, self._known.note
        if self._known.whole:
            there = list(dict.fromkeys(self._known.among(keys)))
        else:
            there = [key for key in dict.fromkeys(keys) if key in cache or not self._absent(key)]
        missing = [key for key in there if key not in cache and key not in dirty]
        if self._noted is not None:
            missing = [key for key in missing if not note(key)]
        for start in range(0, len(missing), MANY):
            part = missing[start : start + MANY]
            marks = ",".join("?" * len(part))
            cache.update(dict.fromkeys(part))
            for key, body in self._connection.execute(f"{self._select_many} ({marks})", part):
                self._remember(key, self._decode(body))
        return {key: value for key in there if (value := self.get(key)) is not None}

    def put(self, key: str, value: T) -> None:
        """Set the value of `key`; written with the running transaction."""
        self._cache.pop(key, None)
        note = self._note(value)
        if not note:
            self._cache[key] = value
        self._dirty[key] = value
        new = self._known.add(key, note)
        self._put[key] = new or self._put.get(key, False)

    def flush(self) -> None:
        """Write what changed into the running transaction."""
        if self._dirty:
            self._connection.executemany(self._upsert, [(k, _pack(v)) for k, v in self._dirty.items()])
            self._dirty.clear()

    def trim(self) -> None:
        """What was written is durable; forget the entries beyond the capacity, a sixteenth more than needed: to come to the
        oldest, a dict goes past the places of all that went before."""
        self._put.clear()
        surplus = len(self._cache) - self._capacity
        if surplus > 0:
            for key in list(islice(self._cache, surplus + self._capacity // 16)):
                del self._cache[key]

    def forget(self) -> None:
        """Drop everything in memory (after a transaction that was rolled back)."""
        self._cache.clear()
        self._dirty.clear()
        for key, new in self._put.items():
            if new:
                self._known.discard(key)
            else:
                self._known.add(key)
        self._put.clear()


class StoredState:
    """The engine's state in SQLite, at most `capacity` entries of each kind in memory."""

    def __init__(self, connection: sqlite3.Connection, capacity: int) -> None:
        self.pairs = StoredTable(connection, "pairs", PairState, capacity, _opened, PairState)
        self.actors = StoredTable(connection, "actors", ActorState, capacity)
        self.targets = StoredTable(connection, "targets", TargetState, capacity)
        self.rooms = StoredTable(connection, "rooms", RoomState, capacity)
        self.accounts = StoredTable(connection, "accounts", Facts, capacity)
        self.quotas = StoredTable(connection, "quotas", QuotaState, 8)

    def all(self) -> tuple[StoredTable[Any], ...]:
        """Every table."""
        return (self.pairs, self.actors, self.targets, self.rooms, self.accounts, self.quotas)
