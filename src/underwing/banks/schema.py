"""The SQLite file of the banks: its tables, and how a connection to it is made."""

import sqlite3
from pathlib import Path
from typing import Literal

from underwing.model import MendableError

SCHEMA = """
CREATE TABLE IF NOT EXISTS agreements (
    name TEXT PRIMARY KEY, body TEXT NOT NULL, expires_at INTEGER, expired INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS banks (
    number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, body TEXT NOT NULL, agreement TEXT,
    created_by TEXT NOT NULL, created_at INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS given (name TEXT PRIMARY KEY, last INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS entries (
    number INTEGER PRIMARY KEY, bank INTEGER NOT NULL, id TEXT NOT NULL, label TEXT NOT NULL,
    status TEXT NOT NULL, media TEXT NOT NULL, scheme TEXT NOT NULL, code TEXT NOT NULL, country TEXT NOT NULL,
    source TEXT NOT NULL, added_at INTEGER NOT NULL, expires_at INTEGER, note TEXT NOT NULL, added_by TEXT NOT NULL,
    round INTEGER NOT NULL DEFAULT 0, UNIQUE (bank, id)
);
CREATE INDEX IF NOT EXISTS entries_expiry ON entries (expires_at) WHERE expires_at IS NOT NULL AND status = 'active';
CREATE TABLE IF NOT EXISTS hashes (
    number INTEGER PRIMARY KEY, entry INTEGER NOT NULL, kind INTEGER NOT NULL, hash BLOB NOT NULL,
    how TEXT NOT NULL, at REAL, quality INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS entries_false ON entries (number) WHERE label = 'false_match';
CREATE INDEX IF NOT EXISTS hashes_entry ON hashes (entry);
CREATE INDEX IF NOT EXISTS hashes_exact ON hashes (hash, kind) WHERE kind < 3;
CREATE TABLE IF NOT EXISTS changes (
    number INTEGER PRIMARY KEY AUTOINCREMENT, removed INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS feeds (source TEXT PRIMARY KEY, checkpoint BLOB, health BLOB) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS feedback (
    number INTEGER PRIMARY KEY AUTOINCREMENT, bank TEXT NOT NULL, entry TEXT NOT NULL, up INTEGER NOT NULL,
    reason TEXT NOT NULL, given_by TEXT NOT NULL, at INTEGER NOT NULL, sent_at INTEGER
);
CREATE INDEX IF NOT EXISTS feedback_unsent ON feedback (number) WHERE sent_at IS NULL;
"""
"""`hashes.kind` is the place in `model.HASH_KINDS`. `changes` is append-only: hashes numbered `first` to `last` came
(those of them that are active in a bank that matches when it is read) or went. A bank that is
disabled, or whose agreement ends, goes as a whole. `given` holds the last numbers of entries and hashes; none is given
twice. `entries.round` is when a feed last saw the entry, by the count of the times that it read its source whole."""
APPLICATION_ID = 0x556E6442
"""Marks the file as Underwing's banks ("UndB")."""
VERSION = 1
"""The number of the tables."""


class BankError(MendableError, ValueError):
    """Something about a bank that cannot be done; says why and what to do."""


def connect(path: Path | str, durability: Literal["full", "normal"] = "full") -> sqlite3.Connection:
    """Open (or make) the file at `path` in WAL mode, with its tables.

    Raises:
        BankError: the directory is missing, or the file is something else.
    """
    try:
        db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
        marked = db.execute("PRAGMA application_id").fetchone()[0]
        tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if tables and marked != APPLICATION_ID:
            db.close()
            raise BankError(f"{path} is a SQLite file of another kind; choose another path")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute(f"PRAGMA synchronous = {'FULL' if durability == 'full' else 'NORMAL'}")
        db.execute("PRAGMA cache_size = -65536")
        db.execute("PRAGMA mmap_size = 1073741824")
        if not tables:
            marks = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION};"
            db.executescript(f"BEGIN IMMEDIATE; {marks} {SCHEMA} COMMIT;")
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version != VERSION:
            db.close()
            raise BankError(
                f"{path} was written by another version of Underwing (its tables are number {version})"
            )
    except sqlite3.DatabaseError as error:
        raise BankError(f"{path} cannot be opened: {error}") from None
    return db
