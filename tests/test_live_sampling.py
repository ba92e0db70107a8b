"""Which frames of a stream are looked at, and when they were: pure, so properties of any stream."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from underwing.live.clock import LEAP, StreamClock, tell
from underwing.live.sampling import Pace, Sampler, look

GAPS = st.lists(st.floats(0.01, 12.0), min_size=1, max_size=200)


def looked(gaps: list[float], raised: bool, keyframes: int = 1) -> tuple[list[float], list[float]]:
    """(all seconds, the seconds looked at) of frames so far apart, every `keyframes`-th of which is a keyframe."""
    state, at, every, seen = Sampler(), 0.0, [], []
    for number, gap in enumerate(gaps):
        every.append(at)
        state, wanted = look(state, at, number % keyframes == 0, raised)
        if wanted:
            seen.append(at)
        at += gap
    return every, seen


@given(GAPS, st.booleans())
def test_no_two_looks_lie_nearer_than_the_least(gaps, raised):
    _, seen = looked(gaps, raised)
    assert all(b - a >= Pace().least - 0.06 for a, b in itertools.pairwise(seen))


@given(GAPS)
def test_a_calm_stream_is_looked_at_as_soon_as_a_keyframe_allows(gaps):
    every, seen = looked(gaps, False)
    for at in every:
        last = max(s for s in seen if s <= at)
        assert at - last < Pace().calm


@given(st.lists(st.floats(0.01, 0.2), min_size=10, max_size=400))
def test_a_raised_stream_is_looked_at_twice_a_second(gaps):
    every, seen = looked(gaps, True, keyframes=60)
    assert seen[0] == 0.0
    assert all(b - a <= Pace().raised + 0.2 for a, b in itertools.pairwise(seen))
    assert every[-1] - seen[-1] <= Pace().raised


def test_between_keyframes_nothing_is_looked_at_while_calm():
    state = Sampler()
    for number in range(1_000):
        state, wanted = look(state, number / 30, number == 0, False)
        assert wanted == (number == 0)


def test_a_keyframe_before_its_time_is_a_new_scene():
    state, seen = Sampler(), []
    for at in (0.0, 2.0, 4.0, 6.0, 6.8, 8.8, 10.8):
        state, wanted = look(state, at, True, False)
        seen += [at] * wanted
    assert seen == [0.0, 6.8]


@given(st.floats(0, 1e6), GAPS)
def test_a_steady_publisher_is_believed_wherever_its_clock_begins(start, gaps):
    clock, arrived, stamp, began = StreamClock(), 1_000.0, start, start
    for gap in gaps:
        clock, second = tell(clock, stamp, arrived)
        assert abs(second - (stamp - began)) < 1e-6 * max(1.0, stamp)
        stamp, arrived = stamp + gap, arrived + gap


@given(st.lists(st.tuples(st.none() | st.floats(-1e9, 1e9), st.floats(0, 60)), max_size=100))
def test_whatever_a_publisher_says_time_neither_leaps_nor_turns_back(packets):
    clock, arrived = StreamClock(), 50.0
    for stamp, gap in packets:
        before = clock
        arrived += gap
        clock, second = tell(clock, stamp, arrived)
        if before.started:
            gone = arrived - before.arrived
            assert before.last - LEAP - 1e-6 <= second <= before.last + gone + LEAP + 1e-6
        assert clock.last >= before.last
        assert second >= 0


def test_what_comes_late_all_at_once_is_no_leap():
    clock, _ = tell(StreamClock(), 10.0, 100.0)
    for number in range(1, 40):
        clock, second = tell(clock, 10.0 + number / 2, 130.0)
        assert second == number / 2 or second <= clock.last
