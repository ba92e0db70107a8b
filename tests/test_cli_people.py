"""The commands about people, as whoever runs the machine uses them."""

import json
from pathlib import Path

import pytest

from people_cases import ADDRESS, PHRASE
from test_cli import underwing
from underwing.casebook.database import Database
from underwing.casebook.people import People, Session
from underwing.casebook.vault import Home


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def run(folder: Path, *arguments: str, code: int = 0) -> str:
    return underwing("people", *arguments, "--casebook", "c.db", cwd=folder, code=code)


def test_the_first_administrator(folder: Path) -> None:
    """Before the service ever ran: the casebook and its vault are made, and the link opens the account."""
    said = run(folder, "add", "--role", "administrator", "Anna", "--url", "https://underwing.example/")
    link = said.strip().splitlines()[-1]
    assert link.startswith("https://underwing.example/console/join?invitation=")
    database = Database(folder / "c.db")
    home = Home(folder / "vault", database)
    people = People(database, home.custody, home.keys)
    assert isinstance(people.join(link.partition("invitation=")[2], PHRASE, ADDRESS), Session)
    made = next(home.custody.records(kind="changed"))
    assert made.by.startswith("cli")
    assert link.partition("invitation=")[2] not in str(made)
    database.close()


def test_what_can_be_done_with_an_account(folder: Path) -> None:
    run(folder, "add", "boss", "--role", "administrator")
    made = json.loads(run(folder, "add", "ben", "--shown", "Ben B", "--json"))
    assert (made["role"], made["shown"]) == ("reviewer", "Ben B")
    assert "console/join?invitation=" in made["invitation"]
    assert json.loads(run(folder, "change", "ben", "--role", "senior", "--json"))["role"] == "senior"
    assert "ben: senior, closed" in run(folder, "revoke", "ben")
    assert "closed; open it again" in run(folder, "reset", "ben", code=2)
    assert json.loads(run(folder, "change", "ben", "--open", "--json"))["active"]
    assert "invitation=" in run(folder, "reset", "BEN")
    assert json.loads(run(folder, "change", "ben", "--subject", "https://id.example 7", "--json"))
    told = [json.loads(line) for line in run(folder, "list", "--json").splitlines()]
    assert [(one["name"], one["state"], one["subject"]) for one in told] == [
        ("ben", "provider", "https://id.example 7"), ("boss", "invited", ""),
    ]  # fmt: skip
    assert "password" not in str(told).replace("has_password", "")
    table = run(folder, "list")
    assert "administrator" in table
    assert "invited" in table


def test_what_cannot_be_is_said_in_a_line(folder: Path) -> None:
    assert "no such casebook" in run(folder, "list", code=2)
    run(folder, "add", "boss", "--role", "administrator")
    for arguments, said in (
        (("add", "BOSS"), "already somebody"),
        (("add", "x", "--role", "king"), "no role king"),
        (("add", "a b"), "1 to 64"),
        (("change", "nobody", "--role", "senior"), "nobody signs in"),
        (("revoke", "boss"), "last administrator"),
        (("change", "boss", "--role", "reviewer"), "last administrator"),
    ):
        assert said in run(folder, *arguments, code=2)
