"""Keys that wrap keys: the port behind which a key file stands now and a key service can stand later.

Three layers. The key-encryption key never leaves its `Keys`. It wraps one key a case; that wraps one data key an object,
which seals the object's bytes. All are 256 bits, all wrapping is AES-256-GCM (NIST SP 800-38D) with a random nonce of 96
bits and a context that says what the key is for, so that a wrapped key is good for that one purpose only.
"""

import base64
import hmac
import secrets
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from underwing.casebook.database import CasebookError
from underwing.casebook.private import read_private, write_private

KEY_BYTES = 32
NONCE_BYTES = 12
_HEAD = "underwing-key-1:"


class KeyRefused(CasebookError):
    """A wrapped key that this key does not open: another key's, another purpose's, or changed."""

    key = "tampered"


class WrongKey(CasebookError):
    """The key-encryption key at hand is not the one that wrapped this; its id says which one is needed."""

    key = "wrong_key"


class Keys(Protocol):
    """Whoever holds the key-encryption key. A key service fits: both calls take a small secret and a public context."""

    id: str
    """Names the key without giving it away; kept beside what it wrapped."""

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """The key, sealed for this context."""

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """The key again.

        Raises:
            KeyRefused: not wrapped by this key for this context.
        """


def new_key() -> bytes:
    """256 random bits."""
    return secrets.token_bytes(KEY_BYTES)


def wrap(outer: bytes, key: bytes, context: bytes) -> bytes:
    """`key` sealed under `outer`: nonce, ciphertext, tag."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + AESGCM(outer).encrypt(nonce, key, context)


def unwrap(outer: bytes, wrapped: bytes, context: bytes) -> bytes:
    """What `wrap` sealed.

    Raises:
        KeyRefused: another key, another context, or changed bytes.
    """
    try:
        return AESGCM(outer).decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], context)
    except (InvalidTag, ValueError):
        raise KeyRefused("a wrapped key was changed, or it is not for this use or this key") from None


class KeyFile:
    """A key-encryption key in a file of one line, mode 0600.

    Raises:
        CasebookError: missing, readable by others, or no key.
    """

    def __init__(self, path: Path) -> None:
        try:
            text = read_private(path).decode("ascii").strip()
            if not text.startswith(_HEAD):
                raise ValueError
            self._key = base64.b64decode(text.removeprefix(_HEAD), validate=True)
            if len(self._key) != KEY_BYTES:
                raise ValueError
        except ValueError:
            raise CasebookError(f"{path} holds no key of Underwing's") from None
        self.id = key_id(self._key)

    @classmethod
    def make(cls, path: Path) -> "KeyFile":
        """A new random key in a new file.

        Raises:
            CasebookError: the file exists.
        """
        write_private(path, _HEAD.encode() + base64.b64encode(new_key()) + b"\n")
        return cls(path)

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """The key, sealed for this context."""
        return wrap(self._key, key, context)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """The key again.

        Raises:
            KeyRefused: not wrapped by this key for this context.
        """
        return unwrap(self._key, wrapped, context)


def key_id(key: bytes) -> str:
    """16 hex digits that tell keys apart: the start of HMAC-SHA256 by the key over a fixed word."""

    return hmac.digest(key, b"underwing key id", "sha256").hex()[:16]
