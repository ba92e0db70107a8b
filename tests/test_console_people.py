"""The door of the console, one's own account, the administration of people and the second person, over the real app."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pyotp
import pytest

from oidc_servers import Strict
from people_cases import PHRASE, Rig
from people_console import CSRF, Browser, Place
from underwing.casebook.database import Database
from underwing.casebook.people import Member
from underwing.casebook.people.throttle import ACCOUNT
from underwing.server.addresses import client_address
from underwing.server.console.sign_in import WAITING
from underwing.server.http import Request
from underwing.server.settings import SettingsError

NEW = "eight loud otters sleeping"


@pytest.fixture
def place(tmp_path: Path, casebook_database: Database) -> Place:
    return Place(tmp_path, Rig(casebook_database))


def test_from_the_invitation_to_the_queue(place: Place) -> None:
    """Everything that a new member does, form by form."""
    anna, secret = place.people.add("anna", "Anna", "senior", "cli:test")

    async def joins() -> None:
        async with place.browser() as browser:
            page = await browser.get(f"/console/join?invitation={secret}")
            assert "anna" in page.text
            for phrase, again, said in (
                ("short", "short", "at least 12"),
                (PHRASE, NEW, "differ"),
                ("underwing anna", "underwing anna", "little more than a name"),
            ):
                answer = await browser.send_form(
                    "/console/join", f"/console/join?invitation={secret}", invitation=secret, phrase=phrase, again=again
                )  # fmt: skip
                assert answer.status_code == 400
                assert said in answer.text
            answer = await browser.send_form(
                "/console/join", f"/console/join?invitation={secret}", invitation=secret, phrase=PHRASE, again=PHRASE
            )  # fmt: skip
            assert answer.headers["location"] == "/console/enrol"
            assert (await browser.get("/console/")).headers["location"] == "/console/sign-in", "not yet"
            page = await browser.get("/console/enrol")
            key = re.search(r"<code>([A-Z2-7]{32})</code>", page.text)
            assert key
            assert "<svg" in page.text
            assert "style=" not in page.text
            wrong = await browser.send_form("/console/enrol", code="000000")
            assert wrong.status_code == 400
            before = browser.token
            done = await browser.send_form("/console/enrol", code=pyotp.TOTP(key[1]).at(place.rig.clock.now))
            codes = re.findall(r"<code>((?:[A-Z2-7]{4}-){5}[A-Z2-7]{4})</code>", done.text)
            assert len(codes) == 10
            assert browser.token != before, "a new session"
            assert (await browser.get("/console/queue")).status_code == 200
            used = await browser.get(f"/console/join?invitation={secret}")
            assert used.status_code == 403
        async with place.browser() as other:
            answer = await other.send_form("/console/sign-in", name="Anna", phrase=PHRASE, code=codes[3])
            assert answer.headers["location"] == "/console/"
            assert (await other.get("/console/")).status_code == 200
            answer = await other.send_form("/console/sign-out", "/console/")
            assert (await other.get("/console/")).status_code == 303

    asyncio.run(joins())
    assert place.people.member(anna.id)


def inside(
    place: Place, member: Member | None, what: Callable[[Browser], Awaitable[Any]], **headers: str
) -> Any:
    """Do something in a browser of a member."""

    async def run() -> Any:
        async with place.browser(member, **headers) as browser:
            return await what(browser)

    return asyncio.run(run())


def test_a_refused_sign_in_says_nothing_and_waits(place: Place) -> None:
    place.rig.enrolled("anna")

    async def guesses(browser: Browser) -> None:
        for name in ("anna", "nobody"):
            told = set()
            for _ in range(ACCOUNT.free):
                answer = await browser.send_form("/console/sign-in", name=name, phrase="x", code="")
                assert answer.status_code == 403
                told.add(re.sub(r'value="\w+"|[0-9a-f]{8}-\w+', "", answer.text))
            assert len(told) == 1
            answer = await browser.send_form("/console/sign-in", name=name, phrase=PHRASE, code="")
            assert answer.status_code == 429
            assert "Wait 1 min" in answer.text

    inside(place, None, guesses)


def test_a_flood_of_sign_ins_is_told_to_come_again(place: Place) -> None:
    async def flood(browser: Browser) -> None:
        csrf = CSRF.search((await browser.get("/console/sign-in")).text)
        assert csrf

        async def tries(number: int) -> int:
            address = {"x-forwarded-for": f"10.0.0.{number}"}
            form = {"csrf": csrf[1], "name": f"n{number}", "phrase": "x", "code": ""}
            return (await browser.post("/console/sign-in", data=form, headers=address)).status_code

        told = await asyncio.gather(*(tries(number) for number in range(WAITING + 15)))
        assert told.count(503) == 15
        assert set(told) <= {403, 429, 503}
        assert await tries(99) in (403, 429), "and then it goes on"

    inside(place, None, flood)


def test_cookies_and_headers(tmp_path: Path) -> None:
    place = Place(tmp_path, https=True)
    anna, _ = place.rig.enrolled("anna")

    async def signs_in(browser: Browser) -> None:
        page = await browser.get("/console/sign-in")
        assert page.headers["strict-transport-security"]
        assert page.headers["content-security-policy"].startswith("default-src 'none'")
        assert page.headers["referrer-policy"] == "no-referrer"
        answer = await browser.send_form(
            "/console/sign-in", name="anna", phrase=PHRASE, code=place.rig.code(anna)
        )
        (cookie,) = [c for c in answer.headers.get_list("set-cookie") if "console" in c]
        assert cookie.startswith("__Host-underwing_console=")
        for part in ("Path=/", "HttpOnly", "SameSite=Strict", "Secure"):
            assert part in cookie
        assert "Domain" not in cookie
        assert (await browser.get("/console/")).status_code == 200

    inside(place, None, signs_in)


def test_who_followed_a_link_from_elsewhere_comes_through(place: Place) -> None:
    async def follows(browser: Browser) -> None:
        answer = await browser.get("/console/cases/7?x=1", headers={"sec-fetch-site": "cross-site"})
        assert answer.status_code == 200
        assert '<meta http-equiv="refresh" content="0;url=/console/cases/7?x=1">' in answer.text
        again = await browser.get("/console/cases/7?x=1", headers={"sec-fetch-site": "same-origin"})
        assert again.headers["location"] == "/console/sign-in"

    inside(place, None, follows)


def test_a_sign_in_ends_the_session_before_it(place: Place) -> None:
    anna, _ = place.rig.enrolled("anna")
    place.rig.clock.on(minutes=1)

    async def twice(browser: Browser) -> None:
        tokens = []
        for _ in range(2):
            place.rig.clock.on(minutes=1)
            page = await browser.get("/console/join")
            csrf = CSRF.search(page.text)
            assert csrf
            await browser.post(
                "/console/sign-in",
                data={"csrf": csrf[1], "name": "anna", "phrase": PHRASE, "code": place.rig.code(anna)},
            )
            tokens.append(browser.token)
        assert place.people.session(tokens[0]) is None
        assert place.people.session(tokens[1])

    inside(place, None, twice)


def test_a_page_that_looks_again_by_itself_does_not_keep_the_session(place: Place) -> None:
    anna, _ = place.rig.enrolled("anna")

    async def stays_open(browser: Browser) -> None:
        for _ in range(30):
            place.rig.clock.on(minutes=1)
            answer = await browser.get("/console/", headers={"sec-fetch-dest": "empty"})
        assert answer.status_code == 303

    inside(place, anna, stays_open)


def test_a_bad_file_about_the_provider_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"oidc: .*none\.toml cannot be read"):
        Place(tmp_path, oidc=str(tmp_path / "none.toml"))


# -- one's own account ----------------------------------------------------------------------------------


def test_ones_own_account(place: Place) -> None:
    anna, _ = place.rig.enrolled("anna")
    other = place.rig.sign_in(anna)

    async def changes(browser: Browser) -> None:
        me = "/console/me"
        assert (await browser.send_form(f"{me}/language", me, language="de")).status_code == 303
        page = await browser.get(me)
        assert 'lang="de"' in page.text
        assert page.text.count('name="session"') == 1
        assert (await browser.send_form(f"{me}/language", me, language="xx/..")).status_code == 400
        ended = await browser.send_form(f"{me}/sessions", me, session=other.id)
        assert ended.status_code == 303
        assert place.people.session(other.token) is None
        assert (await browser.send_form(f"{me}/language", me, language="en")).status_code == 303
        wrong = await browser.send_form(f"{me}/phrase", me, old="x", new=NEW, again=NEW)
        assert wrong.status_code == 403
        assert "The pass-phrase was not right" in wrong.text
        before = browser.token
        done = await browser.send_form(f"{me}/phrase", me, old=PHRASE, new=NEW, again=NEW)
        assert done.status_code == 303
        assert browser.token != before
        codes = await browser.send_form(f"{me}/recovery", me, old=NEW)
        assert len(re.findall(r"<code>[A-Z2-7-]{29}</code>", codes.text)) == 10
        page = await browser.send_form(f"{me}/factor", me, old=NEW)
        key = re.search(r"<code>([A-Z2-7]{32})</code>", page.text)
        assert key
        wrong = await browser.send_form(f"{me}/factor/code", me, code="000000")
        assert wrong.status_code == 400
        assert key[1] not in wrong.text
        code = pyotp.TOTP(key[1]).at(place.rig.clock.now)
        assert "recovery codes" in (await browser.send_form(f"{me}/factor/code", me, code=code)).text
        place.rig.secrets[anna.id] = key[1]

    inside(place, anna, changes)


def test_a_guest_has_no_account(place: Place) -> None:
    async def looks(browser: Browser) -> None:
        await browser.get(place.app.welcome())
        assert "You are a guest" in (await browser.get("/console/me")).text
        answer = await browser.send_form("/console/me/language", "/console/", language="de")
        assert answer.status_code == 403

    inside(place, None, looks)


# -- people and the second person -----------------------------------------------------------------------


def test_an_administrator_invites(place: Place) -> None:
    boss, _ = place.rig.enrolled("boss", "administrator")
    people = "/console/people"

    async def invites(browser: Browser) -> None:
        page = await browser.send_form(people, name="ben", shown="Ben <b>", role="reviewer", why="")
        link = re.search(r'value="(http://underwing.example/console/join\?invitation=[\w-]{43})"', page.text)
        assert link
        ben = place.people.named("ben")
        assert ben
        assert place.people.invited(link[1].partition("=")[2]) == ben
        for fields, said in (
            ({"name": "BEN", "shown": "Ben", "role": "reviewer"}, "already somebody"),
            ({"name": "b n", "shown": "Ben", "role": "reviewer"}, "1 to 64"),
            ({"name": "carl", "shown": "Carl", "role": "senior", "why": "x"}, "nobody here could be it"),
        ):
            answer = await browser.send_form(people, **fields)
            assert answer.status_code == 400
            assert said in answer.text
        assert place.people.named("carl") is None, "nothing half done"
        assert (await browser.send_form(people, name="x", shown="X", role="king")).status_code == 400
        page = await browser.get(people)
        assert "Ben &lt;b&gt;" in page.text
        one = f"{people}/{ben.id}"
        assert (await browser.send_form(f"{one}/name", one, shown="Ben")).status_code == 303
        assert (await browser.send_form(f"{one}/close", one)).status_code == 303
        assert (await browser.send_form(f"{one}/reset", one, why="")).status_code == 400
        assert (await browser.send_form(f"{one}/open", one)).status_code == 303
        assert (await browser.send_form(f"{one}/role", one, role="auditor", why="")).status_code == 303
        assert "/console/join?invitation=" in (await browser.send_form(f"{one}/reset", one, why="")).text
        assert (await browser.send_form(f"{one}/sessions", one)).status_code == 303
        last = await browser.send_form(f"{people}/{boss.id}/close", f"{people}/{boss.id}")
        assert "last administrator" in last.text
        assert (await browser.get(f"{people}/nobody")).status_code == 404

    inside(place, boss, invites)


def test_two_make_a_senior(place: Place) -> None:
    boss, _ = place.rig.enrolled("boss", "administrator")
    sara, _ = place.rig.enrolled("sara", "senior")

    async def asks(browser: Browser) -> None:
        answer = await browser.send_form(
            "/console/people", name="theo", shown="Theo", role="senior", why="we need a second senior"
        )
        assert answer.headers["location"].endswith("did=people.asked")
        page = await browser.get("/console/requests")
        assert "we need a second senior" in page.text
        assert "Take back" in page.text
        assert ">Confirm<" not in page.text

    async def confirms(browser: Browser) -> None:
        page = await browser.get("/console/requests")
        assert "Theo" in page.text
        assert "Give a role" in page.text
        done = await browser.send_form("/console/requests/1/confirm", "/console/requests")
        assert "/console/join?invitation=" in done.text
        again = await browser.send_form("/console/requests/1/confirm", "/console/requests")
        assert again.status_code == 409
        for number in ("2", "x", "9" * 30):
            answer = await browser.send_form(f"/console/requests/{number}/decline", "/console/requests")
            assert answer.status_code in (404, 409)

    inside(place, boss, asks)
    inside(place, sara, confirms)
    theo = place.people.named("theo")
    assert theo
    assert (theo.role, theo.active) == ("senior", True)


def test_taking_back_and_declining(place: Place) -> None:
    boss, _ = place.rig.enrolled("boss", "administrator")
    sara, _ = place.rig.enrolled("sara", "senior")
    for number, (member, act) in enumerate(((sara, "decline"), (boss, "take-back")), 1):
        place.people.give_role(boss.id, "senior", boss.id, "why not")

        async def ends(browser: Browser, number: int = number, act: str = act) -> None:
            answer = await browser.send_form(f"/console/requests/{number}/{act}", "/console/requests")
            assert answer.status_code == 303

        inside(place, member, ends)
    assert [r.state for r in place.people.second.recent()] == ["taken_back", "declined"]


# -- the identity provider ------------------------------------------------------------------------------

OIDC = """format = 1
issuer = "{issuer}"
client_id = "basic"
redirect = "http://127.0.0.1:8610/console/sign-in/provider/back"
amr = ["mfa"]
create = true
label = "Example <ID>"
[[role]]
claim = "groups"
value = "staff"
role = "reviewer"
"""


def test_through_an_identity_provider(tmp_path: Path) -> None:
    with Strict() as provider:
        config = tmp_path / "oidc.toml"
        config.write_text(OIDC.format(issuer=provider.issuer))
        place = Place(tmp_path, oidc=str(config))

        async def signs_in(browser: Browser) -> None:
            page = await browser.get("/console/sign-in")
            assert "Example &lt;ID&gt;" in page.text
            begun = await browser.get("/console/sign-in/provider")
            kept = begun.headers["set-cookie"]
            assert "SameSite=Lax" in kept
            assert "HttpOnly" in kept
            back = provider.authorise(begun.headers["location"])
            answer = await browser.get("/console/sign-in/provider/back", params=back)
            assert answer.status_code == 200, "a redirect would come without the Strict cookie"
            assert 'http-equiv="refresh" content="0;url=/console/"' in answer.text
            assert "reviewer" in (await browser.get("/console/")).text
            assert "identity provider" in (await browser.get("/console/me")).text
            again = await browser.get("/console/sign-in/provider/back", params=back)
            assert again.status_code == 403
            provider.change = lambda claims: claims.update(amr=["pwd"])
            begun = await browser.get("/console/sign-in/provider")
            back = provider.authorise(begun.headers["location"])
            refused = await browser.get("/console/sign-in/provider/back", params=back)
            assert refused.status_code == 403
            assert "second factor" in refused.text

        inside(place, None, signs_in)
        assert [m.name for m in place.people.members()] == ["ida"]


def test_without_a_provider_there_is_none(place: Place) -> None:
    async def looks(browser: Browser) -> None:
        assert "provider" not in (await browser.get("/console/sign-in")).text
        for path in ("/console/sign-in/provider", "/console/sign-in/provider/back"):
            assert (await browser.get(path)).status_code == 404

    inside(place, None, looks)


@pytest.mark.parametrize(
    ("client", "forwarded", "address"),
    [
        ("192.0.2.1", "198.51.100.1", "192.0.2.1"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("127.0.0.1", "10.9.9.9, 198.51.100.1", "198.51.100.1"),
        ("127.0.0.1", "198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("::1", "2001:db8::1", "2001:db8::1"),
        ("127.0.0.1", "x" * 500, "x" * 100),
    ],
)
def test_addresses_behind_a_proxy(client: str, forwarded: str, address: str) -> None:
    headers = [(b"x-forwarded-for", forwarded.encode())] if forwarded else []
    scope = {"headers": headers, "method": "GET", "path": "/", "client": (client, 1)}
    assert client_address(Request(scope, None, None), "127.0.0.1 ::1 10.0.0.2") == address  # type: ignore[arg-type]
