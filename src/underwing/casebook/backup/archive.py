"""The file of a backup: a tar whose last member has the SHA-256 of every other; encrypted where there is a pass-phrase.

Encrypted, it is a head (`UWB1`, the cost, a salt of 16 bytes) and segments as the vault seals them, under a key that scrypt
(RFC 7914; N = 2^cost, r = 8, p = 1; 17 takes 128 MiB for each try) makes of the pass-phrase. Cut or changed anywhere, it
does not open.
"""

import io
import os
import secrets
import tarfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import IO, Any, BinaryIO

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from msgspec import Struct

from underwing.casebook.errors import CasebookError
from underwing.casebook.private import sync_directory
from underwing.casebook.vault.seal import OVERHEAD, SEGMENT_BYTES, BrokenSeal, seal, segments, unseal

MAGIC = b"UWB1"
SALT = 16
COST, MOST_COST = 17, 20
SUMS = "sums.json"
SHORTEST = 12
"""Characters of a pass-phrase."""
_PART = 1 << 20


class BackupError(CasebookError):
    """A backup that cannot be made, or a file that cannot be restored; says why."""


class Sums(Struct, frozen=True, kw_only=True):
    """What the archive ends with: the SHA-256 of each member."""

    members: dict[str, str]


class Stream:
    """A stream that is hashed as it is read."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source, self.digest = source, sha256()

    def read(self, size: int = -1) -> bytes:
        """So many bytes, or all."""
        part = self._source.read(size)
        self.digest.update(part)
        return part


class Writer:
    """A new archive: it appears at `path` whole, on the disk and readable for its owner only, or not at all.

    Raises:
        BackupError: the file exists, or the pass-phrase is too short.
    """

    def __init__(self, path: Path, passphrase: str = "") -> None:
        if os.path.lexists(path):
            raise BackupError(f"{path} exists already")
        self._path, self._part = path, path.with_name(f".{path.name}.{os.getpid()}.part")
        salt, key = secrets.token_bytes(SALT), None
        if passphrase:
            key = _key(passphrase, salt, COST)
        handle = os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._file = os.fdopen(handle, "wb")
        self._sealing = _Sealing(self._file, key, salt) if key is not None else None
        target: Any = self._sealing or self._file
        self._tar = tarfile.TarFile.open(fileobj=target, mode="w|", format=tarfile.PAX_FORMAT, bufsize=_PART)
        self._sums: dict[str, str] = {}

    def add(self, name: str, body: bytes) -> None:
        """A member of some bytes."""
        self._add(name, io.BytesIO(body), len(body))

    def add_file(self, name: str, path: Path) -> None:
        """A member with what a file holds."""
        with path.open("rb") as file:
            self._add(name, file, os.fstat(file.fileno()).st_size)

    def _add(self, name: str, source: BinaryIO, size: int) -> None:
        info = tarfile.TarInfo(name)
        info.size, info.mode = size, 0o600
        hashing = Stream(source)
        self._tar.addfile(info, hashing)
        self._sums[name] = hashing.digest.hexdigest()

    def finish(self) -> None:
        """Write the sums, and let the file appear."""
        self.add(SUMS, msgspec.json.encode(Sums(members=self._sums)))
        self._tar.close()
        if self._sealing is not None:
            self._sealing.finish()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        os.link(self._part, self._path)
        self._part.unlink()
        sync_directory(self._path.parent)

    def drop(self) -> None:
        """Leave nothing behind, if it was not finished."""
        self._file.close()
        self._part.unlink(missing_ok=True)


def members(path: Path, passphrase: str = "") -> Iterator[tuple[str, Stream]]:
    """(name, its bytes as a stream) of each member but the sums, which are checked when all have been read.

    What is read is not proven before the end: nothing of it may count until then.

    Raises:
        BackupError: no backup, cut, changed, or the pass-phrase is missing or wrong.
    """
    try:
        with path.open("rb") as file:
            source: Any = file
            if file.read(len(MAGIC)) == MAGIC:
                source = _Opening(file, passphrase)
            else:
                file.seek(0)
            yield from _read(source, path)
    except tarfile.TarError as error:
        raise BackupError(f"{path} is no backup, or it was cut: {error}") from None
    except BrokenSeal:
        raise BackupError(f"{path}: the pass-phrase is wrong, or the file was changed or cut") from None
    except OSError as error:
        raise BackupError(f"{path} cannot be read: {error.strerror or error}") from None


def _read(source: Any, path: Path) -> Iterator[tuple[str, Stream]]:
    found: dict[str, str] = {}
    sums: Sums | None = None
    with tarfile.open(fileobj=source, mode="r|", bufsize=_PART) as tar:
        for info in tar:
            body = tar.extractfile(info)
            if body is None or sums is not None:
                raise BackupError(f"{path} holds {info.name!r}, which no backup has")
            stream = Stream(body)
            if info.name == SUMS:
                try:
                    sums = msgspec.json.decode(stream.read(), type=Sums)
                except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                    raise BackupError(f"{path} was changed: its list of sums cannot be read") from error
                continue
            yield info.name, stream
            while stream.read(_PART):
                pass
            found[info.name] = stream.digest.hexdigest()
    if sums is None or sums.members != found:
        raise BackupError(f"{path} was cut or changed: what it holds is not what was put in")


class _Sealing:
    """What is written comes into the file sealed, a segment at a time."""

    def __init__(self, file: BinaryIO, key: AESGCM, salt: bytes) -> None:
        self._file, self._key, self._salt = file, key, salt
        self._held, self._number = bytearray(), 0
        file.write(MAGIC + bytes([COST]) + salt)

    def write(self, data: bytes) -> int:
        """Take bytes in."""
        self._held += data
        while len(self._held) > SEGMENT_BYTES:
            self._put(bytes(self._held[:SEGMENT_BYTES]), last=False)
            del self._held[:SEGMENT_BYTES]
        return len(data)

    def finish(self) -> None:
        """Write the last segment."""
        self._put(bytes(self._held), last=True)

    def _put(self, segment: bytes, last: bool) -> None:
        self._file.write(seal(self._key, self._salt, self._number, last, segment))
        self._number += 1


class _Opening:
    """What is read from it was sealed in the file behind the head."""

    def __init__(self, file: BinaryIO, passphrase: str) -> None:
        if not passphrase:
            raise BackupError("the backup is encrypted: give its pass-phrase with --passphrase-file")
        cost, salt = file.read(1), file.read(SALT)
        if len(salt) < SALT or not 1 <= cost[0] <= MOST_COST:
            raise BrokenSeal("the head is no head")
        key = _key(passphrase, salt, cost[0])
        self._parts = (
            unseal(key, salt, number, last, part)
            for number, last, part in segments(file, SEGMENT_BYTES + OVERHEAD)
        )
        self._held = b""

    def read(self, size: int) -> bytes:
        """So many bytes, fewer at the end."""
        found = []
        while size > 0:
            if not self._held:
                self._held = next(self._parts, b"")
                if not self._held:
                    break
            found.append(self._held[:size])
            self._held = self._held[size:]
            size -= len(found[-1])
        return b"".join(found)


def _key(passphrase: str, salt: bytes, cost: int) -> AESGCM:
    if len(passphrase) < SHORTEST:
        raise BackupError(f"the pass-phrase needs at least {SHORTEST} characters")
    return AESGCM(Scrypt(salt=salt, length=32, n=2**cost, r=8, p=1).derive(passphrase.encode()))
