"""The casebook beside the service: what asks for a case is in it before it is answered, whatever is killed when."""

import io
import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.event import listen

from postgres_server import Server
from server_cases import event
from test_cases_model import check
from underwing.casebook.cases import Casebook, Priority
from underwing.casebook.context import ContextBuffer, load_key
from underwing.casebook.errors import CasebookError
from underwing.casebook.keys import KeyFile
from underwing.engine import REVIEW_PHRASE, URGENT_PHRASE, Engine, Runner
from underwing.model import decode_event
from underwing.packs import Packs
from underwing.policy import PolicyError, default_path, load_policy
from underwing.server.casework import Casework, load_casework
from underwing.server.logs import flush, set_up
from underwing.server.settings import Settings

CALM = "what did you get for question four"


def line(number: int, text: str = CALM, sender: str = "a", to: str = "k", **more: Any) -> bytes:
    made = event(number, text, conversation=f"{sender}-{to}", to=[to], **more)
    return json.dumps({**made, "from": sender}).encode()


@pytest.fixture
def runner(tmp_path: Path, small_packs: Packs) -> Runner:
    return Runner(Engine(small_packs, load_policy()), tmp_path / "u.db")


def given(tmp_path: Path, **more: Any) -> Settings:
    return Settings(database=str(tmp_path / "u.db"), **more)


def feed(work: Casework, runner: Runner, *lines: bytes) -> list[int]:
    events = [decode_event(one) for one in lines]
    answers = runner.process(events)
    return work.record([(e, a.body, a.repeated) for e, a in zip(events, answers, strict=True)])


def facts(account: str, **more: object) -> bytes:
    return json.dumps({"type": "account", "id": account, **more}).encode()


def harmful(number: int, sender: str, to: str) -> list[bytes]:
    """Messages of the small pack that reach `review`."""
    texts = ["dont tell", "home alone", "picture of you", "everyone will see", "pay me", "come on"]
    return [line(number + n, text, sender, to) for n, text in enumerate(texts)]


def test_cases_gather_with_marks_region_and_context(tmp_path: Path, runner: Runner) -> None:
    work = load_casework(given(tmp_path), runner)
    assert work is not None
    feed(
        work,
        runner,
        facts("a", declared_age=40, minor=False),
        facts("k", declared_age=13, minor=True, country="GB"),
    )
    feed(work, runner, line(1, "hello there how was the training today", "a", "k"), line(2, CALM, "a", "k"))
    assert feed(work, runner, *harmful(10, "a", "k")) == []
    (case,) = work.book.queue()
    assert case.regions == ("GB",)
    assert case.priority <= Priority.extortion
    assert {(p.account, p.role, p.minor) for p in work.book.show(case.id).people} == {
        ("a", "suspect", False),
        ("k", "victim", True),
    }
    said = [s.line.text for s in work.book.said(case.id)]
    assert CALM in said
    assert "picture of you" in said
    on_disk = b"".join(p.read_bytes() for p in tmp_path.glob("u.casebook*"))
    assert b"question four" not in on_disk
    assert (tmp_path / "keys" / "context.key").exists()
    work.close()


def overheard(number: int, text: str, source: str = "speech") -> bytes:
    return json.dumps(
        {
            "type": "stream_text", "id": f"s{number}", "at": f"2026-01-01T12:{number:02d}:00Z", "conversation": "live",
            "from": "k", "second": number, "source": source, "text": text,
        }
    ).encode()  # fmt: skip


def test_what_is_read_and_heard_in_a_stream_is_told_in_its_case_and_names_nobody(
    tmp_path: Path, runner: Runner
) -> None:
    work = load_casework(given(tmp_path), runner)
    assert work is not None
    feed(work, runner, facts("k", declared_age=13, minor=True, country="GB"), overheard(1, CALM, "screen"))
    texts = ["everyone will see", "pay me", "picture of you", "everyone will see", "pay me", "come on"]
    feed(work, runner, *(overheard(number, text) for number, text in enumerate(texts, 2)))
    (case,) = work.book.queue()
    shown = work.book.show(case.id)
    assert {(p.account, p.role) for p in shown.people} == {("k", "victim")}
    said = {(s.line.sender, s.line.text) for s in work.book.said(case.id)}
    assert {("(on the screen)", CALM), ("(spoken)", "pay me")} <= said
    work.close()


def test_two_accounts_with_one_opener_and_one_handle_are_one_case(tmp_path: Path, runner: Runner) -> None:
    work = load_casework(given(tmp_path, context=False), runner)
    assert work is not None
    opener = "hi there saw your clip at the swimming club yesterday"
    for number, (actor, child) in enumerate([("a", "k"), ("b", "z")]):
        feed(
            work,
            runner,
            facts(actor, declared_age=40, minor=False),
            facts(child, declared_age=13, minor=True),
        )
        feed(work, runner, line(100 * number, opener, actor, child), *harmful(100 * number + 1, actor, child))
    (case,) = work.book.queue()
    kinds = {b.kind for item in work.book.items(case.id) for b in item.because}
    assert "script" in kinds
    work.close()


def test_calm_messages_touch_no_case(tmp_path: Path, runner: Runner) -> None:
    work = load_casework(given(tmp_path), runner)
    assert work is not None
    statements: list[str] = []
    listen(work.database._engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    feed(work, runner, *(line(n) for n in range(50)))
    assert statements == []
    work.close()


def test_a_message_sent_again_does_not_wait_twice(tmp_path: Path, runner: Runner) -> None:
    work = load_casework(given(tmp_path), runner)
    assert work is not None
    assert work.book.context is not None
    for _ in range(3):
        feed(work, runner, line(1), line(2))
    assert work.book.context.waiting()[0] == 2
    work.close()


def test_what_cannot_be_written_is_not_answered(tmp_path: Path, runner: Runner) -> None:
    work = load_casework(given(tmp_path), runner)
    assert work is not None
    work.database.run(text("ALTER TABLE case_items RENAME TO gone"))
    assert feed(work, runner, line(1), line(2, REVIEW_PHRASE), line(3)) == [1]
    work.database.run(text("ALTER TABLE gone RENAME TO case_items"))
    assert feed(work, runner, line(2, REVIEW_PHRASE)) == []
    assert work.book.where("m2") is not None
    work.close()


def test_the_policy_narrows_what_waits(tmp_path: Path, runner: Runner) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(default_path().read_text("utf-8") + "\n[context]\ncount = 2\n")
    work = load_casework(given(tmp_path), runner)
    assert work
    assert runner.engine.policy.context is None
    runner.engine.use_policy(load_policy(path))
    assert runner.engine.policy.version != load_policy().version
    feed(work, runner, *(line(n) for n in range(4)), line(9, REVIEW_PHRASE))
    (case,) = work.book.queue()
    assert len(work.book.said(case.id)) == 2
    path.write_text(default_path().read_text("utf-8") + "\n[context]\nhours = 0\n")
    runner.engine.use_policy(load_policy(path))
    feed(work, runner, line(20, sender="b", to="m"), line(21, REVIEW_PHRASE, sender="b", to="m"))
    other = work.book.where("m21")
    assert other
    assert work.book.said(other.case) == []
    path.write_text('version = "x"\n[context]\ncount = -1\n')
    with pytest.raises(PolicyError, match="context"):
        load_policy(path)
    work.close()


def test_context_that_cannot_be_kept_costs_no_answer(tmp_path: Path, runner: Runner) -> None:
    work = load_casework(given(tmp_path), runner)
    assert work is not None
    assert work.book.context is not None
    work.book.context._db.execute("PRAGMA query_only = ON")
    assert feed(work, runner, line(1), line(2)) == []
    work.close()


def test_made_good_from_the_table_of_decisions(tmp_path: Path, runner: Runner) -> None:
    runner.process(
        [decode_event(one) for one in (line(1, REVIEW_PHRASE), line(2), line(3, URGENT_PHRASE, "b", "z"))]
    )
    for _ in range(2):
        work = load_casework(given(tmp_path), runner)
        assert work is not None
        assert [(c.id, c.priority, c.test) for c in work.book.queue()] == [
            (2, Priority.imminent, True),
            (1, Priority.early, True),
        ]
        work.close()


def test_off_means_off(tmp_path: Path, runner: Runner) -> None:
    assert load_casework(given(tmp_path, casebook="off"), runner) is None
    assert not list(tmp_path.glob("*casebook*"))


def test_a_service_over_postgresql(tmp_path: Path, runner: Runner, postgres: Server) -> None:
    """One setting; the second service over the same database sees the first one's cases. No password is told."""
    log = io.StringIO()
    set_up("debug", log)
    with postgres.casebook() as url:
        address = url.replace("underwing@", "underwing:s3cret@")
        work = load_casework(given(tmp_path, casebook=address), runner)
        assert work is not None
        assert feed(work, runner, line(1), line(2, REVIEW_PHRASE)) == []
        assert [s.line.event for s in work.book.said(1)] == ["m1", "m2"]
        assert (tmp_path / "vault" / "vault.toml").exists()
        assert not list(tmp_path.glob("*casebook*"))
        with pytest.raises(CasebookError, match="has a vault, which is not at"):
            load_casework(given(tmp_path, casebook=address, vault=str(tmp_path / "elsewhere")), runner)
        other = load_casework(given(tmp_path, casebook=address), runner)
        assert other is not None
        assert [case.id for case in other.book.queue()] == [1]
        other.close()
        postgres.run(f"ALTER DATABASE {url.rpartition('/')[2]} SET default_transaction_read_only = on")
        work.database.close()
        assert feed(work, runner, line(3, REVIEW_PHRASE)) == [0]
        work.close()
    with pytest.raises(CasebookError) as told:
        load_casework(given(tmp_path, casebook=address.replace("test_", "gone_")), runner)
    flush()
    assert "casebook_fault" in log.getvalue()
    assert "s3cret" not in log.getvalue() + str(told.value)


# -- kill -9 ----------------------------------------------------------------------------------------------------

WORKER = """
import sys
from casebook_cases import said, decision
from underwing.casebook.cases import Casebook, Marks, Taken
from underwing.casebook.context import ContextBuffer, load_key
from underwing.casebook.errors import CasebookError
from underwing.casebook.keys import KeyFile
from underwing.model import encode
from pathlib import Path
folder, first, where = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
waiting = ContextBuffer(folder / "x.db", load_key(folder / "key"))
book = Casebook(where, context=waiting, keys=KeyFile(folder / "vault.key"))
number = first
while True:
    made = [said(f"m{n}", f"a{n % 7}", f"k{n % 5}", f"secret {n}") for n in range(number, number + 5)]
    book.keep([(event, "") for event in made])
    book.take_in_all([
        Taken(event=e, decision=encode(decision(e.id, e.sender, e.to[0], "image")), marks=Marks(payments=(number % 3,)))
        for e in made
    ])
    case = book.take_next("w")
    if case is not None:
        if number % 2:
            book.close(case.id, "w", "no_harm", "looked")
        else:
            book.release(case.id, "w")
    number += 5
    print(number, flush=True)
"""


@pytest.mark.parametrize("seed", range(2))
def test_killed_during_intake_nothing_stands_half(tmp_path: Path, casebook_address: str, seed: int) -> None:
    chance, first, keys = random.Random(seed), 0, KeyFile.make(tmp_path / "vault.key")
    for _ in range(4):
        worker = subprocess.Popen(
            [sys.executable, "-c", WORKER, str(tmp_path), str(first), casebook_address], stdout=subprocess.PIPE, text=True,
            cwd=Path(__file__).parent,
        )  # fmt: skip
        assert worker.stdout is not None
        told = worker.stdout.readline()
        time.sleep(chance.random() * 0.2)
        worker.send_signal(signal.SIGKILL)
        rest = [one for one in worker.stdout.read().splitlines(keepends=True) if one.endswith("\n")]
        worker.wait(10)
        first = int((rest or [told])[-1])
        waiting = ContextBuffer(tmp_path / "x.db", load_key(tmp_path / "key"))
        with Casebook(casebook_address, context=waiting, keys=keys) as book:
            for number in range(first):
                item = book.where(f"m{number}")
                assert item is not None
                assert f"m{number}" in {s.line.event for s in book.said(item.case)} or number < first - 50
            rows = book._rows
            check(rows)
            if book.database.kind == "sqlite":
                assert book.database.value(text("PRAGMA integrity_check")) == "ok"
            assert rows.unsealed() == []
            for case in book.queue(None, limit=1000):
                acts = [a.what for a in book.history(case.id)]
                assert acts[0] == "opened"
                last = [w for w in acts if w in ("took", "released", "closed", "reopened")]
                assert case.state == {"took": "taken", "closed": "closed"}.get((last or [""])[-1], "open")
