"""What the service and a watcher process say to each other: messages of msgpack, each behind its length in four bytes.

A watch is named by a number that is never used again: what an ended one still says is known for old.
"""

from collections.abc import Iterator
from typing import Final

import msgspec
from msgspec import Struct

from underwing.live.clip import Times
from underwing.live.rolling import Keep
from underwing.live.senses import Noticed
from underwing.live.watch import GIVE_UP, Health, Sighting

HEAD: Final = 4
MOST: Final = 64 << 20
"""Bytes of the largest message; whoever announces more is not talked to any longer."""


class Begin(Struct, frozen=True, tag="begin", kw_only=True):
    """Watch a stream; look often for `closer` seconds from now, give up after `give_up` seconds without it. `keep` says how
    much of its last seconds is kept (None: nothing), `guarded` whether the senses are turned to it."""

    watch: int
    stream: str
    url: str
    closer: float = 0.0
    give_up: float = GIVE_UP
    keep: Keep | None = None
    guarded: bool = False


class End(Struct, frozen=True, tag="end"):
    """Watch it no longer."""

    watch: int


class Closer(Struct, frozen=True, tag="closer"):
    """Look often for so many seconds from now."""

    watch: int
    seconds: float


class Seal(Struct, frozen=True, tag="seal"):
    """Hand over what is kept of the stream's last seconds; answered by `Part`s that carry the same `asked`."""

    watch: int
    asked: int


Order = Begin | End | Closer | Seal


class Ready(Struct, frozen=True, tag="ready"):
    """The process has started and takes orders."""


class Seen(Struct, frozen=True, tag="seen"):
    """A frame was looked at."""

    watch: int
    sighting: Sighting


class Changed(Struct, frozen=True, tag="changed"):
    """What can be seen has changed."""

    watch: int
    health: Health


class Pulse(Struct, frozen=True):
    """How a watch stands, and for how many seconds its thread has done nothing (it waits, or hangs)."""

    health: Health
    quiet: float
    raised: bool


class Beat(Struct, frozen=True, tag="beat"):
    """Sent every second: the process is alive, and how each of its watches stands."""

    watches: dict[int, Pulse]


class Part(Struct, frozen=True, tag="part"):
    """A piece of what was asked for by `Seal`. `begins` comes before the first of each clip; `problem` says why nothing, or
    no more, comes; with `last` it is whole."""

    asked: int
    begins: Times | None = None
    data: bytes = b""
    last: bool = False
    problem: str = ""


class Noted(Struct, frozen=True, tag="noted"):
    """Words, or a classifier's guess."""

    watch: int
    noticed: Noticed


Report = Ready | Seen | Changed | Noted | Beat | Part

_encode = msgspec.msgpack.Encoder().encode
decode_order = msgspec.msgpack.Decoder(Order).decode
decode_report = msgspec.msgpack.Decoder(Report).decode


def framed(message: Order | Report) -> bytes:
    """A message behind its length."""
    body = _encode(message)
    return len(body).to_bytes(HEAD) + body


def cut(data: bytes, size: int = 1 << 20) -> Iterator[bytes]:
    """Bytes in pieces of at most `size`."""
    for start in range(0, len(data), size):
        yield data[start : start + size]
