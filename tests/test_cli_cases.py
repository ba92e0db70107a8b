"""The commands about cases, as a user runs them."""

import json
from pathlib import Path

import pytest

from casebook_cases import put, said
from test_cli import underwing
from underwing.casebook.cases import Casebook
from underwing.casebook.context import ContextBuffer
from underwing.casebook.database import Database
from underwing.casebook.guide import IN, load_guide
from underwing.casebook.vault import Home


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    context, database = ContextBuffer(":memory:", bytes(32)), Database(tmp_path / "c.db")
    home = Home.ensure(tmp_path / "vault", database)
    with Casebook(database, context=context, keys=home.keys) as book:
        book.keep([(said("m1", "a", "k", "look \x1b[31m\u202ehere"), "")])
        put(book, "m1", "a", "k", "threat deadline")
        put(book, "m2", "b", "z")
    database.close()
    return tmp_path


def run(folder: Path, *arguments: str, code: int = 0) -> str:
    return underwing("cases", *arguments, "--casebook", str(folder / "c.db"), cwd=folder, code=code)


def test_a_case_from_the_queue_to_its_end(folder: Path) -> None:
    assert [json.loads(one)["priority"] for one in run(folder, "list", "--json").splitlines()] == [
        "imminent",
        "early",
    ]
    assert json.loads(run(folder, "take", "--as", "ann", "--json"))["id"] == 1
    assert "taken by ann" in run(folder, "release", "1", "--as", "bob", code=2)
    assert "case 1: taken" in run(folder, "hand-over", "1", "bob", "--as", "ann")
    run(folder, "release", "1", "--as", "bob")
    run(folder, "merge", "1", "2", "--why", "one person", "--as", "ann")
    assert "was merged into case 1" in run(folder, "take", "2", code=2)
    run(folder, "split", "1", "m2", "--why", "two people", "--as", "ann")
    run(folder, "note", "1", "called the school", "--as", "ann")
    run(folder, "close", "1", "--outcome", "harm", "--reason", "seen", "--as", "ann")
    run(folder, "undo", "1", "--as", "ann")
    run(folder, "close", "1", "--outcome", "no_harm", "--reason", "a song", "--as", "ann")
    (label,) = [json.loads(one) for one in run(folder, "labels").splitlines()]
    assert (label["event"], label["harm"]) == ("m1", False)
    assert run(folder, "labels", "--negatives") == ""
    run(folder, "reopen", "1", "--why", "no song", "--as", "cem")
    acts = [json.loads(one) for one in run(folder, "history", "1", "--json").splitlines()]
    assert [(a["who"], a["what"]) for a in acts][1:] == [
        ("ann", "took"), ("ann", "handed_over"), ("bob", "released"), ("ann", "merged"), ("ann", "split"),
        ("ann", "noted"), ("ann", "closed"), ("ann", "undid"), ("ann", "closed"), ("cem", "reopened"),
    ]  # fmt: skip
    assert "imminent" in run(folder, "list", "--state", "all")


def test_show_keeps_text_back_unless_asked_and_obeys_none(folder: Path) -> None:
    shown = run(folder, "show", "1")
    assert "suspects: a" in shown
    assert "potential victims: k" in shown
    assert "look" not in shown
    text = run(folder, "show", "1", "--text")
    assert "a: look \\u001b[31m\\u202ehere" in text
    assert "\x1b" not in text
    assert json.loads(run(folder, "show", "1", "--json"))["events"][0]["event"] == "m1"
    (folder / "vault" / "vault.key").rename(folder / "moved")
    assert "vault.key" in run(folder, "show", "1", "--text", code=2)


@pytest.mark.parametrize(
    "arguments",
    [
        ("show", "9"),
        ("history", "9"),
        ("list", "--state", "odd"),
        ("open", "--why", "x"),
        ("open", "--why", "x", "--actor", "a", "--priority", "odd"),
        ("close", "1", "--outcome", "odd", "--reason", "x"),
        ("split", "1", "m9", "--why", "x"),
    ],
)
def test_mistakes_are_told_in_one_line(folder: Path, arguments: tuple[str, ...]) -> None:
    assert "error:" in run(folder, *arguments, code=2)


def test_no_casebook_yet(tmp_path: Path) -> None:
    assert "no such casebook" in run(tmp_path, "list", code=2)
    assert json.loads(run(tmp_path, "open", "--why", "a call", "--actor", "a", "--json"))["origin"] == "hand"


def test_the_guide() -> None:
    told = underwing("guide")
    guide = load_guide()
    for step in guide.step:
        assert step.title in told
        assert step.do
        assert step.never
        assert set(step.sources) <= set(guide.source)
    assert {key for step in guide.step for key in step.sources} == set(guide.source)
    for must in ("confront", "investigate", "forward", "delete"):
        assert any(must in line for step in guide.step for line in step.never), must
    assert json.loads(underwing("guide", "danger", "--json"))["id"] == "danger"
    assert "known are" in underwing("guide", "nothing", code=2)


def test_the_guide_is_the_same_in_every_language() -> None:
    ours = load_guide()
    for language in IN:
        other = load_guide(language)
        assert set(other.source) == set(ours.source)
        shape = [(s.id, len(s.do), len(s.never), s.sources) for s in ours.step]
        assert [(s.id, len(s.do), len(s.never), s.sources) for s in other.step] == shape
        assert other.checked == ours.checked
        assert language == "en" or not {s.title for s in other.step} & {s.title for s in ours.step}
