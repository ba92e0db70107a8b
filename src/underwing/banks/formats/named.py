"""The list formats by their names: how each is read and written, and which one a file is."""

import io
import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from msgspec import Struct

from underwing.banks.entries import Update
from underwing.banks.formats import FormatError, Tally, hashlist, ncmec, stopncii, tat, threatexchange, vics
from underwing.banks.labels import Labels
from underwing.model import HashKind

FORMATS = ("csv", "lines", "ncmec", "stopncii", "threatexchange", "tat", "vics")
PEEK = 65_536
"""Bytes by which a format is recognised."""
_MARKS = (("stopncii", '"hashRecords"'), ("tat", '"hash_digest"'), ("threatexchange", '"indicator"'),
          ("vics", '"MediaID"'), ("vics", "ProjectVic"))  # fmt: skip
if TYPE_CHECKING:
    from typing_extensions import Buffer

Read = Callable[[BinaryIO, Tally], Iterator[Update]]


class Reading(Struct, frozen=True, kw_only=True):
    """What an operator says of a list beside its format.

    `label` is that of entries which bring none, `digits64` what 64 hex digits are, `country` whose categories a VICS file
    has; `exploitative` says that an NCMEC file comes from a database of exploitative material.
    """

    label: str = "blocked"
    digits64: HashKind | None = None
    country: str = ""
    exploitative: bool = False
    labels: Labels
    source: str = ""


def guess(head: bytes) -> str:
    """The format of a list that begins with these bytes.

    Raises:
        FormatError: it is JSON of no kind that is known here.
    """
    encoding = "utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    text = head.decode(encoding, "replace").lstrip()
    if text.startswith("<"):
        return "ncmec"
    if not text.startswith(("{", "[")):
        return "csv" if "," in text.split("\n", 1)[0] else "lines"
    for name, mark in _MARKS:
        if re.search(re.escape(mark), text, re.IGNORECASE):
            return name
    raise FormatError("this JSON is of no format that is recognised: say which with --format")


def reader(name: str, said: Reading) -> Read:
    """How a list of this format is read."""
    source = said.source or name
    if name in ("csv", "lines"):
        return partial(
            hashlist.read, label=said.label, digits64=said.digits64, labels=said.labels, source=said.source
        )
    if name == "ncmec":
        return partial(ncmec.read, labels=said.labels, exploitative=said.exploitative, source=source)
    if name == "stopncii":
        return partial(stopncii.read, labels=said.labels, source=source)
    if name == "tat":
        return partial(tat.read, labels=said.labels, source=source)
    if name == "threatexchange":
        return partial(threatexchange.read, label=said.label, source=source)
    return partial(vics.read, labels=said.labels, country=said.country, source=source)


def writer(name: str, country: str = "") -> Callable[[Iterable[Update], BinaryIO], Tally]:
    """How a list of this format is written.

    Raises:
        FormatError: the format cannot be written, or needs a country.
    """
    if name == "vics":
        if not country:
            raise FormatError("VICS categories are those of a country: name it with --country")
        return partial(vics.write, country=country)
    known = {"csv": hashlist.write, "ncmec": ncmec.write, "stopncii": stopncii.write, "tat": tat.write,
             "threatexchange": threatexchange.write}  # fmt: skip
    if name not in known:
        raise FormatError(f"nothing is written as {name!r}; known are {', '.join((*known, 'vics'))}")
    return known[name]


class _Counted(io.RawIOBase):
    """Tells how many bytes were read of a stream."""

    def __init__(self, stream: BinaryIO, advanced: Callable[[int], object]) -> None:
        super().__init__()
        self._stream, self._advanced = stream, advanced

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "Buffer") -> int:
        block = self._stream.read(len(memoryview(buffer)))
        memoryview(buffer)[: len(block)] = block
        self._advanced(len(block))
        return len(block)


def counted(stream: BinaryIO, advanced: Callable[[int], object]) -> io.BufferedReader:
    """The stream, telling how many bytes were read of it; the first ones can be looked at beforehand (`peek`)."""
    return io.BufferedReader(_Counted(stream, advanced), PEEK)


def size_of(path: Path) -> int | None:
    """The bytes of a file, where it is one; None of a pipe."""
    return path.stat().st_size if path.is_file() else None
