"""Cases: what gathers, what is said of people, what comes first, what goes back to the engine."""

from pathlib import Path

import pytest

from casebook_cases import NOW, Clock, decision, put, reason, report, said, sent
from underwing.casebook.cases import Casebook, CaseError, Marks, Priority, findings
from underwing.casebook.errors import CasebookError
from underwing.model import Decision, MediaMatch, encode

SHA = "ab" * 32


def because(book: Casebook, event: str) -> list[tuple[str, str]]:
    item = book.where(event)
    assert item is not None
    return [(b.kind, b.event) for b in item.because]


def roles(book: Casebook, case: int) -> set[tuple[str, str]]:
    return {(p.account, p.role) for p in book.show(case).people}


# -- what gathers -------------------------------------------------------------------------------------------


def test_only_what_asks_for_a_case_makes_one(book: Casebook) -> None:
    assert book.take_in(said("m1"), decision("m1", actions=("nudge_child",))) is None
    assert book.take_in(said("m2"), decision("m2", actions=("page",))) is not None
    held_back = decision("m3", actions=(), withheld=("open_case",), shadow=("open_case",))
    assert book.wants(said("m3"), encode(held_back))
    assert book.take_in(said("m3"), held_back) is None


def test_a_classifiers_guess_makes_a_case_without_a_suspect(book: Casebook) -> None:
    guess = reason("guess", "p1", 0.0)
    made = decision("p1", level="none", stage="guessed_media", reasons=(guess,))
    item = book.take_in(sent("p1", SHA), made)
    assert item is not None
    assert roles(book, item.case) == {("a", "bystander"), ("k", "victim")}
    assert book.show(item.case).case.priority == Priority.early


def test_a_decision_delivered_twice_changes_nothing(book: Casebook) -> None:
    first = book.take_in(said("m1"), decision("m1"))
    before = book.show(1), book.items(1), book.history(1)
    again = book.take_in(said("m1", "x", "y"), decision("m1", "x", "y", "threat deadline"))
    assert first is not None
    assert again is not None
    assert (first.how, again.how, again.case) == ("opened", "known", first.case)
    assert (book.show(1), book.items(1), book.history(1)) == before


@pytest.mark.parametrize(
    ("second", "kind"),
    [
        (("m2", "a", "k"), "pair"),
        (("m2", "a", "z"), "actor"),
        (("m2", "b", "k"), "target"),
        (("m2", "b", "z"), None),
    ],
)
def test_same_accounts_gather_and_say_why(
    book: Casebook, second: tuple[str, str, str], kind: str | None
) -> None:
    put(book, "m1")
    case = put(book, *second)
    assert (case == 1) == (kind is not None)
    assert because(book, "m1") == []
    assert (because(book, "m2") or [(None, "")])[0] == ((kind, "m1") if kind else (None, ""))


@pytest.mark.parametrize(
    ("first", "second", "kind"),
    [
        (Marks(payments=(7,)), Marks(payments=(8, 7)), "payment"),
        (Marks(handles=(7,)), Marks(handles=(7,)), "handle"),
        (Marks(payments=(7,)), Marks(handles=(7,)), None),
        (Marks(script=0xF0F0F0F0F0F0F0F0), Marks(script=0xF0F0F0F0F0F0F0F7), "script"),
        (Marks(script=0xF0F0F0F0F0F0F0F0), Marks(script=0xF0F1F0F1F0F1F0F0), "script"),
        (Marks(script=0xF0F0F0F0F0F0F0F0), Marks(script=0xF0F0F0F0F0F0F0FF), None),
        (Marks(script=0), Marks(script=0), None),
    ],
)
def test_same_marks_gather(book: Casebook, first: Marks, second: Marks, kind: str | None) -> None:
    put(book, "m1", "a", "k", marks=first)
    put(book, "m2", "b", "z", marks=second)
    assert because(book, "m2") == ([(kind, "m1")] if kind else [])


def test_same_media_and_same_entry_gather(book: Casebook) -> None:
    match = MediaMatch(bank="own", entry="7", label="csam", signal="pdq", distance=3)
    book.take_in(sent("m1", SHA, "a", "k", [match]), decision("m1", "a", "k", "known"))
    book.take_in(sent("m2", SHA, "b", "y", [match]), decision("m2", "b", "y", "known"))
    book.take_in(sent("m3", "cd" * 32, "c", "z", [match]), decision("m3", "c", "z", "known"))
    assert [kind for kind, _ in because(book, "m2")] == ["media", "entry"]
    assert [kind for kind, _ in because(book, "m3")] == ["entry"]
    assert book.show(1).case.priority == Priority.known


def test_two_cases_tied_by_one_event_are_related_and_not_merged(book: Casebook) -> None:
    put(book, "m1", "a", "k", marks=Marks(payments=(1,)))
    put(book, "m2", "b", "z", marks=Marks(payments=(2,)))
    assert put(book, "m3", "a", "y", marks=Marks(payments=(2,))) == 1
    (relation,) = book.show(1).relations
    assert (relation.other, relation.kind, relation.event) == (2, "payment", "m3")
    assert book.show(2).relations[0].other == 1


def test_a_huge_case_gathers_by_the_actor_only(book: Casebook) -> None:
    for number in range(120):
        assert put(book, f"m{number}", f"a{number}", f"k{number}", marks=Marks(handles=(1,))) == 1 + (
            number >= 100
        )
    assert put(book, "more", "a0", "new", marks=Marks(handles=(1,))) == 1


def test_test_phrases_gather_among_themselves(book: Casebook) -> None:
    put(book, "m1", "a", "k")
    case = put(book, "t1", "a", "k", test=True)
    assert case == 2
    assert put(book, "t2", "a", "k", test=True) == 2
    assert put(book, "m2", "a", "k") == 1
    assert book.show(2).case.test
    with pytest.raises(CaseError, match="test case"):
        book.merge(1, 2, "ann", "same")


# -- people -------------------------------------------------------------------------------------------------


def test_a_child_is_never_a_suspect_for_what_victims_say(book: Casebook) -> None:
    cues = "plead refuse harm protect"
    case = put(book, "m1", "k", "a", cues)
    assert ("k", "suspect") not in roles(book, case)
    book.take_in(said("m2", "k", "a"), decision("m2", None, None, "", help=("k",), actions=("open_case",)))
    assert {role for account, role in roles(book, 1) if account == "k"} <= {"victim", "bystander"}


def test_a_report_alone_makes_no_suspect(book: Casebook) -> None:
    made = book.take_in(report("r1", "k", "a"), decision("r1", "a", "k", "reported", actions=()))
    assert made is not None
    assert roles(book, made.case) == {("a", "reported"), ("k", "victim")}
    case = book.show(made.case).case
    assert (case.origin, case.priority, case.why) == ("report", Priority.early, "scary")
    put(book, "m1", "a", "k", "image")
    assert ("a", "suspect") in roles(book, made.case)


def test_reports_can_be_left_out(tmp_path: Path) -> None:
    with Casebook(tmp_path / "c.db", reports=False) as book:
        assert book.take_in(report("r1"), decision("r1", "a", "k", "reported", actions=())) is None


def test_bystanders_are_kept_apart_and_bounded() -> None:
    crowd = said("m1", "a", "k").__class__(
        id="m1", at=said("m1").at, surface="group", conversation="g", sender="a",
        to=["k", *(f"x{n}" for n in range(500))], text="hello",
    )  # fmt: skip
    found = findings(crowd, decision("m1"), Marks(minors={"k": True, "a": False}))
    assert {(p.account, p.role, p.minor) for p in found.people if p.role != "bystander"} == {
        ("a", "suspect", False),
        ("k", "victim", True),
    }
    assert 10 < len(found.people) < 20


def test_the_network_of_an_actor(book: Casebook) -> None:
    for number in range(5):
        put(book, f"m{number}", "a", f"k{number}", "image")
    put(book, "n1", "b", "k1", "threat")
    put(book, "o1", "stranger", "far")
    net = book.network(actor="a")
    assert {n.account for n in net.nodes} == {"a", "b", *(f"k{n}" for n in range(5))}
    assert {(e.actor, e.target) for e in net.edges} == {("b", "k1"), *(("a", f"k{n}") for n in range(5))}
    assert {n.account: n.roles for n in net.nodes}["a"] == ("suspect",)
    assert not net.more
    for number in range(300):
        put(book, f"l{number}", "a", f"many{number}")
    bounded = book.network(actor="a")
    assert bounded.more
    assert len(bounded.nodes) <= 200


# -- queue and clocks -----------------------------------------------------------------------------------------


def test_the_queue_is_ordered_and_paged(book: Casebook, clock: Clock) -> None:
    for number, cues in enumerate(["early", "threat deadline", "known", "image", "threat", "harm", "early"]):
        put(book, f"m{number}", f"a{number}", f"k{number}", cues)
        clock.on(minutes=1)
    whole = [c.id for c in book.queue()]
    assert whole == [2, 6, 5, 4, 1, 7, 3]
    place, paged = None, []
    while page := book.queue(after=place, limit=2):
        paged += [c.id for c in page]
        place = (int(page[-1].priority), page[-1].due, page[-1].opened, page[-1].id)
    assert paged == whole


def test_more_urgent_is_due_sooner_and_never_later(book: Casebook, clock: Clock) -> None:
    put(book, "m1", marks=Marks(region="DE"))
    assert book.show(1).case.due == NOW + 86_400
    clock.on(hours=2)
    put(book, "m2", cues="threat", marks=Marks(region="GB"))
    case = book.show(1).case
    assert (case.due, case.regions) == (NOW + 7200 + 1800, ("DE", "GB"))
    clock.on(hours=2)
    put(book, "m3", cues="early")
    assert book.show(1).case.due == case.due


# -- back to the engine -----------------------------------------------------------------------------------------


def test_labels_and_negatives(book: Casebook) -> None:
    match = MediaMatch(bank="own", entry="7", label="csam", signal="sha256", distance=0)
    put(book, "m1", "a", "k", "image threat")
    book.take_in(sent("m2", SHA, "b", "y", [match]), decision("m2", "b", "y", "known"))
    put(book, "m3", "c", "z")
    put(book, "t1", "d", "w", test=True)
    book.close(1, "ann", "harm", "seen")
    book.close(2, "ann", "false_match", "a cat")
    book.close(4, "ann", "test", "a test")
    found = {label.event: label for label in book.labels()}
    assert {event: label.harm for event, label in found.items()} == {"m1": True, "m2": False}
    assert [s for s, _ in found["m1"].signals] == ["en.image_request.self", "en.threat.expose"]
    (negative,) = book.negatives()
    assert (negative.bank_entry, negative.sha256, negative.event) == ("own/7", SHA, "m2")
    assert not list(book.labels(after=2))
    book.reopen(1, "ann", "look again")
    assert "m1" not in {label.event for label in book.labels()}


def test_the_decision_is_kept_as_it_was_answered(book: Casebook) -> None:
    made: Decision = decision("m1")
    book.take_in(said("m1"), encode(made))
    (item,) = book.items(1)
    assert item.decision == encode(made)


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    import sqlite3

    path = tmp_path / "other.db"
    sqlite3.connect(path).execute("CREATE TABLE t (x)")
    with pytest.raises(CasebookError, match="another program"):
        Casebook(path)
    (tmp_path / "text.db").write_text("hello " * 1000)
    with pytest.raises(CasebookError, match="cannot be opened"):
        Casebook(tmp_path / "text.db")
