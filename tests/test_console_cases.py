"""Queue and case over HTTP: who sees what, every act under what was seen, and a page that says who was faster."""

import html
import re
from typing import Any

import pytest

from console_cases import HOSTILE, MEMBERS, Console, said_at
from server_cases import event, post
from underwing.casebook.cases import Case, Casebook, Priority
from underwing.casebook.context import Line

ACTS: dict[str, dict[str, str]] = {
    "take": {}, "release": {}, "undo": {}, "note": {"text": "x"}, "close": {"outcome": "unclear", "reason": "x"},
    "hand_over": {"to": "id-senior"}, "merge": {"other": "2", "why": "x"}, "split": {"event": "m9", "why": "x"},
    "reopen": {"why": "x"},
}  # fmt: skip


def case(book: Casebook, number: int = 1) -> Case:
    found = book.case(number)
    assert found
    return found


def words(page: str) -> str:
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page)))


def test_the_queue_shows_heads_only(filled: Console) -> None:
    with filled.browser("reviewer") as client:
        page = client.get("/console/queue").text
    assert "Imminent harm" in page
    assert "10 min left" in page
    for secret in ("k2", "stranger", "dont tell", "script&gt;"):
        assert secret not in page
    assert 'href="/console/cases/1"' not in page  # nobody's case yet: a reviewer takes it first


def test_filters_and_pages_of_the_queue(filled_on_both: Console) -> None:
    filled = filled_on_both
    for number in range(120):
        filled.book.open(
            "x", "why", target=f"t{number}", priority=Priority.image if number % 2 else Priority.early
        )
    with filled.browser() as client:
        seen: list[str] = []
        path = "/console/queue?show=open"
        while path:
            page = client.get(path).text
            seen += re.findall(r'id="case-(\d+)"', page)
            more = re.search(r'href="([^"]*after=[^"]*)"', page)
            path = html.unescape(more[1]) if more else ""
        assert len(seen) == len(set(seen)) == 122
        image = client.get("/console/queue?show=open&priority=image").text
        assert image.count("Image or meeting asked</span>") == 50
        assert "Early signs</span>" not in image
        filled.book.take(1, "id-senior")
        mine = client.get("/console/queue?show=mine").text
        assert re.findall(r'id="case-(\d+)"', mine) == ["1"]
        assert "with Senior" in mine
        for bad in ("show=x", "priority=x", "after=x", "after=1-2-3", "after=1-2-3-4-5"):
            assert client.get(f"/console/queue?{bad}").status_code == 400


def test_late_is_said_in_words(filled: Console) -> None:
    filled.clock.on(hours=30)
    with filled.browser() as client:
        page = client.get("/console/queue").text
    assert re.search(r'class="badge late">1 d 5 h too late', page)


def test_taking_the_next_takes_the_first(filled: Console) -> None:
    with filled.browser("reviewer") as client:
        answer = client.send_form("/console/queue/next")
        assert answer.headers["location"].startswith("/console/cases/1?")
        assert case(filled.book).holder == "id-reviewer"
        assert client.get("/console/cases/1").status_code == 200
        client.send_form("/console/queue/next")
        answer = client.send_form("/console/queue/next")
        assert "nothing" in words(client.get(answer.headers["location"]).text).lower()
    assert ("id-reviewer", "take", "1") in filled.records()


@pytest.mark.parametrize("holder", [None, "id-reviewer", "somebody"])
def test_who_may_see_and_do_what(filled: Console, holder: str | None) -> None:
    if holder:
        filled.book.take(1, holder)
    for role in MEMBERS:
        whose = "free" if holder is None else "own" if holder == f"id-{role}" else "other"
        sees = role == "senior" or (role == "reviewer" and whose == "own")
        with filled.browser(role) as client:
            for path in ("", "/why/m9"):
                assert client.get(f"/console/cases/1{path}").status_code == (200 if sees else 403), (
                    role,
                    path,
                )
            for name in ACTS:
                unseen = whose == "free" and name in ("take", "undo")
                allowed = role == "senior" or (role == "reviewer" and (whose == "own" or unseen))
                answer = client.act(
                    case(filled.book), name, **{**ACTS[name], "version": 10**6, "acted": 10**6}
                )
                assert (answer.status_code != 403) == allowed, (role, name)
    assert case(filled.book).state in ("open", "taken")


def test_no_such_case(filled: Console) -> None:
    with filled.browser() as client:
        for number in ("999", "x", "1" * 30, "-1", "%20"):
            assert client.get(f"/console/cases/{number}").status_code == 404
        assert client.get("/console/cases/1/why/nothing").status_code == 404
        assert client.get("/console/cases/2/why/m9").status_code == 404  # the event is another case's
        assert client.get("/console/cases/1?from=x").status_code == 400


def test_the_page_says_who_why_and_what(filled: Console) -> None:
    with filled.browser() as client:
        page = client.get("/console/cases/1").text
    text = words(page)
    for needed in (
        "Is a (and 1 more) harming", "Suspects (2)", "May be harmed (3)", "minor", "everyone will see", "threat 1,2",
        "xx.threat.expose", "the same account", "message held back", "somebody woken", "opened the case", "GB",
        "+1.44", "packs",
    ):  # fmt: skip
        assert needed in text, needed
    assert "<svg" in page
    assert '<table id="net"' in page
    assert ("id-senior", "saw", "1") in filled.records(seen=True)
    assert HOSTILE not in client.headers.values()


def test_every_act_and_its_undo(filled_on_both: Console) -> None:
    filled = filled_on_both
    book = filled.book
    with filled.browser() as client:
        assert client.act(case(book), "take").status_code == 303
        assert client.act(case(book), "note", text="seen <b>it</b>\r\nall").status_code == 303
        assert "seen &lt;b&gt;it&lt;/b&gt;\nall" in client.get("/console/cases/1").text
        assert client.act(case(book), "close", outcome="harm", reason="clear").status_code == 303
        assert case(book).outcome == "harm"
        assert client.act(case(book), "reopen", why="more came").status_code == 303
        assert case(book).state == "open"
        assert client.act(case(book), "undo").status_code == 303
        assert case(book).state == "closed"
        assert client.act(case(book), "reopen", why="again").status_code == 303
        ticked = [item.found.event for item in book.items(1) if item.found.actor != "a"][:2]
        answer = client.act(case(book), "split", event=ticked, why="another man")
        new = int(answer.headers["location"].split("/")[3].partition("?")[0])
        assert {i.found.event for i in book.items(new)} == set(ticked)
        assert client.act(case(book), "merge", other=new, why="no, the same").status_code == 303
        assert case(book, new).into == 1
        answer = client.get(f"/console/cases/{new}")
        assert answer.headers["location"].startswith("/console/cases/1?did=case.was_merged")
        assert client.act(case(book), "take").status_code == 303
        assert client.act(case(book), "hand_over", to="id-reviewer").status_code == 303
        assert case(book).holder == "id-reviewer"
    done = [what for _, what, _ in filled.records()]
    assert done == [
        "take", "note", "close", "reopen", "undo", "reopen", "split", "merge", "take", "hand_over",
    ]  # fmt: skip


def test_what_cannot_be_done_is_refused_with_a_reason_and_changes_nothing(filled: Console) -> None:
    book = filled.book
    bad: list[tuple[str, dict[str, Any]]] = [
        ("close", {"outcome": "nonsense", "reason": "x"}), ("close", {"outcome": "harm", "reason": " "}),
        ("note", {"text": ""}), ("note", {"text": "x" * 10_001}), ("hand_over", {"to": "nobody"}), ("release", {}),
        ("merge", {"other": "1", "why": "x"}), ("merge", {"other": "x", "why": "x"}), ("merge", {"other": "77", "why": "x"}),
        ("split", {"why": "x"}), ("split", {"event": "nothing", "why": "x"}), ("reopen", {"why": "x"}), ("undo", {}),
        ("take", {"version": "x"}), ("take", {"acted": ""}),
    ]  # fmt: skip
    before = case(book)
    with filled.browser() as client:
        for name, fields in bad:
            answer = client.act(before, name, **fields)
            assert answer.status_code in (400, 404), (name, fields)
            assert 'role="alert"' in answer.text
    assert case(book) == before
    assert not filled.records()


def test_who_was_faster_is_said_and_nothing_typed_is_lost(filled_on_both: Console) -> None:
    filled = filled_on_both
    book, shown = filled.book, case(filled.book)
    book.take(1, "id-reviewer")
    book.note(1, "id-reviewer", "I look at this")
    with filled.browser() as client:
        answer = client.act(shown, "take")
        assert answer.status_code == 409
        text = words(answer.text)
        assert "Reviewer took the case" in text
        assert "I look at this" in text
        answer = client.act(shown, "close", outcome="harm", reason="my long reason")
        assert answer.status_code == 409
        assert "my long reason" in answer.text
        assert case(book).holder == "id-reviewer"


def test_new_events_do_not_stop_taking_but_closing_asks_again(filled: Console) -> None:
    book, shown = filled.book, case(filled.book)
    book.open("x", "a call", actor="a", target="k")
    assert case(book).version > shown.version
    with filled.browser() as client:
        assert client.act(shown, "take").status_code == 303
        taken = case(book)
        with filled.client("platform") as platform:
            post(platform, event(900, "dont tell", **said_at(59, "a", "k")))
        answer = client.act(taken, "close", outcome="harm", reason="my reason")
        assert answer.status_code == 409
        assert "new events came in" in answer.text
        fields = dict(re.findall(r'name="(version|acted|seen)" value="(\d+)"', answer.text))
        assert "my reason</textarea>" in answer.text
        assert 'value="harm" required checked' in answer.text
        assert (
            client.send_form(
                "/console/cases/1/close", outcome="harm", reason="my reason", **fields
            ).status_code
            == 303
        )
    assert case(book).state == "closed"


def test_a_case_is_opened_by_hand(filled: Console) -> None:
    with filled.browser("reviewer") as client:
        given = {
            "actor": "new man",
            "target": "",
            "why": "a call",
            "priority": "image",
            "region": "de",
            "key": "k1",
        }
        for name, value in (
            ("actor", ""),
            ("actor", "x" * 65),
            ("why", ""),
            ("region", "XXX"),
            ("priority", "x"),
        ):
            answer = client.send_form("/console/open", **{**given, name: value})
            assert answer.status_code == 400
            assert 'role="alert"' in answer.text
        assert 'value="new man"' in client.send_form("/console/open", **{**given, "why": ""}).text
        answer = client.send_form("/console/open", **given)
        assert client.send_form("/console/open", **given).headers["location"] == answer.headers["location"]
    number = int(answer.headers["location"].rpartition("=")[2])
    made = case(filled.book, number)
    assert (made.origin, made.priority, made.regions) == ("hand", Priority.image, ("DE",))


def test_undo_is_offered_where_one_lands_after_closing(filled: Console) -> None:
    with filled.browser("reviewer") as client:
        client.send_form("/console/queue/next")
        answer = client.act(case(filled.book), "close", outcome="unclear", reason="a game")
        page = client.get(answer.headers["location"]).text
        assert "Case 1 is closed." in page
        assert 'action="/console/cases/1/undo"' in page
    with filled.browser() as other:
        assert 'action="/console/cases/1/undo"' not in other.get(answer.headers["location"]).text


def test_a_page_of_a_huge_case_is_bounded(filled: Console) -> None:
    lines = [
        Line(event=f"x{n}", at=1_767_268_800 + n, sender="a", text="word " * 200, to=("k",))
        for n in range(5_000)
    ]
    filled.book.supply(1, "a-k", lines)
    with filled.browser() as client:
        page = client.get("/console/cases/1").text
        assert len(page) < 500_000
        assert page.count('<li class="line') == 200
        later = re.search(r'href="(\?from=\d+)" data-key="\]"', page)
        assert later
        assert client.get(f"/console/cases/1{later[1]}").status_code == 200


def test_closing_danger_as_harmless_takes_two(filled_on_both: Console) -> None:
    book = filled_on_both.book
    with filled_on_both.browser("reviewer") as one, filled_on_both.browser("senior") as other:
        assert one.act(case(book), "take").status_code == 303
        shown = case(book)
        answer = one.act(shown, "close", outcome="no_harm", reason="they rehearse a play")
        page = one.get(answer.headers["location"]).text
        assert "takes a second person" in page
        assert "Reviewer asked to close this case" in words(page)
        assert case(book) == shown
        assert one.act(shown, "close", outcome="no_harm", reason="again").status_code == 400
        assert one.send_form("/console/requests/1/confirm").status_code == 403
        assert other.send_form("/console/requests/1/confirm").status_code == 303
        done = case(book)
        assert (done.state, done.outcome, done.reason) == ("closed", "no_harm", "they rehearse a play")
        assert [act.who for act in book.history(1)][-1] == "id-reviewer"


def test_what_changed_meanwhile_is_not_closed_by_the_second_person(filled: Console) -> None:
    with filled.browser("reviewer") as one, filled.browser("senior") as other:
        one.act(case(filled.book), "take")
        one.act(case(filled.book), "close", outcome="no_harm", reason="they rehearse a play")
        filled.book.open("x", "a call", actor="a", target="k")
        assert other.send_form("/console/requests/1/confirm").status_code == 409
    assert case(filled.book).state == "taken"


def test_a_refusal_is_in_the_readers_language_and_names_the_colleague(filled: Console) -> None:
    book, shown = filled.book, case(filled.book)
    book.note(1, "id-reviewer", "x")
    book.take(2, "id-reviewer")
    with filled.browser("senior", headers={"accept-language": "de"}) as client:
        refused = client.act(shown, "reopen", why="x")
        assert "Fall 1 ist nicht geschlossen." in words(refused.text)
        merged = client.act(shown, "merge", other="2", why="x")
        assert "Fall 2 ist bei Reviewer." in words(merged.text) or merged.status_code == 409
