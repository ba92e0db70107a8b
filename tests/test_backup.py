"""Backups: what comes back is what was there, on either database; what was cut or changed does not come back at all."""

import io
import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from typer.testing import CliRunner

from casebook_cases import Clock, put, said
from postgres_server import Server
from underwing.casebook import migrations, times
from underwing.casebook.backup import BackupError, Brought, Places, archive, bring, take
from underwing.casebook.backup.rows import plain_of, tables_of
from underwing.casebook.cases import Casebook
from underwing.casebook.context import ContextBuffer
from underwing.casebook.database import Database
from underwing.casebook.vault import Home
from underwing.cli.app import app
from underwing.server.streams.store import StreamStore
from vault_cases import flipped

PHRASE = "nine quiet herons walk"
KINDS = ["sqlite", "postgresql"]


@pytest.fixture(autouse=True, scope="module")
def _cheap() -> Iterator[None]:
    """A key of a pass-phrase costs little here."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(archive, "COST", 8)
        yield


@contextmanager
def address(kind: str, folder: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """Where nothing is yet."""
    folder.mkdir(exist_ok=True)
    if kind == "sqlite":
        yield str(folder / "casebook.db")
    else:
        server: Server = request.getfixturevalue("postgres")
        with server.empty() as url:
            yield url


class Office:
    """A casebook with a bit of everything in it, and the service's own files beside."""

    def __init__(self, where: str, folder: Path) -> None:
        self.folder, self.now = folder, times.read("2020-01-01T00:00:00.000Z")
        self.database = Database(where)
        self.home = Home.make(folder / "vault", self.database, clock=self.clock)
        context = ContextBuffer(":memory:", bytes(32))
        self.book = Casebook(self.database, clock=Clock(), context=context, keys=self.home.keys)
        for name in ("engine", "banks"):
            with sqlite3.connect(folder / f"{name}.db") as db:
                db.execute("CREATE TABLE t (a)")
                db.execute("INSERT INTO t VALUES (?)", (f"{name} of before",))
        (folder / "receipts.pem").write_text("a secret of the service")
        self.sqlite = {name: folder / f"{name}.db" for name in ("engine", "banks")}

    def clock(self) -> Any:
        self.now += timedelta(seconds=1)
        return self.now

    def fill(self) -> None:
        """Cases with context and history, objects that stand, are held and were destroyed."""
        self.book.keep([(said("m1", "a", "k", "what was said\0"), ""), (said("m2", "b\0b", "z"), "")])
        put(self.book, "m1", "a", "k", "threat deadline")
        put(self.book, "m2", "b\0b", "z")
        self.book.take(1, "ann")
        self.book.note(1, "ann", "looked at it")
        gone = self.put(b"gone" * 50)
        self.kept = self.put(bytes(range(256)) * 100)
        self.home.keeping.hold(by="ann", reason="order 1", address=self.kept)
        self.now += timedelta(days=400)
        self.home.keeping.ask_destruction(gone, by="ann", reason="end of duty")
        self.home.keeping.confirm_destruction(gone, by="ben")
        self.home.custody.checkpoint()

    def put(self, data: bytes) -> str:
        return self.home.vault.put(io.BytesIO(data), case="1", by="ann").address

    def rows(self) -> dict[str, list[tuple[Any, ...]]]:
        return contents(self.database)

    def take(self, file: Path, passphrase: str = PHRASE) -> Any:
        secrets = {"receipts.pem": self.folder / "receipts.pem"}
        return take(file, self.home, sqlite=self.sqlite, secrets=secrets, passphrase=passphrase)


def contents(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    return {
        table.name: sorted((tuple(row) for row in database.rows(select(plain_of(table)))), key=repr)
        for table in tables_of(database)
    }


def places(where: str, folder: Path) -> Places:
    return Places(
        casebook=where, vault=folder / "vault", secrets={"receipts.pem": folder / "receipts.pem"},
        sqlite={name: folder / f"{name}.db" for name in ("engine", "banks")},
    )  # fmt: skip


def left(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.fixture
def office(casebook_address: str, tmp_path: Path) -> Iterator[Office]:
    made = Office(casebook_address, tmp_path)
    made.fill()
    yield made
    made.database.close()


@pytest.mark.parametrize("kind", KINDS)
def test_what_comes_back_is_what_was_there(
    office: Office, kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    file, folder, before = tmp_path / "backup", tmp_path / "new", office.rows()
    made = office.take(file)
    assert made.keys
    assert file.stat().st_mode & 0o077 == 0
    assert b"looked at it" not in file.read_bytes()
    with address(kind, folder, request) as where:
        brought = bring(file, places(where, folder), PHRASE, office.clock)
        assert (brought.proven, brought.files) == ("log and vault", ("engine", "banks"))
        assert not [name for name in left(folder) if ".part" in name or "wal" in name]
        database = Database(where)
        assert contents(database) == before
        home = Home(folder / "vault", database, clock=office.clock)
        proof, problems = home.verify()
        assert (list(proof.problems), problems) == ([], [])
        assert b"".join(home.vault.unsealed(home.vault.index.get(office.kept))) == bytes(range(256)) * 100
        book = Casebook(database, clock=Clock(), keys=home.keys)
        assert [s.line.text for s in book.said(1)] == ["what was said\0"]
        assert put(book, "m9", "new", "other") == 3
        assert book.note(1, "ann", "goes on").holder == "ann"
        assert home.vault.put(io.BytesIO(b"more"), case="1", by="ann").size == 4
        assert (folder / "receipts.pem").read_text() == "a secret of the service"
        with sqlite3.connect(folder / "banks.db") as db:
            assert db.execute("SELECT a FROM t").fetchall() == [("banks of before",)]
        database.close()


def test_without_a_pass_phrase_the_keys_stay_out(office: Office, tmp_path: Path) -> None:
    file, folder = tmp_path / "backup", tmp_path / "new"
    assert not office.take(file, "").keys
    whole = file.read_bytes()
    for secret in ("vault/vault.key", "vault/custody.key", "receipts.pem"):
        body = (office.folder / secret).read_bytes()
        assert body not in whole
        assert b"".join(body.splitlines()[-1:]) not in whole
    folder.mkdir()
    brought = bring(file, places(str(folder / "casebook.db"), folder))
    assert (brought.proven, brought.keys) == ("log", False)
    for key in ("vault.key", "custody.key"):
        (folder / "vault" / key).write_bytes((office.folder / "vault" / key).read_bytes())
        (folder / "vault" / key).chmod(0o600)
    database = Database(folder / "casebook.db")
    proof, problems = Home(folder / "vault", database, clock=office.clock).verify()
    assert (list(proof.problems), problems) == ([], [])
    database.close()


def test_an_older_backup_is_brought_up_to_date(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taking = import_module("underwing.casebook.backup.take")
    older, before = migrations.REVISIONS[1], office.rows()
    migrations.downgrade(office.database, older)
    file, folder = tmp_path / "backup", tmp_path / "new"
    with monkeypatch.context() as past:
        past.setattr(taking, "HEAD", older)
        office.take(file)
    folder.mkdir()
    bring(file, places(str(folder / "casebook.db"), folder), PHRASE, office.clock)
    database = Database(folder / "casebook.db")
    migrations.agree(database)
    assert contents(database) == before
    database.close()
    with monkeypatch.context() as past:
        past.setattr(taking, "HEAD", "9999")
        office.take(tmp_path / "newer")
    with pytest.raises(BackupError, match="newer than this program"):
        bring(tmp_path / "newer", places(str(tmp_path / "c.db"), tmp_path / "other"), PHRASE)


def test_taken_while_others_write_it_is_of_one_moment(office: Office, tmp_path: Path) -> None:
    """Evidence comes in and is destroyed while the backup runs; what is restored proves itself."""
    end, failed = threading.Event(), list[BaseException]()

    def work() -> None:
        try:
            number = 0
            while not end.is_set():
                number += 1
                address = office.put(b"%d" % number * 40)
                put(office.book, f"w{number}", f"a{number}", f"k{number}")
                office.now += timedelta(days=400)
                office.home.keeping.ask_destruction(address, by="ann", reason="r")
                office.home.keeping.confirm_destruction(address, by="ben")
                office.put(b"stays %d" % number)
        except BaseException as error:
            failed.append(error)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        for number in range(3):
            office.take(tmp_path / f"backup{number}")
    finally:
        end.set()
        worker.join(60)
    assert failed == []
    for number in range(3):
        folder = tmp_path / f"new{number}"
        folder.mkdir()
        there = places(str(folder / "casebook.db"), folder)
        brought = bring(tmp_path / f"backup{number}", there, PHRASE, office.clock)
        assert brought.proven == "log and vault"


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A small backup, plain and encrypted."""
    folder = tmp_path_factory.mktemp("archives")
    office = Office(str(folder / "casebook.db"), folder)
    office.fill()
    for name, phrase in (("plain", ""), ("encrypted", PHRASE)):
        office.take(folder / name, phrase)
    office.database.close()
    return {name: (folder / name).read_bytes() for name in ("plain", "encrypted")}


def attempt(folder: Path, body: bytes, phrase: str) -> Brought:
    (folder / "backup").write_bytes(body)
    new = folder / "new"
    new.mkdir()
    return bring(folder / "backup", places(str(new / "casebook.db"), new), phrase)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(["plain", "encrypted"]), st.floats(0, 1, exclude_max=True), st.integers(0, 255))
def test_what_was_changed_or_cut_leaves_nothing(
    archives: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory, name: str, at: float, bits: int
) -> None:
    """`bits` 0 cuts the file there. Padding of a tar is no content: a change there may pass, if all else is as it was."""
    folder, body = tmp_path_factory.mktemp("changed"), archives[name]
    place = int(at * len(body))
    changed = flipped(body, place, bits) if bits else body[:place]
    try:
        brought = attempt(folder, changed, PHRASE)
    except BackupError:
        assert left(folder / "new") == []
    else:
        assert name == "plain"
        assert bits or place > len(body) - 20_480
        assert brought.proven == "log"


def test_the_wrong_pass_phrase_opens_nothing(archives: dict[str, bytes], tmp_path: Path) -> None:
    for phrase, word in (
        ("", "encrypted"),
        ("another phrase", "pass-phrase is wrong"),
        ("short", "at least"),
    ):
        (tmp_path / "backup").write_bytes(archives["encrypted"])
        with pytest.raises(BackupError, match=word):
            bring(tmp_path / "backup", places(str(tmp_path / "c.db"), tmp_path / "new"), phrase)
    (tmp_path / "backup").write_bytes(b"hello " * 1000)
    with pytest.raises(BackupError, match="no backup"):
        bring(tmp_path / "backup", places(str(tmp_path / "c.db"), tmp_path / "new"))
    assert left(tmp_path) == ["backup"]


@pytest.mark.parametrize("taken", ["casebook.db", "engine.db", "receipts.pem", "vault/file"])
def test_nothing_is_written_over(archives: dict[str, bytes], tmp_path: Path, taken: str) -> None:
    (tmp_path / "backup").write_bytes(archives["plain"])
    (tmp_path / "vault").mkdir()
    (tmp_path / taken).write_text("of somebody")
    with pytest.raises(BackupError, match="nothing is"):
        bring(tmp_path / "backup", places(str(tmp_path / "casebook.db"), tmp_path))
    assert (tmp_path / taken).read_text() == "of somebody"
    assert len(left(tmp_path)) == 3


def test_a_server_that_is_not_empty_is_left_alone(
    archives: dict[str, bytes], postgres: Server, tmp_path: Path
) -> None:
    (tmp_path / "backup").write_bytes(archives["plain"])
    with postgres.casebook() as url:
        database = Database(url)
        put(Casebook(database), "m1")
        with pytest.raises(BackupError, match="not empty"):
            bring(tmp_path / "backup", places(url, tmp_path / "new"))
        assert [case.id for case in Casebook(database).queue()] == [1]
        database.close()


# -- the commands -------------------------------------------------------------------------------------------------


def run(*arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, list(arguments))
    assert done.exit_code == code, done.output
    return " ".join(done.output.split())


def test_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgres: Server) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "300")
    Office("underwing.casebook.db", tmp_path).fill()
    (tmp_path / "engine.db").rename("underwing.db")
    with closing(StreamStore(Path("underwing.streams.db"), "full")):
        pass
    (tmp_path / "phrase").write_text(PHRASE + "\n")
    assert json.loads(run("casebook", "check", "--json"))["rows"]["cases"] == 2
    assert "without the keys" in run("backup", "plain")
    made = json.loads(run("backup", "full", "--passphrase-file", "phrase", "--json"))
    assert made["files"] == ["engine", "banks", "streams"]
    assert "exists already" in run("backup", "full", code=2)
    assert "nothing is" in run("restore", "full", "--passphrase-file", "phrase", code=2)
    with postgres.empty() as url:
        monkeypatch.setenv("UNDERWING_CASEBOOK", url)
        there = ("--vault", "new/vault", "--database", "new/underwing.db", "--banks", "new/banks.db")
        assert "log and vault proven" in run("restore", "full", "--passphrase-file", "phrase", *there)
        assert Path("new/underwing.streams.db").is_file()
        assert "well postgresql" in run("casebook", "check")
        assert "proven" in run("custody", "verify", "--vault", "new/vault")
        assert json.loads(run("casebook", "migrate", "--to", "0001", "--json"))["now"] == "0001"
        assert "underwing casebook migrate" in run("casebook", "check", code=2)
        run("casebook", "migrate")
        assert "no revision 7" in run("casebook", "migrate", "--to", "7", code=2)
        assert "well postgresql" in run("casebook", "check")
    monkeypatch.delenv("UNDERWING_CASEBOOK")
    said = run(
        "restore", "plain", "--casebook", "other/c.db", "--database", "other/u.db", "--banks", "other/b.db"
    )
    assert "put vault.key and custody.key into other/vault" in said
    assert not Path("other/u.streams.db").exists()
    assert "well sqlite" in run("casebook", "check", "--casebook", "other/c.db")
