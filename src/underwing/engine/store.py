"""The SQLite file: its schema and how a connection to it is made."""

import sqlite3
from pathlib import Path
from typing import Literal

from underwing.model import MendableError

_STATES = "".join(
    f"CREATE TABLE IF NOT EXISTS state_{kind} (key TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;\n"
    for kind in ("pairs", "actors", "targets", "rooms", "accounts", "quotas")
)
_PART = "number >> 12"
"""Which 4,096 decisions one stands among. The indexes go by that first. Accounts come in no order: each new row would
write another page of an index by account alone, and so it writes one of the few that the newest have."""
SCHEMA = (
    _STATES
    + f"""
CREATE TABLE IF NOT EXISTS decisions (
    event TEXT PRIMARY KEY, at INTEGER NOT NULL, body BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS judged (
    number INTEGER PRIMARY KEY, event TEXT NOT NULL, actor TEXT, target TEXT, at INTEGER NOT NULL, level TEXT NOT NULL
);
DROP INDEX IF EXISTS judged_event;
DROP INDEX IF EXISTS judged_actor;
DROP INDEX IF EXISTS judged_target;
CREATE INDEX IF NOT EXISTS judged_part_actor ON judged ({_PART}, actor);
CREATE INDEX IF NOT EXISTS judged_part_target ON judged ({_PART}, target);
"""
)
_LOG_PAGES = 8_000
"""So many pages (32 MiB) are logged before they are written to their places: states that change again are written once."""
APPLICATION_ID = 0x556E6477
"""Marks the file as Underwing's ("Undw")."""


class StoreError(MendableError, RuntimeError):
    """The store cannot be used; says why and what to do."""


def connect(path: Path | str, durability: Literal["full", "normal"] = "full") -> sqlite3.Connection:
    """Open (or make) the file at `path` in WAL mode. One of an older version is brought up to date.

    Raises:
        StoreError: the directory is missing, or the file is something else.
    """
    try:
        db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
        marked = db.execute("PRAGMA application_id").fetchone()[0]
        tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if tables and marked != APPLICATION_ID:
            db.close()
            raise StoreError(f"{path} is a SQLite file of another program; choose another path")
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute(f"PRAGMA synchronous = {'FULL' if durability == 'full' else 'NORMAL'}")
        db.execute("PRAGMA cache_size = -65536")
        db.execute("PRAGMA mmap_size = 1073741824")
        db.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
        db.executescript(SCHEMA)
    except sqlite3.DatabaseError as error:
        raise StoreError(f"{path} cannot be opened: {error}") from None
    return db


class Decisions:
    """What was decided, read back from a connection of its own (also while the service runs)."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @classmethod
    def of(cls, path: Path | str) -> "Decisions":
        """Open the file at `path` for reading.

        Raises:
            StoreError: there is no such file, or it is not Underwing's.
        """
        if not Path(path).is_file():
            raise StoreError(f"{path}: no such file; start the service first or name another with --database")
        connection = connect(path)
        connection.execute("PRAGMA query_only = ON")
        return cls(connection)

    def decision(self, event: str) -> bytes | None:
        """The decision given for an event id, as it was answered, or None."""
        row = self._connection.execute("SELECT body FROM decisions WHERE event = ?", (event,)).fetchone()
        return row[0] if row else None

    def explain(
        self, *, actor: str | None = None, target: str | None = None, limit: int = 200
    ) -> list[bytes]:
        """The newest decisions with reasons about an actor, a target or both (a pair), oldest first."""
        columns = [column for column, value in (("actor", actor), ("target", target)) if value is not None]
        query = (
            f"SELECT body FROM judged JOIN decisions USING (event) WHERE {_PART} = :part"
            + "".join(f" AND {column} = :{column}" for column in columns)
            + " ORDER BY number DESC LIMIT :limit"
        )
        asked: dict[str, object] = {"actor": actor, "target": target}
        (newest,) = self._connection.execute(f"SELECT max({_PART}) FROM judged").fetchone()
        found: list[bytes] = []
        for part in range(newest or 0, -1, -1):
            rows = self._connection.execute(query, {**asked, "part": part, "limit": limit - len(found)})
            found += [body for (body,) in rows]
            if len(found) >= limit:
                break
        return found[::-1]

    def recent(self, after: int = 0, limit: int = 100) -> list[tuple[int, bytes]]:
        """(number, decision) of decisions with reasons, numbers above `after`, oldest first."""
        return self._connection.execute(
            "SELECT j.number, d.body FROM judged j JOIN decisions d USING (event) WHERE j.number > ?"
            " ORDER BY j.number LIMIT ?",
            (after, limit),
        ).fetchall()
