"""The custody log in pages: what is asked for, its proof, its checkpoints; on both databases where that matters."""

import html
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from console_cases import MEMBERS, Browser, Console, console
from underwing.casebook.custody import Custody, Signer, Verifier, verify
from underwing.casebook.custody.checkpoints import parse
from underwing.casebook.custody.paging import Wanted, last_number, page
from underwing.casebook.custody.tables import custody as LOG
from underwing.casebook.database import Database
from underwing.engine import Engine
from underwing.packs import Packs
from underwing.policy import load_policy

START = datetime(2026, 1, 1, tzinfo=UTC)


class Ticking:
    """A clock that goes on by an hour at each look."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        self.now += timedelta(hours=1)
        return self.now


def log(database: Database, count: int = 60) -> Custody:
    made = Custody(database, Signer.made(), Ticking())
    for n in range(count):
        made.append("saw-metadata" if n % 3 else "acted", f"p{n % 2}", case=str(n % 5), facts={"what": "x"})
    return made


def test_pages_go_from_the_newest_to_the_first(casebook_database: Database) -> None:
    log(casebook_database)
    numbers: list[int] = []
    before: int | None = None
    while True:
        found = page(casebook_database, Wanted(), before, size=7)
        numbers += [r.number for r in found.records]
        before = found.older
        if before is None:
            break
    assert numbers == list(range(61, 0, -1))
    assert last_number(casebook_database) == 61


def test_what_is_asked_for_is_found_within_bounds(casebook_database: Database) -> None:
    log(casebook_database)
    mine = page(casebook_database, Wanted(case="3", by="p0", kind="saw-metadata"))
    assert {(r.case, r.by, r.kind) for r in mine.records} == {("3", "p0", "saw-metadata")}
    assert mine.older is None
    few = page(casebook_database, Wanted(case="none"), most=10)
    assert (few.records, few.looked, few.older) == ((), 10, 52)
    day = page(casebook_database, Wanted(since="2026-01-02T00:00:00.000Z", until="2026-01-03T00:00:00.000Z"))
    assert day.records
    assert all(r.at.startswith("2026-01-02") for r in day.records)
    assert len(day.records) == len(
        [r for r in page(casebook_database, Wanted()).records if r.at[8:10] == "02"]
    )


def test_a_damaged_record_is_named_and_the_rest_is_there(casebook_database: Database) -> None:
    log(casebook_database, 10)
    casebook_database.run(update(LOG).where(LOG.c.number == 5).values(body=b"{}"))
    found = page(casebook_database, Wanted())
    assert found.damaged == (5,)
    assert len(found.records) == 10


@settings(max_examples=20)
@given(st.integers(0, 40), st.integers(0, 50), st.integers(0, 50))
def test_a_span_of_time_is_cut_out_exactly(count: int, first: int, length: int) -> None:
    database = Database(":memory:")
    log(database, count)
    since, until = (
        (START + timedelta(hours=h, minutes=30)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        for h in (first, first + length)
    )
    everything = page(database, Wanted(), size=1_000).records
    found = page(database, Wanted(since=since, until=until), size=1_000).records
    assert found == tuple(r for r in everything if since <= r.at < until)
    database.close()


@pytest.fixture(scope="module")
def service(small_packs: Packs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    with console(Engine(small_packs, load_policy()), tmp_path_factory.mktemp("custody")) as service:
        with service.client() as client:
            while client.get("/readyz").status_code != 200:
                time.sleep(0.02)
        custody = service.app.desk.home.custody
        for n in range(60):
            custody.append("saw-metadata", MEMBERS["reviewer"].id, case=str(n % 3), reason="<b>why</b>\u202e")
        yield service


def proven(client: Browser, path: str = "/console/custody/proof") -> str:
    for _ in range(600):
        text = html.unescape(client.get(path).text)
        if "<progress" not in text:
            return text
        time.sleep(0.05)
    raise AssertionError("the proof does not end")


def test_the_log_is_shown_escaped_and_filtered(service: Console) -> None:
    with service.browser("auditor") as client:
        first = client.get("/console/custody").text
        assert "<b>why</b>" not in first
        assert "&lt;b&gt;why&lt;/b&gt;⟨U+202E⟩" in first
        older = re.search(r'href="(/console/custody\?[^"]*before=\d+)"', first)
        assert older
        assert client.get(html.unescape(older[1])).text.count("data-row") > 0
        one = client.get(
            "/console/custody?case=1&kind=saw-metadata&by=id-reviewer&since=2020-01-01&until=2099-01-01"
        ).text
        assert one.count("data-row") == 20
        assert client.get("/console/custody?case=none").text.count("data-row") == 0
        for bad in ("kind=nothing", "since=yesterday", "before=x"):
            assert client.get(f"/console/custody?{bad}").status_code == 400, bad


def test_the_proof_says_that_it_holds_and_who_asked(service: Console) -> None:
    with service.browser("auditor") as client:
        answer = client.send_form("/console/custody/proof", "/console/custody/proof", contents="yes")
        assert answer.status_code == 303
        text = proven(client)
    assert "Everything holds." in text
    assert "There is no checkpoint yet" in text
    assert "with the sealed bytes" in text
    told = [r.facts["what"] for r in service.app.desk.home.custody.records(kind="acted")]
    assert "log proven" in told


def test_checkpoints_are_signed_and_taken_away(service: Console) -> None:
    with service.browser("senior") as client:
        assert client.get("/console/custody/checkpoints").status_code == 404
        assert client.send_form("/console/custody/checkpoints", "/console/custody/proof").status_code == 303
        answer = client.get("/console/custody/checkpoints")
        assert answer.headers["content-disposition"].startswith("attachment")
        (made,) = [parse(line) for line in answer.content.splitlines()]
        assert client.get(f"/console/custody/checkpoints?count={made.count}").content == answer.content
        assert client.get("/console/custody/checkpoints?count=1").status_code == 404
        page = client.get("/console/custody/proof").text
    custody = service.app.desk.home.custody
    assert custody.public_key in page
    assert "underwing custody verify" in page
    assert not verify(custody.entries(), Verifier(custody.public_key), [("ours", made)]).problems


def test_only_who_may(service: Console) -> None:
    for role, status in (
        ("reviewer", 403),
        ("author", 403),
        ("administrator", 403),
        ("senior", 200),
        ("auditor", 200),
    ):
        with service.browser(role) as client:  # type: ignore[arg-type]
            assert client.get("/console/custody").status_code == status, role
            assert client.get("/console/custody/proof").status_code == status, role


def test_the_first_bad_record_is_named(service: Console) -> None:
    home = service.app.desk.home
    body = home.database.value(LOG.select().with_only_columns(LOG.c.body).where(LOG.c.number == 7))
    home.database.run(update(LOG).where(LOG.c.number == 7).values(body=body.replace(b"why", b"who")))
    try:
        with service.browser("senior") as client:
            client.send_form("/console/custody/proof", "/console/custody/proof")
            text = proven(client)
        assert "Something does not hold after 6 good records" in text
        assert "<b>record 7</b>: it was changed" in text
    finally:
        home.database.run(update(LOG).where(LOG.c.number == 7).values(body=body))
