"""A video becomes hashes: PDQ of a frame each second (vPDQ), or of its keyframes, each with its exact time.

The frames are hashed as Meta's `vpdq` does it: in full size, as RGB by FFmpeg's scaler, so that the hash of a frame has
the same bits. What differs is which frames are taken (`video_frames.py`), that their times are those of the file, and that
they are turned the way they are shown.

Three profiles, versioned because they are part of what a hash says:

- `vpdq-1s`: a frame each second, or a keyframe up to half a second off it.
- `dense-2`: a frame each quarter of a second, and more where the picture sweeps (`sweeps.py`), for videos that are put into
  a bank: a second look at one never falls far from a frame that is known, wherever its seconds begin. (`dense-1` had the
  quarters only.)
- `keyframes-1`: keyframes only, at least a second apart: a quick look that a known clip rarely escapes, as encoders put
  keyframes at cuts. A video whose keyframes lie more than 12 s apart is looked at as in `vpdq-1s`, and says so.

A long video is looked at by its keyframes first, and each second where one of them came near something known. Both together
are `keyframes-1+vpdq-1s`; `MediaHashes.closer` says which seconds.

Source: Facebook, "The TMK+PDQF video-hashing algorithm and the PDQ image-hashing algorithm", 2019; ThreatExchange, `vpdq`.
"""

import hashlib
import io
import math
import struct
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from typing import BinaryIO, Final, Literal, TypeVar, cast

import numpy as np
from av.video.frame import VideoFrame
from msgspec.structs import replace
from numpy.typing import NDArray

from underwing.media.pdq import pdq
from underwing.media.sampling import luma_of
from underwing.media.sniff import sniff
from underwing.media.sweeps import steps
from underwing.media.video_frames import STEP, StarvedError, Track, UnreadableVideo, VideoLimits, opened
from underwing.media.windows import Windows, length_of, shortened, united
from underwing.model.media import PDQ_QUALITY, Frame, MediaHashes, Pdq

EVERY_SECOND: Final = "vpdq-1s"
KEYFRAMES: Final = "keyframes-1"
DENSE: Final = "dense-2"
CONFIRMED: Final = "keyframes-1+vpdq-1s"
"""Of what is joined of a look at the keyframes and a closer one."""
VideoProfile = Literal["vpdq-1s", "keyframes-1", "dense-2"]

FARTHEST_KEYFRAMES = 12.0
"""Seconds between keyframes that the quick look bears. Encoders' usual bound is 250 frames: 10.4 s at 24 frames a second."""
_HOLE = 3.0
"""Seconds without a frame, where packets did not decode, that make a video unchecked."""
_SHORT = 0.05
"""The part of the length a file declares that may be missing at its end; a second may be, in any case."""
_CHUNK = 1 << 20
DEFAULT_LIMITS = VideoLimits()
T = TypeVar("T", bound=np.generic)
Seen = Callable[[float, VideoFrame], None]
"""Is shown each frame that is hashed, and its second."""


class _LongError(Exception):
    """A video is longer than what is looked at each second."""


def look_video(
    data: bytes | BinaryIO,
    *,
    profile: VideoProfile = EVERY_SECOND,
    windows: Windows = (),
    long_video: float = math.inf,
    limits: VideoLimits = DEFAULT_LIMITS,
    known: MediaHashes | None = None,
    seen: Seen | None = None,
) -> MediaHashes:
    """Hash a video: its bytes, and its frames by the profile.

    `data` is the whole file, or one that is open for reading and seekable. `windows` (from, to in seconds) asks for these
    parts only, each second. A video of more than `long_video` seconds is not looked at each second but by its keyframes,
    and no more than so many seconds of windows. `known` holds the exact hashes and the type, if they were made already.
    Frames of a low quality are in the result and count as seen; they are not to be compared. What cannot be checked has an
    `error`; the frames found up to there are given nevertheless. Raises nothing for what the bytes hold.
    """
    file = io.BytesIO(data) if isinstance(data, bytes) else data
    hashes = replace(known or _exact(file), profile=profile)
    if hashes.size == 0:
        return replace(hashes, error="empty file")
    if windows:
        return _at(file, hashes, limits, windows, long_video)
    if profile == DENSE:
        return _look(file, hashes, limits, dense=True)
    if profile == EVERY_SECOND:
        try:
            return _each_second(file, hashes, limits, long_video, seen)
        except _LongError:
            pass  # its keyframes, then
    quick = _look(file, replace(hashes, profile=KEYFRAMES), limits, quick=True, seen=seen)
    if _widest(quick) <= FARTHEST_KEYFRAMES:
        return quick
    return _each_second(file, replace(hashes, profile=EVERY_SECOND), limits, math.inf, seen)


def _each_second(
    file: BinaryIO, hashes: MediaHashes, limits: VideoLimits, long_video: float, seen: Seen | None
) -> MediaHashes:
    """The whole video, a frame each second. Raises `_LongError` for one of more than `long_video` seconds."""
    try:
        return _look(file, hashes, limits, long_video=long_video, seen=seen)
    except StarvedError:
        return _look(file, hashes, limits, sparing=False, long_video=long_video, seen=seen)


def _exact(file: BinaryIO) -> MediaHashes:
    """The exact hashes of the untouched bytes, read piece by piece; how many there are, and the type by content."""
    file.seek(0)
    sha256, sha1, md5 = hashlib.sha256(), hashlib.sha1(), hashlib.md5()  # noqa: S324 (lists hold them)
    size, media_type = 0, ""
    while chunk := file.read(_CHUNK):
        media_type = media_type if size else sniff(chunk)
        size += len(chunk)
        for digest in (sha256, sha1, md5):
            digest.update(chunk)
    return MediaHashes(
        sha256=sha256.hexdigest(), sha1=sha1.hexdigest(), md5=md5.hexdigest(), size=size, type=media_type
    )


def _look(
    file: BinaryIO,
    hashes: MediaHashes,
    limits: VideoLimits,
    *,
    quick: bool = False,
    dense: bool = False,
    sparing: bool = True,
    long_video: float = math.inf,
    seen: Seen | None = None,
) -> MediaHashes:
    """The whole video. Raises `StarvedError` when sparing frames went too far, `_LongError` when it is too long."""
    frames: list[Frame] = []
    file.seek(0)
    try:
        with opened(file, limits) as track:
            if (track.declared or 0.0) > long_video:
                raise _LongError
            hashes = replace(hashes, width=track.width, height=track.height)
            if dense:
                _gather_dense(track, frames, limits)
            else:
                shown = track.keyframes() if quick else track.sampled(sparing=sparing)
                _gather(shown, frames, limits, long_video, seen)
            error = _missing(track, frames, quick=quick)
            hashes = replace(hashes, duration=track.end)
    except UnreadableVideo as unreadable:
        error = str(unreadable)
    return replace(hashes, frames=tuple(frames), error=error)


def _at(
    file: BinaryIO, hashes: MediaHashes, limits: VideoLimits, windows: Windows, most: float
) -> MediaHashes:
    """Only these seconds of the video, no frame passed over; `most` seconds of them, and an error if they are more."""
    frames: list[Frame] = []
    error = None
    apart = united(windows, gap=STEP)
    chosen = shortened(apart, most)
    try:
        for window in chosen:
            file.seek(0)
            with opened(file, limits) as track:
                hashes = replace(hashes, width=track.width, height=track.height)
                _gather(track.sampled(sparing=False, window=window), frames, limits)
        if not frames:
            error = "no frame there"
        elif chosen != apart:
            error = f"{length_of(apart):.0f} s of it were to be looked at closely; {most:.0f} s were"
    except UnreadableVideo as unreadable:
        error = str(unreadable)
    return replace(hashes, profile=EVERY_SECOND, frames=tuple(frames), closer=chosen, error=error)


def _gather(
    shown: Iterable[tuple[float, VideoFrame]],
    frames: list[Frame],
    limits: VideoLimits,
    long_video: float = math.inf,
    seen: Seen | None = None,
) -> None:
    for at, frame in shown:
        if at > long_video:
            raise _LongError
        _still_allowed(len(frames), limits, at)
        frames.append(Frame(at=at, pdq=_hashed(frame)))
        if seen is not None:
            seen(at, frame)


def _gather_dense(track: Track, frames: list[Frame], limits: VideoLimits) -> None:
    for number, step in enumerate(steps(track.every(), _hashed, _size)):
        _still_allowed(number, limits, step[-1].at)
        frames += step


def _still_allowed(looked_at: int, limits: VideoLimits, at: float) -> None:
    if looked_at == limits.frames:
        raise UnreadableVideo(f"longer than {limits.frames} frames looked at; not checked after {at:.1f} s")


def _hashed(frame: VideoFrame) -> Pdq:
    return pdq(luma_of_frame(frame))


def _size(frame: VideoFrame) -> int:
    return sum(plane.buffer_size for plane in frame.planes)


def _missing(track: Track, frames: list[Frame], *, quick: bool) -> str | None:
    """Why the frames do not stand for the whole video, None if they do."""
    if not frames:
        return "no frame of the video could be decoded"
    if track.broke is not None:
        return f"broken after {track.end:.1f} s: {track.broke}"
    reached = track.end + max(0.0, track.start)  # some containers count the time before the start
    if track.declared is not None and reached < track.declared - max(1.0, _SHORT * track.declared):
        return f"cut off: ends after {track.end:.1f} of {track.declared:.1f} s"
    times = [0.0, *(frame.at for frame in frames), track.end]
    gaps = ((b - a, a, b) for a, b in pairwise(times))
    hole, start, end = max(gaps)
    if track.damaged and hole > (FARTHEST_KEYFRAMES if quick else _HOLE):
        return f"damaged: nothing could be decoded from {start:.1f} to {end:.1f} s"
    if max(frame.pdq.quality for frame in frames) < PDQ_QUALITY:
        return f"none of its {len(frames)} frames has a quality of {PDQ_QUALITY} or more"
    return None


def _widest(hashes: MediaHashes) -> float:
    """The longest time, in seconds, that lies between two of the frames, or behind the last; 0 without any length."""
    if hashes.duration is None:
        return 0.0
    times = [0.0, *(frame.at for frame in hashes.frames), hashes.duration]
    return max(b - a for a, b in pairwise(times)) if hashes.frames else float("inf")


def luma_of_frame(frame: VideoFrame) -> NDArray[np.float32]:
    """The luma of a frame the way round it is shown: through RGB, as the reference does, whatever its pixel format."""
    pixels = np.asarray(frame.reformat(format="rgb24", threads=1).to_ndarray(), np.uint8)
    return upright(luma_of(pixels), frame)


def upright(picture: NDArray[T], frame: VideoFrame) -> NDArray[T]:
    """Turn and mirror rows × columns by the display matrix: (x, y) is shown at (ax + cy, bx + dy).

    Quarter turns are as near as it gets.
    """
    try:
        matrix = struct.unpack(
            "=9i", bytes(cast("Mapping[str, bytes]", frame.side_data)["DISPLAYMATRIX"])[:36]
        )
    except (KeyError, struct.error):
        return picture
    a, b, c, d = matrix[0], matrix[1], matrix[3], matrix[4]
    across, down = (a, d) if abs(a) >= abs(b) else (c, b)
    if abs(a) < abs(b):
        picture = picture.swapaxes(0, 1)
    return picture[:: -1 if down < 0 else 1, :: -1 if across < 0 else 1]
