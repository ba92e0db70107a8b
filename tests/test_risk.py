"""The folds: bounded, additive, decaying, undilutable, and never against the child."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from underwing.model import STAGES, Level
from underwing.risk import Cue, PairState, Parties, Settings, decayed, fold_pair, fold_target, levels_of
from underwing.risk.settings import DAY, HOUR

S = Settings()
STRANGER = Parties(target_age=13, target_minor=True)
cues = st.builds(
    Cue,
    signal=st.text(min_size=1, max_size=40, alphabet="abcdefgh."),
    stage=st.sampled_from([s for s in STAGES if s not in ("report_quote", "advice")]),
    weight=st.floats(0, 4),
    at=st.integers(0, 2_000_000_000),
    event=st.text(min_size=1, max_size=64, alphabet="abc0123"),
    span=st.none() | st.tuples(st.integers(0, 20_000), st.integers(0, 20_000)),
    source=st.sampled_from(["childnet", "thorn"]),
)


def cue(stage: str, weight: float, at: float = 0, signal: str = "") -> Cue:
    return Cue(signal or f"xx.{stage}", stage, weight, int(at), f"e{at}")


@given(st.lists(cues, min_size=1, max_size=60))
def test_state_is_bounded_whatever_comes(given_cues: list[Cue]) -> None:
    state = None
    for one in given_cues:
        state, _ = fold_pair(state, [one], STRANGER, S)
    assert state is not None
    assert len(msgspec.msgpack.encode(state)) < 1024
    assert state.fast >= S.floor
    assert state.slow >= S.floor


@given(st.lists(cues, max_size=20))
def test_the_fold_is_a_function(given_cues: list[Cue]) -> None:
    if given_cues:
        assert fold_pair(None, given_cues, STRANGER, S) == fold_pair(None, given_cues, STRANGER, S)


@given(st.lists(cues, min_size=1, max_size=20), st.integers(0, 10**9))
def test_scores_only_fade_while_nothing_happens(given_cues: list[Cue], later: int) -> None:
    state, _ = fold_pair(None, given_cues, STRANGER, S)
    now, then = decayed(state, state.at, S), decayed(state, state.at + later, S)
    assert abs(then[0]) <= abs(now[0])
    assert abs(then[1]) <= abs(now[1])


@given(st.lists(cues, min_size=1, max_size=20))
def test_the_clock_never_runs_backwards(given_cues: list[Cue]) -> None:
    state, newest = None, 0
    for one in given_cues:
        state, _ = fold_pair(state, [one], STRANGER, S)
        newest = max(newest, one.at)
        assert state.at == newest


def test_repeats_weigh_less_than_news() -> None:
    same, _ = fold_pair(None, [cue("isolate", 1, t) for t in range(4)], STRANGER, S)
    mixed, _ = fold_pair(
        None, [cue(s, 1, 0) for s in ("isolate", "meet", "risk_check", "deceive")], STRANGER, S
    )
    assert same.fast < mixed.fast / 2


def test_one_topic_repeated_does_not_alarm() -> None:
    state, _ = fold_pair(None, [cue("risk_check", 0.9, t) for t in range(0, 900, 60)], STRANGER, S)
    assert levels_of(state, 900, S)[0] < Level.urgent


def test_threat_and_demand_together_are_urgent_and_neither_alone() -> None:
    threat, _ = fold_pair(None, [cue("threat", 2.2, 0)], STRANGER, S)
    both, _ = fold_pair(threat, [cue("payment", 1.2, 60)], STRANGER, S)
    assert levels_of(threat, 0, S)[0] < Level.urgent
    assert levels_of(both, 60, S)[0] == Level.urgent
    late, _ = fold_pair(threat, [cue("payment", 1.2, 2 * DAY)], STRANGER, S)
    assert levels_of(late, 2 * DAY, S)[0] < Level.urgent


def test_order_and_insistence_add() -> None:
    state, _ = fold_pair(None, [cue("image_request", 0.9, 0)], STRANGER, S)
    state, _ = fold_pair(state, [cue("refuse", 0.5, 30)], STRANGER, S)
    _, added = fold_pair(state, [cue("pressure", 0.7, 60)], STRANGER, S)
    assert "order.refuse+insist" in {c.signal for c in added}
    assert any(c.signal.startswith("order.image_request") for c in added)


def test_needs_waits_for_its_stage() -> None:
    needy = Cue("xx.deadline", "threat", 1.0, 0, "e", needs=("payment",))
    assert fold_pair(None, [needy], STRANGER, S)[1] == []
    signals = {c.signal for c in fold_pair(None, [cue("payment", 1), needy], STRANGER, S)[1]}
    assert "xx.deadline" in signals


def test_what_the_victim_says_needs_a_pair_with_evidence() -> None:
    assert fold_pair(None, [cue("distress", 0.8)], STRANGER, S)[1] == []


def test_protection_is_bounded() -> None:
    state, _ = fold_pair(None, [cue(s, 2, 0) for s in ("isolate", "meet", "risk_check")], STRANGER, S)
    before = state.fast
    for at in range(20):
        state, _ = fold_pair(state, [Cue(f"xx.p{at}", "protective", -1.5, at, "e")], STRANGER, S)
    assert before - state.fast <= S.protect_cap + 0.01


@given(st.builds(Parties, actor_age=st.none() | st.integers(5, 90), actor_minor=st.none() | st.booleans(),
                 target_age=st.none() | st.integers(5, 90), target_minor=st.none() | st.booleans(), kin=st.booleans()),
       st.sampled_from(STAGES), st.booleans())  # fmt: skip
def test_context_bends_within_bounds(parties: Parties, stage: str, doubted: bool) -> None:
    assert S.context_floor <= parties.multiplier(stage, doubted, S) <= S.context_cap


def test_context_alone_never_alarms() -> None:
    assert fold_pair(None, [cue("befriend", 0.0)], Parties(50, False, True, 9, True), S)[0].fast == 0


def test_late_evidence_counts_less_than_fresh() -> None:
    state, _ = fold_pair(None, [cue("meet", 1, 10 * HOUR)], STRANGER, S)
    late, _ = fold_pair(state, [cue("isolate", 1, 0)], STRANGER, S)
    fresh, _ = fold_pair(state, [cue("isolate", 1, 10 * HOUR)], STRANGER, S)
    assert late.fast < fresh.fast
    assert late.at == fresh.at


def test_several_accounts_pressing_one_child() -> None:
    state, joint = fold_target(None, 1, 1.5, 0, S)
    assert joint == 0
    for actor in (2, 3):
        state, joint = fold_target(state, actor, 1.5, 10, S)
    assert joint >= S.target_review


@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.floats(0, 5), st.integers(0, 10**9)), max_size=50))
def test_target_state_is_bounded(presses: list[tuple[int, float, int]]) -> None:
    state = None
    for actor, weight, at in presses:
        state, _ = fold_target(state, actor, weight, at, S)
    if state is not None:
        assert len(msgspec.msgpack.encode(state)) < 1024


def test_pair_state_round_trips() -> None:
    state, _ = fold_pair(None, [cue("isolate", 1, 5)], STRANGER, S)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=PairState) == state


@pytest.mark.parametrize("stage", ["threat", "payment", "go_live", "recruit"])
def test_children_can_be_warned_about_children(stage: str) -> None:
    peers = Parties(15, True, True, 14, True)
    assert peers.multiplier(stage, False, S) > peers.multiplier("image_request", False, S)
