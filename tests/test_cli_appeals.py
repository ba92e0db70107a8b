"""The commands about appeals and about care, as whoever runs the machine uses them."""

import json
from pathlib import Path

import pytest

from casebook_cases import NOW, decision, put
from cli_cases import run as invoke
from underwing.casebook.appeals import Appeals, Given, statement
from underwing.casebook.cases import Casebook
from underwing.casebook.database import Database
from underwing.casebook.people import People
from underwing.casebook.vault import Home


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A case that anna closed, and an appeal about it; anna is the only one with an account."""
    database = Database(tmp_path / "c.db")
    home = Home.ensure(tmp_path / "vault", database)
    anna, _ = People(database, home.custody, home.keys).add("anna", "Anna", "senior", "cli")
    book = Casebook(database)
    appeals = Appeals(database, book, lambda *_: None)
    book.close(put(book, "m1", "kim", "sam"), anna.id, "harm", "seen")
    told = statement(decision("m1"), Given(), decided=NOW, person=True)
    appeals.file(appeals.grant("kim", event="m1", statement=told)[1], "decision", "Not me \x1b[31m\u202e.")
    (tmp_path / "anna").write_text(anna.id)
    database.close()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def underwing(*arguments: str, code: int = 0) -> str:
    done = invoke(*arguments, code=code)
    return done.stdout + done.stderr


def run(folder: Path, *arguments: str, code: int = 0, of: str = "appeals") -> str:
    return underwing(of, *arguments, "--casebook", "c.db", code=code)


def test_an_appeal_from_the_queue_to_its_end(folder: Path) -> None:
    (one,) = [json.loads(line) for line in run(folder, "list", "--json").splitlines()]
    id, anna = one["id"], (folder / "anna").read_text()
    assert (one["state"], one["account"], one["case"]) == ("waiting", "kim", 1)
    assert id in run(folder, "list")
    told = json.loads(run(folder, "show", id, "--json"))
    assert (told["events"], told["had_part"]) == (["m1"], [anna])
    assert told["alone_from"] == one["filed"] + 3 * 86_400
    shown = run(folder, "show", id)
    assert "\x1b[31m" not in shown
    assert "\u202e" not in shown
    assert "nobody else is here" in shown
    assert "look again in 72 hours" in run(folder, "take", id, "--as", anna, code=2)
    assert "nobody has taken it" in run(folder, "release", id, "--as", "ben", code=2)
    assert "taken by ben" in run(folder, "take", id, "--as", "ben")
    run(folder, "release", id, "--as", "ben")
    run(folder, "take", id, "--as", "ben", "--json")
    words = ("--reason", "a song", "--answer", "We were wrong.", "--as", "ben")
    assert "unknown verdict" in run(folder, "decide", id, "--verdict", "sorry", *words, code=2)
    assert "reversed" in run(folder, "decide", id, "--verdict", "reversed", *words)
    assert "it is decided" in run(folder, "decide", id, "--verdict", "upheld", *words, code=2)
    assert run(folder, "list") == "no appeals\n"
    assert json.loads(run(folder, "list", "--state", "all", "--json"))["state"] == "reversed"
    assert json.loads(run(folder, "show", id, "--json"))["pending"] == ["engine", "platform"]
    sums = json.loads(run(folder, "figures", "--json"))
    assert (sums["filed"], sums["reversed"], sums["overturned"], sums["alone"]) == (1, 1, 1.0, 0)
    assert "share overturned" in run(folder, "figures")
    records = [json.loads(line) for line in underwing(
        "custody", "show", "--json", "--casebook", "c.db"
    ).splitlines()]  # fmt: skip
    assert [r["facts"]["what"] for r in records if r["kind"] == "acted"] == [
        "appeal.take", "appeal.release", "appeal.take", "appeal.decide",
    ]  # fmt: skip
    assert "proven" in underwing("verify", "--casebook", "c.db")


def test_mistakes_are_told_in_a_line(folder: Path) -> None:
    assert "no appeal nothing" in run(folder, "show", "nothing", code=2)
    assert "unknown state" in run(folder, "list", "--state", "x", code=2)


def test_what_looking_costs_is_told_for_all_together(folder: Path) -> None:
    told = json.loads(run(folder, "team", "--json", of="care"))
    assert told == {
        "day": {"people": 0, "items": 0, "seconds": 0, "severe": 0},
        "week": {"people": 0, "items": 0, "seconds": 0, "severe": 0}, "support": [],
    }  # fmt: skip
    assert "ask how they are: nobody" in run(folder, "team", of="care")
    (folder / "own.toml").write_text('over = "ask"\n[day]\nitems = 3\n')
    mine = ("limits", "--limits", "own.toml")
    assert json.loads(underwing("care", *mine, "--json"))["day"]["items"] == 3
    assert "going on takes a reason" in underwing("care", *mine)
    (folder / "own.toml").write_text("day = 7")
    assert "own.toml" in underwing("care", *mine, code=2)
