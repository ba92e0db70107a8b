"""The last seconds of a stream, kept in memory only and thrown away unless a case opens: rolling evidence.

Packets stay as they came, compressed. They are gathered in stretches that end at a keyframe, after two seconds or at 512
KiB; a full stretch is sealed with AES-256-GCM under a random key of this buffer, and its clear bytes are overwritten. The
oldest stretches go when they are too old or too many; what is left begins where a decoder can.

What that protects: nothing is ever written to a file; swapped pages and parts of memory hold cipher text but for the newest
stretch; with `forget` the key goes, and what was sealed is noise. What it does not: the key lies in the same memory, so a
dump of the whole process holds both; FFmpeg's own buffers, the packets since the last keyframe and a frame being
looked at are clear, and memory that they gave back is not overwritten.
"""

import secrets
import threading
import time
from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import Any, Protocol

import msgspec
from av.stream import Stream
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Struct

from underwing.live.clip import Clip, Kept, Tracks, remuxed
from underwing.live.source import Piece

STRETCH_SECONDS, STRETCH_BYTES = 2.0, 512 << 10
"""A stretch is sealed when it spans so many seconds, or is so large."""
_NONCE_BYTES = 12
_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(list[Kept]).decode
_NEW_HEADER: Any = "new_extradata"


class Keep(Struct, frozen=True, kw_only=True):
    """How much of a stream is kept: its last `seconds`, and no more than `most` bytes of it."""

    seconds: float = 60.0
    most: int = 24 << 20


class Tracked(Protocol):
    """What has tracks: an opened `Source`, a sheet of `stills`."""

    single: bool
    """Whether each of its packets stands for itself."""

    @property
    def tracks(self) -> list[Stream]:
        """The tracks whose packets come."""
        ...


class _Stretch(Struct, frozen=True):
    """A sealed stretch: its number, when it began (our clock, monotonic), whether a clip can begin with it, the run that it
    is of (a stream that is opened again begins another), its sealed bytes."""

    number: int
    begun: float
    key: bool
    run: int
    body: bytes


class Rolling:
    """The last seconds of one stream. `take` is for the thread that reads it, the rest for any.

    Memory: at most `keep.most` bytes sealed and one stretch clear; while clips are made, three times that again.
    """

    def __init__(self, keep: Keep | None = None) -> None:
        self.keep = keep or Keep()
        self._lock = threading.Lock()
        self._source: object = None
        self._begin()

    def _begin(self) -> None:
        self._cipher = AESGCM(AESGCM.generate_key(256))
        self._sealed: deque[_Stretch] = deque()
        self._bytes = self._number = self._run = 0
        self._runs: dict[int, Tracks] = {}
        self._clear, self._list = bytearray(), list[Kept]()
        self._begun, self._key, self._shift = 0.0, False, 0.0

    @property
    def size(self) -> int:
        """Bytes that are kept now."""
        with self._lock:
            return self._bytes + len(self._clear)

    def take(self, source: Tracked, piece: Piece, arrived: float, second: float | None) -> None:
        """A packet as it comes, at `arrived` of our monotonic clock. `second` is the stream second of one of the picture's
        track (None: of another)."""
        with self._lock:
            self._tracks_of(source, piece)
            tracks = self._runs[self._run]
            track = tracks.place(piece.packet)
            if track is None:
                return
            begins = piece.keyframe and tracks.leads(track)
            if (
                (begins and tracks.grouped)
                or arrived - self._begun >= STRETCH_SECONDS
                or len(self._clear) >= STRETCH_BYTES
            ):
                self._seal()
                self._let_go(arrived)
            if not self._list:
                self._begun, self._key = arrived, begins
            self._list.append(self._kept(piece, track, arrived, second))
            self._clear += memoryview(piece.packet)

    def seal(self, now: float) -> None:
        """Seal what came so far (`now` of our monotonic clock), for a source whose next packet may be long in coming."""
        with self._lock:
            self._seal()
            self._let_go(now)

    def clips(self) -> list[Clip]:
        """What is kept as files that play, oldest first: one for each time that the stream was opened, or its encoding
        changed. Where no decoder could begin, there is none. What is kept stays."""
        with self._lock:
            self._seal()
            sealed, runs, cipher = list(self._sealed), dict(self._runs), self._cipher
        made: dict[int, list[tuple[memoryview, Kept]]] = {}
        for stretch in sealed:
            made.setdefault(stretch.run, []).extend(_opened(cipher, stretch))
        clips = (remuxed(runs[run], packets) for run, packets in made.items())
        return [clip for clip in clips if clip is not None]

    def forget(self) -> None:
        """Throw away what is kept, and the key."""
        with self._lock:
            _wipe(self._clear)
            self._source = None
            self._begin()

    # -- the parts ---------------------------------------------------------------------------------------

    def _tracks_of(self, source: Tracked, piece: Piece) -> None:
        """Begin another run where the stream was opened again, or its encoder was."""
        header = _new_header(piece.packet)
        if source is self._source:
            tracks = self._runs[self._run]
            track = tracks.place(piece.packet)
            if header is None or track is None or header == tracks.headers[track]:
                return
        self._seal()
        self._source, self._run = source, self._run + 1
        changed = {} if header is None else {piece.packet.stream_index: header}
        self._runs[self._run] = Tracks(source.tracks, changed, source.single)

    def _kept(self, piece: Piece, track: int, arrived: float, second: float | None) -> Kept:
        packet, start = piece.packet, len(self._clear)
        base = float(packet.time_base or 1)
        if second is not None and piece.stamp is not None:
            self._shift = second - piece.stamp
        shown, decoded = (
            None if stamp is None else stamp * base + self._shift for stamp in (packet.pts, packet.dts)
        )
        came = time.time() - (time.monotonic() - arrived)
        return Kept(
            track, start, start + packet.size, shown, decoded, (packet.duration or 0) * base, piece.keyframe, came
        )  # fmt: skip

    def _seal(self) -> None:
        """Seal the stretch that is being gathered."""
        if not self._list:
            return
        listed, nonce = _pack(self._list), secrets.token_bytes(_NONCE_BYTES)
        whole = bytearray(len(listed).to_bytes(4)) + listed + self._clear
        body = nonce + self._cipher.encrypt(nonce, whole, _about(self._number))
        _wipe(whole)
        _wipe(self._clear)
        self._sealed.append(_Stretch(self._number, self._begun, self._key, self._run, body))
        self._bytes, self._number = self._bytes + len(body), self._number + 1
        self._clear, self._list = bytearray(), []

    def _let_go(self, now: float) -> None:
        """Let go of what is too old or too much, by whole groups of pictures."""
        while self._sealed and self._too_much(now):
            self._drop()
            while self._sealed and not self._sealed[0].key:
                self._drop()

    def _too_much(self, now: float) -> bool:
        """Whether the oldest stretches up to the next beginning can go by their age, or must by their size."""
        following = next((stretch for stretch in islice(self._sealed, 1, None) if stretch.key), None)
        old = following is not None and now - following.begun >= self.keep.seconds
        return old or self._bytes > self.keep.most

    def _drop(self) -> None:
        gone = self._sealed.popleft()
        self._bytes -= len(gone.body)
        if gone.run != self._run and all(stretch.run != gone.run for stretch in self._sealed):
            del self._runs[gone.run]


def _opened(cipher: AESGCM, stretch: _Stretch) -> Iterator[tuple[memoryview, Kept]]:
    nonce, sealed = stretch.body[:_NONCE_BYTES], stretch.body[_NONCE_BYTES:]
    whole = memoryview(cipher.decrypt(nonce, sealed, _about(stretch.number)))
    begin = 4 + int.from_bytes(whole[:4])
    for kept in _unpack(whole[4:begin]):
        yield whole[begin + kept.start : begin + kept.end], kept


def _about(number: int) -> bytes:
    return b"underwing rolling\0" + number.to_bytes(8)


def _new_header(packet: Any) -> bytes | None:
    return bytes(packet.get_sidedata(_NEW_HEADER)) if packet.has_sidedata(_NEW_HEADER) else None


def _wipe(clear: bytearray) -> None:
    clear[:] = bytes(len(clear))
