"""Who is taken for a child where nobody says how old they are: by what they say, told with the decision, and bounded."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from underwing.engine import Engine, MemoryState
from underwing.engine.heard import ANSWER_SECONDS, EACH, MOST
from underwing.model import Account, Decision, Event, Message, decode_event, encode
from underwing.packs import load_packs
from underwing.policy import Facts as PolicyFacts
from underwing.policy import load_policy
from underwing.risk import Facts, Heard, Settings, is_minor, taken_for_minor
from underwing.text import Meaning

START = datetime(2026, 3, 1, 16, tzinfo=UTC)
PACKS, POLICY, MEANING = load_packs(), load_policy(), Meaning.load()
PRESSED = (
    "you are so mature for your age",
    "dont tell your mum about us ok, it stays between us",
    "send me a pic of you, just for me",
    "do it now or i post the screenshots to your whole school",
)
LETS_ON = ("im in year 8", "mum says i have to be off by 9")


def said(number: int, sender: str, text: str, *, seconds: int | None = None, room: str = "") -> Message:
    """A message between `a` and `b`, or to a room."""
    made = Message(
        id=f"m{number}", at=START + timedelta(seconds=60 * number if seconds is None else seconds),
        surface="group" if room else "dm", conversation=room or "a-b", sender=sender,
        to=[] if room else ["b" if sender == "a" else "a"], text=text,
    )  # fmt: skip
    again = decode_event(encode(made))
    assert isinstance(again, Message)
    return again


def decided(
    events: list[Event], observer: Any = None, *, meaning: bool = True
) -> tuple[MemoryState, list[Decision]]:
    """What the engine makes of events."""
    engine = Engine(PACKS, POLICY, meaning=MEANING if meaning else None, observer=observer)
    state = MemoryState()
    return state, [engine.step(state, event) for event in events]


def talk(*child: str) -> list[Event]:
    """The child's lines, then the pressing ones."""
    lines = [*(("b", text) for text in child), *(("a", text) for text in PRESSED)]
    return [said(number, who, text) for number, (who, text) in enumerate(lines)]


def test_who_speaks_of_school_and_home_is_taken_for_a_child_and_the_decision_says_why() -> None:
    told: list[PolicyFacts] = []
    state, made = decided(talk(*LETS_ON), lambda _, facts: told.append(facts))
    facts = state.accounts.get("b")
    assert facts is not None
    assert is_minor(facts) is None, "it is no known age"
    assert taken_for_minor(facts, Settings())
    warned = [d for d in made if d.level in ("review", "urgent")]
    assert warned
    assert warned[0].actor == "a"
    why = [r for r in warned[0].reasons if r.stage == "young"]
    assert {r.event for r in why} == {"m0", "m1"}
    assert all(r.weight == 0 and r.source for r in why), "it adds nothing to the score"
    assert any(r.span for r in why)
    assert all(facts.target_minor is None for facts in told), "a policy is told of known ages only"


def test_the_same_words_weigh_more_where_a_child_was_heard() -> None:
    with_child = decided(talk(*LETS_ON))[1]
    without = decided(talk("back from the office", "the rent is due on monday"))[1]
    assert max(d.score for d in with_child) > max(d.score for d in without)


def test_the_child_itself_is_never_warned_of() -> None:
    lines = [*LETS_ON, "my teacher gave us a maths test tmrw", "mum took my phone", "im not allowed out"]
    _, made = decided([said(number, "b", text) for number, text in enumerate(lines)])
    assert {d.level for d in made} == {"none"}


@pytest.mark.parametrize("known", [{"minor": False}, {"declared_age": 34}, {"verified_age": 41}])
def test_what_the_platform_knows_goes_first(known: dict[str, Any]) -> None:
    account = decode_event(encode({"type": "account", "id": "b", **known}))
    assert isinstance(account, Account)
    state, _ = decided([account, *talk(*LETS_ON)])
    facts = state.accounts.get("b")
    assert facts is not None
    assert facts.heard == ()
    assert not taken_for_minor(facts, Settings())


def test_an_age_that_becomes_known_ends_it() -> None:
    account = decode_event(encode({"type": "account", "id": "b", "declared_age": 30}))
    state, _ = decided([*talk(*LETS_ON), account])
    facts = state.accounts.get("b")
    assert facts is not None
    assert facts.heard
    assert not taken_for_minor(facts, Settings())


@pytest.mark.parametrize(
    ("answer", "seconds", "heard"),
    [
        ("12", 60, True),
        ("im 13 u", 60, True),
        ("14, second year", 90, True),
        ("12", ANSWER_SECONDS + 60, False),
        ("10 years ago there was none of that", 60, False),
        ("25", 60, False),
        ("at 12 then", 60, False),
    ],
)
def test_a_number_is_an_age_after_a_question_for_it(answer: str, seconds: int, heard: bool) -> None:
    asked = said(0, "a", "hey how old are you?")
    state, _ = decided([asked, said(1, "b", answer, seconds=seconds)], meaning=False)
    facts = state.accounts.get("b")
    assert (facts is not None and taken_for_minor(facts, Settings())) is heard


def test_in_a_room_who_is_taken_for_a_child_is_the_one_addressed() -> None:
    lines = [("b", LETS_ON[0]), ("c", "nice weather here"), ("b", LETS_ON[1]), ("c", "good evening all")]
    events: list[Event] = [said(n, who, text, room="r") for n, (who, text) in enumerate(lines)]
    events += [said(10 + n, "a", text, room="r") for n, text in enumerate(PRESSED)]
    _, made = decided(events)
    assert {d.target for d in made if d.actor == "a" and d.reasons} == {"b"}


@given(
    st.lists(
        st.sampled_from(
            [*LETS_ON, "im 13", "recess", "my teacher", "ask my dad", "detention", "12", "hello"]
        ),
        max_size=30,
    )
)
def test_what_is_kept_is_bounded_and_repetition_counts_less(lines: list[str]) -> None:
    state, _ = decided([said(number, "b", text) for number, text in enumerate(lines)], meaning=False)
    facts = state.accounts.get("b") or Facts()
    assert len(facts.heard) <= MOST
    by_signal: dict[str, list[Heard]] = {}
    for one in facts.heard:
        by_signal.setdefault(one.signal, []).append(one)
    for same in by_signal.values():
        assert len(same) <= EACH
        assert [s.milli for s in same] == sorted((s.milli for s in same), reverse=True)
    assert len(encode(facts)) < 1024
