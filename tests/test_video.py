"""Videos become hashes: which frames, at which seconds, turned how, and what is said of those that cannot be checked."""

import hashlib
import io
import math
import random
import struct
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pdqhash
import pytest

from media_clips import KNOWN, clip, cuts, flat, joined, panned, still
from media_photos import photo
from underwing.media.hashing import look, look_to_bank
from underwing.media.video import look_video
from underwing.media.video_frames import VideoLimits
from underwing.model import MediaHashes

TYPES = {
    "mp4": "video/mp4",
    "mov": "video/quicktime",
    "matroska": "video/x-matroska",
    "webm": "video/webm",
    "avi": "video/x-msvideo",
    "mpegts": "video/mp2t",
    "flv": "video/x-flv",
}


def distance(a: str, b: str) -> int:
    return (int(a, 16) ^ int(b, 16)).bit_count()


def seconds(hashes: MediaHashes) -> list[float]:
    return [frame.at for frame in hashes.frames]


def frame_at(data: bytes, second: float) -> Any:
    """The frame that is shown from this second on, by a plain decode of everything."""
    with av.open(io.BytesIO(data)) as file:
        return next(f for f in file.decode(video=0) if abs(f.time - second) < 1e-3)


@pytest.fixture(scope="module")
def plain() -> bytes:
    return clip(cuts(KNOWN, 4.0), 9.5)


@pytest.mark.parametrize(
    ("codec", "container"),
    [
        ("libx264", "mp4"),
        ("libx264", "matroska"),
        ("libvpx-vp9", "webm"),
        ("mpeg4", "avi"),
        ("mpeg2video", "mpegts"),
        ("libx264", "flv"),
        ("mjpeg", "mov"),
        ("libx265", "mp4"),
    ],
)
def test_a_frame_a_second_has_the_references_bits(codec: str, container: str) -> None:
    pixels = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    rate = 25 if codec == "mpeg2video" else 10
    data = clip(panned("coffee"), 5, rate=rate, codec=codec, container=container, pixels=pixels)
    seen = look_video(data)
    assert seen.error is None
    assert seen.profile == "vpdq-1s"
    assert seen.type == TYPES[container]
    assert (seen.width, seen.height) == (320, 180)
    assert seen.duration == pytest.approx(5, abs=0.25)
    assert 4 <= len(seen.frames) <= 7
    gaps = np.diff(seconds(seen))
    assert gaps.min() >= 0.45
    assert gaps.max() <= 1.6
    first = 0.0 if container not in ("mpegts", "flv") else None
    for frame in seen.frames if first is not None and container != "avi" else ():
        bits, quality = pdqhash.compute(frame_at(data, frame.at).to_ndarray(format="rgb24"))
        assert frame.pdq.hash == np.packbits(bits).tobytes().hex()
        assert frame.pdq.quality == quality


def test_videos_are_looked_at_with_all_other_files(plain: bytes) -> None:
    assert look(plain) == look_video(plain)
    assert look_to_bank(plain) == look_video(plain, profile="dense-2")
    assert look(sound_only()).error is not None


def test_the_exact_hashes_are_those_of_the_bytes(plain: bytes) -> None:
    seen = look_video(io.BytesIO(plain))
    assert (seen.sha256, seen.size) == (hashlib.sha256(plain).hexdigest(), len(plain))
    assert (seen.sha1, seen.md5) == (hashlib.sha1(plain).hexdigest(), hashlib.md5(plain).hexdigest())


def test_keyframes_only_are_a_part_of_the_same_hashes(plain: bytes) -> None:
    every, quick = look_video(plain), look_video(plain, profile="keyframes-1")
    assert quick.error is None
    assert quick.profile == "keyframes-1"
    assert 0 < len(quick.frames) < len(every.frames)
    assert set(quick.frames) <= set(every.frames)
    assert quick.duration == every.duration


@pytest.mark.parametrize("codec", ["libx264", "mjpeg"])
@pytest.mark.parametrize("rate", [8, 10, 12, 15, 24, 25, 30])
def test_a_dense_look_stays_on_the_quarters(rate: int, codec: str) -> None:
    """A frame is the first from each quarter of a second on: one that comes late makes none after it late."""
    options = {"g": "1000", "sc_threshold": "0"} if codec == "libx264" else {}
    pixels = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    data = clip(
        panned("coffee", width=96, height=64), 5, rate=rate, size=(96, 64), codec=codec,
        container="mov", pixels=pixels, options=options,
    )  # fmt: skip
    wanted = [math.ceil(Fraction(quarter, 4) * rate) / rate for quarter in range(20)]
    found = seconds(look_video(data, profile="dense-2"))
    assert [at for at in found if min(abs(at - quarter) for quarter in wanted) < 1e-3] == pytest.approx(
        wanted
    )
    assert found == pytest.approx([round(at * rate) / rate for at in found])


def test_a_cut_is_sampled_where_it_is() -> None:
    scene, length = joined((panned("coffee"), 0, 3.3), (panned("chelsea"), 0, 3))
    seen = look_video(clip(scene, length, options={"g": "250"}))
    assert 3.3 in [round(at, 3) for at in seconds(seen)]


def test_far_keyframes_are_not_relied_upon() -> None:
    data = clip(panned("coffee"), 30, options={"g": "1000", "sc_threshold": "0"})
    seen = look_video(data, profile="keyframes-1")
    assert seen.profile == "vpdq-1s"
    assert len(seen.frames) >= 29


def test_times_beyond_a_thousand_seconds() -> None:
    data = clip(cuts(KNOWN, 30.0, width=96, height=64), 1500, rate=1, size=(96, 64))
    seen = look_video(data)
    assert seen.error is None
    assert seen.duration == 1500
    assert seconds(seen) == [float(i) for i in range(1500)]


def test_uneven_rates_keep_their_times() -> None:
    dice = random.Random(3)
    times = [Fraction(0)]
    while times[-1] < 20:
        times.append(times[-1] + Fraction(dice.choice((1, 2, 40, 80, 500, 1500)), 1000))
    seen = look_video(clip(panned("coffee"), 0, times=times, container="matroska"))
    assert seen.error is None
    assert all(min(abs(at - float(t)) for t in times) < 0.002 for at in seconds(seen))
    assert all(b > a for a, b in zip(seconds(seen), seconds(seen)[1:], strict=False))


@pytest.mark.parametrize("container", ["mpegts", "matroska"])
def test_the_start_is_subtracted(container: str) -> None:
    seen = look_video(clip(panned("coffee"), 4, container=container, start=Fraction(5000)))
    assert seen.error is None
    assert seconds(seen)[0] == 0
    assert seen.duration == pytest.approx(4, abs=0.2)


def test_a_clock_that_jumps_back_runs_on() -> None:
    parts = [
        clip(still(name), 4, rate=25, codec="mpeg2video", container="mpegts")
        for name in ("coffee", "chelsea")
    ]
    seen = look_video(b"".join(parts))
    assert seen.error is None
    assert seen.duration == pytest.approx(8, abs=0.5)
    first, second = (look_video(part).frames[0].pdq.hash for part in parts)
    assert all(distance(frame.pdq.hash, first) < 31 for frame in seen.frames if frame.at < 3.9)
    assert all(distance(frame.pdq.hash, second) < 31 for frame in seen.frames if frame.at > 4.1)
    assert len(seen.frames) >= 7


def test_a_picture_that_is_held_is_not_missed() -> None:
    scene, _ = joined((still("coffee"), 0, 0.8), (still("chelsea"), 0, 5), (still("rocket"), 0, 1))
    times = [Fraction(at).limit_denominator(10) for at in (0, 0.2, 0.4, 0.8, 5.8, 5.9, 6.0, 6.2)]
    options = {"g": "1000", "sc_threshold": "0"}
    seen = look_video(clip(scene, 0, times=times, container="matroska", options=options))
    assert 0.8 in [round(at, 3) for at in seconds(seen)]


def test_frames_without_times_are_counted() -> None:
    seen = look_video(clip(panned("coffee"), 4, rate=25, container="h264"))
    assert seen.error is None
    assert seen.duration == pytest.approx(4, abs=0.3)
    assert len(seen.frames) == 4


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_frames_are_turned_as_they_are_shown(turn: int) -> None:
    upright = look_video(clip(still("coffee"), 2)).frames[0].pdq
    lying = np.rot90(photo("coffee"), turn // 90)  # turned counter-clockwise, to be shown turned back
    size = (320, 180) if turn == 180 else (180, 320)
    data = clip(
        lambda at: np.ascontiguousarray(lying),
        2,
        size=size,
        change=lambda stream: stream.set_display_rotation(-turn),
    )
    shown = look_video(data)
    assert shown.error is None
    assert distance(shown.frames[0].pdq.hash, upright.hash) <= 16
    assert (
        distance(
            look_video(clip(lambda at: np.ascontiguousarray(lying), 2, size=size)).frames[0].pdq.hash,
            upright.hash,
        )
        > 60
    )


def test_frames_are_mirrored_as_they_are_shown() -> None:
    upright = look_video(clip(still("coffee"), 2)).frames[0].pdq
    mirrored = np.ascontiguousarray(photo("coffee")[:, ::-1])
    matrix = [-65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30]
    data = clip(lambda at: mirrored, 2, change=lambda stream: stream.set_display_matrix(matrix))
    assert distance(look_video(data).frames[0].pdq.hash, upright.hash) <= 10


@pytest.mark.parametrize(
    ("codec", "pixels"),
    [
        ("libx264", "yuv422p10le"),
        ("libx264", "yuv444p"),
        ("libx264", "gray"),
        ("ffv1", "bgr0"),
        ("ffv1", "yuva420p"),
        ("ffv1", "gray16le"),
        ("rawvideo", "rgb24"),
        ("rawvideo", "yuyv422"),
        ("ffv1", "rgb48le"),
    ],
)
def test_any_pixel_format(codec: str, pixels: str) -> None:
    wanted = look_video(clip(still("coffee"), 2)).frames[0].pdq.hash
    seen = look_video(
        clip(
            still("coffee"),
            2,
            codec=codec,
            pixels=pixels,
            container="matroska" if codec != "rawvideo" else "avi",
        )
    )
    assert seen.error is None
    assert distance(seen.frames[0].pdq.hash, wanted) <= 20


def test_interlaced_video_is_looked_at() -> None:
    data = clip(
        panned("coffee"), 3, rate=25, codec="mpeg2video", container="mpegts", options={"flags": "+ildct+ilme"}
    )
    assert look_video(data).error is None


@pytest.mark.parametrize("turned_off", [True, False])
def test_frames_that_nothing_refers_to_are_looked_at_when_there_are_no_others(turned_off: bool) -> None:
    """Each picture but the first says of itself that it could be passed over."""
    data = bytearray(
        clip(
            panned("coffee"),
            12,
            rate=25,
            container="h264",
            options={"g": "1000", "bf": "0", "sc_threshold": "0", "x264-params": "keyint=1000:ref=1"},
        )
    )
    at = 0
    while (at := data.find(b"\0\0\1", at)) >= 0:
        if turned_off and data[at + 3] & 0x1F == 1:
            data[at + 3] &= 0x1F
        at += 3
    assert len(look_video(bytes(data)).frames) >= 11


def test_no_usable_frame_is_said() -> None:
    seen = look_video(clip(flat(), 3))
    assert seen.error is not None
    assert "quality" in seen.error
    assert len(seen.frames) == 3


def sound_only() -> bytes:
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as file:
        stream = file.add_stream("aac", rate=44100, layout="mono")
        for i in range(50):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 44100, i * 1024
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return out.getvalue()


def no_frames() -> bytes:
    out = io.BytesIO()
    with av.open(out, "w", format="matroska") as file:
        stream = file.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        file.start_encoding()
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "empty"),
        (b"\0" * 4096, "not a readable video"),
        (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n", "not a readable video"),
        (b"ffconcat version 1.0\nfile /etc/hostname\n", "not a readable video"),
        (sound_only(), "no video"),
        (no_frames(), "not a readable video"),
    ],
    ids=["empty", "zeros", "playlist", "concat", "sound", "no frames"],
)
def test_what_is_no_video_says_so(data: bytes, why: str) -> None:
    for profile in ("vpdq-1s", "keyframes-1"):
        seen = look_video(data, profile=profile)  # type: ignore[arg-type]
        assert why in (seen.error or "")
        assert seen.sha256 == hashlib.sha256(data).hexdigest()
        assert seen.frames == ()


@pytest.mark.parametrize("container", ["mp4", "matroska"])
@pytest.mark.parametrize("part", [0.3, 0.6])
def test_a_cut_off_file_says_so(container: str, part: float) -> None:
    options = {"movflags": "+faststart"} if container == "mp4" else {}
    out = clip(panned("coffee"), 20, container=container, options=options)
    if container == "mp4":
        out = _moov_first(out)
    seen = look_video(out[: int(len(out) * part)])
    assert seen.error is not None
    assert seen.frames or container == "mp4"


def _moov_first(data: bytes) -> bytes:
    """The header before the pictures, as files for the web have it: what is left of a download can be played."""
    boxes, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4])
        boxes.append(data[at : at + size])
        at += size
    (moov,) = (box for box in boxes if box[4:8] == b"moov")
    others = [box for box in boxes if box[4:8] != b"moov"]
    head = bytearray(moov)
    table = head.find(b"stco")
    for i in range(int.from_bytes(head[table + 8 : table + 12])):
        place = table + 12 + 4 * i
        head[place : place + 4] = struct.pack(">I", int.from_bytes(head[place : place + 4]) + len(moov))
    return others[0] + bytes(head) + b"".join(others[1:])


def test_a_hole_in_the_pictures_says_so(plain: bytes) -> None:
    data = bytearray(clip(panned("coffee"), 20, options={"g": "10"}))
    third = len(data) // 3
    data[third : 2 * third] = bytes(third)
    assert look_video(bytes(data)).error is not None


@pytest.mark.parametrize("container", ["mp4", "matroska", "avi", "mpegts"])
def test_mutated_files_are_answered(container: str) -> None:
    whole = clip(
        panned("coffee"),
        3,
        size=(96, 64),
        container=container,
        codec="mpeg4" if container != "mp4" else "libx264",
    )
    limits = VideoLimits(seconds=10, pixels=1 << 20)
    for seed in range(12):
        dice = random.Random(seed)
        data = bytearray(whole)
        for _ in range(dice.choice((1, 10, 200))):
            data[dice.randrange(len(data))] = dice.randrange(256)
        del data[dice.randrange(len(data) // 2, len(data) + 1) :]
        for profile in ("vpdq-1s", "keyframes-1"):
            seen = look_video(bytes(data), profile=profile, limits=limits)  # type: ignore[arg-type]
            assert seen.error is not None or seen.frames
            assert seen.size == len(data)


def test_the_limits_hold(plain: bytes) -> None:
    few = look_video(plain, limits=VideoLimits(frames=3))
    assert len(few.frames) == 3
    assert "3 frames" in (few.error or "")
    assert "pixels" in (look_video(plain, limits=VideoLimits(pixels=1000)).error or "")
    assert "takes longer" in (look_video(plain, limits=VideoLimits(seconds=0)).error or "")


def test_a_part_can_be_looked_at() -> None:
    data = clip(cuts(KNOWN, 4.0), 60, size=(160, 90))
    every = {frame.at: frame for frame in look_video(data).frames}
    part = look_video(data, windows=((20.0, 24.0), (40.0, 42.0), (41.0, 43.0)))
    assert part.error is None
    assert [frame.at for frame in part.frames if 24.9 < frame.at < 39.4] == []
    assert 6 <= len(part.frames) <= 12
    for frame in part.frames:
        if frame.at in every:
            assert frame == every[frame.at]
    assert look_video(data, windows=((90.0, 95.0),)).error == "no frame there"
