"""What every reader of a list shares: its error, its account of what it read, and its bounds.

Hashes become lower-case hex. A list's own numbers and texts are bounded before they are kept.
"""

import base64
import binascii
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import BinaryIO

from underwing.banks.entries import EntryHash, Update, Withdrawn
from underwing.model import HashKind, MendableError

HEX_DIGITS: dict[HashKind, int] = {"sha256": 64, "sha1": 40, "md5": 32, "pdq": 64}
_HEX = re.compile("[0-9a-f]+")
_LONG_HEX = re.compile("[0-9a-fA-F]{16,}")
MAX_ID = 256
"""Characters of an entry's id."""
MAX_TEXT = 1_000
"""Characters of a note, kept of a longer one."""
MAX_ENTRY_BYTES = 1 << 20
"""The most bytes of a list between the end of one entry and the end of the next."""


class FormatError(MendableError, ValueError):
    """A list that cannot be read; names the line or the element, and never quotes a hash (whatever a damaged list holds)."""

    def __init__(self, message: str) -> None:
        super().__init__(_LONG_HEX.sub("…", message))


@dataclass
class Tally:
    """The account of one list (or one page of it), filled while its reader runs.

    `skipped` counts, by reason, what was left out and is not lost silently: fingerprints of a kind we cannot compare
    (`PDNA`, `SSVH_PDNA`, …), entries with no usable hash, categories that are of no concern. `next` and `checkpoint` are
    what a page of an exchange says of the pages behind it, as the source wrote them (None: nothing).
    """

    entries: int = 0
    withdrawn: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    next: str | None = None
    checkpoint: str | None = None

    def skip(self, reason: str, count: int = 1) -> None:
        """Count something that was left out; past a hundred reasons (a hostile list) they are counted as one."""
        reason = _LONG_HEX.sub("…", reason)
        self.skipped[reason if reason in self.skipped or len(self.skipped) < 100 else "other"] += count

    def taken(self, update: Update) -> Update:
        """Count an update that is handed on."""
        if isinstance(update, Withdrawn):
            self.withdrawn += 1
        else:
            self.entries += 1
        return update


class BoundedStream:
    """A binary stream that refuses an entry of more than `limit` bytes; the reader calls `passed()` at the end of each."""

    def __init__(self, stream: BinaryIO, limit: int = MAX_ENTRY_BYTES) -> None:
        self._stream = stream
        self._limit = limit
        self._since = 0
        self.entry = 0
        """How many entries were passed so far."""

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes, never more than 64 KiB at once.

        Raises:
            FormatError: no entry ended within the limit.
        """
        block = self._stream.read(65_536 if size < 0 else min(size, 65_536))
        self._since += len(block)
        if self._since > self._limit + 65_536:
            raise FormatError(f"entry {self.entry + 1}: longer than {self._limit} bytes")
        return block

    def passed(self) -> None:
        """An entry ended."""
        self.entry += 1
        self._since = 0


def hex_of(kind: HashKind, text: str) -> str | None:
    """The hash as lower-case hex, or None where `text` is no hash of that kind."""
    text = text.strip().lower()
    return text if len(text) == HEX_DIGITS[kind] and _HEX.fullmatch(text) else None


def hex_of_base64(kind: HashKind, text: str) -> str | None:
    """As `hex_of`, of hex or of base64, told apart by the length."""
    plain = hex_of(kind, text)
    if plain is not None:
        return plain
    if len(text) > 100:
        return None
    try:
        decoded = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    return decoded.hex() if len(decoded) * 2 == HEX_DIGITS[kind] else None


def entry_id(text: str, where: str) -> str:
    """An entry's id as the source wrote it.

    Raises:
        FormatError: empty, too long, or not printable.
    """
    text = text.strip()
    if not text:
        raise FormatError(f"{where}: it has no id")
    if len(text) > MAX_ID:
        raise FormatError(f"{where}: its id has {len(text)} characters, at most {MAX_ID} are taken")
    if not text.isprintable():
        raise FormatError(f"{where}: its id holds a control character")
    return text


def seconds_of(text: str) -> int:
    """Epoch seconds of an ISO 8601 time; 0 where there is none or it makes no sense. Without a zone it is UTC."""
    try:
        at = datetime.fromisoformat(text.strip())
        return max(0, int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()))
    except (ValueError, OverflowError):
        return 0


def time_of(seconds: int) -> str:
    """The ISO 8601 time of epoch seconds, in UTC with a `Z`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def hashes_of(pairs: Iterable[tuple[HashKind, str]], tally: Tally) -> tuple[EntryHash, ...]:
    """The usable ones among (kind, text) pairs, each once; the others are counted as bad."""
    found: dict[EntryHash, None] = {}
    for kind, text in pairs:
        digits = hex_of(kind, text)
        if digits is None:
            tally.skip(f"bad {kind}")
        else:
            found[EntryHash(kind, digits)] = None
    return tuple(found)
