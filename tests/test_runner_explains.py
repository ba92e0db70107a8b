"""Decisions with reasons are found again by their accounts, however many there are and however old the file is."""

import sqlite3
from pathlib import Path

import msgspec
import pytest

from conftest import child, message
from underwing.engine import Decisions, Engine, Runner
from underwing.engine.store import connect
from underwing.model import Decision

OLD = """
DROP INDEX judged_part_actor;
DROP INDEX judged_part_target;
CREATE INDEX judged_event ON judged (event);
CREATE INDEX judged_actor ON judged (actor, number);
CREATE INDEX judged_target ON judged (target, number);
"""
"""Makes of a file what an older version would have made."""


def indexes(path: Path) -> set[str]:
    db = sqlite3.connect(path)
    names = {
        name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'index' AND sql NOT NULL")
    }
    db.close()
    return names


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """A file of 20,000 decisions about 100 accounts, one of them at the beginning and at the end only."""
    db = connect(tmp_path / "many.db")
    who = ["rare" if n in (5, 6, 19_990) else f"a{n % 100}" for n in range(20_000)]
    db.execute("BEGIN")
    db.executemany(
        "INSERT INTO judged (event, actor, target, at, level) VALUES (?, ?, ?, 0, 'watch')",
        ((f"e{n}", actor, f"t{n % 3}") for n, actor in enumerate(who)),
    )
    db.executemany("INSERT INTO decisions VALUES (?, 0, ?)", ((f"e{n}", b"%d" % n) for n in range(20_000)))
    db.execute("COMMIT")
    db.close()
    return tmp_path / "many.db"


def test_the_newest_come_first_and_are_given_in_order(many: Path) -> None:
    reader = Decisions.of(many)
    assert reader.explain(actor="rare") == [b"5", b"6", b"19990"]
    assert reader.explain(actor="rare", limit=2) == [b"6", b"19990"]
    assert reader.explain(actor="rare", target="t0") == [b"6"]
    assert reader.explain(actor="a7") == [b"%d" % n for n in range(7, 20_000, 100)]
    assert reader.explain(actor="a7", limit=60) == [b"%d" % n for n in range(14_007, 20_000, 100)]
    assert reader.explain(target="t1", limit=3) == [b"19993", b"19996", b"19999"]
    assert reader.explain(limit=5_000) == [b"%d" % n for n in range(15_000, 20_000)]
    assert reader.explain(actor="nobody") == []


def test_few_rows_are_read_for_one_account(many: Path) -> None:
    reader, steps = Decisions.of(many), []
    reader._connection.set_progress_handler(lambda: steps.append(1), 100)
    reader.explain(actor="rare")
    assert len(steps) < 20


def test_of_an_empty_file_nothing_is_explained(tmp_path: Path) -> None:
    connect(tmp_path / "a.db").close()
    assert Decisions.of(tmp_path / "a.db").explain(actor="a") == []


@pytest.mark.parametrize("reading", [False, True])
def test_a_file_of_an_older_version_is_brought_up_to_date(
    engine: Engine, tmp_path: Path, reading: bool
) -> None:
    path = tmp_path / "a.db"
    with Runner(engine, path) as runner:
        runner.process([child("k"), message(1, "a", "k", "home alone"), message(2, "b", "k", "home alone")])
    db = sqlite3.connect(path)
    db.executescript(OLD)
    db.close()
    if reading:
        told = Decisions.of(path).explain(actor="a", target="k")
        assert [msgspec.json.decode(body, type=Decision).event for body in told] == ["m1"]
    with Runner(engine, path) as runner:
        runner.process([message(3, "a", "k", "picture of you")])
        told = runner.explain(actor="a", target="k")
    assert [msgspec.json.decode(body, type=Decision).event for body in told] == ["m1", "m3"]
    assert indexes(path) == {"judged_part_actor", "judged_part_target"}
