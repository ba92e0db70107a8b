"""The service told to whoever keeps it: settings in force without their secrets, what runs, what it takes of the disk. Pure
but for looking at files."""

import os
import platform
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from msgspec import Struct, structs

from underwing import __version__
from underwing.server.settings import PREFIX, Settings

HIDDEN = "…"
_SECRET = ("secret", "ticket", "password", "token")
"""A setting whose name ends so is never shown."""
MOST_FILES = 20_000
"""So many files of a folder are counted; beyond, the sum is a least."""


class Setting(Struct, frozen=True):
    """A setting as it is in force. `own`: it differs from the default."""

    name: str
    variable: str
    value: str
    own: bool


class Stored(Struct, frozen=True):
    """What a part takes of the disk, in bytes. `more`: it was not counted to its end. `key` is a word of the catalogue."""

    key: str
    path: str
    bytes: int
    more: bool = False


class Disk(Struct, frozen=True):
    """The disk that the database is on, in bytes."""

    total: int
    free: int


def settings_of(settings: Settings) -> list[Setting]:
    """Every setting, in the order of the documentation."""
    told = []
    for field in structs.fields(Settings):
        value = getattr(settings, field.name)
        told.append(
            Setting(
                field.name, PREFIX + field.name.upper(), masked(field.name, value), value != field.default
            )
        )
    return told


def masked(name: str, value: object) -> str:
    """A value as it may be shown: no secret, no password of an address, no path on the web (hooks hide secrets there)."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if not text:
        return ""
    if name.endswith(_SECRET):
        return HIDDEN
    return " ".join(_without_password(part) for part in text.split(" "))


def _without_password(text: str) -> str:
    if "://" not in text:
        return text
    try:
        parts = urlsplit(text)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return HIDDEN
    user = f"{parts.username or ''}:{HIDDEN}@" if "@" in parts.netloc else ""
    query = HIDDEN if parts.query else ""
    path = f"/{HIDDEN}" if parts.scheme in ("http", "https") and parts.path.strip("/") else parts.path
    return urlunsplit((parts.scheme, user + host, path, query, ""))


def storage_of(settings: Settings) -> tuple[list[Stored], Disk | None]:
    """What the service's files take, and how much is free."""
    found = [_file("database", Path(settings.database)), _file("banks", settings.banks_file)]
    casebook = settings.casebook_address
    if casebook is not None:
        found += [_file("casebook", Path(casebook))] if "://" not in casebook else []
        found += [_file("context", settings.context_file), _folder("vault", settings.vault_directory)]
    try:
        usage = shutil.disk_usage(Path(settings.database).absolute().parent)
        disk: Disk | None = Disk(usage.total, usage.free)
    except OSError:
        disk = None
    return [one for one in found if one.bytes], disk


def _file(key: str, path: Path) -> Stored:
    """A SQLite file with what is beside it."""
    return Stored(key, str(path), sum(_size(Path(f"{path}{end}")) for end in ("", "-wal", "-shm")))


def _folder(key: str, path: Path) -> Stored:
    total = count = 0
    for count, size in enumerate(_sizes(path), 1):
        total += size
        if count >= MOST_FILES:
            break
    return Stored(key, str(path), total, count >= MOST_FILES)


def _sizes(path: Path) -> Iterator[int]:
    for folder, _, names in os.walk(path):
        for name in names:
            yield _size(Path(folder, name))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def versions_of(engine: object) -> dict[str, str]:
    """Which version of what runs; `engine` gives those that decide."""
    decide = structs.asdict(engine) if isinstance(engine, Struct) else {}
    return {
        "underwing": __version__, **decide, "python": platform.python_version(), "sqlite": sqlite3.sqlite_version,
    }  # fmt: skip
