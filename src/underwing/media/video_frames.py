"""Which frames of a video are decoded, and when each is shown.

A file is read packet by packet; only the packets that a wanted frame needs are decoded, in this thread. Times are seconds
since the first frame that is shown, from the time stamps and the time base of the stream, never from a frame rate (only
where a file has no time stamps at all are its frames counted). Clocks that jump back are taken to run on.

FFmpeg (through PyAV) may only use the containers and decoders named here: no playlists, no pictures by pattern, no
protocols, and none of the rare decoders in which most of its faults are found.
"""

import math
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING, BinaryIO, cast

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from msgspec import Struct

if TYPE_CHECKING:
    VideoPacket = Packet[VideoStream]
else:
    VideoPacket = Packet

CONTAINERS = "mov,matroska,webm,avi,flv,mpegts,mpeg,mpegvideo,asf,ogg,mxf,dv,ivf,obu,h264,hevc,m4v,rm"
"""FFmpeg's names of the containers that are read."""
DECODERS = (
    "h264,hevc,vp8,vp9,libvpx,libvpx-vp9,libdav1d,av1,mpeg4,mpeg2video,mpeg1video,mpegvideo,h263,h263p,h263i,flv,vp6,vp6f,"
    "msmpeg4v1,msmpeg4v2,msmpeg4,wmv1,wmv2,wmv3,vc1,theora,mjpeg,png,prores,dvvideo,dnxhd,ffv1,huffyuv,ffvhuff,utvideo,"
    "rawvideo,rv10,rv20,rv30,rv40,svq1,svq3,cinepak,qtrle,gif,magicyuv"
)
"""FFmpeg's names of the decoders that are used."""
STEP = 1.0
"""Seconds from one wanted frame to the next."""
SLACK = 0.5
"""A keyframe that lies this part of a step off the wanted time is taken instead: what lies before it need not be decoded,
and encoders put keyframes at cuts, so that a scene is sampled at the same seconds wherever it was pasted in."""
_WAITING = (512, 64 << 20)
"""At most so many packets, and bytes, are held back until it is clear whether they are needed."""
_SPARING_RATE = 15
"""Frames a second from which on some may be passed over: then a frame comes no more than about 0.2 s late."""
_STARVED = 24
"""A frame is missing if it does not come within so many packets: more than any decoder holds back."""


class VideoLimits(Struct, frozen=True, kw_only=True):
    """What looking at one video may cost: frames hashed, pixels of a frame, CPU seconds of the thread. Frames that
    are banked beyond the quarters of a second are not counted: `sweeps` bounds them.

    The pixels bound the memory: about 30 bytes a pixel, 40 of a video with 10 bits. The usual bound lets 4K through, of
    which a process took 362 MiB, with 10 bits 458 MiB (H.264, four reference frames).
    """

    frames: int = 20_000
    pixels: int = 4096 * 2304
    seconds: float = 900.0


class UnreadableVideo(ValueError):
    """The bytes are no video that can be looked at within the limits; says why in plain words."""


class StarvedError(Exception):
    """Frames that nothing refers to were passed over, and no others came: look again without passing over any."""


@contextmanager
def opened(file: BinaryIO, limits: VideoLimits) -> Iterator["Track"]:
    """The main video track of a file. Raises `UnreadableVideo`; so does whatever is then done with it."""
    try:
        with av.open(
            file,
            mode="r",
            container_options={
                "format_whitelist": CONTAINERS,
                "codec_whitelist": DECODERS,
                "protocol_whitelist": "none",
            },
            metadata_errors="replace",
        ) as container:
            yield Track(container, limits)
    except MemoryError as error:
        raise UnreadableVideo("needs more memory than there is") from error
    except (av.error.FFmpegError, OSError, ValueError, EOFError, OverflowError, IndexError) as error:
        if isinstance(error, UnreadableVideo):
            raise
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise UnreadableVideo(f"not a readable video: {why}") from error


class Track:
    """One video track, read once from its beginning (or from where it was sought).

    `damaged` counts the packets that did not decode, `end` is the second where the last packet read ends, `start` what the
    file's clock shows when the first is shown, `declared` how long the file says it is (None when it does not), `broke`
    says why reading stopped before the end, if it did.
    """

    def __init__(self, container: InputContainer, limits: VideoLimits) -> None:
        self._container = container
        self._limits = limits
        stream = container.streams.best("video")
        if not isinstance(stream, VideoStream):
            raise UnreadableVideo("no video in it, or of a kind that is not read")
        self._stream = stream
        context = stream.codec_context
        if context is None or context.codec.name not in DECODERS.split(","):
            raise UnreadableVideo(
                f"video of a kind that is not read: {context.name if context else 'unknown'}"
            )
        self._decoder = context
        self._bound(context.width, context.height)
        context.thread_count = 1
        context.thread_type = "NONE"
        context.options = {"max_pixels": str(limits.pixels)}
        self._started = time.thread_time()
        self._first: int | None = None
        self._shift = 0
        self._before: int | None = None
        self._count = 0
        self._frame_ticks = 1
        self._rate = float(stream.average_rate or stream.guessed_rate or 25)
        self._tick = float(stream.time_base or 1 / 90000)
        if self._rate > 0:
            self._frame_ticks = max(1, round(1 / self._rate / self._tick))
        self.width, self.height = context.width, context.height
        self.damaged = 0
        self.end = 0.0
        self.start = 0.0
        self.broke: str | None = None
        self.declared = _declared(container, stream)

    def keyframes(self) -> Iterator[tuple[float, VideoFrame]]:
        """Keyframes, at least `STEP` apart, each with its second. Nothing else is decoded."""
        last = -STEP
        for packet in self._packets():
            at = self._seconds(packet.pts)
            if not packet.is_keyframe or at < last + STEP:
                continue
            frames = self._decoded(packet) + self._decoded(None)
            self._decoder.flush_buffers()
            if frames:
                last = at
                yield max(0.0, self._seconds(frames[0].pts)), frames[0]

    def every(self) -> Iterator[tuple[float, VideoFrame]]:
        """Each frame, with its second; those that do not decode are counted."""
        for packet in chain(self._packets(), (None,)):
            for at, frame in self._shown(packet):
                yield max(0.0, at), frame

    def sampled(
        self, *, sparing: bool = True, window: tuple[float, float] | None = None
    ) -> Iterator[tuple[float, VideoFrame]]:
        """A frame each `STEP` seconds, with its second: a keyframe near a wanted second, or the first from there on.

        The wanted seconds are multiples of the step from the first frame, or from the last keyframe that was taken off them;
        never from the last frame, which may come late. Where no frame comes for longer, the one that is shown until then is
        given too. `sparing` passes over frames that no other refers to, so a frame comes up to a few frames late; raises
        `StarvedError` if it misses more than that. `window` limits it to these seconds of the video (from, to).
        """
        sparing = sparing and self._rate >= _SPARING_RATE
        self._decoder.skip_frame = "NONREF" if sparing else "DEFAULT"
        slack = STEP * SLACK
        grid = _Grid(self._frame_ticks * self._tick)
        if window is not None:
            self._seek(window[0])
            grid.begin(window[0])
        waiting = _Waiting()
        late = 0  # packets decoded whose frames are at the wanted second or after
        due: float | None = None
        held: tuple[float, VideoFrame] | None = None  # what is shown before the wanted second
        for packet in self._packets():
            at = self._seconds(packet.pts)
            if window is not None and at > window[1] + STEP:
                return
            if packet.is_keyframe and due is None and at < grid.wanted + slack:
                waiting.clear()
                self._decoder.flush_buffers()
            waiting.add(packet)
            due = self._due(waiting, grid, at) if due is None else due
            while due is not None and waiting.packets:
                entering = waiting.next()
                late += self._seconds(entering.pts) >= due
                for shown, frame in self._shown(entering):
                    if due is None or shown < due - self._tick:
                        held = (shown, frame)
                        continue
                    if shown > due + slack:
                        if sparing:
                            raise StarvedError
                        if held is not None and held[0] > grid.last:
                            yield held
                    grid.take(shown, due)
                    due, held, late = None, None, 0
                    yield max(0.0, shown), frame
                if sparing and late > _STARVED:
                    raise StarvedError
        if self.end > (due := grid.wanted if due is None else due):
            held = held if held and held[0] > grid.last else None
            yield from self._remaining(waiting, grid, due, held, sparing=sparing)

    def _due(self, waiting: "_Waiting", grid: "_Grid", at: float) -> float | None:
        """The second of the next wanted frame, once the packets that were read up to `at` show that it is needed."""
        slack = STEP * SLACK
        first = waiting.packets[0]
        begins = self._seconds(first.pts)
        if first.is_keyframe and grid.last + slack <= begins < grid.wanted + slack:
            return begins if at >= grid.wanted - self._tick else None
        return grid.wanted if at >= grid.wanted + slack or waiting.full else None

    def _remaining(
        self,
        waiting: "_Waiting",
        grid: "_Grid",
        due: float,
        held: tuple[float, VideoFrame] | None,
        *,
        sparing: bool,
    ) -> Iterator[tuple[float, VideoFrame]]:
        """The frames that are still wanted when the file has ended."""
        for packet in [*waiting.packets, None]:
            for shown, frame in self._shown(packet):
                if shown >= due - self._tick:
                    grid.take(shown, due)
                    due, held = grid.wanted, None
                    yield max(0.0, shown), frame
                elif shown > grid.last:
                    held = (shown, frame)
        if self.end > due + STEP * SLACK:
            if sparing:
                raise StarvedError
            if held is not None:
                yield held

    def _packets(self) -> Iterator[VideoPacket]:
        """The track's packets, their times set to ticks since the first that is shown."""
        wanted = [self._stream] if self._stream.duration else list(self._container.streams)
        try:
            for packet in self._container.demux(wanted):
                if time.thread_time() - self._started > self._limits.seconds:
                    raise UnreadableVideo(f"takes longer than {self._limits.seconds:g} seconds to look at")
                if packet.size == 0:
                    continue
                if packet.stream is not self._stream:
                    self._follow(packet)
                    continue
                video = cast(VideoPacket, packet)
                self._set_time(video)
                yield video
        except (av.error.FFmpegError, EOFError) as error:
            if isinstance(error, MemoryError):
                raise
            self.broke = getattr(error, "strerror", None) or str(error)

    def _set_time(self, packet: VideoPacket) -> None:
        counted = self._count * self._frame_ticks
        self._count += 1
        shown = packet.pts if packet.pts is not None else packet.dts
        shown = counted if shown is None else shown
        decoded = packet.dts if packet.dts is not None else shown
        if self._first is None and not packet.is_discard:
            self._first = shown
            self.start = self._seconds(shown)
        first = shown if self._first is None else self._first
        if packet.dts is not None:
            if self._before is not None and (decoded + self._shift - self._before) * self._tick < -STEP:
                self._shift = self._before + self._frame_ticks - decoded
            self._before = decoded + self._shift
        packet.pts = shown - first + self._shift
        packet.dts = decoded - first + self._shift
        ticks = packet.pts + (packet.duration or self._frame_ticks)
        self.end = max(self.end, self._seconds(ticks))

    def _follow(self, packet: "Packet[Stream]") -> None:
        """Note how far a file reaches that only says how long all its tracks are."""
        if packet.pts is not None and packet.time_base and self._first is not None:
            ends = (packet.pts + (packet.duration or 0)) * packet.time_base
            self.end = max(self.end, float(ends) - self._first * self._tick)

    def _seek(self, second: float) -> None:
        if self._first is None:
            next(self._packets(), None)
        wanted = int(max(0.0, second) / self._tick) + (self._first or 0)
        self._before, self._shift = None, 0
        self._container.seek(wanted, stream=self._stream)

    def _shown(self, packet: VideoPacket | None) -> list[tuple[float, VideoFrame]]:
        return [(self._seconds(frame.pts), frame) for frame in self._decoded(packet)]

    def _decoded(self, packet: VideoPacket | None) -> list[VideoFrame]:
        try:
            frames = self._decoder.decode(packet)
        except av.error.FFmpegError as error:
            if isinstance(error, MemoryError):
                raise
            self.damaged += 1
            return []
        for frame in frames:
            self._bound(frame.width, frame.height)
        return frames

    def _seconds(self, ticks: int | None) -> float:
        return (ticks or 0) * self._tick

    def _bound(self, width: int, height: int) -> None:
        if width * height > self._limits.pixels:
            raise UnreadableVideo(f"{width} × {height} pixels; at most {self._limits.pixels} are decoded")


class _Grid:
    """The seconds at which frames are wanted: each `STEP` from where the grid begins.

    `wanted` is the next of them and `last` the second of the frame taken last; `between` is the time from frame to frame.
    """

    def __init__(self, between: float) -> None:
        self._between = between
        self.begin(0.0)

    def begin(self, second: float) -> None:
        """Begin anew at a second."""
        self._origin = self.wanted = second
        self.last = second - STEP

    def take(self, shown: float, due: float) -> None:
        """A frame was taken for the second `due`. A keyframe off the grid by a frame or more moves the grid."""
        passed = max(shown, due)
        if abs(due - self.wanted) >= self._between * 0.99:
            self._origin = due
        else:
            passed = max(passed, self.wanted)
        steps = math.floor((passed - self._origin) / STEP + 1e-6) + 1
        self.last, self.wanted = shown, self._origin + steps * STEP


class _Waiting:
    """Packets that were read and may not be needed."""

    def __init__(self) -> None:
        self.packets: deque[VideoPacket] = deque()
        self._bytes = 0

    @property
    def full(self) -> bool:
        return len(self.packets) >= _WAITING[0] or self._bytes >= _WAITING[1]

    def add(self, packet: VideoPacket) -> None:
        self.packets.append(packet)
        self._bytes += packet.size

    def next(self) -> VideoPacket:
        packet = self.packets.popleft()
        self._bytes -= packet.size
        return packet

    def clear(self) -> None:
        self.packets.clear()
        self._bytes = 0


def _declared(container: InputContainer, stream: VideoStream) -> float | None:
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration else None
