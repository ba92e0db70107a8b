"""The last seconds of a stream: what is kept plays, is bounded, and says when it was."""

import io
import time
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from hashlib import sha256
from pathlib import Path

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from live_sounds import RATE, sounding, tone
from media_clips import panned
from underwing.live.clip import Clip
from underwing.live.keeping import LastSeconds
from underwing.live.rolling import STRETCH_BYTES, Keep, Rolling
from underwing.live.source import Piece, Source, SourceLost, opened
from underwing.live.watch import Watch

SECONDS = 12.0


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("rolling") / "film.flv"
    path.write_bytes(sounding(panned("coffee"), SECONDS, tone(SECONDS)))
    return path


def packets_of(path: Path) -> list[tuple[str, bytes]]:
    with av.open(str(path)) as file:
        return [(p.stream.type, bytes(p)) for p in file.demux() if p.size]


def fed(film: Path, keep: Keep | None = None) -> Rolling:
    """A buffer that a watch of a file filled."""
    kept = Rolling(keep)
    Watch(str(film), lambda _: None, lambda _: None, taken=kept.take).run()
    return kept


def played(clip: Clip) -> dict[str, list[av.frame.Frame]]:
    with av.open(io.BytesIO(clip.data)) as file:
        frames: dict[str, list[av.frame.Frame]] = {"video": [], "audio": []}
        for packet in file.demux():
            frames[packet.stream.type] += packet.decode()
        return frames


def slowly(film: Path, keep: Keep, times: int = 1) -> tuple[Rolling, list[int]]:
    """A buffer fed by the stream's own clock, the film so many times over, and its sizes on the way."""
    kept, sizes = Rolling(keep), []
    for turn in range(times):
        with opened(str(film)) as source:
            for piece in _each(source):
                leads = piece.packet.stream is source.video
                at = 1000.0 + turn * SECONDS + (piece.stamp or 0.0)
                kept.take(source, piece, at, (piece.stamp or 0.0) + turn * SECONDS if leads else None)
                sizes.append(kept.size)
    return kept, sizes


def _each(source: Source) -> Iterator[Piece]:
    with suppress(SourceLost):
        yield from source.pieces()


def test_a_clip_has_every_packet_as_it_came_and_plays(film):
    (clip,) = fed(film).clips()
    came = packets_of(film)
    with av.open(io.BytesIO(clip.data)) as file:
        assert file.format.name.startswith("matroska")
        got = [(p.stream.type, bytes(p)) for p in file.demux() if p.size]
    begin = next(n for n, (kind, _) in enumerate(came) if kind == "video")
    assert sorted(came[begin:]) == sorted(got)
    assert clip.lost == 0
    frames = played(clip)
    assert len(frames["video"]) == round(SECONDS * 15)
    assert sum(frame.samples for frame in frames["audio"]) >= SECONDS * RATE


def test_a_clip_says_when_it_was_and_what_it_is(film):
    before = time.time()
    (clip,) = fed(film).clips()
    assert (clip.first, clip.last) == (pytest.approx(0, abs=0.1), pytest.approx(SECONDS, abs=0.1))
    assert before <= clip.began <= clip.ended <= time.time()
    hashes = clip.hashes()
    assert hashes.sha256 == sha256(clip.data).hexdigest()
    assert (hashes.type, hashes.width, hashes.height) == ("video/x-matroska", 640, 360)
    assert hashes.duration == pytest.approx(SECONDS, abs=0.1)


def test_only_the_last_seconds_are_kept_and_they_begin_with_a_keyframe(film):
    kept, _ = slowly(film, Keep(seconds=5.0))
    (clip,) = kept.clips()
    assert 5.0 <= clip.last - clip.first <= 5.0 + 2 * 2.0 + 0.1
    assert clip.last == pytest.approx(SECONDS, abs=0.1)
    assert len(played(clip)["video"]) == pytest.approx((clip.last - clip.first) * 15, abs=1)


def test_memory_is_bounded_whatever_comes(film):
    most = 1_200_000
    kept, sizes = slowly(film, Keep(seconds=60.0, most=most), times=4)
    largest = max(len(body) for _, body in packets_of(film))
    assert max(sizes) <= most + STRETCH_BYTES + largest
    assert max(sizes) > most / 2
    clips = kept.clips()
    assert clips
    assert all(played(clip)["video"] for clip in clips)


def test_what_fits_no_bound_leaves_the_newest_stretch_only(film):
    kept, sizes = slowly(film, Keep(seconds=60.0, most=1_000))
    largest = max(len(body) for _, body in packets_of(film))
    assert max(sizes) <= 1_000 + STRETCH_BYTES + largest
    assert all(clip.last - clip.first < 3 for clip in kept.clips())


def test_a_stream_that_was_opened_again_gives_a_clip_for_each_time(film):
    kept, _ = slowly(film, Keep(seconds=60.0), times=2)
    first, second = kept.clips()
    assert first.last <= second.first + 0.2
    assert len(played(first)["video"]) == len(played(second)["video"]) == round(SECONDS * 15)


def test_what_is_forgotten_is_gone(film):
    kept = fed(film)
    assert kept.size
    kept.forget()
    assert (kept.size, kept.clips()) == (0, [])


def test_nothing_of_what_is_kept_lies_in_it_in_the_clear(film):
    kept = fed(film)
    kept.clips()
    sealed = b"".join(stretch.body for stretch in kept._sealed)
    longest = sorted(packets_of(film), key=lambda p: len(p[1]))[-20:]
    assert not any(body[40:72] in sealed for _, body in longest)
    assert not kept._clear


@pytest.mark.parametrize(
    ("format", "video", "audio"),
    [("mpegts", "libx264", "aac"), ("matroska", "libvpx", "libopus"), ("mp4", "libx265", "aac")],
)
def test_other_codecs_and_containers(tmp_path, format, video, audio):
    path = tmp_path / "film"
    path.write_bytes(
        sounding(panned("coffee"), 4.0, tone(4.0), format=format, video=video, audio=audio, gop=15)
    )
    (clip,) = fed(path).clips()
    frames = played(clip)
    assert len(frames["video"]) == 60
    assert len(frames["audio"]) > 100
    assert clip.lost == 0


def test_a_stream_of_sound_alone_is_kept_as_well(tmp_path):
    path = tmp_path / "sound.mp3"
    whole = io.BytesIO()
    with av.open(whole, mode="w", format="mp3") as file:
        track = file.add_stream("libmp3lame", rate=RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray(tone(3.0)[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
        file.mux(track.encode(frame))
        file.mux(track.encode())
    path.write_bytes(whole.getvalue())
    (clip,) = fed(path).clips()
    assert played(clip)["audio"]
    assert clip.last - clip.first == pytest.approx(3.0, abs=0.2)


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_any_time_stamps_make_a_file(film, data):
    kept = Rolling(Keep(seconds=3.0))
    wild = st.none() | st.integers(-(2**40), 2**40)
    with opened(str(film)) as source:
        for number, piece in enumerate(_each(source)):
            if number % 29 == 0:
                piece.packet.pts, piece.packet.dts = data.draw(wild), data.draw(wild)
            leads = piece.packet.stream is source.video
            second = number / 50 if leads else None
            kept.take(source, piece, 1000.0 + number / 50, second)
            if number > 200:
                break
    assert all(played(clip)["video"] for clip in kept.clips())


def test_an_encoder_that_changes_begins_a_clip_of_its_own(tmp_path):
    path = tmp_path / "film.flv"
    small = panned("chelsea", width=320, height=180)
    first, second = sounding(panned("coffee"), 4.0, tone(4.0)), sounding(small, 4.0, tone(4.0))
    path.write_bytes(first + second[13:])  # tags follow tags, as when a publisher changes its size on the way
    clips = fed(path).clips()
    sizes = [{(frame.width, frame.height) for frame in played(clip)["video"]} for clip in clips]
    assert sizes == [{(640, 360)}, {(320, 180)}]
    assert clips[0].ended <= clips[1].began


def test_packets_are_kept_where_there_are_any_and_looks_where_not(film):
    packets, looks = LastSeconds(Keep()), LastSeconds(Keep())
    for kept, hooks in ((packets, {"taken": packets.taken}), (looks, {})):
        watch = Watch(str(film), lambda _: None, lambda _: None, looked=kept.looked, **hooks)
        watch.raise_for(1e6)
        watch.run()
    (all_of_it,), (stills,) = packets.clips(), looks.clips()
    assert len(played(all_of_it)["video"]) == round(SECONDS * 15)
    assert 20 <= len(played(stills)["video"]) <= 26
    assert not played(stills)["audio"]
