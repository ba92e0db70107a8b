"""Copies of SQLite files that others write to meanwhile."""

import sqlite3
from pathlib import Path

from underwing.casebook.backup.archive import BackupError


def copy(source: Path, to: Path) -> None:
    """A copy of one moment, by SQLite's own backup; writers go on.

    Raises:
        BackupError: the file cannot be read.
    """
    try:
        one, other = sqlite3.connect(f"file:{source}?mode=ro", uri=True, timeout=30), sqlite3.connect(to)
        try:
            one.backup(other)
        finally:
            one.close()
            other.close()
    except sqlite3.Error as error:
        raise BackupError(f"{source} cannot be copied: {error}") from None


def check(path: Path) -> None:
    """See that a SQLite file is whole.

    Raises:
        BackupError: it is not.
    """
    try:
        db = sqlite3.connect(path)
        try:
            found = db.execute("PRAGMA integrity_check").fetchone()[0]
        finally:
            db.close()
    except sqlite3.Error as error:
        found = str(error)
    if found != "ok":
        raise BackupError(f"{path.name} in the backup is damaged: {found}")
