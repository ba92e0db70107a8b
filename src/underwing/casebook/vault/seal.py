"""Bytes in, sealed segments out, and back: AES-256-GCM in frames, so that any length streams with little memory.

A stream is cut into segments of one size (the last may be shorter, and an empty stream is one empty segment). Each is
sealed on its own under the object's data key with a random nonce; what is authenticated beside it names the object, the
segment's number and whether it is the last. So a segment that was changed, moved, swapped with another object's, left out
or put at the end does not open. (The construction is STREAM of Hoang, Reyhanitabar, Rogaway and Vizár, CRYPTO 2015, with
the position in the associated data.) A random nonce is safe for 2**32 segments a key (NIST SP 800-38D, 8.3).

A sealed segment: `UWV1`, nonce (12 bytes), ciphertext (as long as the segment), tag (16 bytes).
"""

import secrets
from collections.abc import Iterator
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from underwing.casebook.keys import NONCE_BYTES

SEGMENT_BYTES = 4 * 1024 * 1024
MAGIC = b"UWV1"
OVERHEAD = len(MAGIC) + NONCE_BYTES + 16


class BrokenSeal(ValueError):
    """A segment that is not what was sealed at this place."""


def _beside(locator: bytes, number: int, last: bool) -> bytes:
    return MAGIC + b"segment" + locator + number.to_bytes(8) + bytes([last])


def seal(key: AESGCM, locator: bytes, number: int, last: bool, segment: bytes) -> bytes:
    """Segment `number` (from 0) of the object `locator`, sealed."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return MAGIC + nonce + key.encrypt(nonce, segment, _beside(locator, number, last))


def unseal(key: AESGCM, locator: bytes, number: int, last: bool, sealed: bytes) -> bytes:
    """The segment again.

    Raises:
        BrokenSeal: any byte of it differs, or it was sealed for another place.
    """
    start = len(MAGIC) + NONCE_BYTES
    if sealed[: len(MAGIC)] != MAGIC or len(sealed) < OVERHEAD:
        raise BrokenSeal("it is no sealed segment")
    try:
        return key.decrypt(sealed[len(MAGIC) : start], sealed[start:], _beside(locator, number, last))
    except InvalidTag:
        raise BrokenSeal("it was changed, moved or cut") from None


def segments(source: BinaryIO, size: int) -> Iterator[tuple[int, bool, bytes]]:
    """(number, whether it is the last, bytes) of a stream, two segments in memory at a time."""
    number, held = 0, _full(source, size)
    while True:
        following = _full(source, size) if len(held) == size else b""
        yield number, not following, held
        if not following:
            return
        number, held = number + 1, following


def _full(source: BinaryIO, size: int) -> bytes:
    """`size` bytes, fewer only at the end of the stream (a read may give less than it was asked for)."""
    parts: list[bytes] = []
    while size > 0 and (part := source.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
