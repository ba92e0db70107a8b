"""The last seconds of streams that are joined: single frames and sound, with true times, bounded, and said to be that."""

import io
import time
from hashlib import sha256

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from live_servers import free_port
from live_sounds import RATE as PUBLISHED_RATE
from live_sounds import tone
from livekit_servers import KEY, SECRET, livekit_server, publishing
from media_clips import Scene, panned, resized, still
from test_live_livekit import SOON, watched
from test_live_rolling import played
from test_live_watch import Told
from underwing.live.clip import NOTE, Clip
from underwing.live.keeping import LastSeconds
from underwing.live.rolling import STRETCH_BYTES, Keep
from underwing.live.senses import RATE
from underwing.live.stills import MOST_GATHERED, RESHAPE, SIDE, Stills
from underwing.live.viewer import MOST_TRACKS
from whep_server import TOKEN, whep_server

NOISE = np.random.default_rng(5)


def frame(picture: np.ndarray) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24").reformat(
        format="yuv420p"
    )


def sine(seconds: float, begin: float = 0.0) -> np.ndarray:
    at = begin + np.arange(round(seconds * RATE)) / RATE
    return (0.3 * np.sin(2 * np.pi * 440 * at)).astype(np.float32)


def sounds(clip: Clip) -> list[np.ndarray]:
    """The samples of each track of sound, as they lie in the file."""
    with av.open(io.BytesIO(clip.data)) as file:
        made: dict[int, list[bytes]] = {}
        for packet in file.demux():
            if packet.size and packet.stream.type == "audio":
                made.setdefault(packet.stream.index, []).append(bytes(packet))
        return [np.frombuffer(b"".join(parts), "<i2") for parts in made.values()]


def differs(shown: av.VideoFrame, scene: Scene, *, until: float = 4.0) -> float:
    """How far a frame is from the nearest picture that a publisher showed in its seconds: mean of shades, 0 to 255."""
    got = resized(shown.to_ndarray(format="rgb24"), (160, 90)).astype(float)
    there = (resized(scene(at / 15), (160, 90)).astype(float) for at in range(round(until * 15)))
    return min(float(np.abs(got - one).mean()) for one in there)


def test_frames_alone_are_kept_as_stills():
    kept, scene = Stills(Keep(seconds=20.0, most=4 << 20)), panned("coffee", width=1280, height=720)
    for number in range(60):
        kept.see(frame(scene(number / 2)), 500.0 + number / 2, 70.0 + number / 2)
    assert kept.size <= 4 << 20
    (clip,) = kept.clips()
    stills = played(clip)["video"]
    assert (clip.last, clip.stills) == (pytest.approx(99.5, abs=0.01), len(stills))
    assert 20 <= clip.last - clip.first <= 22
    begin = 60 - len(stills)
    assert [one.time for one in stills] == pytest.approx([n / 2 for n in range(len(stills))], abs=0.002)
    for number, one in enumerate(stills):
        wanted = resized(scene((begin + number) / 2), (160, 90)).astype(float)
        assert np.abs(resized(one.to_ndarray(format="rgb24"), (160, 90)) - wanted).mean() < 4
    assert {(one.width, one.height) for one in stills} == {(SIDE, SIDE * 9 // 16)}
    assert clip.hashes().type == "video/x-matroska"
    kept.forget()
    assert (kept.size, kept.clips()) == (0, [])


def test_the_file_says_of_itself_what_it_is_made_of():
    kept = Stills()
    kept.see(frame(still("coffee")(0)), 1.0, 0.0)
    (clip,) = kept.clips()
    with av.open(io.BytesIO(clip.data)) as file:
        assert file.metadata["COMMENT"] == NOTE
        (track,) = file.streams  # tracks that nothing came for are left out
        assert (track.width, track.height) == (960, 540)
    assert clip.times.stills == 1
    assert clip.hashes().sha256 == sha256(clip.data).hexdigest()


def test_one_still_never_waits_in_the_clear():
    kept = Stills()
    kept.see(frame(still("coffee")(0)), 1.0, 0.0)
    assert kept.size
    assert not kept._kept._clear


def test_another_shape_gets_margins_and_after_a_while_a_film_of_its_own():
    kept, wide, tall = Stills(), still("coffee", 640, 360), still("coffee", 360, 640)
    at = 0.0
    for picture in (
        wide,
        tall,
        still("coffee", 320, 180),
    ):  # a telephone is turned and turned back, and sends smaller
        kept.see(frame(picture(0)), 50.0 + at, at)
        at += 1.0
    (clip,) = kept.clips()
    assert [(one.width, one.height) for one in played(clip)["video"]] == [(960, 540)] * 3
    turned = played(clip)["video"][1].to_ndarray(format="rgb24")
    assert turned[:, :300].max() < 8
    assert turned[:, -300:].max() < 8
    wanted = resized(tall(0), (304, 540)).astype(float)
    assert np.abs(turned[:, 328:632] - wanted).mean() < 10
    while at < RESHAPE + 6:
        kept.see(frame(tall(0)), 50.0 + at, at)
        at += 1.0
    first, second = kept.clips()
    assert {(one.width, one.height) for one in played(second)["video"]} == {(540, 960)}
    assert first.last < second.first
    assert first.last - 2.0 <= RESHAPE


def test_two_pictures_side_by_side_stay_in_one_film():
    kept, camera, screen = Stills(), still("coffee", 640, 360), still("china", 400, 300)
    for number in range(60):
        kept.see(frame(camera(0)), 50.0 + number, float(number))
        kept.see(frame(screen(0)), 50.1 + number, number + 0.1)
    (clip,) = kept.clips()
    assert len(played(clip)["video"]) >= 118


def test_sound_lies_at_its_second_beside_the_picture_and_a_pause_is_left_silent():
    kept, second = Stills(), 0.0
    kept.see(frame(still("coffee")(0)), 100.0, 0.0)
    whole = sine(4.0)
    for number in range(20):
        second = 0.2 * (number + 1) + (3.0 if number >= 10 else 0.0)
        jitter = 0.05 * (-1) ** number
        kept.hear("mic", whole[number * 3200 :][:3200], 100.0 + second + jitter, second + jitter)
        kept.see(frame(still("coffee")(0)), 100.0 + second, second)
    (clip,) = kept.clips()
    (samples,) = sounds(clip)
    assert len(samples) >= len(whole) - 0.61 * RATE  # the newest is still being gathered
    assert np.abs(samples - whole[: len(samples)] * 32768).max() <= 1
    heard = played(clip)["audio"]
    ends = [one.time + one.samples / RATE for one in heard]
    gaps = [after.time - end for after, end in zip(heard[1:], ends[:-1], strict=True)]
    assert max(gaps) == pytest.approx(3.0, abs=0.11)
    assert sorted(gaps)[-2] < 0.005
    assert ends[-1] == pytest.approx(7.0 - (len(whole) - len(samples)) / RATE, abs=0.11)
    assert (clip.first, clip.last) == (0.0, pytest.approx(7.0, abs=0.11))


def test_sound_that_was_held_up_and_comes_at_once_lies_where_it_was_spoken():
    kept, whole = Stills(), sine(10.0)
    kept.see(frame(still("coffee")(0)), 100.0, 0.0)
    for number in range(50):
        second = 0.2 * (number + 1)
        came = 7.0 if 2.0 < second <= 7.0 else second
        kept.hear("mic", whole[number * 3200 :][:3200], 100.0 + came, came)
    (clip,) = kept.clips()
    (samples,) = sounds(clip)
    heard = played(clip)["audio"]
    assert heard[-1].time + heard[-1].samples / RATE == pytest.approx(len(samples) / RATE, abs=0.01)
    assert len(samples) >= 9.3 * RATE


def test_sounds_have_tracks_of_their_own_and_names_that_follow_one_another_share_one():
    kept = Stills()
    kept.hear("early", sine(1.0), 0.0, 1.0)  # before the first frame: not kept
    kept.see(frame(still("coffee")(0)), 1.0, 0.0)
    for second in (1.0, 2.0):
        for track in range(MOST_TRACKS + 2):
            kept.hear(f"side {track}", sine(1.0), second, second)
    (clip,) = kept.clips()
    assert [len(track) // RATE for track in sounds(clip)] == [1] * MOST_TRACKS
    for session in range(5):
        for second in (10.0 + 4 * session, 11.0 + 4 * session):
            kept.hear(f"session {session}", sine(1.0), second, second)
    (clip,) = kept.clips()
    assert [len(track) // RATE for track in sounds(clip)] == [11, 1, 1, 1]


def test_sound_that_comes_all_at_once_is_bounded_as_well():
    kept = Stills(Keep(most=1 << 20))
    kept.see(frame(still("coffee")(0)), 1.0, 0.0)
    for _ in range(300):
        kept.hear("mic", sine(1.0), 1.0, 1.0)
        assert sum(map(len, kept._voices[0]._pieces)) <= (MOST_GATHERED + 1) * RATE
        assert kept.size <= (1 << 20) + STRETCH_BYTES + 22 * RATE


@settings(max_examples=25, deadline=None)
@given(
    most=st.sampled_from([150_000, 600_000, 2 << 20]),
    sizes=st.lists(st.tuples(st.integers(1, 700), st.integers(1, 700)), min_size=1, max_size=3),
    what=st.lists(
        st.tuples(st.floats(0, 3), st.integers(0, 2) | st.sampled_from("abcdef"), st.floats(0, 1)),
        max_size=40,
    ),
)
def test_memory_is_bounded_whatever_is_seen_and_heard(most, sizes, what):
    kept, at = Stills(Keep(seconds=8.0, most=most)), 100.0
    pictures = [frame(NOISE.integers(0, 255, (*size, 3), np.uint8)) for size in sizes]
    for later, which, long in what:
        at += later
        if isinstance(which, int):
            kept.see(pictures[which % len(pictures)], at, at - 100)
            assert kept.size <= most  # all is sealed, and what is too much is gone
        else:
            kept.hear(which, sine(long), at, at - 100 + long)
            assert kept.size <= most + STRETCH_BYTES + 2 * RATE
    for clip in kept.clips():
        frames = played(clip)
        times = [one.time for one in frames["video"]]
        assert (clip.lost, clip.stills) == (0, len(times))
        assert times == sorted(times)


def test_a_whep_stream_is_kept_by_its_looks_and_with_its_sound(monkeypatch):
    monkeypatch.setenv("WHEP_TOKEN", TOKEN)
    kept, told, scene = LastSeconds(Keep()), Told(), panned("coffee")
    with (
        whep_server(scene, free_port(), tone(4.0)) as server,
        watched(server.url, told, taken=kept.taken, looked=kept.looked, sounded=kept.sounded, **SOON) as eye,
    ):
        eye.raise_for(60)
        told.until(lambda: len(told.seen) >= 8)
        (clip,) = kept.clips()
    shows(clip, scene, least=6)
    assert_tone(clip)


def test_a_livekit_room_is_kept_by_its_looks_and_with_its_sound(monkeypatch):
    monkeypatch.setenv("LIVEKIT_API_KEY", KEY)
    monkeypatch.setenv("LIVEKIT_API_SECRET", SECRET)
    kept, told, scene = LastSeconds(Keep()), Told(), panned("coffee")
    with (
        livekit_server() as server,
        publishing(server, "room", "sam", scene, sound=tone(4.0)),
        watched(
            server.watched("room", "sam"), told, taken=kept.taken, looked=kept.looked, sounded=kept.sounded, **SOON
        ) as eye,
    ):  # fmt: skip
        told.until(lambda: len(told.seen) >= 2)
        eye.raise_for(60)
        told.until(lambda: len(told.seen) >= 10)
        (clip,) = kept.clips()
    shows(clip, scene, least=8)
    assert_tone(clip)


def shows(clip: Clip, scene: Scene, *, least: int) -> None:
    """The film holds what was published, each frame later than the one before, up to now."""
    stills = played(clip)["video"]
    assert len(stills) == clip.stills >= least
    times = [one.time for one in stills]
    assert times == sorted(set(times))
    assert clip.last - clip.first == pytest.approx(max(times), abs=2)
    assert abs(clip.ended - time.time()) < 60
    assert max(differs(one, scene) for one in stills) < 12


def assert_tone(clip: Clip) -> None:
    """Its one track of sound is the published tone of 440 Hz."""
    (samples,) = sounds(clip)
    assert len(samples) > 2 * RATE
    loud = np.abs(np.fft.rfft(samples[-2 * RATE :].astype(float)))
    assert np.argmax(loud) / 2 == pytest.approx(440, abs=2)
    assert PUBLISHED_RATE != RATE
