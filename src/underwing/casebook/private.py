"""Files that only their owner may read: secret keys."""

import os
import stat
from pathlib import Path

from underwing.casebook.errors import CasebookError

_MOST = 65_536


def read_private(path: Path) -> bytes:
    """The bytes of a small secret file.

    Raises:
        CasebookError: missing, not a plain file, or others may read it.
    """
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    except OSError as error:
        raise CasebookError(f"{path} cannot be read: {error.strerror}") from None
    with os.fdopen(handle, "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise CasebookError(f"{path} is not a plain file")
        if found.st_mode & 0o077:
            raise CasebookError(f"{path} can be read by others; run: chmod 600 {path}")
        return file.read(_MOST)


def write_private(path: Path, content: bytes) -> None:
    """A new file with mode 0600, on the disk when this returns; it appears whole or not at all.

    Raises:
        CasebookError: it exists, or cannot be written.
    """
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.link(part, path)
        finally:
            part.unlink()
        sync_directory(path.parent)
    except FileExistsError:
        raise CasebookError(f"{path} exists already") from None
    except OSError as error:
        raise CasebookError(f"{path} cannot be written: {error.strerror}") from None


def sync_directory(path: Path) -> None:
    """Make new names in a directory outlive a loss of power."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
