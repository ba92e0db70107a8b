"""Rolling evidence of sources that give frames and no packets (a LiveKit room): the frames that were looked at, as JPEG.

They are kept as `rolling` keeps packets, and give the same kind of file: a film of stills with their times.
"""

import io
from fractions import Fraction

import av
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from underwing.live.clip import FORMAT, Clip
from underwing.live.rolling import Keep, Rolling
from underwing.live.source import Piece

SIDE = 960
"""Pixels of the longer side of a still, at the most."""
_TICK = Fraction(1, 1000)


class Stills:
    """The last looked-at frames of one stream. A still of 640 × 360 takes 20 to 60 KB."""

    def __init__(self, keep: Keep | None = None) -> None:
        self._kept = Rolling(keep or Keep(most=8 << 20))
        self._paper: _Paper | None = None

    @property
    def size(self) -> int:
        """Bytes that are kept now."""
        return self._kept.size

    def see(self, frame: VideoFrame, arrived: float, second: float) -> None:
        """A frame that was looked at, at `arrived` of our monotonic clock, at that second of the stream."""
        scale = min(1.0, SIDE / max(frame.width, frame.height))
        width, height = (max(2, round(side * scale / 2) * 2) for side in (frame.width, frame.height))
        if self._paper is None or self._paper.size != (width, height):
            self._paper = _Paper(width, height)
        still = frame.reformat(width=width, height=height, format="yuvj420p", threads=1)
        still.pts, still.time_base = round(second / _TICK), _TICK
        for packet in self._paper.track.encode(still):
            self._kept.take(self._paper, Piece("video", second, True, packet), arrived, second)

    def clips(self) -> list[Clip]:
        """What is kept as files that play, oldest first: one for each size."""
        return self._kept.clips()

    def forget(self) -> None:
        """Throw away what is kept, and its key."""
        self._kept.forget()


class _Paper:
    """A track of stills of one size."""

    def __init__(self, width: int, height: int) -> None:
        self._file = av.open(io.BytesIO(), mode="w", format=FORMAT)
        track = self._file.add_stream("mjpeg", rate=1, options={"qscale": "4"})
        assert isinstance(track, VideoStream)
        track.width, track.height, track.pix_fmt = width, height, "yuvj420p"
        track.codec_context.time_base = _TICK
        track.codec_context.thread_count = 1
        self.size, self.track = (width, height), track

    @property
    def tracks(self) -> list[Stream]:
        """The one track."""
        return [self.track]
