"""What a person found to be wrong is taken back from the engine's state: that, and nothing else."""

from datetime import datetime, timedelta
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from conftest import START, child, message
from underwing.engine import Engine, MemoryState, Runner, judge_in_memory
from underwing.engine.keys import pair_key, room_target
from underwing.model import Correction, Event, UserReport, encode
from underwing.risk import Cue, Parties, Settings, clear_pair, fold_pair, levels_of
from underwing.server.intake import Problem, take

S = Settings()
GRAVE = ["are you home alone", "send a picture of you, dont tell anyone", "everyone will see", "pay me"]


def correction(*events: str, until: datetime, to: str | None = "kid", **more: object) -> Correction:
    values: dict[str, object] = {
        "id": "appeal:1", "at": START + timedelta(hours=1), "sender": "x", "to": to, "events": list(events), "until": until,
    }  # fmt: skip
    return Correction(**{**values, **more})  # type: ignore[arg-type]


def pressed(whom: str = "kid", first: int = 1) -> list[Event]:
    return [message(first + n, "x", whom, text, conversation=whom) for n, text in enumerate(GRAVE)]


def state_after(engine: Engine, *events: Event) -> MemoryState:
    state = MemoryState()
    for event in events:
        engine.step(state, event)
    return state


WHOLE = correction("m1", "m2", "m3", "m4", until=START + timedelta(minutes=4))


def test_a_corrected_pair_is_as_if_nothing_had_been_said(engine: Engine) -> None:
    before = [child("kid"), *pressed()]
    assert list(judge_in_memory(engine, before))[-1].level == "urgent"
    later = [message(20, "x", "kid", "come on")]
    made = list(judge_in_memory(engine, [*before, WHOLE, *later]))
    assert [d.level for d in made[-2:]] == ["none", "none"]
    assert (made[-2].actor, made[-2].target, made[-2].actions) == ("x", "kid", ())
    pair = state_after(engine, *before, WHOLE).pairs.get(pair_key("x", "kid"))
    assert pair is not None
    assert (pair.fast, pair.slow, pair.kept, pair.stages, pair.level) == (0.0, 0.0, (), {}, 0)


def test_what_was_said_afterwards_still_counts(engine: Engine) -> None:
    before = [child("kid"), *pressed()]
    made = list(judge_in_memory(engine, [*before, WHOLE, *pressed(first=10)]))
    assert made[-1].level in ("review", "urgent")
    part = correction("m1", "m2", until=START + timedelta(minutes=2))
    pair = state_after(engine, *before, part).pairs.get(pair_key("x", "kid"))
    assert pair is not None
    assert {c.event for c in pair.kept} == {"m3", "m4"}
    assert pair.fast > 0


def test_other_pairs_and_what_others_reported_stay(engine: Engine) -> None:
    reports = [UserReport(id=f"u{n}", at=START, sender=f"k{n}", to="x") for n in range(3)]
    events = [child("kid"), child("other"), *pressed(), *pressed("other", 10), *reports]
    without, corrected = state_after(engine, *events), state_after(engine, *events, WHOLE)
    other = pair_key("x", "other")
    assert corrected.pairs.get(other) == without.pairs.get(other)
    then, now = without.actors.get("x"), corrected.actors.get("x")
    assert then is not None
    assert now is not None
    assert now.complaints == then.complaints > 0
    assert now.score <= then.score
    assert corrected.targets.get("other") == without.targets.get("other")
    target = corrected.targets.get("kid")
    assert target is not None
    assert target.pressing == ()


def test_in_a_room_the_senders_part_there_is_corrected(engine: Engine) -> None:
    events: list[Event] = [child("kid"), message(0, "kid", [], "hi", surface="group", conversation="r")]
    events += [
        message(n, "x", [], text, surface="group", conversation="r") for n, text in enumerate(GRAVE, 1)
    ]
    key = pair_key("x", room_target("r"))
    stained = state_after(engine, *events).pairs.get(key)
    assert stained is not None
    assert stained.fast > 0
    cleared = state_after(
        engine, *events, correction(until=START + timedelta(minutes=9), room="r")
    ).pairs.get(key)
    assert cleared is not None
    assert cleared.fast == 0


CUES = st.lists(
    st.builds(
        lambda stage, weight, at: message_cue(stage, weight, at),
        st.sampled_from(["isolate", "threat", "payment", "image_request", "protective", "refuse"]),
        st.floats(0.1, 3),
        st.integers(0, 10_000),
    ),
    min_size=1,
    max_size=12,
)


def message_cue(stage: str, weight: float, at: int) -> Cue:
    return Cue(f"xx.{stage}", stage, -weight if stage == "protective" else weight, at, f"e{at}")


@given(CUES, st.integers(-1, 11_000), st.integers(0, 10_000))
def test_clearing_is_bounded_idempotent_and_never_adds(cues: list[Cue], until: int, later: int) -> None:
    state, _ = fold_pair(None, cues, Parties(target_age=13, target_minor=True), S)
    cleared = clear_pair(state, until, S)
    assert clear_pair(cleared, until, S) == cleared
    assert all(c.at > until for c in cleared.kept)
    assert all(at > until for at in cleared.stages.values())
    assert cleared.at == state.at
    harmless = not any(c.milli < 0 for c in state.kept)
    if harmless:
        at = state.at + later
        assert levels_of(cleared, at, S)[1] <= levels_of(state, at, S)[1] + 0.002
    if until >= max(c.at for c in cues):
        assert levels_of(cleared, state.at, S) == (0, 0.0)


def test_the_same_events_give_the_same_bytes_in_memory_and_over_a_file(
    engine: Engine, tmp_path: Path
) -> None:
    events = [child("kid"), *pressed(), WHOLE, *pressed(first=10)]
    made = [encode(d) for d in judge_in_memory(engine, events)]
    with Runner(engine, tmp_path / "a.db") as runner:
        assert [runner.process([event])[0].body for event in events] == made
        again = runner.process([WHOLE])[0]
        assert again.repeated


def test_nobody_outside_may_send_one() -> None:
    refused = take(encode(WHOLE), START.timestamp() + 7200, 600)
    assert isinstance(refused, Problem)
    assert (refused.status, refused.code) == (422, "not_from_here")
