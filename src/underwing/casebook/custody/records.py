"""A record of the custody log: its fields, its kinds, its bytes and its hash."""

from hashlib import sha256
from typing import Annotated, Literal, get_args

import msgspec
from msgspec import Meta, Struct

FIRST = "0" * 64
"""What the first record names as the hash before it."""
_DOMAIN = b"underwing custody record 1\n"

Kind = Literal[
    "opened", "intake", "intake-again", "saw-metadata", "saw-media-blurred", "reveal-begun", "revealed-media",
    "machine-read", "exported", "handed-over", "reported", "withdrawn", "restored", "held", "released",
    "erasure-asked", "destruction-asked", "destruction-cancelled", "destroyed",
    "key-changed",
    "signed-in", "sign-in-refused", "signed-out", "acted", "changed", "asked", "confirmed", "declined",
]  # fmt: skip
"""What can happen to evidence, and what people did. Reading about evidence, seeing it blurred and revealing it are three
different things; `reveal-begun` stands before the first byte is shown, `revealed-media` carries the `seconds` once it is
over. `acted` is an act on a case or a part of the service, `changed` one on an account; `asked`, `confirmed` and `declined`
are the two people of an act that takes two."""
KINDS: tuple[Kind, ...] = get_args(Kind)

Time = Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")]
Text = Annotated[str, Meta(max_length=500)]
Name = Annotated[str, Meta(min_length=1, max_length=200)]
Fact = Annotated[int, Meta(ge=0, le=2**53)] | bool | Text


class Record(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry. It says who did what, when and to what; it never holds content.

    `number` counts from 1. `at` is UTC with milliseconds and never before the record above it; where the machine's clock
    was behind that record, `clock` keeps what it showed. `case` and `object` are "" where they do not apply; `object` is
    an address of the vault. `previous` is the hash of the record before.
    """

    number: Annotated[int, Meta(ge=1)]
    at: Time
    clock: Annotated[str, Meta(pattern=r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)?$")] = ""
    by: Name
    kind: Kind
    case: Annotated[str, Meta(max_length=200)] = ""
    object: Annotated[str, Meta(max_length=200)] = ""
    reason: Text = ""
    facts: dict[Annotated[str, Meta(max_length=40)], Fact] = {}
    previous: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class Entry(Struct, frozen=True):
    """A record as it lies in the log: its number there, its bytes, their hash (hex) and the signature over the hash."""

    number: int
    body: bytes
    hash: str
    signature: bytes


_decoder = msgspec.json.Decoder(Record)
_encoder = msgspec.json.Encoder(order="sorted")


def encode(record: Record) -> bytes:
    """The record's one spelling: JSON, keys in order, no spaces."""
    return _encoder.encode(record)


def decode(body: bytes) -> Record:
    """The record that `body` spells.

    Raises:
        ValueError: not a record, or not spelled as `encode` spells it.
    """
    record = _decoder.decode(body)
    if encode(record) != body:
        raise ValueError("the record is not in its one spelling")
    return record


def digest(body: bytes) -> str:
    """The record's hash in hex: SHA-256 over a fixed line and the body, which names the hash before it."""
    return sha256(_DOMAIN + body).hexdigest()
