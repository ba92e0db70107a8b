"""Appeals over a casebook, on both databases: tokens, filing, another person, and what a reversal corrects."""

import threading
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from casebook_cases import NOW, Clock, decision, put, sent
from underwing.casebook.appeals import AppealError, Appeals, Given, NotYou, statement
from underwing.casebook.appeals.appeals import DAY, DUE, RETRY
from underwing.casebook.cases import Casebook
from underwing.casebook.database import Database
from underwing.model import MediaMatch, encode

CSAM = MediaMatch(bank="list", entry="e1", label="csam", signal="pdq", distance=8)


class House:
    """A casebook with appeals, and what was written to the custody log."""

    def __init__(self, database: Database) -> None:
        self.clock, self.log = Clock(), list[tuple[str, str, str, dict[str, Any]]]()
        self.book = Casebook(database, clock=self.clock)
        self.appeals = Appeals(database, self.book, lambda *record: self.log.append(record), clock=self.clock)

    def closed(self, event: str = "m1", outcome: str = "harm", **more: Any) -> int:
        case = put(self.book, event, **more)
        self.book.close(case, "anna", outcome, "seen")  # type: ignore[arg-type]
        return case

    def filed(self, event: str = "m1", kind: str = "decision", account: str = "a") -> str:
        told = statement(decision(event), Given(), decided=NOW, person=True)
        _, grant = self.appeals.grant(account, event=event, statement=told)
        return self.appeals.file(grant, kind, "It was not me.").id  # type: ignore[arg-type]

    def decided(self, id: str, verdict: str, who: str = "ben", **more: Any) -> None:
        self.appeals.take(id, who)
        self.appeals.decide(id, who, verdict, reason="looked again", answer="We were wrong.", **more)  # type: ignore[arg-type]

    def head(self, case: int) -> Any:
        return self.book.case(case)

    def did(self, case: int) -> list[str]:
        return [act.what for act in self.book.history(case)]


@pytest.fixture
def house(casebook_database: Database) -> House:
    return House(casebook_database)


# -- tokens and filing ------------------------------------------------------------------------------------------


def test_a_token_stands_for_one_decision_until_it_runs_out(house: House) -> None:
    put(house.book, "m1")
    token, grant = house.appeals.grant(
        "a", event="m1", statement=statement(decision("m1"), Given(), decided=NOW, person=False), days=10
    )
    assert house.appeals.find(token) == grant
    assert (grant.account, grant.event, grant.case, grant.expires) == ("a", "m1", 1, NOW + 10 * DAY)
    assert house.appeals.find(token[:-1] + ("A" if token[-1] != "A" else "B")) is None
    assert house.appeals.find("") is None
    house.clock.on(days=10)
    assert house.appeals.find(token) is None
    for days in (0, 401):
        with pytest.raises(AppealError, match="from 1 to"):
            house.appeals.grant("a", days=days)


def test_one_of_each_kind_for_each_token(house: House) -> None:
    put(house.book, "m1")
    _, grant = house.appeals.grant(
        "a", event="m1", statement=statement(decision("m1"), Given(), decided=NOW, person=False)
    )
    first = house.appeals.file(grant, "decision", "  no\x00t me  ")
    assert (first.case, first.event, first.text, first.due) == (1, "m1", "no\x00t me", NOW + DUE)
    assert house.appeals.get(first.id) == first
    with pytest.raises(AppealError, match="already"):
        house.appeals.file(grant, "decision", "again")
    other = house.appeals.file(grant, "detection", "you read everything")
    assert (other.case, other.event) == (None, "")
    assert [appeal.kind for appeal in house.appeals.filed(grant)].count("detection") == 1
    for text in ("", "   ", "x" * 5001):
        with pytest.raises(AppealError, match="write from"):
            house.appeals.file(grant, "detection", text)
    _, bare = house.appeals.grant("a")
    with pytest.raises(AppealError, match="no decision"):
        house.appeals.file(bare, "decision", "hello")


# -- another person ---------------------------------------------------------------------------------------------


def test_who_closed_the_case_may_not_decide_and_who_closes_it_meanwhile_neither(house: House) -> None:
    case = house.closed()
    id = house.filed()
    with pytest.raises(NotYou):
        house.appeals.take(id, "anna")
    house.appeals.take(id, "ben")
    house.book.reopen(case, "ben", "look again")
    house.book.close(case, "ben", "harm", "still")
    with pytest.raises(NotYou):
        house.appeals.decide(id, "ben", "upheld", reason="r", answer="a")
    assert house.appeals.get(id).state == "taken"


def test_who_holds_the_case_may_not_decide(house: House) -> None:
    case = put(house.book, "m1")
    house.book.take(case, "cleo")
    with pytest.raises(NotYou):
        house.appeals.take(house.filed(), "cleo")


def test_a_merged_case_brings_its_deciders(house: House) -> None:
    first = house.closed("m1")
    second = put(house.book, "m2", "b", "k9")
    house.book.reopen(first, "anna", "merge")
    house.book.merge(second, first, "dora", "same matter")
    house.book.close(second, "dora", "harm", "seen")
    with pytest.raises(NotYou):
        house.appeals.take(house.filed(), "dora")


def test_who_is_alone_may_look_again_later_and_it_is_said(house: House) -> None:
    here = {"anna", "ben"}
    house.appeals = Appeals(
        house.book.database, house.book, lambda *record: house.log.append(record), clock=house.clock, able=lambda: here
    )  # fmt: skip
    house.closed()
    id = house.filed()
    grant = house.appeals.grant("a", event="m1")[1]
    with pytest.raises(NotYou):
        house.appeals.take(id, "anna")
    assert house.appeals.independent(grant)
    here.remove("ben")
    assert not house.appeals.independent(grant)
    with pytest.raises(AppealError, match="in 72 hours") as refused:
        house.appeals.take(id, "anna")
    assert (refused.value.key, refused.value.values) == ("too_soon", {"hours": 72})
    house.clock.on(days=3)
    house.appeals.take(id, "anna")
    here.add("cleo")
    with pytest.raises(NotYou):  # somebody else is there now
        house.appeals.decide(id, "anna", "upheld", reason="r", answer="a")
    house.appeals.release(id, "anna")
    here.remove("cleo")
    house.decided(id, "upheld", "anna")
    appeal = house.appeals.get(id)
    assert (appeal.alone, house.log[-1][3]["independent"]) == (True, False)
    house.closed("m2", actor="b", target="k9")
    other = house.filed("m2", account="b")
    house.decided(other, "reversed", "dora")
    assert (house.appeals.get(other).alone, house.log[-1][3]["independent"]) == (False, True)
    sums = house.appeals.figures(0, house.appeals._now() + 1)
    assert (sums.filed, sums.open, sums.alone) == (2, 0, 1)


def test_ten_at_once_take_it_once(house: House) -> None:
    house.closed()
    id, taken = house.filed(), list[str]()

    def take(who: str) -> None:
        try:
            house.appeals.take(id, who)
            taken.append(who)
        except AppealError:
            pass

    threads = [threading.Thread(target=take, args=(f"p{n}",)) for n in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [house.appeals.get(id).holder] == taken


# -- what follows -------------------------------------------------------------------------------------------------


def test_a_reversal_corrects_the_case_and_its_labels(house: House) -> None:
    case = house.closed()
    id = house.filed()
    assert [label.harm for label in house.book.labels()] == [True]
    house.decided(id, "reversed")
    head = house.head(case)
    assert (head.state, head.outcome) == ("closed", "no_harm")
    assert house.did(case)[-1] == "corrected"
    assert [label.harm for label in house.book.labels()] == [False]
    assert house.appeals.pending(id) == ["engine", "platform"]
    assert [record[1] for record in house.log] == ["appeal.take", "appeal.decide"]
    with pytest.raises(AppealError):
        house.appeals.decide(id, "ben", "upheld", reason="r", answer="a")
    with pytest.raises(Exception, match="nothing to undo"):
        house.book.undo(case, "ben")


def test_a_false_match_is_suggested_for_the_negative_banks(house: House) -> None:
    made = decision("m1", cues="known", actions=("open_case", "hold_media"))
    house.book.take_in(sent("m1", "ab" * 32, matches=[CSAM]), encode(made))
    house.book.close(1, "anna", "harm", "known")
    id = house.filed()
    house.decided(id, "reversed", match_false=True)
    assert house.head(1).outcome == "false_match"
    assert [negative.sha256 for negative in house.book.negatives()] == ["ab" * 32]
    assert house.appeals.pending(id) == ["engine", "bank", "platform"]


@pytest.mark.parametrize("verdict", ["upheld", "partly"])
def test_otherwise_the_finding_stands(house: House, verdict: str) -> None:
    case = house.closed()
    id = house.filed()
    house.decided(id, verdict)
    assert house.head(case).outcome == "harm"
    assert house.did(case)[-1] == "noted"
    assert house.appeals.pending(id) == ["platform"]


def test_a_case_with_others_in_it_is_not_corrected_for_one_of_them(house: House) -> None:
    case = put(house.book, "m1", "a", "k")
    put(house.book, "m2", "b", "k")
    if house.head(case).items == 1:
        house.book.merge(case, 2, "anna", "same child")
    house.book.close(case, "anna", "harm", "seen")
    id = house.filed()
    house.decided(id, "reversed")
    assert house.head(case).outcome == "harm"
    assert "reversed" in house.book.history(case)[-1].detail["text"]
    assert [item.found.event for item in house.appeals.matter(house.appeals.get(id)).items] == ["m1"]


def test_an_open_case_gets_a_note_for_whoever_holds_it(house: House) -> None:
    case = put(house.book, "m1")
    house.book.take(case, "cleo")
    house.decided(house.filed(), "reversed")
    assert (house.head(case).state, house.head(case).holder) == ("taken", "cleo")
    assert house.did(case)[-1] == "noted"


def test_a_complaint_about_detection_changes_no_case(house: House) -> None:
    case = house.closed()
    id = house.filed(kind="detection")
    house.decided(id, "reversed", who="anna")
    assert house.head(case).outcome == "harm"
    assert house.appeals.pending(id) == ["platform"]


def test_a_decision_that_cannot_be_logged_is_not_taken(casebook_database: Database) -> None:
    house = House(casebook_database)
    case = house.closed()
    id = house.filed()
    house.appeals.take(id, "ben")

    def full(*_: object) -> None:
        raise OSError("no space")

    house.appeals._audit = full
    with pytest.raises(OSError, match="no space"):
        house.appeals.decide(id, "ben", "reversed", reason="r", answer="a")
    assert house.appeals.get(id).state == "taken"
    assert house.head(case).outcome == "harm"
    assert house.appeals.pending(id) == []


def test_what_follows_is_tried_until_it_is_done(house: House) -> None:
    house.closed()
    house.decided(house.filed(), "upheld")
    for gap in (*RETRY, RETRY[-1]):
        [follow] = house.appeals.follows()
        house.appeals.failed(follow)
        house.clock.on(seconds=gap - 1)
        assert house.appeals.follows() == []
        house.clock.on(seconds=1)
    [follow] = house.appeals.follows()
    house.appeals.done(follow)
    house.clock.on(days=30)
    assert house.appeals.follows() == []
    assert house.appeals.pending(follow.appeal) == []


def test_the_queue_and_the_figures(house: House) -> None:
    for n in range(5):
        house.closed(f"m{n}", actor=f"a{n}", target=f"k{n}")
    ids = []
    for n in range(5):
        house.clock.on(hours=1)
        ids.append(house.filed(f"m{n}", account=f"a{n}"))
    assert [appeal.id for appeal in house.appeals.queue()] == ids
    second = house.appeals.queue(limit=2)[-1]
    assert [appeal.id for appeal in house.appeals.queue(after=(second.due, second.id))] == ids[2:]
    for id, verdict in zip(ids, ("upheld", "partly", "reversed"), strict=False):
        house.decided(id, verdict)
    sums = house.appeals.figures(NOW, NOW + DAY)
    assert (sums.filed, sums.open, sums.upheld, sums.partly, sums.reversed) == (5, 2, 1, 1, 1)
    assert sums.overturned == pytest.approx(2 / 3)
    assert house.appeals.figures(NOW + DAY, NOW + 2 * DAY).filed == 0
    assert [appeal.case for appeal in house.appeals.of_case(1)] == [1]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["take", "release", "upheld", "reversed", "close", "reopen"]),
        st.sampled_from(["anna", "ben", "cleo"]),
    ),
    max_size=15,
)


@given(STEPS)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nobody_ever_decides_about_their_own_decision(steps: list[tuple[str, str]]) -> None:
    database = Database(":memory:")
    try:
        house = House(database)
        case = house.closed()
        id = house.filed()
        closers = {"anna"}
        for what, who in steps:
            try:
                if what in ("take", "release"):
                    getattr(house.appeals, what)(id, who)
                elif what == "close":
                    house.book.close(case, who, "harm", "seen")
                    closers.add(who)
                elif what == "reopen":
                    house.book.reopen(case, who, "again")
                else:
                    house.appeals.decide(id, who, what, reason="r", answer="a")  # type: ignore[arg-type]
                    assert who not in closers
                    break
            except RuntimeError:
                pass
        appeal = house.appeals.get(id)
        assert appeal.decided_by not in closers
        assert (appeal.decided is None) == (house.appeals.pending(id) == [])
    finally:
        database.close()
