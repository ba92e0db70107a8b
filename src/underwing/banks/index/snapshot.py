"""The file of an index: written beside its place and moved there, mapped into memory, checked by digests.

    magic 8 | bytes of the header u32 | BLAKE2b-256 of the header | header (JSON) | sections, each from a multiple of 4,096

Numbers are little-endian. The digests guard against accidents, not against somebody who writes files of their own.
"""

import hashlib
import mmap
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from msgspec import Struct

from underwing.banks.index.buckets import MOST_ROWS, Buckets
from underwing.banks.index.plan import STEP, Plan

MAGIC: Final = b"UWPDQIX\n"
VERSION: Final = 1
_PAGE: Final = 4096
_PROLOGUE: Final = 8 + 4 + 32
_MOST_HEADER: Final = 1 << 16
_TYPES: Final[dict[str, np.dtype[Any]]] = {
    "numbers": np.dtype("<i8"),
    "rows": np.dtype("<u8"),
    "words": np.dtype("<u8"),
    "ranks": np.dtype("<u4"),
    "entries": np.dtype("<u4"),
    "many": np.dtype("<u4"),
}


class SnapshotError(ValueError):
    """A file that is not a whole and sound snapshot of this version."""


class Section(Struct, frozen=True):
    """One array: its `offset` and `size` in bytes, and its BLAKE2b-256 in hex."""

    name: str
    offset: int
    size: int
    digest: str


class Header(Struct, frozen=True, kw_only=True):
    """What a snapshot holds: `rows` hashes as of change `position` of the store, cut into `widths` after `step`."""

    version: int
    position: int
    rows: int
    widths: tuple[int, ...]
    step: int
    sections: tuple[Section, ...]


class Version(Struct, frozen=True):
    """What every version's header says."""

    version: int


def write(path: Path, buckets: Buckets | None, position: int) -> None:
    """Write a snapshot to `path`, all or nothing: a reader sees the old file or the new one, also after a crash.

    Raises:
        OSError: it could not be written; what was at `path` is still there.
    """
    _need_little_endian()
    arrays = {name: getattr(buckets, name) for name in _TYPES} if buckets else {}
    widths = buckets.plan.widths if buckets else ()
    parts = {name: memoryview(array).cast("B") for name, array in arrays.items()}
    digests = {name: _digest(part) for name, part in parts.items()}

    def header(offsets: dict[str, int]) -> bytes:
        sections = tuple(Section(n, offsets[n], part.nbytes, digests[n]) for n, part in parts.items())
        rows = len(buckets.rows) if buckets else 0
        return msgspec.json.encode(
            Header(version=VERSION, position=position, rows=rows, widths=widths, step=STEP, sections=sections)
        )

    offsets, end = {}, _whole_pages(_PROLOGUE + len(header(dict.fromkeys(parts, sys.maxsize))))
    for name, part in parts.items():
        offsets[name] = end
        end = _whole_pages(end + part.nbytes)
    head = header(offsets)
    beside = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.new")
    try:
        with beside.open("wb") as file:
            file.write(
                MAGIC + len(head).to_bytes(4, "little") + hashlib.blake2b(head, digest_size=32).digest()
            )
            file.write(head)
            for name, part in parts.items():
                file.seek(offsets[name])
                file.write(part)
            file.truncate(end)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    if os.name == "posix":
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def read(path: Path, *, whole: bool = True) -> tuple[Buckets | None, int]:
    """Map a snapshot: (its buckets, its position). Processes that map the same file share its memory.

    The header's digest, and that every section has the size it must have, are always checked; the digests of the sections
    where `whole`. Leave that out only for a file that was checked on this machine since it was written: with a section
    that is not sound, queries could give wrong answers or crash.

    Raises:
        SnapshotError: not a snapshot, not of this version, truncated or damaged.
        OSError: it cannot be opened.
    """
    _need_little_endian()
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        header = _header(path, file.read(_PROLOGUE + _MOST_HEADER))
        if not header.rows:
            return None, header.position
        plan = _checked_plan(path, header, size)
        # Copy on write, as the loops are compiled for arrays that may be written to; nothing ever writes, so all is shared.
        memory = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_COPY)
    view = memoryview(memory)
    if whole:
        _check(path, header.sections, view)
    arrays: dict[str, Any] = {}
    for section in header.sections:
        kind = _TYPES[section.name]
        arrays[section.name] = np.frombuffer(memory, kind, section.size // kind.itemsize, section.offset)
    arrays["rows"] = arrays["rows"].reshape(header.rows, 4)
    return Buckets(plan, **arrays), header.position


def _header(path: Path, data: bytes) -> Header:
    if data[:8] != MAGIC:
        raise SnapshotError(f"{path} is not a snapshot of an index")
    size = int.from_bytes(data[8:12], "little")
    head = data[_PROLOGUE : _PROLOGUE + size]
    if len(head) != size or hashlib.blake2b(head, digest_size=32).digest() != data[12:_PROLOGUE]:
        raise SnapshotError(f"{path}: its header is damaged")
    try:
        version = msgspec.json.decode(head, type=Version).version
        if version != VERSION:
            raise SnapshotError(f"{path} is of version {version}; this Underwing reads version {VERSION}")
        return msgspec.json.decode(head, type=Header)
    except msgspec.DecodeError as error:
        raise SnapshotError(f"{path}: its header cannot be read: {error}") from error


def _checked_plan(path: Path, header: Header, size: int) -> Plan:
    """The plan of a snapshot, once its sections were found to be where and as long as they must."""
    rows = header.rows
    if header.step != STEP or not 0 < rows <= MOST_ROWS:
        raise SnapshotError(f"{path}: {rows} rows in the order {header.step} cannot be read")
    try:
        plan = Plan(header.widths)
    except ValueError as error:
        raise SnapshotError(f"{path}: {error}") from error
    if tuple(section.name for section in header.sections) != tuple(_TYPES):
        raise SnapshotError(f"{path}: it has other sections than {', '.join(_TYPES)}")
    end = header.sections[-1].offset + header.sections[-1].size
    if size != _whole_pages(end):
        raise SnapshotError(f"{path} has {size} bytes instead of {_whole_pages(end)}: truncated, or added to")
    words = int(plan.words_at[-1])
    sizes = {"numbers": 8 * rows, "rows": 32 * rows, "words": 8 * words, "ranks": 4 * words}
    for section in header.sections:
        if (
            section.offset % _PAGE
            or section.size != sizes.get(section.name, section.size)
            or section.size % 4
        ):
            raise SnapshotError(f"{path}: its {section.name} have an impossible size or place")
    if any(one.offset + one.size > two.offset for one, two in pairwise(header.sections)):
        raise SnapshotError(f"{path}: its sections overlap")
    return plan


def _check(path: Path, sections: tuple[Section, ...], data: memoryview) -> None:
    """Whether every section has its digest; on all cores, the largest first."""
    largest_first = sorted(sections, key=lambda section: -section.size)
    parts = (data[section.offset : section.offset + section.size] for section in largest_first)
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for section, digest in zip(largest_first, threads.map(_digest, parts), strict=True):
            if digest != section.digest:
                raise SnapshotError(f"{path}: its {section.name} are damaged (their digest is wrong)")


def _digest(data: memoryview) -> str:
    return hashlib.blake2b(data, digest_size=32).hexdigest()


def _whole_pages(size: int) -> int:
    return -(-size // _PAGE) * _PAGE


def _need_little_endian() -> None:
    if sys.byteorder != "little":
        raise SnapshotError("snapshots need a little-endian machine")
