"""The state machine of appeals, the statement of reasons, the statistics: all pure."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from casebook_cases import decision, reason
from underwing.casebook.appeals import machine
from underwing.casebook.appeals.figures import Outline, figures
from underwing.casebook.appeals.statement import Given, statement
from underwing.casebook.appeals.tokens import hash_of, make
from underwing.casebook.appeals.values import VERDICTS, Appeal, AppealError, NotYou
from underwing.model import Decision, Reason

NEW = Appeal(id="a1", kind="decision", account="kim", filed=100, due=200, event="m1", case=3)
WHO = st.sampled_from(["anna", "ben", "cleo", ""])
STEPS = st.lists(
    st.tuples(st.sampled_from(["take", "release", *VERDICTS]), WHO, st.booleans(), st.booleans()), max_size=25
)


@given(STEPS, st.frozensets(st.sampled_from(["anna", "ben"]), max_size=2), st.none() | st.integers(95, 125))
def test_whatever_is_tried_the_rules_hold(
    steps: list[tuple[str, str, bool, bool]], deciders: frozenset[str], alone_from: int | None
) -> None:
    appeal, told = NEW, 0
    for at, (what, who, says_why, false) in enumerate(steps, 101):
        before = appeal
        try:
            if what == "take":
                appeal = machine.take(appeal, who, deciders, at, alone_from)
            elif what == "release":
                appeal = machine.release(appeal, who)
            else:
                said = "because" if says_why else " "
                appeal = machine.decide(
                    appeal, who, deciders, what, reason=said, answer=said, at=at, match_false=false,
                    alone_from=alone_from,
                )  # fmt: skip
                told += 1
        except AppealError:
            assert appeal is before
        alone = alone_from is not None and at >= alone_from
        if appeal is not before:
            assert alone or not {appeal.holder, appeal.decided_by} & deciders
        assert appeal.alone == (appeal.decided_by in deciders)
        assert (appeal.state == "taken") == bool(appeal.holder)
        assert appeal.open == (appeal.decided is None) == (not appeal.decided_by) == (not appeal.answer)
        assert not appeal.match_false or appeal.state == "reversed"
        assert before.open or appeal == before
    assert told <= 1


def test_who_decided_first_may_not_even_take_it() -> None:
    with pytest.raises(NotYou):
        machine.take(NEW, "anna", {"anna"}, 101)
    taken = machine.take(NEW, "ben", {"anna"}, 101)
    with pytest.raises(NotYou):  # since then ben has closed the case
        machine.decide(taken, "ben", {"anna", "ben"}, "upheld", reason="r", answer="a", at=101)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"reason": ""}, "reason is missing"), ({"answer": "\n"}, "answer"), ({"reason": "x" * 5001}, "at most"),
        ({"verdict": "sorry"}, "unknown verdict"), ({"verdict": "upheld", "match_false": True}, "reversed"),
    ],
)  # fmt: skip
def test_a_decision_needs_its_parts(more: dict[str, object], said: str) -> None:
    taken = machine.take(NEW, "ben", set(), 101)
    values = {"verdict": "reversed", "reason": "r", "answer": "a", "at": 101} | more
    with pytest.raises(AppealError, match=said):
        machine.decide(taken, "ben", set(), **values)  # type: ignore[arg-type]


# -- the statement ------------------------------------------------------------------------------------------


def known(source: str = "secretlist/entry-77: csam, distance 12, mirrored") -> Reason:
    return msgspec.structs.replace(reason("known", "m1"), source=source)


@pytest.mark.parametrize(
    ("made", "facts", "measures"),
    [
        (decision("m1", cues="threat deadline", actions=("open_case", "hold_message")), ("messages",), ("message_held",)),
        (decision("m1", cues="", reasons=(known(),), actions=("hold_media",)), ("known_file",), ("file_held",)),
        (decision("m1", cues="reported"), ("conduct",), ()),
        (decision("m1", cues="early reported"), ("messages",), ()),
        (decision("m1", test=True), ("test",), ()),
        (decision("m1", actions=("slow_contact", "limit_contact")), ("messages",), ("contact_limited",)),
    ],
)  # fmt: skip
def test_it_says_in_general_what_and_why(
    made: Decision, facts: tuple[str, ...], measures: tuple[str, ...]
) -> None:
    told = statement(made, Given(), decided=1_000_000, person=False)
    assert (told.facts, told.measures, told.by, told.detection) == (facts, measures, "automated", True)


NAMES = st.text("abcdefghij", min_size=12, max_size=20)


@given(
    NAMES,
    NAMES,
    NAMES,
    NAMES,
    st.lists(st.sampled_from(["early", "threat", "known", "reported"]), max_size=4),
)
def test_it_gives_away_nothing(account: str, other: str, bank: str, rule: str, cues: list[str]) -> None:
    made = decision(
        "event-of-another", account, other, cues=" ".join(cues), help=(other,), withheld=("page",)
    )
    reasons = tuple(
        msgspec.structs.replace(r, source=bank, signal=f"{r.signal}.{rule}") for r in made.reasons
    )
    made = msgspec.structs.replace(made, reasons=reasons, score=7.25)
    told = msgspec.json.encode(
        statement(made, Given(clause="Rule 4"), decided=1_000_000, person=True)
    ).decode()
    for secret in (account, other, bank, rule, "event-of-another", "7.25", "reported", "report"):
        assert secret not in told
    assert "Rule 4" in told


def test_a_report_cannot_be_read_from_it() -> None:
    """Whether somebody reported changes nothing of what is told."""
    for cues in ("early", "threat deadline", "known"):
        told = [
            statement(decision("m1", cues=c), Given(), decided=0, person=False)
            for c in (cues, f"{cues} reported")
        ]
        assert told[0] == told[1]


def test_the_hour_of_the_decision_is_not_told() -> None:
    assert statement(None, Given(), decided=86_400 * 3 + 7777, person=True).decided == 86_400 * 3


# -- tokens and figures -------------------------------------------------------------------------------------


def test_tokens_differ_and_only_their_hash_is_kept() -> None:
    tokens = {make() for _ in range(200)}
    assert len({hash_of(token) for token in tokens}) == 200
    assert all(token not in str(hash_of(token)) for token in tokens)
    assert [hash_of(bad) for bad in ("", "x" * 42, "x" * 44, "é" * 43, " " * 43)] == [None] * 5


def test_the_figures() -> None:
    made = [
        Outline("decision", "upheld", 0, 100), Outline("decision", "reversed", 0, 300),
        Outline("detection", "partly", 50, 250), Outline("decision", "waiting", 0, None),
    ]  # fmt: skip
    found = figures(made)
    assert (found.filed, found.open, found.upheld, found.partly, found.reversed) == (4, 1, 1, 1, 1)
    assert found.overturned == pytest.approx(2 / 3)
    assert found.seconds == 200
    assert figures([]).overturned is None
