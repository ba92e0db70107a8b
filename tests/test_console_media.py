"""Files of cases over HTTP: sealed when a case opens, shown only when asked for, never cached, every look written down."""

import asyncio
import io
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from joserfc import jws
from joserfc.jwk import OKPKey
from PIL import Image

from casebook_cases import START, decision
from console_cases import MEMBERS, Browser, Console, console
from media_files import bomb
from test_care_likeness import pattern
from underwing.banks.matching import Matches
from underwing.casebook.care.care import LOST
from underwing.casebook.care.exhibits import SEALING, Exhibits
from underwing.casebook.cases import Casebook
from underwing.casebook.custody import Record
from underwing.casebook.database import Database
from underwing.engine import Engine
from underwing.media.hashing import look
from underwing.media.test_picture import drawn
from underwing.model import Media, MediaMatch
from underwing.server.evidence import asks_for_case
from underwing.server.media.desk import Checked

EVENT = {"at": "2026-01-01T12:00:00Z", "surface": "dm", "conversation": "c", "from": "a", "to": ["k"]}
MATCH = MediaMatch(bank="b", entry="e", label="csam", signal="pdq", distance=1)
_NUMBER = re.compile(r"/files/(\d+)")


def png(seed: int) -> bytes:
    out = io.BytesIO()
    pattern(seed).save(out, "PNG")
    return out.getvalue()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, module_engine: Engine) -> Iterator[Console]:
    with console(module_engine, tmp_path_factory.mktemp("service")) as made:
        made.with_banks()
        yield made


@pytest.fixture(scope="module")
def module_engine(small_packs: Any) -> Engine:
    from underwing.policy import load_policy

    return Engine(small_packs, load_policy())


def check(service: Console, data: bytes, number: str, **more: Any) -> dict[str, Any]:
    """Send a file that was sent from `a` to `k`; the answer."""
    with service.client("platform") as client:
        answer = client.post("/v1/media", content=data, params={**EVENT, "id": number, **more})
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()
    return made


def test_a_service_names_what_the_one_before_was_sealing_when_it_died(
    module_engine: Engine, tmp_path: Path, casebook_database: Database
) -> None:
    book = Casebook(casebook_database)
    case = book.open("anna", "seen by hand", actor="a").case
    long_ago = 1_000
    exhibit = Exhibits(casebook_database).note(
        case, "", look(png(1)), (), at=long_ago, by="p", problem=SEALING
    )
    with console(module_engine, tmp_path, casebook_database) as service:
        while (found := service.app.desk.care) is None or found.exhibits.unsettled(long_ago):
            assert service.thread.is_alive()
            time.sleep(0.02)
        named = found.exhibits.get(exhibit.number)
        while not any(act.what == "noted" and LOST in str(act.detail) for act in book.history(case)):
            assert service.thread.is_alive()
            time.sleep(0.02)
    assert named is not None
    assert (named.address, named.problem) == ("", LOST)


def case_of(service: Console, event: str) -> int:
    item = service.book.where(event)
    assert item is not None
    return item.case


def records(service: Console, *kinds: str) -> list[Record]:
    return [record for record in service.work.home.custody.records() if record.kind in kinds]


def taken(service: Console, event: str) -> int:
    """The case of an event, taken by the reviewer."""
    case = case_of(service, event)
    head = service.book.case(case)
    assert head is not None
    if head.holder is None:
        service.book.take(case, MEMBERS["reviewer"].id)
    return case


def file_page(browser: Browser, case: int, nth: int = 0) -> str:
    """The path of the page of a case's file."""
    page = browser.get(f"/console/cases/{case}")
    assert page.status_code == 200
    return f"/console/cases/{case}/files/{_NUMBER.findall(page.text)[nth]}"


def bring(service: Console, case: int, data: bytes, **query: str) -> httpx2.Response:
    with service.client("platform") as client:
        return client.post(f"/v1/cases/{case}/evidence", content=data, params=query)


# -- into the case ------------------------------------------------------------------------------------------


def test_a_match_is_sealed_into_its_case_and_needs_no_look(service: Console) -> None:
    answer = check(service, drawn(), "match-1")
    assert answer["evidence"] == "kept"
    case = taken(service, "match-1")
    [intake] = [r for r in records(service, "intake") if r.facts["sha256"] == answer["sha256"]]
    assert intake.case == str(case)
    with service.browser("reviewer") as browser:
        path = file_page(browser, case)
        page = browser.get(path).text
        assert "No look is needed to decide" in page
        assert "label test" in page
        assert "<img" not in page
        refused = browser.send_form(f"{path}/look", path, step="3")
        assert refused.status_code == 409
        assert "needs a reason" in refused.text
    assert check(service, drawn(), "match-1")["evidence"] == "kept"  # sent again: the same once
    assert len(service.app.desk.care.exhibits.of_case(case)) == 1


def test_what_asks_for_no_case_is_not_kept(service: Console) -> None:
    before = len(records(service, "intake"))
    assert check(service, png(1), "clear-1")["evidence"] is None
    with service.client("platform") as client:
        assert client.post("/v1/media", content=png(1)).json()["evidence"] is None
    assert len(records(service, "intake")) == before


@pytest.mark.parametrize(
    ("actions", "labels", "asked"),
    [
        (("open_case",), (), True),
        (("page", "hold_media"), ("csam",), True),
        (("hold_media",), ("csam",), True),
        (("hold_media",), ("blocked", "ncii"), True),
        (("hold_media",), ("blocked",), False),
        (("hold_media",), (), False),
        ((), ("csam",), False),
        (("hold_message", "limit_contact"), (), False),
    ],
)
def test_which_decisions_ask_that_a_file_be_kept(
    actions: tuple[str, ...], labels: tuple[str, ...], asked: bool
) -> None:
    found = [MediaMatch(bank="b", entry="e", label=label, signal="pdq", distance=1) for label in labels]
    assert asks_for_case(decision("m", actions=actions), found) == asked


def test_a_file_that_no_rule_gave_a_case_opens_one(service: Console) -> None:
    """As under a policy that holds what matches and names no case."""
    event = Media(
        id="held-1", at=START, surface="dm", conversation="h", sender="held", to=["k"], matches=[MATCH]
    )  # fmt: skip
    made = decision("held-1", "held", "k", cues="known", actions=("hold_media",))
    hashes = look(png(3))
    keeper = service.app._caring
    assert keeper is not None
    checked = Checked(hashes, Matches((MATCH,), 0), "")
    for _ in range(2):
        assert asyncio.run(keeper.evidence.keep(png(3), event, checked, made, "key")) == "kept"
    [case] = [case for case in service.book.queue(None) if case.why == "held for a match"]
    [exhibit] = service.app.desk.care.exhibits.of_case(case.id)
    assert (exhibit.event, exhibit.labels) == ("held-1", ("csam",))


def test_a_platform_brings_a_file_later_and_gets_a_receipt(service: Console) -> None:
    case = service.book.open("anna", "by hand", actor="bring-a").case
    data = png(2)
    answer = bring(service, case, data)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    with service.client("platform") as client:
        [key] = client.get("/v1/receipts/keys").json()["keys"]
    read = jws.deserialize_compact(made["receipt"], OKPKey.import_key(key), algorithms=["Ed25519"])
    assert read.headers()["typ"] == "underwing-evidence+jws"
    assert made["sha256"].encode() in read.payload
    assert bring(service, case, data).json()["file"] == made["file"]
    assert bring(service, 99_999, data).json()["error"]["code"] == "unknown_case"
    assert bring(service, case, data, event="match-1").json()["error"]["code"] == "unknown_event"
    assert bring(service, case, data, event="").json()["error"]["code"] == "bad_query"
    with service.client("reviewer") as client:
        assert client.post(f"/v1/cases/{case}/evidence", content=data).status_code == 403
    with service.client("platform") as client:
        assert client.post("/v1/cases/x/evidence", content=data).status_code == 404
        assert client.post(f"/v1/cases/{case}/evidence", content=b"").status_code == 400


@pytest.mark.parametrize(
    "data",
    [
        b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
        b"PK\x03\x04" + bytes(64),
        b"<html><script>alert(1)</script>",
        bomb(),
        b"MZ" + bytes(100),
    ],
    ids=["svg", "zip", "html", "bomb", "program"],
)
def test_hostile_files_lie_still(service: Console, data: bytes) -> None:
    case = service.book.open("anna", "by hand", actor="hostile").case
    service.book.take(case, MEMBERS["reviewer"].id)
    try:
        number = bring(service, case, data).json()["file"]
        path = f"/console/cases/{case}/files/{number}"
        with service.browser("reviewer") as browser:
            shown = browser.send_form(f"{path}/look", path, step="3")
            assert shown.status_code == 200
            assert "cannot be shown" in shown.text
            assert "<script>alert" not in shown.text
            assert browser.send_form(f"{path}/reveal", path).status_code == 422
        seen = [r for r in records(service, "saw-media-blurred", "reveal-begun") if r.facts["item"] == number]
        assert seen == []
    finally:
        service.book.release(case, MEMBERS["reviewer"].id)


# -- looking ------------------------------------------------------------------------------------------------


@pytest.fixture
def one(service: Console, request: pytest.FixtureRequest) -> Iterator[tuple[int, str]]:
    """A case that the reviewer holds, with one file: (the case, the path of the file's page)."""
    name = f"one-{request.node.name}"[:60]
    case = service.book.open("anna", "by hand", actor=name).case
    service.book.take(case, MEMBERS["reviewer"].id)
    seed = 1_000 + sum(map(ord, name)) % 9_000
    number = bring(service, case, png(seed)).json()["file"]
    yield case, f"/console/cases/{case}/files/{number}"
    service.clock.on(days=8)  # nothing of this counts for the next test


def img(page: httpx2.Response) -> str:
    found = re.search(r'<img src="([^"]+)"', page.text)
    assert found, page.text
    return found[1]


def test_a_still_is_small_grey_blurred_once_and_never_kept(service: Console, one: tuple[int, str]) -> None:
    _, path = one
    with service.browser("reviewer") as browser:
        assert "<img" not in browser.get(path).text
        page = browser.send_form(f"{path}/look", path, step="3")
        assert page.status_code == 200
        before = len(records(service, "saw-media-blurred"))
        assert browser.head(img(page)).status_code == 404
        still = browser.get(img(page))
        assert (still.status_code, still.headers["content-type"]) == (200, "image/jpeg")
        assert still.headers["cache-control"] == "no-store"
        assert still.headers["cross-origin-resource-policy"] == "same-origin"
        picture = Image.open(io.BytesIO(still.content))
        assert picture.mode == "L"
        assert max(picture.size) <= 320
        assert browser.get(img(page)).status_code == 404
        [record] = records(service, "saw-media-blurred")[before:]
        assert (record.by, record.facts["step"]) == (MEMBERS["reviewer"].id, 3)
        assert browser.send_form(f"{path}/look", path, step="1").status_code == 409
        assert browser.send_form(f"{path}/look", path, step="2").status_code == 200
        for bad in ("0", "9", "-1", "x"):
            assert browser.send_form(f"{path}/look", path, step=bad).status_code in (404, 409)


def test_another_member_cannot_fetch_the_still(service: Console, one: tuple[int, str]) -> None:
    _, path = one
    with service.browser("reviewer") as browser, service.browser("senior") as other:
        page = browser.send_form(f"{path}/look", path, step="3")
        assert other.get(img(page)).status_code == 404
        assert browser.get(img(page)).status_code == 200


def test_a_reveal_lasts_as_long_as_it_is_held(service: Console, one: tuple[int, str]) -> None:
    _, path = one
    with service.browser("reviewer") as browser:
        answer = browser.send_form(f"{path}/reveal", path)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
        token = answer.headers["underwing-reveal"]
        service.clock.on(seconds=4)
        assert browser.send_form(f"{path}/end", path, token="wrong").status_code == 204
        assert browser.send_form(f"{path}/end", path, token=token).status_code == 204
        assert records(service, "revealed-media")[-1].facts["seconds"] == 4
        assert "4 of 600 seconds" in browser.get(path).text


def test_a_client_that_goes_away_is_ended(service: Console, one: tuple[int, str]) -> None:
    _, path = one
    with service.browser("reviewer") as browser:
        assert browser.send_form(f"{path}/reveal", path).status_code == 200
    begun = len(records(service, "revealed-media"))
    service.clock.on(minutes=10)
    ended = time.monotonic() + 30
    while len(records(service, "revealed-media")) == begun:
        assert time.monotonic() < ended
        time.sleep(0.1)
    assert records(service, "revealed-media")[-1].facts["seconds"] == 30


def test_without_script_it_is_asked_twice_and_goes_back_by_itself(
    service: Console, one: tuple[int, str]
) -> None:
    _, path = one
    with service.browser("reviewer") as browser:
        asked = browser.get(f"{path}/ask")
        assert "Is a look needed?" in asked.text
        page = browser.send_form(f"{path}/once", f"{path}/ask", second="0")
        assert f'http-equiv="refresh" content="3;url={path}"' in page.text
        begun, over = len(records(service, "reveal-begun")), len(records(service, "revealed-media"))
        assert browser.get(img(page)).status_code == 200
        assert len(records(service, "reveal-begun")) == begun + 1
        assert browser.get(img(page)).status_code == 404
        service.clock.on(seconds=3)
        ended = time.monotonic() + 30
        while len(records(service, "revealed-media")) == over:
            assert time.monotonic() < ended
            time.sleep(0.1)
        assert records(service, "revealed-media")[-1].facts["seconds"] == 3


def test_enough_ends_the_looking(service: Console, one: tuple[int, str]) -> None:
    case, path = one
    with service.browser("reviewer") as browser:
        assert browser.send_form(f"/console/cases/{case}/enough", path).status_code == 303
        assert browser.send_form(f"{path}/look", path, step="3").status_code == 409
        page = browser.send_form(f"{path}/look", path, step="3", reason="one more  look")
        assert browser.get(img(page)).status_code == 200
    assert records(service, "saw-media-blurred")[-1].reason == "one more look"


def test_a_copy_says_who_saw_it(service: Console, one: tuple[int, str]) -> None:
    _, path = one
    with service.browser("reviewer") as browser:
        browser.get(img(browser.send_form(f"{path}/look", path, step="3")))
    number = int(path.rpartition("/")[2])
    seen = service.app.desk.care.exhibits.get(number)
    data = b"".join(service.work.home.vault.read(seen.address, by="t", looking="machine-read"))
    other = service.book.open("anna", "by hand", actor=f"copy-{number}").case
    copy = bring(service, other, data).json()["file"]
    with service.browser("senior") as browser:
        page = browser.get(f"/console/cases/{other}/files/{copy}").text
    assert f"same as file {number}, which" in page


def test_only_whoever_may_sees_files(service: Console, one: tuple[int, str]) -> None:
    _, path = one
    for role, status in (("senior", 200), ("author", 403), ("administrator", 403), ("auditor", 403)):
        with service.browser(role) as browser:
            assert browser.get(path).status_code == status
    with service.browser(None) as browser:
        assert browser.get(path).status_code in (303, 401)
    elsewhere = service.book.open("anna", "by hand", actor="elsewhere").case
    with service.browser("senior") as browser:
        assert browser.get(f"/console/cases/{elsewhere}/files/{path.rpartition('/')[2]}").status_code == 404
        for bad in ("0", "x", "99999999999999999999"):
            assert browser.get(f"/console/cases/{elsewhere}/files/{bad}").status_code in (400, 404)


def test_one_who_saw_enough_is_shown_no_more_and_offered_no_files(
    service: Console, one: tuple[int, str]
) -> None:
    case, path = one
    care = service.app.desk.care
    for n in range(care.limits.day.items):
        number = care.missing(case, f"x{n}", fake(n), by="t", problem="").number
        care.ledger.write(MEMBERS["reviewer"].id, case, number, int(service.clock.now) - 700, 0, step=3)
    with service.browser("reviewer") as browser:
        page = browser.get(path).text
        assert "You have seen enough for now" in page
        assert "Show a blurred still" not in page
        assert browser.send_form(f"{path}/look", "/console/", step="3", reason="please").status_code == 409
        care_page = browser.get("/console/care").text
        assert "60 of 60" in care_page
        assert "All together" not in care_page
    with service.browser("auditor") as browser:
        team = browser.get("/console/care").text
        assert "All together" in team
        assert "60" in team


def fake(number: int) -> Any:
    from underwing.model import MediaHashes

    return MediaHashes(sha256=f"{number:064x}", sha1="", md5="", size=1)


def test_when_the_vault_is_down_the_check_is_answered_and_the_case_says_what_is_missing(
    service: Console, tmp_path: Path
) -> None:
    objects = service.work.home.directory / "objects"
    away = objects.with_name("away")
    objects.rename(away)
    objects.write_text("in the way")
    try:
        answer = check(service, drawn(), "match-down", **{"from": "down-a", "conversation": "d"})
        assert "hold_media" in answer["decision"]["actions"]
        assert answer["evidence"] == "missing"
        case = case_of(service, "match-down")
        notes = [act.detail["text"] for act in service.book.history(case) if act.what == "noted"]
        assert any("was not kept" in note for note in notes)
        failed = bring(service, case, drawn(), event="match-down")
        assert (failed.status_code, failed.json()["error"]["code"]) == (503, "vault_unavailable")
    finally:
        objects.unlink()
        away.rename(objects)
    assert bring(service, case, drawn(), event="match-down").status_code == 201
    assert [
        e.address != "" for e in service.app.desk.care.exhibits.of_case(case) if e.event == "match-down"
    ] == [True]
