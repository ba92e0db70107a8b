"""Restoring a backup: into places where nothing is, proven before it counts, and all of it or nothing.

Everything is first written beside its place. Only when the archive was read to its end, its sums agree, the rows are as many
as were written, SQLite files are whole and log and vault are proven, is it moved to where it belongs.
"""

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec import Struct
from sqlalchemy import func, select

from underwing.casebook import migrations, times
from underwing.casebook.backup import files
from underwing.casebook.backup.archive import BackupError, Stream, members
from underwing.casebook.backup.rows import Loader, tables_of
from underwing.casebook.backup.take import Manifest
from underwing.casebook.custody import Custody, Problem, Proof, Signer, Verifier
from underwing.casebook.database import Database
from underwing.casebook.private import sync_directory, write_private
from underwing.casebook.vault import Home
from underwing.casebook.vault.home import SETTINGS, VaultSettings, prove, write_settings

_OBJECT = re.compile(r"object/(objects/[0-9a-f]{32}/[0-9]{8}|contents/[0-9a-f]{64}/entry)")
_ROWS = re.compile(r"casebook/([a-z_]+)/[0-9]{8}")
_KEYS = ("vault.key", "custody.key")
_LARGEST = 256 << 20
_PART = 1 << 20


class Places(Struct, frozen=True, kw_only=True):
    """Where what is restored goes: the casebook's address, the vault's directory, and files by the name they have in the
    backup. A file without a place is left out."""

    casebook: str
    vault: Path
    sqlite: Mapping[str, Path]
    secrets: Mapping[str, Path]


class Brought(Struct, frozen=True, kw_only=True):
    """What was restored. `proven` says what of it could be proven: where keys or objects are elsewhere, the log alone."""

    made: str
    rows: dict[str, int]
    objects: int
    objects_stay: str
    files: tuple[str, ...]
    keys: bool
    records: int
    proven: str


def bring(path: Path, places: Places, passphrase: str = "", clock: times.Clock = times.now) -> Brought:
    """Restore a backup into empty places.

    Raises:
        BackupError: a place is taken, or the backup is cut, changed, newer than this program or does not prove itself;
            nothing is left behind then.
        CasebookError: the casebook's database cannot be used.
    """
    stream = members(path, passphrase)
    manifest = _manifest(next(stream, None))
    _refuse_taken(places)
    work = _Work(places, clock)
    try:
        database = work.opened(manifest.revision)
        with database.transaction():
            loader = Loader(database)
            for name, body in stream:
                work.take_in(name, body, loader)
            loader.finish()
        migrations.upgrade(database)
        brought = work.proven(manifest, loader)
        work.move()
    except BaseException:
        work.drop()
        raise
    return brought


def _manifest(first: tuple[str, Stream] | None) -> Manifest:
    if first is None or first[0] != "manifest.json":
        raise BackupError("this is no backup of Underwing's")
    made = msgspec.json.decode(first[1].read(_PART), type=Manifest)
    if made.version != 1 or made.revision not in migrations.REVISIONS:
        raise BackupError(f"the backup's tables are of revision {made.revision}, newer than this program")
    return made


def _refuse_taken(places: Places) -> None:
    """See that nothing is where the backup is to go.

    Raises:
        BackupError: something is.
    """
    server = "://" in places.casebook
    wanted = [*places.sqlite.values(), *places.secrets.values(), *([] if server else [Path(places.casebook)])]
    for file in wanted:
        if os.path.lexists(file):
            raise BackupError(f"{file} exists already; a backup is restored to where nothing is")
    if places.vault.is_dir() and any(places.vault.iterdir()):
        raise BackupError(f"{places.vault} is not empty; a backup is restored to where nothing is")
    if server:
        database = Database(places.casebook)
        try:
            for table in tables_of(database):
                if database.row(select(table).limit(1)) is not None:
                    raise BackupError(f"{database.name} is not empty; give the backup an empty database")
        finally:
            database.close()


class _Work:
    """A restoration under way, beside the places it goes to."""

    def __init__(self, places: Places, clock: times.Clock) -> None:
        self._places, self._clock = places, clock
        self._moves: list[tuple[Path, Path]] = []
        self._vault = self._beside(places.vault)
        self._vault.mkdir(mode=0o700)
        self._settings = VaultSettings()
        self._database: Database | None = None
        self._objects, self._files = 0, list[str]()

    def opened(self, revision: str) -> Database:
        """The casebook's new database, with the tables that the backup was made of."""
        address = self._places.casebook
        where = address if "://" in address else str(self._beside(Path(address)))
        self._database = Database(where)
        if revision != migrations.HEAD:
            migrations.downgrade(self._database, revision)
        return self._database

    def take_in(self, name: str, body: Stream, loader: Loader) -> None:
        """Write one member of the archive.

        Raises:
            BackupError: no backup has it.
        """
        folder, _, rest = name.partition("/")
        if _OBJECT.fullmatch(name):
            self._objects += 1
            _write(self._vault / "objects" / rest, body)
        elif (found := _ROWS.fullmatch(name)) is not None:
            try:
                loader.load(found[1], body.read(_LARGEST))
            except (ValueError, TypeError, msgspec.MsgspecError) as error:
                raise BackupError(f"rows of {found[1]} cannot be read: {error}") from None
        elif name == "vault/settings.json":
            self._settings = msgspec.json.decode(body.read(_PART), type=VaultSettings)
        elif name == "vault/retention.toml":
            _write(self._vault / "retention.toml", body)
        elif folder == "secret" and rest in _KEYS:
            write_private(self._vault / rest, body.read(_PART))
        elif folder == "secret" and rest in self._places.secrets:
            _write(self._beside(self._places.secrets[rest]), body)
        elif folder == "file" and rest in self._places.sqlite:
            copied = self._beside(self._places.sqlite[rest])
            _write(copied, body)
            files.check(copied)
            self._files.append(rest)
        elif folder not in ("secret", "file"):
            raise BackupError(f"the backup holds {name[:100]!r}, which this program does not know")

    def proven(self, manifest: Manifest, loader: Loader) -> Brought:
        """See that what was written is whole.

        Raises:
            BackupError: it is not.
        """
        database = self._database
        assert database is not None
        for table in tables_of(database):
            found = database.value(select(func.count()).select_from(table))
            if found != loader.counts.get(table.name, 0):
                raise BackupError(f"{table.name} has {found} rows, {loader.counts[table.name]} were restored")
        stay = "" if manifest.objects == "copied" else manifest.objects
        self._write_settings(stay)
        if manifest.keys and not stay:
            home = Home(self._vault, database, clock=self._clock, resume=False)
            home.vault.resume()  # an object may have been half taken in at the backup's moment
            for stored in list(home.vault.index.objects()):
                if stored.state == "destroyed":  # copied before it was destroyed; nobody has its key
                    home.vault.settle(stored)
            (proof, wrong), what = home.verify(public_key=manifest.public_key), "log and vault"
        else:
            proof, wrong, what = _log(database, manifest.public_key, self._clock), [], "log"
        problems: list[Problem] = [*proof.problems, *wrong]
        if problems:
            raise BackupError(f"what was restored is not proven: {problems[0].where}: {problems[0].what}")
        return Brought(
            made=manifest.made, rows=loader.counts, objects=self._objects, objects_stay=stay, files=tuple(self._files),
            keys=manifest.keys, records=proof.count, proven=what,
        )  # fmt: skip

    def _write_settings(self, stay: str) -> None:
        """The vault's settings, with everything that was restored in the vault's own directory."""
        key = self._settings.key_file if "://" in self._settings.key_file else _KEYS[0]
        retention = "retention.toml" if (self._vault / "retention.toml").exists() else ""
        made = VaultSettings(
            store=stay or "objects", key_file=key, signing_key=_KEYS[1], retention=retention,
            store_options=self._settings.store_options if stay else {},
        )  # fmt: skip
        write_settings(self._vault / SETTINGS, made)

    def move(self) -> None:
        """Put everything in its place; the casebook comes last."""
        assert self._database is not None
        self._database.close()
        if self._places.vault.is_dir():
            self._places.vault.rmdir()
        for part, place in [*self._moves[1:], self._moves[0]]:
            os.rename(part, place)
            sync_directory(place.parent)

    def drop(self) -> None:
        """Leave nothing behind."""
        if self._database is not None:
            if self._database.kind == "postgresql":
                migrations.downgrade(self._database, "base")
            self._database.close()
        for part, _ in self._moves:
            if part.is_dir():
                shutil.rmtree(part)
            for end in ("", "-wal", "-shm", "-journal"):
                part.with_name(part.name + end).unlink(missing_ok=True)

    def _beside(self, place: Path) -> Path:
        part = place.with_name(f".{place.name}.{os.getpid()}.part")
        place.parent.mkdir(parents=True, exist_ok=True)
        self._moves.append((part, place))
        return part


def _log(database: Database, public_key: str, clock: times.Clock) -> Proof:
    """The proof of the log, with its public key alone."""
    return prove(Custody(database, Signer.made()), Verifier(public_key), now=clock())


def _write(path: Path, body: Stream) -> None:
    """A new file of what a stream gives, for its owner only and on the disk."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        while part := body.read(_PART):
            file.write(part)
        file.flush()
        os.fsync(file.fileno())
    sync_directory(path.parent)
