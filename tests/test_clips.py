"""Known clips are found inside videos, with the seconds where, and what looks like one by chance is not."""

import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media_clips import KNOWN, OTHER, Scene, clip, cuts, joined
from underwing.banks.clips import BankedClip, ClipMatch, FrameHit, banked_clip, find_clips, windows_to_confirm
from underwing.banks.entries import Entry, EntryHash
from underwing.media.video import look_video
from underwing.model.media import PDQ_DISTANCE, Frame, MediaHashes, Pdq

DICE = random.Random(5)


def fresh() -> int:
    return DICE.getrandbits(256)


def frame(at: float, picture: int, quality: int = 100) -> Frame:
    return Frame(at=at, pdq=Pdq(hash=f"{picture:064x}", quality=quality))


Bank = dict[str, Sequence[Frame]]


def hits_of(frames: Sequence[Frame], bank: Bank) -> list[list[FrameHit]]:
    """What an index would answer: every banked frame within the distance."""
    table = [
        (entry, f.at, int(f.pdq.hash, 16))
        for entry, banked in bank.items()
        for f in banked
        if f.pdq.quality >= 50
    ]
    found = []
    for f in frames:
        picture = int(f.pdq.hash, 16)
        near = [(entry, at, (picture ^ other).bit_count()) for entry, at, other in table]
        found.append([FrameHit(*hit) for hit in near if hit[2] <= PDQ_DISTANCE])
    return found


def clips_of(bank: Bank) -> dict[str, BankedClip]:
    return {e: BankedClip(tuple(f.at for f in fs if f.pdq.quality >= 50)) for e, fs in bank.items()}


def search(
    frames: Sequence[Frame], bank: Bank, duration: float, *, whole: bool = True
) -> tuple[ClipMatch, ...]:
    return find_clips(frames, hits_of(frames, bank), clips_of(bank), duration, whole=whole)


def shot(start: int, pictures: Sequence[int]) -> list[Frame]:
    return [frame(start + i, picture) for i, picture in enumerate(pictures)]


@given(
    before=st.integers(0, 40),
    length=st.integers(3, 30),
    behind=st.integers(0, 40),
    shift=st.floats(-0.5, 0.5),
)
@settings(max_examples=60, deadline=None)
def test_a_clip_is_found_where_it_is(before: int, length: int, behind: int, shift: float) -> None:
    known = [fresh() for _ in range(length)]
    pictures = [fresh() for _ in range(before)] + known + [fresh() for _ in range(behind)]
    frames = [frame(max(0.0, f.at + (shift if f.at else 0)), int(f.pdq.hash, 16)) for f in shot(0, pictures)]
    (match,) = search(
        frames, {"a": shot(0, known), "b": shot(0, [fresh() for _ in range(20)])}, len(pictures)
    )
    assert (match.entry, match.how, match.share, match.frames) == ("a", "clip", 1, length)
    assert match.range[0] == pytest.approx(before, abs=1)
    assert match.range[1] == pytest.approx(before + length, abs=1)
    assert match.distance == 0


@given(start=st.integers(0, 50), length=st.integers(3, 20))
@settings(max_examples=40, deadline=None)
def test_a_part_of_a_known_video_is_found(start: int, length: int) -> None:
    known = [fresh() for _ in range(70)]
    (match,) = search(shot(0, known[start : start + length]), {"a": shot(0, known)}, length)
    assert match.offset == pytest.approx(-start, abs=1)
    assert match.range == (0, length)
    assert match.share == pytest.approx(length / 70)


def test_a_clip_pasted_in_twice_is_found_twice() -> None:
    known = [fresh() for _ in range(6)]
    pictures = known + [fresh() for _ in range(9)] + known
    found = search(shot(0, pictures), {"a": shot(0, known)}, 21)
    assert sorted(match.range for match in found) == [(0, 6), (15, 21)]


def test_gaps_in_a_clip_are_borne_but_not_many() -> None:
    known = [fresh() for _ in range(12)]
    some = [fresh() if i in (3, 4, 8) else picture for i, picture in enumerate(known)]
    few = [picture if i in (0, 4, 8) else fresh() for i, picture in enumerate(known)]
    around = [fresh() for _ in range(10)]
    (match,) = search(shot(0, around + some + around), {"a": shot(0, known)}, 32)
    assert match.frames == 9
    assert search(shot(0, around + few + around), {"a": shot(0, known)}, 32) == ()


def test_frames_in_another_order_are_meta_s_rule_only() -> None:
    known = [fresh() for _ in range(10)]
    mixed = known[::-1]
    (match,) = search(shot(0, mixed), {"a": shot(0, known)}, 10)
    assert (match.how, match.range) == ("video", (0, 10))
    assert search(shot(0, mixed), {"a": shot(0, known)}, 10, whole=False) == ()
    assert search(shot(0, mixed + [fresh() for _ in range(3)]), {"a": shot(0, known)}, 13) == ()


def test_a_title_card_that_two_videos_share_is_no_match() -> None:
    card = fresh()
    known = [card] * 8 + [fresh() for _ in range(30)]
    video = [fresh() for _ in range(10)] + [card] * 8 + [fresh() for _ in range(40)]
    assert search(shot(0, video), {"a": shot(0, known)}, 58) == ()


def test_a_still_that_is_the_whole_clip_matches() -> None:
    card = fresh()
    video = [fresh() for _ in range(10)] + [card] * 8 + [fresh() for _ in range(10)]
    (match,) = search(shot(0, video), {"a": shot(0, [card] * 8)}, 28)
    assert match.range == (10, 18)


def test_a_clip_of_one_frame_matches_inside_a_video() -> None:
    card = fresh()
    (match,) = search(shot(0, [fresh(), fresh(), card, fresh(), fresh(), fresh()]), {"a": shot(0, [card])}, 6)
    assert match.range == (2, 3)


def test_frames_of_a_low_quality_are_not_compared() -> None:
    known = [fresh() for _ in range(10)]
    poor = [frame(f.at, int(f.pdq.hash, 16), 49) for f in shot(0, known)]
    assert search(poor, {"a": shot(0, known)}, 10) == ()
    assert find_clips([], [], {}, 0.0) == ()


def test_pictures_held_for_minutes_cost_little_and_name_no_false_range() -> None:
    """Ten minutes of one picture, against clips that hold the same for ten minutes too, among others."""
    card = fresh()
    held = shot(0, [card ^ (1 << i % 8) for i in range(600)])
    bank: Bank = {f"a{i}": shot(0, [fresh(), *[card] * 598, fresh()]) for i in range(3)}
    hits = hits_of(held, bank)
    found = find_clips(held, hits, clips_of(bank), 600)
    assert {match.entry for match in found} == set(bank)
    assert all(match.how == "video" or match.range[1] - match.range[0] > 400 for match in found)
    longer = [
        *shot(0, [fresh() for _ in range(300)]),
        *(frame(300 + f.at, int(f.pdq.hash, 16)) for f in held[:60]),
    ]
    assert search(longer, bank, 360) == ()


def test_an_entry_becomes_a_clip() -> None:
    hashes = [
        EntryHash(kind="pdq", hash="0" * 64, at=at, quality=q) for at, q in ((3.0, 90), (1.0, 80), (2.0, 10))
    ]
    entry = Entry(id="a", label="test", hashes=(*hashes, EntryHash(kind="sha256", hash="0" * 64)))
    assert banked_clip(entry) == BankedClip((1.0, 3.0))
    assert banked_clip(Entry(id="b", label="test", hashes=())).duration == 0


# With real videos: a known clip of ten seconds, encoded anew at another size, rate and phase.

SURROUND = cuts(OTHER, 4.0, speed=0.3, width=320, height=180)
CLIP = cuts(KNOWN, 4.0, speed=0.3)
FAST = cuts(KNOWN, 4.0)


@pytest.fixture(scope="module")
def banked() -> Bank:
    data = clip(CLIP, 10, rate=25)
    other = clip(cuts(("gravel", "horse", "page"), 4.0), 10, rate=25)
    return {
        "known": look_video(data, profile="dense-2").frames,
        "unrelated": look_video(other, profile="dense-2").frames,
    }


def found_in(data: bytes, bank: Bank, profile: str) -> tuple[tuple[ClipMatch, ...], MediaHashes]:
    """As a server does it: a quick look, then a closer one where it hit."""
    seen = look_video(data, profile=profile)  # type: ignore[arg-type]
    assert seen.error is None
    assert seen.duration is not None
    if seen.profile == "vpdq-1s":
        return search(seen.frames, bank, seen.duration), seen
    windows = windows_to_confirm(seen.frames, hits_of(seen.frames, bank), clips_of(bank), seen.duration)
    if not windows:
        return (), seen
    closer = look_video(data, windows=windows)
    whole = windows == ((0.0, seen.duration),)
    return search(closer.frames, bank, seen.duration, whole=whole), seen


def pasted(before: float, behind: float, known: Scene = CLIP) -> tuple[Scene, float]:
    return joined((SURROUND, 0, before), (known, 0, 10), (SURROUND, 40, 40 + behind))


@pytest.mark.parametrize("profile", ["vpdq-1s", "keyframes-1"])
@pytest.mark.parametrize(
    ("codec", "container", "rate"), [("libx264", "mp4", 24), ("libvpx-vp9", "webm", 15), ("mpeg4", "avi", 12)]
)
def test_ten_seconds_inside_thirteen(
    banked: Bank, profile: str, codec: str, container: str, rate: int
) -> None:
    scene, length = pasted(1.7, 1.3)
    options = {"deadline": "realtime", "cpu-used": "8"} if "vpx" in codec else {}
    data = clip(scene, length, rate=rate, size=(256, 144), codec=codec, container=container, options=options)
    found, _ = found_in(data, banked, profile)
    assert {match.entry for match in found} == {"known"}
    assert min(match.range[0] for match in found) == pytest.approx(1.7, abs=1.2)
    assert max(match.range[1] for match in found) == pytest.approx(11.7, abs=1.2)


def test_a_densely_banked_clip_is_found_where_the_picture_moves_fast() -> None:
    bank = {"known": look_video(clip(FAST, 10, rate=25), profile="dense-2").frames}
    assert len(bank["known"]) >= 36
    scene, length = pasted(1.7, 1.3, FAST)
    found, _ = found_in(clip(scene, length, rate=24, size=(256, 144), codec="mpeg4"), bank, "vpdq-1s")
    assert {match.entry for match in found} == {"known"}
    assert max(match.share for match in found) >= 0.5


@pytest.mark.parametrize("rate", [10, 24])
def test_a_fast_clip_of_few_frames_is_found_at_its_whole_range(rate: int) -> None:
    """At 10 frames a second no quarter of a second but the whole and the half ones is a frame's."""
    bank = {"known": look_video(clip(FAST, 10, rate=10), profile="dense-2").frames}
    assert {f.at for f in bank["known"]} >= {float(second) for second in range(10)}
    scene, length = pasted(12.0, 9.0, FAST)
    (match,), _ = found_in(clip(scene, length, rate=rate), bank, "vpdq-1s")
    assert match.range == pytest.approx((12, 22), abs=0.3)
    assert match.share >= 0.9


@pytest.fixture(scope="module")
def ten_minutes() -> bytes:
    scene, length = pasted(401.3, 188.7)
    return clip(scene, length, rate=8, size=(160, 90))


@pytest.mark.parametrize("profile", ["vpdq-1s", "keyframes-1"])
def test_ten_seconds_inside_ten_minutes(banked: Bank, ten_minutes: bytes, profile: str) -> None:
    found, _ = found_in(ten_minutes, banked, profile)
    assert {match.entry for match in found} == {"known"}
    assert min(match.range[0] for match in found) == pytest.approx(401.3, abs=1.2)
    assert max(match.range[1] for match in found) == pytest.approx(411.3, abs=1.2)


@pytest.mark.parametrize("profile", ["vpdq-1s", "keyframes-1"])
def test_an_unrelated_video_has_none(banked: Bank, profile: str) -> None:
    found, _ = found_in(clip(SURROUND, 24, rate=12), banked, profile)
    assert found == ()
