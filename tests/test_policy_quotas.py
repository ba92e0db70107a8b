"""Quotas: never more than the count in any window, whatever the order of events."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from policy_cases import RULE, written
from underwing.policy import Quotas, QuotaState, load_policy
from underwing.policy.quotas import SPANS


def quotas(tmp_path: Path, count: int, per: str = "1h") -> Quotas:
    text = RULE + f'[quotas]\nhold_message = {{ count = {count}, per = "{per}" }}\n'
    return Quotas(load_policy(written(tmp_path, text)))


def most_in_a_window(times: list[float], window: float) -> int:
    """The plain definition: the most admitted times in any [t, t + window)."""
    return max((sum(0 <= other - start < window for other in times) for start in times), default=0)


event_times = st.lists(
    st.floats(0, 20_000) | st.integers(0, 20_000).map(float) | st.floats(0, 4e9), max_size=150
)
# Many events at a steady pace, with some out of place: what a real stream looks like.
streams = st.builds(
    lambda step, size, late: [
        index * step - (late[index % len(late)] if late else 0.0) for index in range(size)
    ],
    st.floats(1, 900),
    st.integers(0, 400),
    st.lists(st.floats(0, 20_000), max_size=7),
)


@given(event_times | streams, st.integers(0, 60))
@example([float(i) for i in range(300)], 60)
@example([i * 460.0 for i in range(200)] + [i * 460.0 + 1 for i in range(200)], 8)  # much is forgotten
@example([i * 5.0 for i in range(60)] + [3_601.0, 3_602.0, 3_603.0], 60)  # a span across the window's edge
@example([i * 40.0 for i in range(300)] + [i * 40.0 + 20 for i in range(300)], 60)
def test_quotas_hold_in_every_window_whatever_the_order(
    tmp_path_factory: pytest.TempPathFactory, times: list[float], count: int
) -> None:
    breaker = quotas(tmp_path_factory.mktemp("quota"), count)
    state = QuotaState()
    taken: list[float] = []
    for at in times:
        state, admitted, withheld = breaker.admit(state, ("open_case", "hold_message"), at)
        assert (admitted, withheld) in [
            (("open_case", "hold_message"), ()),
            (("open_case",), ("hold_message",)),
        ]
        if "hold_message" in admitted:
            taken.append(at)
        assert all(len(used.spans) <= SPANS for used in state.used)
    assert most_in_a_window(taken, 3_600) <= count


@given(st.lists(st.floats(0, 100_000), max_size=SPANS))
def test_quotas_are_exact_while_few_were_taken(
    tmp_path_factory: pytest.TempPathFactory, times: list[float]
) -> None:
    breaker = quotas(tmp_path_factory.mktemp("quota"), 3)
    state = QuotaState()
    taken: list[float] = []
    for at in times:
        state, admitted, _ = breaker.admit(state, ("hold_message",), at)
        assert bool(admitted) == (most_in_a_window([*taken, at], 3_600) <= 3)
        if admitted:
            taken.append(at)


def test_a_flood_is_stopped_and_the_breaker_closes_again(tmp_path: Path) -> None:
    breaker = quotas(tmp_path, 100)
    state = QuotaState()
    taken = 0
    for second in range(7_200):
        state, admitted, _ = breaker.admit(state, ("hold_message",), float(second))
        taken += len(admitted)
    assert 190 <= taken <= 200
    state, admitted, _ = breaker.admit(state, ("hold_message",), 20_000.0)
    assert admitted == ("hold_message",)
    assert len(msgspec.json.encode(state)) < 4_096


def test_one_event_from_the_far_future_does_not_jam_the_breaker(tmp_path: Path) -> None:
    breaker = quotas(tmp_path, 1)
    state, _, _ = breaker.admit(QuotaState(), ("hold_message",), 4e9)
    taken = 0
    for hour in range(200):
        state, admitted, _ = breaker.admit(state, ("hold_message",), hour * 3_600.0)
        taken += len(admitted)
    assert taken == 200


def test_quota_state_survives_storage_and_stays_the_same_when_nothing_is_taken(tmp_path: Path) -> None:
    breaker = quotas(tmp_path, 1)
    start = QuotaState()
    same, admitted, withheld = breaker.admit(start, ("open_case", "page"), 5.0)
    assert (same, admitted, withheld) == (start, ("open_case", "page"), ())
    state, _, _ = breaker.admit(start, ("hold_message",), 5.0)
    again = msgspec.json.decode(msgspec.json.encode(state), type=QuotaState)
    assert again == state
    assert breaker.admit(again, ("hold_message",), 6.0) == (state, (), ("hold_message",))
    assert start == QuotaState()


def test_a_quota_of_zero_turns_an_action_off(tmp_path: Path) -> None:
    breaker = quotas(tmp_path, 0)
    assert breaker.admit(QuotaState(), ("hold_message",), 0.0)[1:] == ((), ("hold_message",))


@pytest.mark.parametrize("at", [float("nan"), float("inf")])
def test_quotas_refuse_a_time_that_is_none(tmp_path: Path, at: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        quotas(tmp_path, 1).admit(QuotaState(), ("hold_message",), at)
