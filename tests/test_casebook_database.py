"""The casebook's database: the same on SQLite and on PostgreSQL."""

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import insert, select, text, update

from postgres_server import Server
from underwing.casebook import migrations
from underwing.casebook.cases.tables import cases as cases_table
from underwing.casebook.cases.tables import history, marks
from underwing.casebook.database import CasebookError, Database
from underwing.casebook.migrations import REVISIONS


def names(database: Database) -> list[str]:
    return sorted(row.name for row in database.rows(select(marks.c.name)))


def mark(database: Database, name: str, value: int = 1) -> None:
    database.run(insert(marks).values(name=name, value=value))


def test_statements_give_rows_values_and_counts(casebook_database: Database) -> None:
    db = casebook_database
    assert db.run(insert(marks), [{"name": "a", "value": 1}, {"name": "b", "value": 2}]) == 2
    assert db.row(select(marks).where(marks.c.name == "c")) is None
    assert db.value(select(marks.c.value).where(marks.c.name == "c")) is None
    assert [tuple(row) for row in db.rows(select(marks).order_by(marks.c.name))] == [("a", 1), ("b", 2)]
    assert db.run(update(marks).values(value=5)) == 2
    made = db.upsert(marks).values(name="a", value=7)
    db.run(made.on_conflict_do_update(index_elements=["name"], set_={"value": made.excluded.value}))
    assert db.run(db.upsert(marks).values(name="a", value=8).on_conflict_do_nothing()) == 0
    assert db.value(select(marks.c.value).where(marks.c.name == "a")) == 7


def test_a_transaction_is_all_or_nothing_and_joins_the_one_around_it(casebook_database: Database) -> None:
    db = casebook_database

    def half() -> None:
        with db.transaction():
            mark(db, "out")
            with db.transaction():
                mark(db, "in")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half()
    assert names(db) == []
    with db.transaction():
        mark(db, "out")
        with db.transaction():
            mark(db, "in")
    assert names(db) == ["in", "out"]


def test_what_cannot_be_taken_back_waits_for_the_commit(casebook_database: Database) -> None:
    db, done = casebook_database, list[str]()

    def act(fails: bool) -> None:
        with db.transaction():
            mark(db, "in")
            with db.transaction():
                db.forget(marks)
                db.after(lambda: done.append("after"))
            assert done == []
            if fails:
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        act(fails=True)
    assert done == []
    act(fails=False)
    assert done == ["after"]
    db.after(lambda: done.append("at once"))
    assert done == ["after", "at once"]


def test_what_fails_leaves_a_usable_database(casebook_database: Database) -> None:
    db = casebook_database
    mark(db, "a")

    def half() -> None:
        with db.transaction():
            mark(db, "b", 2)
            mark(db, "a", 424242)

    with pytest.raises(CasebookError) as caught:
        half()
    assert "424242" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert names(db) == ["a"]
    mark(db, "b")
    assert names(db) == ["a", "b"]


def test_one_writer_at_a_time_and_readers_wait_for_nobody(
    casebook_database: Database, casebook_address: str
) -> None:
    """Read, then write: no number is taken twice, by threads of one process and by another connection."""
    db, other = casebook_database, Database(casebook_address)
    mark(db, "n", 0)

    def count(database: Database) -> None:
        for _ in range(25):
            with database.transaction():
                value = database.value(select(marks.c.value).where(marks.c.name == "n"))
                database.run(update(marks).where(marks.c.name == "n").values(value=value + 1))

    threads = [threading.Thread(target=count, args=(one,)) for one in (db, db, other, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert db.value(select(marks.c.value)) == 100
    with db.transaction():
        mark(db, "unseen")
        assert names(other) == ["n"]
        seen: list[list[str]] = []
        reader = threading.Thread(target=lambda: seen.append(names(db)))
        reader.start()
        reader.join(60)
        assert seen == [["n"]]
    other.close()


def test_a_snapshot_is_of_one_moment(casebook_database: Database, casebook_address: str) -> None:
    db, other = casebook_database, Database(casebook_address)
    with db.snapshot():
        assert names(db) == []
        mark(other, "later")
        assert names(db) == []
        with pytest.raises(RuntimeError, match="only reads"), db.transaction():
            pass
    assert names(db) == ["later"]
    other.close()


@pytest.mark.parametrize("said", ["a\0b", "\U0010fffe", "\U0010fffe0\0\U0010fffe1", "é\u202e"])
def test_any_text_of_a_platform_comes_back(casebook_database: Database, said: str) -> None:
    mark(casebook_database, said)
    assert names(casebook_database) == [said]
    assert casebook_database.value(select(marks.c.value).where(marks.c.name == said)) == 1


def test_text_is_in_the_order_of_its_code_points(casebook_database: Database) -> None:
    for name in ("b", "a:", "A", "a", "é", "a-c", "ab"):
        mark(casebook_database, name)
    found = [row.name for row in casebook_database.rows(select(marks.c.name).order_by(marks.c.name))]
    assert found == sorted(found)


def test_the_history_of_a_case_only_grows(casebook_database: Database) -> None:
    db = casebook_database
    db.run(
        insert(cases_table).values(
            state="open", priority=1, due=1, opened=1, updated=1, version=1, origin="hand", regions="", why="", reason="",
            acted=0, items=0, test=False,
        )
    )  # fmt: skip
    db.run(insert(history).values(case_id=1, at=1, who="a", what="noted", detail=b"{}"))
    for change in (update(history).values(who="b"), history.delete()):
        with pytest.raises(CasebookError, match="only grows"):
            db.run(change)


# -- versions ---------------------------------------------------------------------------------------------


@pytest.fixture(params=["sqlite", "postgresql"])
def blank(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where nothing is yet."""
    if request.param == "sqlite":
        yield str(tmp_path / "blank.db")
    else:
        with request.getfixturevalue("postgres").empty() as url:
            yield url


def test_tables_and_migrations_agree_both_ways(blank: str) -> None:
    db = Database(blank)
    migrations.agree(db)
    for revision in reversed(REVISIONS[:-1]):
        migrations.downgrade(db, revision)
        assert migrations.revision(db) == revision
    migrations.downgrade(db, "base")
    assert migrations.revision(db) is None
    for revision in REVISIONS:
        migrations.upgrade(db, revision)
    migrations.agree(db)
    mark(db, "works")
    db.close()
    Database(blank).close()


def test_a_difference_between_tables_and_migrations_shows(blank: str) -> None:
    db = Database(blank)
    db.run(text("DROP INDEX case_history_case"))
    with pytest.raises(CasebookError, match="case_history_case"):
        migrations.agree(db)
    db.close()


def test_newer_tables_are_refused_and_what_fails_changes_nothing(blank: str) -> None:
    db = Database(blank)
    db.run(text("UPDATE casebook_revision SET version_num = '9999'"))
    with pytest.raises(CasebookError, match="revision '9999', this program knows"):
        Database(blank)
    with pytest.raises(CasebookError):
        migrations.upgrade(db)
    assert migrations.revision(db) == "9999"
    db.close()


def test_older_tables_of_a_server_wait_for_the_operator(
    postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with postgres.casebook() as url:
        monkeypatch.setattr(migrations, "HEAD", "9000")
        monkeypatch.setattr(migrations, "upgrade", lambda database: None)
        with pytest.raises(CasebookError, match="run: underwing casebook migrate"):
            Database(url)
        Database(url, migrate=True).close()


def test_what_is_not_a_casebook_is_refused(tmp_path: Path, postgres: Server) -> None:
    for number, word in ((0, "another program"), (0x556E6443, "from before"), (0x556E6463, "from before")):
        path = tmp_path / f"{number}.db"
        with sqlite3.connect(path) as raw:
            raw.execute("CREATE TABLE t (a)")
            raw.execute(f"PRAGMA application_id = {number}")
        with pytest.raises(CasebookError, match=word):
            Database(path)
        with sqlite3.connect(path) as raw:
            assert raw.execute("SELECT count(*) FROM sqlite_master").fetchone() == (1,)
    with postgres.empty() as url:
        with psycopg.connect(url, autocommit=True) as raw_server:
            raw_server.execute("CREATE TABLE t (a integer)")
        with pytest.raises(CasebookError, match="another program"):
            Database(url)


@pytest.mark.parametrize(
    ("where", "word"),
    [
        ("mysql://u:s3cret@127.0.0.1/x", "not in mysql"),
        ("postgresql://u:s3cret@127.0.0.1:nine/x", "not understood"),
        ("postgresql://u:s3cret@127.0.0.1:1/x?connect_timeout=2", "onnection"),
        ("/nowhere/there/casebook.db", "cannot be opened"),
    ],
)
def test_an_address_that_leads_nowhere_is_refused_without_its_password(where: str, word: str) -> None:
    with pytest.raises(CasebookError, match=word) as caught:
        Database(where)
    assert "s3cret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_server_that_was_away_is_found_again(postgres: Server) -> None:
    with postgres.casebook() as url:
        db = Database(url)
        mark(db, "before")

        def cut() -> None:
            postgres.run(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'underwing'"
            )

        def lost() -> None:
            with db.transaction():
                mark(db, "lost")
                cut()
                mark(db, "lost too")

        cut()
        assert names(db) == ["before"]
        with pytest.raises(CasebookError):
            lost()
        mark(db, "after")
        assert names(db) == ["after", "before"]
        db.close()
