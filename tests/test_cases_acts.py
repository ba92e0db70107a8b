"""What people do with cases and undo, and ten of them at once."""

import threading
from multiprocessing import get_context

import pytest
from sqlalchemy import update

from casebook_cases import Clock, decision, put, said, taken
from test_cases import roles
from underwing.casebook.cases import Casebook, CaseError, Priority, Stale
from underwing.casebook.cases.tables import history
from underwing.casebook.errors import CasebookError


def test_take_release_hand_over(book: Casebook) -> None:
    put(book, "m1")
    assert book.take(1, "ann").holder == "ann"
    assert book.take(1, "ann").holder == "ann"
    with pytest.raises(Stale, match="taken by ann"):
        book.take(1, "bob")
    with pytest.raises(Stale):
        book.release(1, "bob")
    assert book.queue() == []
    assert book.hand_over(1, "ann", "bob").holder == "bob"
    assert [c.id for c in book.queue(None, holder="bob")] == [1]
    assert book.release(1, "bob").state == "open"
    assert [a.what for a in book.history(1)] == ["opened", "took", "handed_over", "released"]
    assert [a.who for a in book.history(1)] == ["underwing", "ann", "ann", "bob"]


def test_a_case_that_changed_since_it_was_shown_is_left_alone(book: Casebook) -> None:
    put(book, "m1")
    shown = book.take(1, "ann")
    put(book, "m2")
    with pytest.raises(Stale):
        book.close(1, "ann", "no_harm", "banter", shown.version)
    assert book.close(1, "ann", "no_harm", "banter").state == "closed"


@pytest.mark.parametrize(("outcome", "reason"), [("no_harm", " "), ("nonsense", "x")])
def test_closing_needs_an_outcome_and_a_reason(book: Casebook, outcome: str, reason: str) -> None:
    put(book, "m1")
    with pytest.raises(CaseError):
        book.close(1, "ann", outcome, reason)  # type: ignore[arg-type]
    assert book.queue()[0].version == book.show(1).case.version
    assert len(book.history(1)) == 1


def test_undo_each_act(book: Casebook) -> None:
    put(book, "m1")
    put(book, "m2", "b", "z")
    book.take(1, "ann")
    with pytest.raises(CaseError, match="only they"):
        book.undo(1, "bob")
    assert book.undo(1, "ann").state == "open"
    with pytest.raises(CaseError, match="nothing to undo"):
        book.undo(1, "ann")
    book.take(1, "ann")
    book.close(1, "ann", "harm", "seen")
    undone = book.undo(1, "ann")
    assert (undone.state, undone.holder, undone.outcome) == ("taken", "ann", None)
    book.merge(1, 2, "ann", "one person")
    assert {i.found.event for i in book.items(1)} == {"m1", "m2"}
    put(book, "m3", "b", "z")
    book.undo(1, "ann")
    assert {i.found.event for i in book.items(1)} == {"m1", "m3"}
    assert {i.found.event for i in book.items(2)} == {"m2"}
    assert book.show(2).case.state == "open"
    assert put(book, "m4", "b", "z") in (1, 2)


def test_split_and_its_undo(book: Casebook) -> None:
    put(book, "m1", "a", "k")
    put(book, "m2", "a", "z", "threat")
    assert book.show(1).case.priority == Priority.extortion
    for bad in ([], ["m1", "m2"], ["nothing"]):
        with pytest.raises(CaseError):
            book.split(1, bad, "ann", "two matters")
    old, new = book.split(1, ["m2"], "ann", "two matters")
    assert (old.priority, new.priority) == (Priority.early, Priority.extortion)
    assert (old.items, new.items) == (1, 1)
    assert put(book, "m3", "a", "z") == new.id
    assert put(book, "m4", "a", "k") == old.id
    book.undo(1, "ann")
    assert {i.found.event for i in book.items(1)} == {"m1", "m2", "m3", "m4"}
    with pytest.raises(CaseError, match="was merged"):
        book.take(new.id, "bob")


def test_a_merge_waits_for_whoever_reads(book: Casebook) -> None:
    put(book, "m1")
    put(book, "m2", "b", "z")
    book.take(2, "bob")
    with pytest.raises(Stale, match="taken by bob"):
        book.merge(1, 2, "ann", "same")
    with pytest.raises(CaseError):
        book.merge(1, 1, "ann", "same")
    with pytest.raises(CaseError):
        book.merge(1, 9, "ann", "same")


def test_what_comes_after_a_closing(book: Casebook, clock: Clock) -> None:
    put(book, "m1")
    book.close(1, "ann", "no_harm", "banter")
    clock.on(hours=1)
    later = {"at": said("x").at.replace(hour=14)}

    def come(event: str, cues: str = "early") -> str:
        made = book.take_in(said(event, **later), decision(event, "a", "k", cues))
        assert made is not None
        assert made.case == 1
        return made.how

    assert come("m2") == "kept"
    assert book.queue() == []
    assert come("m3", "threat") == "reopened"
    assert book.history(1)[-1].who == "underwing"
    book.close(1, "ann", "no_harm", "still banter")
    clock.on(days=8)
    later["at"] = said("x").at.replace(day=12)
    assert come("m4") == "reopened"
    book.close(1, "ann", "harm", "it was")
    clock.on(minutes=1)
    later["at"] = said("x").at.replace(day=13)
    assert come("m5") == "reopened"
    assert put(book, "n1", "a", "other") == 1


def test_what_another_pair_does_after_a_closing_is_a_new_case(book: Casebook) -> None:
    put(book, "m1")
    book.close(1, "ann", "harm", "seen")
    assert put(book, "m2", "a", "z") == 2


def test_opened_by_hand(book: Casebook) -> None:
    made = book.open("ann", "a teacher called", actor="a", target="k", priority=Priority.image, key="call-7")
    assert book.open("ann", "a teacher called", actor="a", key="call-7").how == "known"
    case = book.show(made.case).case
    assert (case.priority, case.origin, case.why) == (Priority.image, "hand", "a teacher called")
    assert roles(book, made.case) == {("a", "reported"), ("k", "victim")}
    assert put(book, "m1", "a", "k") == made.case
    with pytest.raises(CaseError):
        book.open("ann", "nobody")


def test_the_history_cannot_be_changed(book: Casebook) -> None:
    put(book, "m1")
    for statement in (update(history).values(who="x"), history.delete()):
        with pytest.raises(CasebookError, match="only grows"):
            book.database.run(statement)


# -- many at once -------------------------------------------------------------------------------------------------


def reviewer(path: str, who: str, out: "object") -> None:
    mine = []
    with Casebook(path) as book:
        while (case := book.take_next(who)) is not None:
            mine.append(case.id)
            book.close(case.id, who, "no_harm", f"looked at by {who}")
    out.put((who, mine))  # type: ignore[attr-defined]


def test_ten_reviewers_in_processes_of_their_own(casebook_address: str) -> None:
    path, context = casebook_address, get_context("spawn")
    with Casebook(path) as book:
        book.take_in_all([taken(f"m{n}", f"a{n}", f"k{n}") for n in range(100)])
    results = context.Queue()
    workers = [context.Process(target=reviewer, args=(path, f"r{n}", results)) for n in range(3)]
    for worker in workers:
        worker.start()
    threads = [threading.Thread(target=reviewer, args=(path, f"t{n}", results)) for n in range(7)]
    for thread in threads:
        thread.start()
    done = dict(results.get(timeout=120) for _ in range(10))
    for worker in [*workers, *threads]:
        worker.join(60)
    assert sorted(case for mine in done.values() for case in mine) == list(range(1, 101))
    with Casebook(path) as book:
        for who, mine in done.items():
            for case in mine:
                acts = [(a.who, a.what) for a in book.history(case)]
                assert acts == [("underwing", "opened"), (who, "took"), (who, "closed")]
