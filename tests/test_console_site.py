"""The console's foundation: who gets in, what forms are taken, what pages may load, errors as pages, words."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from console_cases import MEMBERS, Console, console
from underwing.casebook.people import May
from underwing.engine import Engine
from underwing.server.console import Desk, Site, View
from underwing.server.console.words import choose
from underwing.server.limits import Rates
from underwing.server.settings import Settings


@pytest.fixture
def service(engine: Engine, tmp_path: Path) -> Iterator[Console]:
    with console(engine, tmp_path) as service:
        yield service


def test_without_a_session_there_is_nothing_to_see(service: Console) -> None:
    with service.browser(None) as client:
        for row in service.app.site.table():
            if row.permission is None or row.method != "GET":
                continue
            answer = client.get(row.path.replace("{case}", "1"))
            assert answer.status_code in (401, 303), row.path
            assert 'class="menu"' not in answer.text


def test_a_ticket_opens_one_session(service: Console) -> None:
    path = service.app.welcome()
    with service.browser(None) as client:
        assert client.head(path).status_code == 200  # who only asks keeps the ticket
        answer = client.get(path)
        assert (answer.status_code, answer.headers["location"]) == (303, "/console/")
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert "Demo" in client.get("/console/").text
        assert client.get(path).status_code == 401
        assert client.get("/console").headers["location"] == "/console/"
    assert path.partition("=")[2] not in service.log


def test_signing_out_ends_the_session(service: Console) -> None:
    with service.browser() as client:
        kept = dict(client.cookies)
        assert client.send_form("/console/sign-out").status_code == 303
        assert client.get("/console/").headers["location"] == "/console/sign-in"
    with service.browser(None, cookies=kept) as client:
        assert client.get("/console/").headers["location"] == "/console/sign-in"


def test_a_session_that_asks_too_much_waits(service: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(service.app.site, "_rates", Rates(3, clock=lambda: now[0]))
    with service.browser() as client, service.browser() as other:
        assert [client.get("/console/").status_code for _ in range(4)] == [200, 200, 200, 429]
        refused = client.get("/console/")
        assert "Wait a little" in refused.text
        assert refused.headers["retry-after"] == "1"
        assert other.get("/console/").status_code == 200
        now[0] += 1
        assert client.get("/console/").status_code == 200


def test_forms_are_taken_from_our_own_pages_only(service: Console) -> None:
    with service.browser() as client:
        assert client.post("/console/sign-out", data={"x": "y"}).status_code == 403
        assert client.post("/console/sign-out", data={"csrf": "0" * 64}).status_code == 403
        foreign = (
            {"sec-fetch-site": "cross-site"},
            {"sec-fetch-site": "same-site"},
            {"origin": "https://evil.example"},
        )
        for headers in foreign:
            client.headers.update(headers)
            assert client.send_form("/console/sign-out").status_code == 403, headers
            for name in headers:
                del client.headers[name]
        assert client.get("/console/").status_code == 200
        answer = client.post("/console/sign-out", content=b"{}", headers={"content-type": "application/json"})
        assert answer.status_code == 415
        assert client.send_form("/console/sign-out", x="y" * 300_000).status_code == 413


def test_another_session_s_token_does_not_do(service: Console) -> None:
    with service.browser("senior") as one, service.browser("reviewer") as other:
        token = re.search(r'name="csrf" value="(\w+)"', other.get("/console/").text)
        assert token
        assert one.post("/console/sign-out", data={"csrf": token[1]}).status_code == 403


def test_nothing_is_loaded_from_elsewhere_and_nothing_runs_inline(service: Console) -> None:
    with service.browser() as client:
        page = client.get("/console/")
        policy = page.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'self'; script-src 'self'")
        assert "unsafe" not in policy
        assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=", page.text)
        assert not re.search(r"(https?:)?//[a-z]", page.text)
        assert page.headers["cache-control"] == "no-store"
        files = re.findall(r'(?:href|src)="(/console/static/[^"]+)"', page.text)
        assert len(files) >= 3
        for path in files:
            answer = client.get(path)
            assert answer.status_code == 200
            assert answer.headers.get_list("cache-control") == ["public, max-age=31536000, immutable"]
            assert client.get(path.partition("?")[0]).headers["cache-control"] == "no-store"
        for path in ("..%2fsite.py", "../site.py", "nothing.css", ""):
            assert client.get(f"/console/static/{path}").status_code == 404


def test_errors_are_pages(service: Console) -> None:
    with service.browser() as client:
        answer = client.get("/console/nothing")
        assert answer.status_code == 404
        assert 'class="menu"' in answer.text
        assert answer.headers["x-request-id"] in answer.text
        assert client.post("/console/", data={}).status_code == 405
        assert client.get("/console/?x=%ff").status_code == 400
        assert client.get("/console/?did=problem.because&about=x").status_code == 200

    async def broken(visit: object) -> None:
        raise ZeroDivisionError

    service.app.site.add("/console/broken", GET=View("broken", broken, May.sign_in))  # type: ignore[arg-type]
    with service.browser() as client:
        answer = client.get("/console/broken")
    assert answer.status_code == 500
    assert "ZeroDivision" not in answer.text
    assert service.lines("fault")


def test_a_role_that_may_not_is_refused_before_the_handler(service: Console) -> None:
    async def never(visit: object) -> None:
        raise AssertionError

    service.app.site.add("/console/never", GET=View("never", never, May.manage_people))  # type: ignore[arg-type]
    for role in MEMBERS:
        with service.browser(role) as client:
            assert client.get("/console/never").status_code == (500 if role == "administrator" else 403)


def test_the_table_takes_nothing_twice_and_nothing_outside() -> None:
    site = Site(Desk(Settings()))
    view = View("one", None, None)  # type: ignore[arg-type]
    site.add("/console/one", GET=view)
    for path, name in (("/console/one", "two"), ("/console/two", "one"), ("/v1/x", "three")):
        with pytest.raises(ValueError, match=r"taken|begin with"):
            site.add(path, GET=view._replace(name=name))


@pytest.mark.parametrize(
    ("wanted", "accepted", "chosen"),
    [
        ("de", b"en", "de"), ("", b"de-AT,de;q=0.9,en;q=0.8", "de"), ("", b"fr,en;q=0.1,de;q=0.2", "de"),
        ("", b"fr", "en"), ("", None, "en"), ("xx", b"de;q=x,;;,en;q=0", "en"), ("", b"*", "en"),
    ],
)  # fmt: skip
def test_the_language_is_the_member_s_then_the_browser_s(
    wanted: str, accepted: bytes | None, chosen: str
) -> None:
    assert choose(wanted, accepted) == chosen


def test_pages_come_in_german_too(service: Console) -> None:
    with service.browser(headers={"accept-language": "de"}) as client:
        page = client.get("/console/keys").text
    assert '<html lang="de">' in page
    assert "Zum Inhalt springen" in page
