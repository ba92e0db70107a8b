"""Appeals over HTTP: the page that needs no account, another person's decision, and what is then undone."""

import base64
import hmac
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from casebook_cases import NOW
from console_cases import MEMBERS, Browser, Console, console, fill
from underwing.engine import Engine
from underwing.engine.keys import pair_key
from underwing.policy import load_policy
from underwing.server.appeals.follow import BANK
from underwing.server.console.appeal import FROM_ONE

SECRET = "a secret of at least 24 bytes"
HOSTILE = "<script>alert(1)</script> \u202egnp"


class Platform(ThreadingHTTPServer):
    """A platform's webhook on loopback: checks the signature, keeps what it is told, fails when it is told to."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Hook)
        self.told: list[dict[str, Any]] = []
        self.fails = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hook"


class Hook(BaseHTTPRequestHandler):
    server: Platform

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        said = f"{self.headers['webhook-id']}.{self.headers['webhook-timestamp']}.".encode() + body
        right = "v1," + base64.b64encode(hmac.digest(SECRET.encode(), said, "sha256")).decode()
        status = 401 if self.headers["webhook-signature"] != right else 500 if self.server.fails > 0 else 204
        self.server.fails -= status == 500
        if status == 204:
            self.server.told.append(json.loads(body))
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    server = Platform()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory, small_packs: Any, platform: Platform
) -> Iterator[Console]:
    engine = Engine(small_packs, load_policy())
    home = tmp_path_factory.mktemp("service")
    with console(engine, home, appeal_webhook=platform.url, appeal_secret=SECRET) as made:
        made.with_banks()
        fill(made)
        yield made


def until(true: Callable[[], bool]) -> None:
    ended = time.monotonic() + 40
    while not true():
        assert time.monotonic() < ended
        time.sleep(0.1)


def token(
    service: Console, account: str, event: str | None, status: int = 201, **more: Any
) -> dict[str, Any]:
    with service.client("platform") as client:
        answer = client.post("/v1/appeals/tokens", json={"account": account, "event": event, **more})
    assert answer.status_code == status, answer.text
    made: dict[str, Any] = answer.json()
    return made


def worst(service: Console, account: str, target: str) -> str:
    """An event of one account towards another that is in a case."""
    found = [
        item
        for case in service.book.queue(None, limit=100)
        for item in service.book.items(case.id)
        if item.found.actor == account and item.found.target == target and item.found.kind == "decision"
    ]
    return found[-1].found.event


def file(browser: Browser, path: str, kind: str, text: str) -> Any:
    return browser.send_form("/console/appeal", path, token=path.partition("token=")[2], kind=kind, text=text)


def status(service: Console, id: str) -> dict[str, Any]:
    with service.client("platform") as client:
        made: dict[str, Any] = client.get(f"/v1/appeals/{id}").json()
    return made


def waiting(service: Console, account: str) -> str:
    return next(appeal.id for appeal in service.app.desk.appeals.queue() if appeal.account == account)


# -- the page -------------------------------------------------------------------------------------------------


def test_the_page_says_what_was_decided_and_gives_nothing_away(service: Console) -> None:
    event = worst(service, "a", "k")
    given = {
        "measures": ["account_suspended"],
        "ground": "law",
        "clause": "Section 3",
        "contact": "help@example.org",
    }
    made = token(service, "a", event, given=given)
    assert made["path"].startswith("/appeal?token=")
    assert made["statement"]["facts"] == ["messages"]
    with service.browser(None) as browser:
        page = browser.get(made["path"])
        assert page.status_code == 200
        for said in ("Your account is suspended", "Section 3", "found by automated means", "A program decided",
                     "against the law", "help@example.org", "court"):  # fmt: skip
            assert said in page.text, said
        content = page.text[page.text.index("<main") :]
        for secret in (">k<", event, "isolate", "threat.", "xx.", " list", "report", "nats", "score"):
            assert secret not in content, secret
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["referrer-policy"] == "no-referrer"
        german = browser.get(made["path"] + "&lang=de").text
        assert "Ihr Konto ist gesperrt" in german
        assert '<html lang="de">' in german


def test_the_token_is_for_one_account(service: Console) -> None:
    event = worst(service, "a", "k")
    assert token(service, "k", event, 422)["error"]["code"] == "other_account"
    assert token(service, "a", "no-such-event", 404)["error"]["code"] == "unknown_event"
    with service.client("reviewer") as client:
        assert client.post("/v1/appeals/tokens", json={"account": "a"}).status_code == 403
    with service.client(None) as client:
        assert client.post("/v1/appeals/tokens", json={"account": "a"}).status_code == 401
        assert client.get("/v1/appeals/x").status_code == 401
    with service.client("platform") as client:
        assert client.get("/v1/appeals/none").status_code == 404
        assert client.post("/v1/appeals/tokens", json={"account": "a", "days": 401}).status_code == 422
        assert client.post("/v1/appeals/tokens", json={"account": "a", "more": 1}).status_code == 422


def test_an_unknown_or_old_link_says_so_and_no_more(service: Console) -> None:
    old = token(service, "a", worst(service, "a", "k"), days=1)
    service.clock.on(days=1)
    with service.browser(None) as browser:
        for path in (
            old["path"],
            "/appeal?token=" + "A" * 43,
            "/appeal?token=%00",
            "/appeal?token=" + "x" * 3_000,
        ):
            answer = browser.get(path)
            assert answer.status_code == 404, path
            assert "not known here, or it has run out" in answer.text
        assert browser.get("/appeal").status_code == 200


def test_what_is_written_lies_still_and_counts_once(service: Console) -> None:
    made = token(service, "stranger\u202e", worst(service, "stranger\u202e", "child\u202ename"))
    with service.browser(None) as browser:
        for text in ("", "x" * 5_001):
            assert file(browser, made["path"], "decision", text).status_code == 400
        assert file(browser, made["path"], "other", "hello").status_code == 400
        sent = file(browser, made["path"], "decision", HOSTILE)
        assert (sent.status_code, sent.headers["location"].partition("?")[0]) == (303, "/console/appeal")
        page = browser.get(sent.headers["location"])
        assert "Your words have arrived" in page.text
        assert "<script>alert" not in page.text
        assert "\u202e" not in page.text
        assert file(browser, made["path"], "decision", "again").status_code in (400, 403)
        assert file(browser, made["path"], "detection", "everything is read").status_code == 303
    id = waiting(service, "stranger\u202e")
    with service.browser("reviewer") as browser:
        page = browser.get(f"/console/appeals/{id}")
        assert page.status_code == 200
        assert "<script>alert" not in page.text
        assert "\u202e" not in page.text
    assert status(service, id)["state"] == "waiting"


def test_a_form_of_another_site_is_not_taken(service: Console) -> None:
    made = token(service, "a", worst(service, "a", "k"))
    with service.browser(None) as browser:
        fields = {"token": made["token"], "kind": "decision", "text": "hello", "csrf": "0" * 64}
        assert browser.post("/console/appeal", data=fields).status_code == 403
        assert browser.post(
            "/console/appeal", data=fields, headers={"sec-fetch-site": "cross-site"}
        ).status_code == 403  # fmt: skip


# -- people ---------------------------------------------------------------------------------------------------


def test_another_person_reverses_and_what_followed_is_undone(service: Console, platform: Platform) -> None:
    event = worst(service, "a", "k")
    case = service.book.where(event)
    assert case is not None
    key = pair_key("a", "k")
    pair = service.runner.state.pairs.get(key)
    assert pair is not None
    assert pair.fast > 0
    service.book.take(case.case, MEMBERS["reviewer"].id)
    service.book.close(case.case, MEMBERS["reviewer"].id, "harm", "seen")
    made = token(service, "a", event)
    assert made["statement"]["by"] == "person"
    with service.client("platform") as client:
        filed = client.post("/v1/appeals", json={"token": made["token"], "text": "It was not me."})
        assert filed.status_code == 201
        assert client.post("/v1/appeals", json={"token": "A" * 43, "text": "x"}).status_code == 404
        assert client.post("/v1/appeals", json={"token": made["token"], "text": "x"}).status_code == 422
    id = filed.json()["id"]
    page = f"/console/appeals/{id}"
    with service.browser("reviewer") as browser:
        assert "A colleague must look at this one" in browser.get(page).text
        assert browser.send_form(f"{page}/take", page).status_code == 403
    platform.fails = 1
    with service.browser("senior") as browser:
        assert "home alone" not in browser.get(page).text
        assert browser.send_form(f"{page}/take", page).status_code == 303
        shown = browser.get(page).text
        assert "isolate" in shown
        fields = {"verdict": "reversed", "reason": "looked again", "answer": "We were wrong. Sorry."}
        assert browser.send_form(f"{page}/decide", page, **{**fields, "answer": ""}).status_code == 409
        assert browser.send_form(f"{page}/decide", page, **fields).status_code == 303
        assert "Reversed" in browser.get(page).text
        assert browser.send_form(f"{page}/decide", "/console/", **fields).status_code == 409
    until(lambda: (found := service.runner.state.pairs.get(key)) is not None and found.fast == 0)
    until(lambda: platform.fails == 0 and status(service, id)["pending"] == ["platform"])
    service.clock.on(minutes=5)
    until(lambda: status(service, id)["pending"] == [])
    told = platform.told[-1]
    assert (told["type"], told["id"]) == ("underwing.appeal", id)
    assert (told["state"], told["restore"], told["event"]) == ("reversed", True, event)
    assert "looked again" not in json.dumps(told)
    whole = all(item.found.actor == "a" for item in service.book.items(case.case))
    head = service.book.case(case.case)
    assert head is not None
    assert head.outcome == ("no_harm" if whole else "harm")
    with service.browser(None) as browser:
        answer = browser.get(made["path"]).text
        assert "We were wrong. Sorry." in answer
        assert "looked again" not in answer
    acted = [
        r for r in service.work.home.custody.records() if r.kind == "acted" and f"appeal:{id}" in str(r.facts)
    ]
    assert [r.facts["what"] for r in acted] == ["appeal.take", "appeal.decide"]


def test_a_false_match_is_silenced_by_its_bytes(service: Console) -> None:
    from io import BytesIO

    from test_console_media import png

    with service.client("operator") as client:
        assert client.post("/v1/banks", json={"name": "wrong", "label": "csam"}).status_code in (200, 201)
        data = png(77)
        assert client.post(
            "/v1/banks/wrong/entries", files={"file": ("f", BytesIO(data))}
        ).status_code in (200, 201)  # fmt: skip
        where = {"at": "2026-01-01T12:00:00Z", "surface": "dm", "conversation": "f", "from": "f", "to": ["k"]}
        first = client.post("/v1/media", content=data, params={**where, "id": "f1"}).json()
        assert [match["label"] for match in first["matches"]] == ["csam"]
        assert first["evidence"] == "kept"
    id = service.app.desk.appeals.file(
        service.app.desk.appeals.find(token(service, "f", "f1")["token"]), "decision", "my holiday"
    ).id
    page = f"/console/appeals/{id}"
    with service.browser("senior") as browser:
        browser.send_form(f"{page}/take", page)
        assert "The match itself was false" in browser.get(page).text
        done = browser.send_form(
            f"{page}/decide", page, verdict="reversed", match_false="yes", reason="a holiday", answer="Sorry."
        )
        assert done.status_code == 303
    until(lambda: status(service, id)["pending"] == [])
    with service.client("operator") as client:
        again = client.post("/v1/media", content=data, params={**where, "id": "f2"}).json()
        assert again["matches"] == []
        assert again["decision"]["actions"] == []
        banks = {bank["bank"]["name"]: bank for bank in client.get("/v1/banks").json()["banks"]}
        assert banks[BANK]["bank"]["negative"]


def test_who_may_decide(service: Console) -> None:
    for role, expected in (
        ("reviewer", 200),
        ("senior", 200),
        ("author", 403),
        ("administrator", 403),
        ("auditor", 403),
    ):
        with service.browser(role) as browser:
            assert browser.get("/console/appeals").status_code == expected
    with service.browser("senior") as browser:
        assert browser.get("/console/appeals/none").status_code == 404
        assert browser.get("/console/appeals/%00").status_code == 404


def test_who_works_alone_may_look_again_later_and_it_is_said(service: Console) -> None:
    people, event = service.app.desk.people, worst(service, "a", "k2")
    case = service.book.where(event).case  # type: ignore[union-attr]
    if service.book.case(case).state == "closed":  # type: ignore[union-attr]
        service.book.reopen(case, "id-senior", "look again")
    service.book.take(case, "id-senior")
    before = {appeal.id for appeal in service.app.desk.appeals.queue()}
    people.change("id-reviewer", "id-administrator", active=False)
    made = token(service, "a", event, given={"measures": ["account_suspended"]})
    with service.browser(None) as stranger:
        assert "Only one person works here" in stranger.get(made["path"]).text
        file(stranger, made["path"], "decision", "Please.")
        assert "Nobody works here who had no part" in stranger.get(made["path"]).text
    (id,) = {appeal.id for appeal in service.app.desk.appeals.queue()} - before
    path = f"/console/appeals/{id}"
    with service.browser("senior") as browser:
        assert "You can take it from" in browser.get(path).text
        refused = browser.send_form(f"{path}/take")
        assert (refused.status_code, "in 72 hours" in refused.text) == (409, True)
    service.clock.on(days=3)
    with service.browser("senior") as browser:
        assert browser.send_form(f"{path}/take").status_code == 303
        done = browser.send_form(f"{path}/decide", verdict="upheld", reason="r", answer="It stands.")
        assert done.status_code == 303
        assert "Not independently reviewed" in browser.get("/console/appeals").text
    with service.browser(None) as stranger:
        assert "It was not independently reviewed" in stranger.get(made["path"]).text
    assert status(service, id)["independent"] is False
    people.change("id-reviewer", "id-administrator", active=True)


def test_too_many_requests_are_refused_for_a_minute(service: Console) -> None:
    service.clock.on(minutes=2)
    with service.browser(None) as browser:
        codes = [browser.get("/appeal?token=" + "A" * 43).status_code for _ in range(FROM_ONE + 2)]
        assert codes == [404] * FROM_ONE + [429] * 2
        service.clock.on(minutes=2)
        assert browser.get("/appeal").status_code == 200
    assert service.clock.now > NOW
    assert re.search(r"console_appeal_page", service.log)
    assert "token=" not in service.log
