"""Banked films: a frame each quarter of a second, and more where the picture sweeps, within bounds."""

from hashlib import sha256
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media_clips import clip, flat, joined, panned, still
from underwing.media.hashing import look_to_bank
from underwing.media.sweeps import AT_ONCE, FAR, steps
from underwing.model import Frame, Pdq

MIB = 1 << 20


def turned(bits: int) -> Pdq:
    """A hash that lies so many bits from that of 0; pictures of these tests are such numbers."""
    return Pdq(f"{(1 << bits) - 1:064x}", 100)


def distance(one: Frame, other: Frame) -> int:
    return (int(one.pdq.hash, 16) ^ int(other.pdq.hash, 16)).bit_count()


def banked(shown: list[tuple[float, int]], size: int = 1) -> list[Frame]:
    return [frame for step in steps(shown, turned, lambda _: size) for frame in step]


def strange(number: int) -> Pdq:
    """A hash that is like no other."""
    return Pdq(sha256(str(number).encode()).hexdigest(), 100)


def wild(seconds: int, rate: int = 30, size: int = 1) -> list[Frame]:
    """What is banked of a film whose every picture is like no other."""
    shown = [(n / rate, n) for n in range(seconds * rate)]
    return [frame for step in steps(shown, strange, lambda _: size) for frame in step]


def sweep(bits_a_second: float, seconds: float = 2.0, rate: int = 30) -> list[tuple[float, int]]:
    """Pictures whose hashes go to and fro between 0 and 240 bits."""
    return [
        (n / rate, abs(int(n / rate * bits_a_second + 240) % 480 - 240)) for n in range(int(seconds * rate))
    ]


def test_a_calm_film_has_its_quarters_only() -> None:
    assert [frame.at for frame in banked(sweep(FAR * 3))] == pytest.approx(
        [0, 8 / 30, 0.5, 23 / 30, 1, 38 / 30, 1.5, 53 / 30]
    )


@pytest.mark.parametrize("speed", [150, 300, 700])
def test_neighbours_of_a_sweep_lie_near_each_other(speed: int) -> None:
    found = banked(sweep(speed))
    assert len(found) > 8
    assert max(distance(a, b) for a, b in pairwise(found)) <= FAR


def test_there_are_about_thirty_a_second_at_the_most() -> None:
    for rate in (60, 120, 240):
        assert 50 <= len(wild(2, rate)) <= 67


@pytest.mark.parametrize(("size", "most"), [(3 * MIB, 60), (12 * MIB, 24), (13 * MIB, 9)])
def test_large_pictures_wait_by_their_bytes(size: int, most: int) -> None:
    found = wild(2, size=size)
    assert most - 4 <= len(found) <= most
    assert {0.0, 0.5, 1.0, 1.5} <= {frame.at for frame in found}


def test_further_hashes_are_bounded_by_the_length() -> None:
    seconds = 120
    found = wild(seconds)
    assert AT_ONCE + 8 * seconds - 8 <= len(found) <= AT_ONCE + 8 * seconds + 8
    behind = [frame for frame in found if frame.at >= seconds - 10]
    assert len(behind) == pytest.approx(80, abs=2)


def test_a_picture_that_is_held_and_the_end_are_among_them() -> None:
    shown = [(0.0, 0), (0.1, 10), (0.15, 200), (5.0, 0), (5.1, 100)]
    assert [frame.at for frame in banked(shown)] == [0.0, 0.1, 0.15, 5.0, 5.1]
    assert [frame.at for frame in banked([(0.0, 0), (0.1, 3)])] == [0.0]
    assert banked([]) == []


@given(
    st.lists(st.tuples(st.floats(0, 4), st.integers(0, 256)), max_size=60),
    st.sampled_from([1, 3 * MIB, 20 * MIB]),
)
def test_any_pictures(shown: list[tuple[float, int]], size: int) -> None:
    """The frames are the film's own, each once and in order, and nothing new is passed over for half a second."""
    found = banked(shown, size)
    times = [frame.at for frame in found]
    assert times == sorted(set(times))
    assert all((frame.at, frame.pdq) in {(at, turned(bits)) for at, bits in shown} for frame in found)
    forward = [at for n, (at, _) in enumerate(shown) if all(at > earlier for earlier, _ in shown[:n])]
    assert bool(found) == bool(shown)
    for at in forward[:-1]:
        assert min(abs(at - own) for own in times) <= 0.5


def test_a_films_frames_are_as_before_and_more_only_where_it_sweeps() -> None:
    calm, fast = (clip(panned("coffee", speed=speed), 4, rate=20) for speed in (0.1, 1.0))
    assert len(look_to_bank(calm).frames) == 16
    seen = look_to_bank(fast)
    assert seen.profile == "dense-2"
    assert 40 <= len(seen.frames) <= 80
    assert {quarter / 4 for quarter in range(16)} <= {frame.at for frame in seen.frames}
    assert all(abs(frame.at * 20 - round(frame.at * 20)) < 1e-6 for frame in seen.frames)


def test_a_cut_costs_few_frames_and_its_first_is_known() -> None:
    scene, seconds = joined((still("coffee"), 0, 2.1), (still("chelsea"), 0, 2))
    frames = look_to_bank(clip(scene, seconds, rate=20)).frames
    assert 17 <= len(frames) <= 21
    assert min(abs(frame.at - 2.1) for frame in frames) < 0.06
    assert len(look_to_bank(clip(flat(), 2, rate=20)).frames) == 8
