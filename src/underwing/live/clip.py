"""A clip: packets of a stream set into a file that plays, in memory, without decoding anything.

The container is Matroska, which takes whatever codecs platforms send. Its times are the stream's, from the clip's beginning.
"""

import io
from collections.abc import Collection, Sequence
from contextlib import suppress
from fractions import Fraction
from hashlib import md5, sha1, sha256
from typing import Any

import av
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream
from msgspec import Struct

from underwing.model.media import MediaHashes

TYPE, FORMAT, SUFFIX = "video/x-matroska", "matroska", ".mkv"
_TICK = Fraction(1, 1_000_000)
NOTE = "single frames of a live stream that were looked at, at their times; what lies between is not in it"
"""What a file that is made of stills says of itself."""
_SHORTEST = 1e-3
"""Seconds from one packet of a track to the next, where its publisher says less or nothing."""


class Times(Struct, frozen=True, kw_only=True):
    """When a clip is of: `began` and `ended` are our clock (epoch seconds) when its first and last packet came, `first` and
    `last` the seconds of the stream that it shows. `stills`: of so many single frames it is made; None: of packets as
    they came."""

    began: float
    ended: float
    first: float
    last: float
    stills: int | None = None


class Clip(Times, frozen=True, kw_only=True):
    """A file that plays; `lost` are packets that fitted into no file."""

    data: bytes
    width: int = 0
    height: int = 0
    lost: int = 0

    @property
    def times(self) -> Times:
        """When it is of."""
        return Times(began=self.began, ended=self.ended, first=self.first, last=self.last, stills=self.stills)

    def hashes(self) -> MediaHashes:
        """SHA-256, SHA-1 and MD5 of its bytes, and what it is."""
        return MediaHashes(
            sha256=sha256(self.data).hexdigest(), sha1=sha1(self.data, usedforsecurity=False).hexdigest(),
            md5=md5(self.data, usedforsecurity=False).hexdigest(), size=len(self.data), type=TYPE, width=self.width,
            height=self.height, duration=round(max(0.0, self.last - self.first), 3),
        )  # fmt: skip


class Kept(Struct, frozen=True, array_like=True, gc=False):
    """One packet that is kept: its track, where its bytes lie, its stream seconds (None: none), our clock when it came."""

    track: int
    start: int
    end: int
    shown: float | None
    decoded: float | None
    lasts: float
    key: bool
    came: float


class Tracks:
    """What must be known of a stream's tracks to set its packets into a file, once the stream itself is closed.

    `lead` is the track that clips begin with: the picture, else the sound. With `single` each packet stands for itself, and
    a clip may begin with any.
    """

    def __init__(
        self, tracks: Sequence[Stream], changed: dict[int, bytes] | None = None, single: bool = False
    ) -> None:
        """`changed` are decoder headers (by the stream's index) that came later than the tracks; the picture's size is
        not known then."""
        self.single = single
        self._file: OutputContainer = av.open(io.BytesIO(), mode="w", format=FORMAT)
        self._places: dict[int, int] = {}
        self.headers: list[bytes] = []
        self.lead, self.width, self.height, self.picture = 0, 0, 0, False
        for track in tracks:
            with suppress(ValueError, av.error.FFmpegError):  # a codec that the container does not take
                self._file.add_stream_from_template(track, opaque=True)
                self._places[track.index] = len(self.headers)
                self.headers.append((changed or {}).get(track.index) or track.codec_context.extradata or b"")
                if isinstance(track, VideoStream) and not self.picture:
                    self.lead, self.picture = self._places[track.index], True
                    if not changed:
                        self.width, self.height = track.width, track.height

    def place(self, packet: Any) -> int | None:
        """Which of the tracks a packet is of; None: of none that is kept."""
        return self._places.get(packet.stream_index)

    @property
    def grouped(self) -> bool:
        """Whether its packets build on one another, from one keyframe of the picture to the next."""
        return self.picture and not self.single

    def leads(self, track: int) -> bool:
        """Whether a clip can begin with keyframes of a track, and goes from the first to the last of its packets."""
        return self.single or track == self.lead

    def lay(self, file: OutputContainer, used: Collection[int]) -> dict[int, Stream]:
        """Those tracks that are used, in a new file."""
        made: dict[int, Stream] = {}
        for number, header in enumerate(self.headers):
            if number in used:
                made[number] = file.add_stream_from_template(self._file.streams[number], opaque=True)
                if header:
                    made[number].codec_context.extradata = header
        return made


def remuxed(tracks: Tracks, packets: Sequence[tuple[memoryview, Kept]]) -> Clip | None:
    """A file of packets in the order in which they came; None where no decoder could begin with any of them."""
    begin = next((n for n, (_, kept) in enumerate(packets) if kept.key and tracks.leads(kept.track)), None)
    if begin is None:
        return None
    packets = packets[begin:]
    zero = min(_decoded(kept) for _, kept in packets)
    whole, lost = io.BytesIO(), 0
    last: dict[int, float] = {}
    with av.open(whole, mode="w", format=FORMAT) as file:
        laid = tracks.lay(file, {kept.track for _, kept in packets})
        if tracks.single:
            file.metadata["comment"] = NOTE
        for body, kept in packets:
            decoded = max(_decoded(kept) - zero, last.get(kept.track, -1.0) + _SHORTEST)
            last[kept.track] = decoded
            try:
                file.mux(_packet(body, kept, laid[kept.track], decoded, zero))
            except (av.error.FFmpegError, ValueError):
                lost += 1
    shown = [_shown(kept) for _, kept in packets if tracks.leads(kept.track)]
    ends = [_shown(kept) + kept.lasts for _, kept in packets if tracks.leads(kept.track)]
    stills = sum(kept.track == tracks.lead for _, kept in packets) if tracks.single else None
    return Clip(
        data=whole.getvalue(), began=packets[0][1].came, ended=packets[-1][1].came, first=round(min(shown), 3),
        last=round(max(ends), 3), stills=stills, width=tracks.width, height=tracks.height, lost=lost,
    )  # fmt: skip


def _packet(body: memoryview, kept: Kept, track: Stream, decoded: float, zero: float) -> "Packet[Any]":
    packet: Packet[Any] = Packet(bytes(body))
    packet.stream, packet.time_base, packet.is_keyframe = track, _TICK, kept.key
    packet.dts = round(decoded / _TICK)
    packet.pts = max(packet.dts, round((_shown(kept) - zero) / _TICK))
    packet.duration = round(kept.lasts / _TICK)
    return packet


def _decoded(kept: Kept) -> float:
    return kept.decoded if kept.decoded is not None else kept.shown or 0.0


def _shown(kept: Kept) -> float:
    return kept.shown if kept.shown is not None else kept.decoded or 0.0
