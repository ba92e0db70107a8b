"""Rolling evidence of streams that are joined (LiveKit rooms, WHEP): the frames that were looked at, as JPEG, and the sound.

Nothing is received or decoded for it. A frame comes from the watch's own looks, one in ten seconds while calm and two a
second while raised; sound comes where somebody listens to it anyway, and is kept as those samples (16 kHz, 16 bits: as Opus
it would take 30 KB a second less and 0.002 of a core a track more). Both are put into a `Rolling` as packets are, and give
the same kind of file, which says of itself that it is made of single frames.

Why not the packets? LiveKit's SDK decodes below its Python part and hands out none. aiortc has them in private parts only,
and while calm, as before most cases, a WHEP session lasts for one look: there is nothing between the frames.

All pictures of a streamer follow one another in one track: whoever looks at a film, and what hashes it, takes its first
track, and a second picture is no place to hide. A frame of another shape gets black margins; when none of the first shape
came for `RESHAPE` seconds, another film begins, so that a telephone that is turned costs no sharpness for long.
"""

import io
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.codec.context import CodecContext
from av.packet import Packet
from av.stream import Stream
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from underwing.live.clip import FORMAT, Clip
from underwing.live.rolling import Keep, Rolling
from underwing.live.senses import RATE, Sound
from underwing.live.source import Piece
from underwing.live.viewer import MOST_TRACKS

SIDE = 960
"""Pixels of the longer side of a still."""
MOST_STILL = 192 << 10
"""Bytes of a still, beyond which it is encoded again more coarsely. One of a photo takes 20 to 60 KB."""
RESHAPE = 20.0
GATHER, GAP, MOST_GATHERED = 0.5, 1.0, 10.0
"""Seconds of sound that are put into one packet; seconds without any that are left silent (what comes a little late or early
joins on to what came before); seconds of sound that come at once and are put into one packet."""
_SCALES = (4, 12, 31)
"""FFmpeg's scale of JPEG, 2 (best) to 31; 4 is much like quality 75. What the last gives is taken: 90 KB of noise."""
_PIXELS = "yuvj420p"
_TICK, _SAMPLE = Fraction(1, 1000), Fraction(1, RATE)
_BLACK = (0, 128, 128)


class Stills:
    """The last looked-at frames of one stream, and its sound. `see` and `hear` are for the thread that watches it, the rest
    for any. Memory is `Rolling`'s."""

    def __init__(self, keep: Keep | None = None) -> None:
        self._kept = Rolling(keep)
        self._sheet: _Sheet | None = None
        self._voices = [_Voice() for _ in range(MOST_TRACKS)]

    @property
    def size(self) -> int:
        """Bytes that are kept now."""
        return self._kept.size

    def see(self, frame: VideoFrame, arrived: float, second: float) -> None:
        """A frame that was looked at, at `arrived` of our monotonic clock, at that second of the stream."""
        shape = _shape(frame)
        if self._sheet is None or (self._sheet.shape != shape and arrived - self._sheet.fitted >= RESHAPE):
            self._sheet = _Sheet(shape)
        packet = self._sheet.still(frame, shape, round(second / _TICK))
        if self._sheet.shape == shape:
            self._sheet.fitted = arrived
        self._kept.take(self._sheet, Piece("video", second, True, packet), arrived, second)
        self._kept.seal(arrived)  # the next one may be ten seconds away

    def hear(self, name: str, sound: Sound, arrived: float, second: float) -> None:
        """Sound of a track of that name, which came at `arrived` and ends at that second. Before the first frame, and beyond
        `MOST_TRACKS` at once, it is not kept; the newest `GATHER` seconds are not yet."""
        place = self._place(name, second)
        if self._sheet is None or place is None:
            return
        gathered = self._voices[place].gathered(sound, arrived, second)
        if gathered is None:
            return
        begin, samples = gathered
        packet: Packet[Any] = Packet(samples.tobytes())
        packet.stream, packet.time_base, packet.is_keyframe = self._sheet.sounds[place], _SAMPLE, True
        packet.pts = packet.dts = round(begin / _SAMPLE)
        packet.duration = len(samples)
        self._kept.take(self._sheet, Piece("audio", begin, True, packet), arrived, None)

    def clips(self) -> list[Clip]:
        """What is kept as files that play, oldest first: one for each shape."""
        return self._kept.clips()

    def forget(self) -> None:
        """Throw away what is kept, and its key."""
        self._kept.forget()
        self._sheet = None

    def _place(self, name: str, second: float) -> int | None:
        """Which track of the file the sound of a name goes to: its own, else the first that nothing comes for."""
        place = next((n for n, voice in enumerate(self._voices) if voice.name == name), None)
        if place is None:
            place = next((n for n, voice in enumerate(self._voices) if second - voice.second >= GAP), None)
            if place is not None:
                self._voices[place].name = name
        return place


class _Voice:
    """The sound of one track. `second` is where the newest of it ends."""

    def __init__(self) -> None:
        self.name: str | None = None
        self.second = self._until = -1e9
        self._begun = 0.0
        self._pieces: list[Sound] = []

    def gathered(self, sound: Sound, arrived: float, second: float) -> tuple[float, NDArray[np.int16]] | None:
        """Take a piece; what was gathered before it, once that is `GATHER` seconds old: the second at which it begins, and
        16-bit samples. Sound that was held up comes all at once: it ended when its last piece came."""
        done = None
        held = sum(map(len, self._pieces))
        if held and (arrived - self._begun >= GATHER or held >= MOST_GATHERED * RATE):
            done = self._placed(np.concatenate(self._pieces))
            self._pieces = []
        if not self._pieces:
            self._begun = arrived
        self._pieces.append(sound)
        self.second = second
        return done

    def _placed(self, sound: Sound) -> tuple[float, NDArray[np.int16]]:
        begin = max(0.0, self._until, self.second - len(sound) / RATE)
        if begin - self._until < GAP:
            begin = self._until
        self._until = begin + len(sound) / RATE
        return begin, np.clip(np.rint(sound * 32768), -32768, 32767).astype("<i2")


class _Sheet:
    """The tracks of one film: the picture, of one shape (width, height), and as many of sound as there may be.

    `fitted` is when a frame of this shape came last.
    """

    single = True

    def __init__(self, shape: tuple[int, int]) -> None:
        self.shape, self.fitted, self._count = shape, -1e9, 0
        self._file = av.open(io.BytesIO(), mode="w", format=FORMAT)
        self._picture = self._file.add_stream("mjpeg", rate=1)
        self._picture.width, self._picture.height, self._picture.pix_fmt = *shape, _PIXELS
        self.sounds = [
            self._file.add_stream("pcm_s16le", rate=RATE, layout="mono") for _ in range(MOST_TRACKS)
        ]
        self._file.start_encoding()  # now its tracks know what they are
        self._encoders: dict[int, VideoCodecContext] = {}
        self._scaler = VideoReformatter()

    @property
    def tracks(self) -> list[Stream]:
        """The picture, then the sound."""
        return [self._picture, *self.sounds]

    def still(self, frame: VideoFrame, shape: tuple[int, int], tick: int) -> "Packet[Any]":
        """A frame, whose own shape is given, as a JPEG of the sheet's."""
        paper = self._fitted(frame, shape)
        self._count += 1
        paper.pts, paper.time_base = self._count, _TICK  # the encoder takes no two frames of one time
        for scale in _SCALES:
            (packet,) = self._encoder(scale).encode(paper)
            if packet.size <= MOST_STILL:
                break
        packet.stream, packet.pts, packet.dts = self._picture, tick, tick
        return packet

    def _fitted(self, frame: VideoFrame, shape: tuple[int, int]) -> VideoFrame:
        """A frame scaled to the sheet's shape, in the middle of black margins where its own is another."""
        scale = min(self.shape[0] / shape[0], self.shape[1] / shape[1])
        width, height = (min(each) for each in zip(_scaled(*shape, scale), self.shape, strict=True))
        small = self._scaler.reformat(frame, width, height, _PIXELS, threads=1)
        if (width, height) == self.shape:
            return small
        made = VideoFrame(*self.shape, _PIXELS)
        for black, part, whole in zip(_BLACK, small.planes, made.planes, strict=True):
            rows, top, left = _rows(whole), (whole.height - part.height) // 2, (whole.width - part.width) // 2
            rows[:] = black
            rows[top : top + part.height, left : left + part.width] = _rows(part)[: part.height, : part.width]
        return made

    def _encoder(self, scale: int) -> VideoCodecContext:
        if scale not in self._encoders:
            made = CodecContext.create("mjpeg", "w")
            assert isinstance(made, VideoCodecContext)
            made.width, made.height, made.pix_fmt = *self.shape, _PIXELS
            made.time_base, made.thread_count = _TICK, 1
            made.options = {"qmin": str(scale), "qmax": str(scale)}
            self._encoders[scale] = made
        return self._encoders[scale]


def _shape(frame: VideoFrame) -> tuple[int, int]:
    """Width and height of a frame's still: even, `SIDE` on the longer side."""
    return _scaled(frame.width, frame.height, SIDE / max(frame.width, frame.height))


def _scaled(width: int, height: int, scale: float) -> tuple[int, int]:
    return max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)


def _rows(plane: Any) -> NDArray[np.uint8]:
    return np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
