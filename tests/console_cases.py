"""A running console over a real casebook, for the tests of its pages: members of each role, sessions, forms."""

import io
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import httpx2
from axe_playwright_python.sync_playwright import Axe
from msgspec import to_builtins
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page
from sqlalchemy import insert

from casebook_cases import Clock
from server_cases import Running, event, post
from underwing.casebook.cases import Case, Casebook
from underwing.casebook.context import ContextBuffer
from underwing.casebook.database import Database
from underwing.casebook.people import Member, Role, Session, Whose
from underwing.casebook.people.access import may
from underwing.casebook.people.tables import MEMBERS as MEMBERS_TABLE
from underwing.casebook.vault import Home
from underwing.engine import Engine, Runner
from underwing.server.app import create_app
from underwing.server.casework import Casework
from underwing.server.keys import Keys
from underwing.server.logs import set_up
from underwing.server.settings import Settings

MEMBERS = {
    role: Member(id=f"id-{role}", name=role, shown=role.capitalize(), role=role) for role in get_args(Role)
}
_CSRF = re.compile(r'name="csrf" value="([0-9a-f]{64})"')


class Console(Running):
    """A service with a casebook, and browsers that are signed in."""

    book: Casebook
    work: Casework
    clock: Clock
    home: Home

    def records(self, *, seen: bool = False) -> list[tuple[str, str, str]]:
        """(who, what, about which case) of what was done in the console, from the custody log; with `seen`, what was read
        too."""
        return [
            (record.by, "saw" if record.kind == "saw-metadata" else str(record.facts["what"]), record.case)
            for record in self.home.custody.records()
            if record.kind == "acted" or (seen and record.kind == "saw-metadata")
        ]

    def token(self, member: Member | Role) -> str:
        """A session's token: of a member of `MEMBERS` as signing in would give it, of anybody else by a ticket."""
        who = MEMBERS[member] if isinstance(member, str) else member
        desk = self.app.desk
        while desk.people is None:
            assert self.thread.is_alive()
            time.sleep(0.01)
        if who in MEMBERS.values():
            session: Session = desk.people._begin(who.id, "password", complete=True, address="", agent="")
            return session.token
        return desk.guests.redeem(desk.guests.invite(who)) or ""

    @contextmanager
    def browser(self, member: Member | Role | None = "senior", **more: Any) -> Iterator["Browser"]:
        """A client with a session of `member` (None: without one)."""
        with Browser(base_url=self.url, timeout=30, **more) as client:
            if member is not None:
                client.cookies.set("underwing_console", self.token(member), domain="127.0.0.1", path="/")
            yield client


class Browser(httpx2.Client):
    """A client that fills the hidden field of forms as a browser would."""

    def send_form(self, path: str, page: str = "/console/", **fields: Any) -> httpx2.Response:
        """POST a form that stands on `page`."""
        found = _CSRF.search(self.get(page).text)
        assert found, f"{page} has no form"
        return self.post(path, data={"csrf": found[1], **fields})

    def act(self, case: Case, what: str, **fields: Any) -> httpx2.Response:
        """Do something with a case as a page showed it that was loaded when the case was `case`."""
        stand = {"version": case.version, "acted": case.acted}
        return self.send_form(f"/console/cases/{case.id}/{what}", **{**stand, **fields})


@contextmanager
def console(
    engine: Engine, directory: Path, database: Database | None = None, **settings: Any
) -> Iterator[Console]:
    """The service over `engine` with casebook, vault, people and context, its files in `directory`; the casebook in
    `database`, or in a file beside the others."""
    log, path, clock = io.StringIO(), directory / "store.db", Clock()
    set_up("info", log)
    kept = database or Database(directory / "console.db")
    home = Home.ensure(directory / "vault", kept, lambda: datetime.fromtimestamp(clock(), UTC))
    for member in MEMBERS.values():
        kept.run(insert(MEMBERS_TABLE).values(created=0, **to_builtins(member)))
    context = ContextBuffer(directory / "context.db", b"k" * 32)
    book = Casebook(kept, clock=clock, context=context, keys=home.keys)
    with Runner(engine, path) as runner, Keys(path) as keys:
        app = create_app(None, keys, Settings(database=str(path), **settings))
        work = Casework(book, home, runner, {})

        async def load() -> None:
            app.attach(runner, work)

        app.on_start, app.desk.clock = load, clock
        service = Console(app, runner, keys, log)
        service.book, service.work, service.clock, service.home = book, work, clock, home
        try:
            yield service
        finally:
            service.stop()
            work.close()


CALM = ["hello", "good night", "what did you get for question four", "see you tomorrow", "nice one", "lol ok"]
STORY = [
    "so home alone ok",
    "dont tell",
    "picture of you",
    "everyone will see",
    "pay me",
    "come on",
    "camera on now",
]
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>"
BIDI = "dont tell \u202egnp.exe\u202c \u2066x\u2069 \u200b home alone"
LONG = "x" * 19_000 + " dont tell " + "y" * 900


def fill(service: Console) -> None:
    """Cases through the front door: a pressed child, a second one of the same actor, hostile names and texts, a report."""
    story = [*CALM, *STORY[:4], *CALM, *STORY[4:]]
    lines: list[dict[str, Any]] = [
        {"type": "account", "id": name, "declared_age": 13, "minor": True, "country": "GB"}
        for name in ("k", "k2", HOSTILE[:64], "child\u202ename")
    ]
    lines.append({"type": "account", "id": "a", "declared_age": 40, "minor": False})
    for number, text in enumerate(story):
        sender, to = ("k", "a") if text in CALM and number % 2 else ("a", "k")
        lines.append(event(number, text, **said_at(number, sender, to)))
    for number, text in enumerate(STORY[:4], 100):
        lines.append(event(number, text, **said_at(number, "a", "k2")))
    hostile = (HOSTILE, BIDI, LONG, *STORY)
    for number, text in enumerate(hostile, 200):
        lines.append(event(number, text, **said_at(number, HOSTILE[:60] + "b", HOSTILE[:64])))
    for number, text in enumerate(STORY, 300):
        lines.append(event(number, text, **said_at(number, "stranger\u202e", "child\u202ename")))
    lines.append(
        {"type": "user_report", "id": "r1", "at": "2026-01-01T12:00:00Z", "from": "k", "to": "mean", "reason": HOSTILE[:60]}
    )  # fmt: skip
    with service.client("platform") as client:
        while client.get("/readyz").status_code != 200:
            pass
        post(client, *lines)


def said_at(number: int, sender: str, to: str) -> dict[str, Any]:
    """What makes `event` a message between two accounts, some minutes past noon."""
    return {
        "from": sender, "to": [to], "conversation": f"{sender}-{to}"[:64],
        "at": f"2026-01-01T12:{number % 60:02d}:00Z",
    }  # fmt: skip


# -- browsers -------------------------------------------------------------------------------------------

SAMPLES = {
    "/console/cases/{case}": "/console/cases/1",
    "/console/cases/{case}/why/{event}": "/console/cases/1/why/m9",
    "/console/cases/{case}/split": "/console/cases/1/split",
    "/console/accounts": "/console/accounts?id=a",
    "/console/accounts/{id}": "/console/accounts/a",
    "/console/people/{member}": "/console/people/id-reviewer",
    "/console/banks/{bank}": "/console/banks/test",
    "/console/bank-entries": "/console/bank-entries?bank=test&id=underwing-test-picture",
    "/console/bank-entries/{number}": "/console/bank-entries/1",
}
"""A path that can be looked at, for each that has parts in braces."""
NOT_WALKED = (
    "/console/enter", "/console/custody/checkpoints", "/console/enrol", "/console/sign-in/provider",
    "/console/sign-in/provider/back",
)  # fmt: skip
"""Paths that give no page as they stand: a redirect, a file, a page that needs more than a session."""
VIEWS: dict[str, dict[str, Any]] = {
    "light": {"viewport": {"width": 1280, "height": 800}},
    "dark": {"viewport": {"width": 1280, "height": 800}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 320, "height": 640}, "has_touch": True},
}


def pages(service: Console) -> Iterator[tuple[str, Member | None]]:
    """Every page of the console that GET shows, with a member who may see it (None: no session needed)."""
    for row in service.app.site.table():
        path = SAMPLES.get(row.path, row.path)
        if row.method != "GET" or "{" in path or row.path in NOT_WALKED:
            continue
        if row.permission is None:
            yield path, None
        else:
            whose: Whose = "none" if row.about == "none" else "free"  # nobody holds the cases of the samples
            yield path, next(member for member in MEMBERS.values() if may(member, row.permission, whose))


def faults(page: Page) -> list[str]:
    """What axe calls serious or critical on a page, with where it is."""
    options = {"resultTypes": ["violations"], "rules": {"target-size": {"enabled": True}}}
    found = Axe().run(page, options=options).response["violations"]
    return [
        f"{v['impact']} {v['id']}: {[node['html'][:200] for node in v['nodes']][:3]}"
        for v in found
        if v["impact"] in ("serious", "critical")
    ]


@contextmanager
def tab(
    chromium: Chromium, service: Console, member: Member | Role | None, view: str = "light"
) -> Iterator[Page]:
    """A page of a real browser, signed in. Anything that a page says went wrong fails the test."""
    with chromium.new_context(**VIEWS[view]) as context:
        page, wrong = context.new_page(), list[str]()
        page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda dialog: wrong.append(f"a dialog: {dialog.message}"))
        if member is not None:
            cookie = {"name": "underwing_console", "value": service.token(member), "url": service.url}
            context.add_cookies([cookie])  # type: ignore[list-item]
            page.goto(f"{service.url}/console/")
        yield page
        assert not wrong, wrong
