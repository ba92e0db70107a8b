"""The key that opens the context: 32 random bytes in a file of its own, held apart from the data it opens."""

import secrets
from pathlib import Path

from underwing.casebook.errors import CasebookError
from underwing.casebook.private import read_private, write_private

KEY_BYTES = 32


class KeyFileError(CasebookError):
    """A key file that cannot be used; says why and what to do. Never quotes the key."""


def load_key(path: Path) -> bytes:
    """The key in `path` (64 hex digits); made there, readable for its owner only, when there is none.

    Raises:
        KeyFileError: unreadable, others may read it, or not a key.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            write_private(path, secrets.token_hex(KEY_BYTES).encode() + b"\n")
        text = read_private(path).decode("ascii")
    except CasebookError as error:
        raise KeyFileError(str(error)) from None
    except OSError as error:
        raise KeyFileError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise KeyFileError(f"{path} does not hold a key") from None
    try:
        key = bytes.fromhex(text.strip())
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise KeyFileError(f"{path} does not hold a key of {KEY_BYTES} bytes in hex")
    return key
