"""An encrypted rolling buffer of the last messages of each conversation, in a SQLite file of its own.

The file shows times and sizes, and nothing else: conversations and events appear as keyed hashes (HMAC-SHA256), texts
and accounts encrypted with AES-256-GCM under a key for each conversation, derived from the key that is held apart. A
key so small in use keeps random nonces far from their limit (2^32 a key, NIST SP 800-38D 8.3).

Times are epoch seconds by the clock of the machine: how long a message may wait counts from its arrival, whatever it
says of itself.
"""

import hmac
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Struct

from underwing.casebook.context.lines import ContextError, Line, decrypted, encrypted

APPLICATION_ID = 0x556E6478
"""Marks the file as a context buffer ("Undx")."""
SCHEMA = """
CREATE TABLE IF NOT EXISTS waiting (
    number INTEGER PRIMARY KEY, conversation BLOB NOT NULL, event BLOB NOT NULL, at INTEGER NOT NULL,
    until INTEGER NOT NULL, body BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS waiting_conversation ON waiting (conversation, number);
CREATE INDEX IF NOT EXISTS waiting_until ON waiting (until);
CREATE TABLE IF NOT EXISTS total (one INTEGER PRIMARY KEY CHECK (one = 1), bytes INTEGER NOT NULL) WITHOUT ROWID;
INSERT OR IGNORE INTO total VALUES (1, 0);
"""
MOST_BYTES = 1 << 30
"""All that waits, in bytes of cipher text; beyond, the oldest goes first whatever its conversation."""
_SWEEP_SECONDS = 60
_COUNTED = 100_000
"""Conversations of which it is remembered how many lines wait, so that the others need no look at the file."""
_PART = 500


class Waiting(Struct, frozen=True):
    """A line on its way in: its conversation, and how much of that may wait."""

    conversation: str
    line: Line
    count: int
    hours: int


class ContextBuffer:
    """Owns one file. Safe to call from several threads; one transaction at a time.

    Raises:
        ContextError: the file is something else's, or cannot be opened.
    """

    def __init__(self, path: Path | str, key: bytes, *, most_bytes: int = MOST_BYTES) -> None:
        if len(key) != 32:
            raise ContextError("the context's key must have 32 bytes")
        self._key, self._most = key, most_bytes
        self._lock = threading.Lock()
        self._swept = 0
        self._counts: dict[bytes, int] = {}
        self._ciphers: dict[str, tuple[bytes, AESGCM]] = {}
        try:
            self._db = db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
            marked = db.execute("PRAGMA application_id").fetchone()[0]
            if db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] and marked != APPLICATION_ID:
                db.close()
                raise ContextError(f"{path} is a SQLite file of something else; choose another path")
            db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            db.execute("PRAGMA secure_delete = ON")
            db.executescript(SCHEMA)
        except sqlite3.DatabaseError as error:
            raise ContextError(f"{path} cannot be opened: {error}") from None

    # -- what waits -------------------------------------------------------------------------------------

    def keep(self, lines: Sequence[Waiting], now: int) -> None:
        """Take lines in, in one transaction, and throw away what is too much or too old by `now`."""
        with self._transaction() as db:
            rows: list[tuple[bytes, bytes, int, int, bytes]] = []
            limits: dict[bytes, int] = {}
            for limit, entry in _newest(lines):
                tag, cipher = self._cipher(entry.conversation)
                if tag not in limits:
                    self._count(db, tag)
                self._counts[tag] += 1
                rows.append(self._row(tag, cipher, entry, now))
                limits[tag] = limit
            db.executemany(
                "INSERT INTO waiting (conversation, event, at, until, body) VALUES (?, ?, ?, ?, ?)", rows
            )
            gained = sum(len(row[4]) for row in rows)
            for tag, count in limits.items():
                surplus = self._counts[tag] - count
                if surplus > 0:
                    self._counts[tag] = count
                    gained -= _gone(db.execute(
                        "DELETE FROM waiting WHERE number IN (SELECT number FROM waiting WHERE conversation = ?"
                        " ORDER BY number LIMIT ?) RETURNING length(body)",
                        (tag, surplus),
                    ))  # fmt: skip
            db.execute("UPDATE total SET bytes = bytes + ?", (gained,))
            self._sweep(db, now)

    def _count(self, db: sqlite3.Connection, tag: bytes) -> None:
        """Remember how many lines of a conversation wait; of the others those that were met last stay remembered."""
        count = self._counts.pop(tag, None)
        if count is None:
            count = db.execute("SELECT count(*) FROM waiting WHERE conversation = ?", (tag,)).fetchone()[0]
            if len(self._counts) >= _COUNTED:
                del self._counts[next(iter(self._counts))]
        self._counts[tag] = count

    def sweep(self, now: int) -> None:
        """Throw away what has waited too long."""
        with self._transaction() as db:
            self._swept = 0
            self._sweep(db, now)

    def waiting(self) -> tuple[int, int]:
        """(lines, bytes of cipher text) that wait."""
        with self._lock:
            count = self._db.execute("SELECT count(*) FROM waiting").fetchone()[0]
            return count, self._db.execute("SELECT bytes FROM total").fetchone()[0]

    def _sweep(self, db: sqlite3.Connection, now: int) -> None:
        gone = 0
        if abs(now - self._swept) >= _SWEEP_SECONDS:
            self._swept = now
            gone += _gone(db.execute("DELETE FROM waiting WHERE until <= ? RETURNING length(body)", (now,)))
        held = db.execute("SELECT bytes FROM total").fetchone()[0] - gone
        while held > self._most:
            part = _gone(db.execute(
                "DELETE FROM waiting WHERE number IN (SELECT number FROM waiting ORDER BY number LIMIT ?)"
                " RETURNING length(body)",
                (_PART if held > self._most + (1 << 20) else 1,),
            ))  # fmt: skip
            if not part:
                break
            gone, held = gone + part, held - part
        if gone:
            self._counts.clear()
            db.execute("UPDATE total SET bytes = bytes - ?", (gone,))

    def _cipher(self, conversation: str) -> tuple[bytes, AESGCM]:
        """The tag and the cipher of a conversation; those that were met last stay remembered."""
        known = self._ciphers.pop(conversation, None)
        if known is None:
            known = self._tag(b"conversation", conversation), AESGCM(self._of(conversation))
            if len(self._ciphers) >= _COUNTED:
                del self._ciphers[next(iter(self._ciphers))]
        self._ciphers[conversation] = known
        return known

    def _row(
        self, tag: bytes, cipher: AESGCM, entry: Waiting, now: int
    ) -> tuple[bytes, bytes, int, int, bytes]:
        line = entry.line
        event = self._tag(b"event", line.event)
        body = encrypted(cipher, entry.conversation, line, tag + event)
        return tag, event, line.at, now + entry.hours * 3600, body

    def lines(self, conversation: str, now: int) -> list[Line]:
        """What waits of a conversation, in the order in which it came; it goes on waiting.

        Raises:
            ContextError: it was changed.
        """
        tag, cipher = self._cipher(conversation)
        with self._lock:
            rows = self._db.execute(
                "SELECT event, body FROM waiting WHERE conversation = ? AND until > ? ORDER BY number",
                (tag, now),
            ).fetchall()
        return [decrypted(cipher, body, tag + event)[1] for event, body in rows]

    # -- keys and life ----------------------------------------------------------------------------------

    def _tag(self, what: bytes, value: str) -> bytes:
        return hmac.digest(self._key, what + b"\0" + value.encode("utf-8", "replace"), "sha256")[:16]

    def _of(self, conversation: str) -> bytes:
        """The key of what waits of a conversation."""
        return hmac.digest(self._key, b"key\0" + conversation.encode("utf-8", "replace"), "sha256")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                self._counts.clear()
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()


def _newest(lines: Sequence[Waiting]) -> list[tuple[int, Waiting]]:
    """Of each conversation the last lines with how many of it may wait, in their order: what would be pushed out again at
    once is not taken in."""
    able = [entry for entry in lines if entry.count > 0 and entry.hours > 0]
    limits: dict[str, int] = {}
    for entry in able:
        limits[entry.conversation] = min(entry.count, limits.get(entry.conversation, entry.count))
    newest, left = [], dict(limits)
    for entry in reversed(able):
        if left[entry.conversation]:
            left[entry.conversation] -= 1
            newest.append((limits[entry.conversation], entry))
    return newest[::-1]


def _gone(cursor: sqlite3.Cursor) -> int:
    return sum(size for (size,) in cursor.fetchall())
