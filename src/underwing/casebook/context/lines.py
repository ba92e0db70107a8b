"""A line of context, and the one way in which it is packed and encrypted."""

import os
from typing import Literal

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Struct

from underwing.casebook.errors import CasebookError

_NONCE = 12


class ContextError(CasebookError):
    """The context cannot be used; says why, and never quotes a message."""

    key = "context"


class Line(Struct, frozen=True, kw_only=True):
    """One message: who said what to whom, when (epoch seconds)."""

    event: str
    at: int
    sender: str
    text: str
    to: tuple[str, ...] = ()


class Said(Struct, frozen=True, kw_only=True):
    """A sealed line, opened. `origin` says whether it waited here or the platform supplied it."""

    conversation: str
    origin: Literal["buffer", "platform"]
    line: Line


class _Packed(Struct, frozen=True, array_like=True):
    conversation: str
    event: str
    at: int
    sender: str
    to: tuple[str, ...]
    text: str


_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(_Packed).decode


def encrypted(cipher: AESGCM, conversation: str, line: Line, about: bytes) -> bytes:
    """A line, good only together with `about`."""
    nonce = os.urandom(_NONCE)
    packed = _pack(_Packed(conversation, line.event, line.at, line.sender, line.to, line.text))
    return nonce + cipher.encrypt(nonce, packed, about)


def decrypted(cipher: AESGCM, body: bytes, about: bytes) -> tuple[str, Line]:
    """(conversation, line) that `encrypted` made.

    Raises:
        ContextError: it was changed, or is another key's.
    """
    try:
        got = _unpack(cipher.decrypt(body[:_NONCE], body[_NONCE:], about))
    except (InvalidTag, ValueError):
        raise ContextError("a line of the context was changed, or the key is another one") from None
    return got.conversation, Line(event=got.event, at=got.at, sender=got.sender, text=got.text, to=got.to)
