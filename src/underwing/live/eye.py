"""Frames of a stream: only those are decoded that are looked at, and what a look gives is hashes.

While calm a keyframe is decoded alone. When a stream is raised, decoding begins at the last keyframe, whose packets are
kept for that (compressed, in memory), so that no time is lost waiting for the next.
"""

from collections import deque
from typing import Any

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from underwing.live.source import Piece
from underwing.media.decode import Picture
from underwing.media.pdq import ORIENTATIONS
from underwing.media.variants import layers
from underwing.model.media import View

PROFILE = "live-1"
"""How hashes of live frames are made: the luma plane as it is coded, whole, in eight orientations, and without borders."""
MOST_PACKETS, MOST_BYTES = 900, 24 << 20
"""Packets kept since the last keyframe; a stream that exceeds this is raised only from its next keyframe on."""


class Eye:
    """Decodes one track. `damaged` counts what did not decode since something last did."""

    def __init__(self, track: VideoStream, pixels: int) -> None:
        context = track.codec_context
        context.thread_count = 1
        context.thread_type = "NONE"
        context.options = {"max_pixels": str(pixels)}
        self._decoder: Any = context
        self._pixels = pixels
        self._since: deque[Piece] = deque()
        self._bytes = 0
        self._begun = False
        self._fresh = False
        self.damaged = 0

    def glance(self, piece: Piece) -> VideoFrame | None:
        """The frame of one keyframe; nothing else is decoded."""
        self._keep(piece)
        self._begun = False
        self._decoder.flush_buffers()
        frames = self._decode(piece.packet) or self._decode(None)
        self._decoder.flush_buffers()
        return frames[-1] if frames else None

    def pass_by(self, piece: Piece) -> None:
        """Take note of a packet that is not decoded, unless it brings the decoder a new header: that comes only once."""
        if piece.packet.has_sidedata("new_extradata"):
            self.glance(piece)
            return
        self._begun = False
        self._keep(piece)

    def follow(self, piece: Piece) -> list[VideoFrame]:
        """The frames that this packet makes visible, when all are decoded. At first those since the last keyframe."""
        self._keep(piece)
        if self._begun:
            return self._decode(piece.packet)
        if not self._fresh:
            return []
        self._decoder.flush_buffers()
        self._begun = True
        frames: list[VideoFrame] = []
        for waiting in self._since:
            frames = self._decode(waiting.packet) or frames
        return frames[-1:]

    def _keep(self, piece: Piece) -> None:
        if piece.keyframe:
            self._since.clear()
            self._bytes, self._fresh = 0, True
        self._since.append(piece)
        self._bytes += piece.packet.size
        if len(self._since) > MOST_PACKETS or self._bytes > MOST_BYTES:
            self._since.clear()
            self._bytes, self._fresh = 0, False

    def _decode(self, packet: Any) -> list[VideoFrame]:
        try:
            frames: list[VideoFrame] = self._decoder.decode(packet)
        except (av.error.FFmpegError, EOFError):
            self.damaged += 1
            return []
        good = [frame for frame in frames if frame.width * frame.height <= self._pixels]
        if good:
            self.damaged = 0
        return good


def warm_up() -> None:
    """Load the machine code of the hashes, so that the first stream does not wait for it."""
    views_of(VideoFrame(64, 64, "gray"))


def views_of(frame: VideoFrame) -> tuple[View, ...]:
    """A frame's hashes: in eight orientations, as it is and without its borders."""
    whole = picture_of(frame)
    views: dict[str, View] = {}
    for steps, picture in (("", whole), *layers(whole)):
        for how, pdq in zip(ORIENTATIONS, picture.pdq_turned(), strict=True):
            name = how if not steps else steps if how == "plain" else f"{steps}+{how}"
            views.setdefault(pdq.hash, View(how=name, pdq=pdq))
    return tuple(views.values())


def picture_of(frame: VideoFrame) -> Picture:
    """A frame as luma. PDQ compares coefficients with their median, so that limited and full range give the same bits."""
    luma = _plane(frame) if frame.format.name in _PLANAR else _grey(frame)
    return Picture(luma=luma, height=frame.height, width=frame.width)


_PLANAR = ("yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "nv12", "gray")


def _plane(frame: VideoFrame) -> NDArray[np.float32]:
    plane = frame.planes[0]
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return np.ascontiguousarray(rows[: frame.height, : frame.width]).astype(np.float32)


def _grey(frame: VideoFrame) -> NDArray[np.float32]:
    return np.asarray(frame.reformat(format="gray", threads=1).to_ndarray(), np.float32)
