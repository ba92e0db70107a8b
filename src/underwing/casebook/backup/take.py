"""Making a backup while the service runs.

What it holds is of one moment of the casebook: its rows are read in one snapshot, and every object that they name is there,
because objects are copied before, and those that came meanwhile within the snapshot (they are written once and never
change). The service's own files are copied after the casebook: a decision that the casebook lacks is taken in at the next
start, one that the engine lacks would be lost.

What waits of conversations is not in it: it is to be gone in hours.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from underwing.casebook import times
from underwing.casebook.backup import files, rows
from underwing.casebook.backup.archive import BackupError, Writer
from underwing.casebook.database import Database
from underwing.casebook.migrations import HEAD
from underwing.casebook.vault import Home
from underwing.casebook.vault.seal import OVERHEAD, SEGMENT_BYTES
from underwing.casebook.vault.store import Missing

_TRIES = 5
_MOST = SEGMENT_BYTES + OVERHEAD + 65_536


class Manifest(Struct, frozen=True, kw_only=True):
    """What a backup says of itself, before all else. `objects` is "copied", or where they stay."""

    version: int = 1
    made: str
    revision: str
    public_key: str
    objects: str
    keys: bool
    files: tuple[str, ...]


class Taken(Struct, frozen=True, kw_only=True):
    """What went into a backup."""

    rows: dict[str, int]
    objects: int
    objects_stay: str
    files: tuple[str, ...]
    keys: bool


def take(
    path: Path,
    home: Home,
    *,
    sqlite: Mapping[str, Path],
    secrets: Mapping[str, Path],
    passphrase: str = "",
    told: Callable[[str], None] = lambda _: None,
) -> Taken:
    """Back up a casebook, its vault, and the SQLite files and secret files of the service, each under a name.

    Secrets and the vault's keys go in only where the whole is encrypted. `told` hears what is done next.

    Raises:
        BackupError, CasebookError: it cannot be made; nothing is left behind.
    """
    sqlite = {name: file for name, file in sqlite.items() if file.is_file()}
    hidden = (home.secrets() | dict(secrets)) if passphrase else {}
    hidden = {name: file for name, file in hidden.items() if file.is_file()}
    stay = home.settings.store if "://" in home.settings.store else ""
    manifest = Manifest(
        made=times.write(home.clock()), revision=HEAD, public_key=home.signer.public, objects=stay or "copied",
        keys=bool(passphrase), files=tuple(sqlite),
    )  # fmt: skip
    writer = Writer(path, passphrase)
    try:
        writer.add("manifest.json", msgspec.json.encode(manifest))
        writer.add("vault/settings.json", msgspec.json.encode(home.settings))
        if home.settings.retention:
            writer.add_file("vault/retention.toml", home.directory / home.settings.retention)
        for name, file in hidden.items():
            writer.add_file(f"secret/{name}", file)
        done: set[str] = set()
        if not stay:
            told("objects")
            _objects(writer, home, home.vault.store.names(), done, there=False)
        counts = _casebook(writer, home, done, not stay, told)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".underwing-backup-") as folder:
            for name, file in sqlite.items():
                told(name)
                copied = Path(folder) / name
                files.copy(file, copied)
                writer.add_file(f"file/{name}", copied)
                copied.unlink()
        writer.finish()
    finally:
        writer.drop()
    return Taken(
        rows=counts, objects=len(done), objects_stay=stay, files=tuple(sqlite), keys=bool(passphrase)
    )


def _casebook(
    writer: Writer, home: Home, done: set[str], objects: bool, told: Callable[[str], None]
) -> dict[str, int]:
    """The rows of one moment, behind all objects that they name; the rows of each table."""
    for _ in range(_TRIES):
        with home.database.snapshot():
            try:
                if objects:
                    _objects(writer, home, _named(home), done, there=True)
            except Missing:
                continue  # destroyed between the snapshot and the copy: look again
            told("casebook")
            return _rows(writer, home.database)
    raise BackupError("objects are missing from the vault's store; run: underwing custody verify")


def _rows(writer: Writer, database: Database) -> dict[str, int]:
    counts = dict.fromkeys((known.name for known in rows.tables_of(database)), 0)
    for number, (name, piece, count) in enumerate(rows.dump(database)):
        writer.add(f"casebook/{name}/{number:08d}", piece)
        counts[name] += count
    return counts


def _named(home: Home) -> Iterator[str]:
    """The names in the store of all objects that stand."""
    for stored in home.vault.index.objects():
        if stored.state != "destroyed":
            yield from home.vault.names_of(stored)


def _objects(writer: Writer, home: Home, names: Iterator[str], done: set[str], there: bool) -> None:
    for name in names:
        if name in done:
            continue
        try:
            body = home.vault.store.get(name, _MOST)
        except Missing:
            if there:
                raise
            continue
        writer.add(f"object/{name}", body)
        done.add(name)
