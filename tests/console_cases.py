"""A running console over a real casebook, for the tests of its pages: members of each role, sessions, forms."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

import httpx2

from casebook_cases import Clock
from server_cases import Running, event, post
from underwing.casebook.cases import Casebook
from underwing.casebook.context import ContextBuffer
from underwing.casebook.people import Member, Role
from underwing.engine import Engine, Runner
from underwing.server import Keys, Settings, create_app
from underwing.server.casework import Casework
from underwing.server.logs import set_up

MEMBERS = {
    role: Member(id=f"id-{role}", name=role, shown=role.capitalize(), role=role) for role in get_args(Role)
}
_CSRF = re.compile(r'name="csrf" value="([0-9a-f]{64})"')


class Console(Running):
    """A service with a casebook, and browsers that are signed in."""

    book: Casebook
    work: Casework
    clock: Clock

    @contextmanager
    def browser(self, member: Member | Role | None = "senior", **more: Any) -> Iterator["Browser"]:
        """A client with a session of `member` (None: without one)."""
        with Browser(base_url=self.url, timeout=30, **more) as client:
            if member is not None:
                who = MEMBERS[member] if isinstance(member, str) else member
                answer = client.get(f"/console/enter?key={self.app.desk.guests.invite(who)}")
                assert answer.status_code == 303
            yield client


class Browser(httpx2.Client):
    """A client that fills the hidden field of forms as a browser would."""

    def send_form(self, path: str, page: str = "/console/", **fields: Any) -> httpx2.Response:
        """POST a form that stands on `page`."""
        found = _CSRF.search(self.get(page).text)
        assert found, f"{page} has no form"
        return self.post(path, data={"csrf": found[1], **fields})


@contextmanager
def console(engine: Engine, directory: Path, **settings: Any) -> Iterator[Console]:
    """The service over `engine` with casebook and context, its files in `directory`."""
    log, path = io.StringIO(), directory / "store.db"
    set_up("info", log)
    clock = Clock()
    given = Settings(database=str(path), **settings)
    with (
        Runner(engine, path) as runner,
        Keys(path) as keys,
        Casebook(
            directory / "casebook.db", clock=clock, context=ContextBuffer(directory / "context.db", b"k" * 32)
        ) as book,
    ):
        app = create_app(None, keys, given)
        work = Casework(book, runner)

        async def load() -> None:
            app.attach(runner, work)

        app.on_start = load
        app.desk.clock = clock
        service = Console(app, runner, keys, log)
        service.book, service.work, service.clock = book, work, clock
        try:
            yield service
        finally:
            service.stop()


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
        lines.append(event(number, text, **_said(number, sender, to)))
    for number, text in enumerate(STORY[:4], 100):
        lines.append(event(number, text, **_said(number, "a", "k2")))
    hostile = (HOSTILE, BIDI, LONG, *STORY)
    for number, text in enumerate(hostile, 200):
        lines.append(event(number, text, **_said(number, HOSTILE[:60] + "b", HOSTILE[:64])))
    for number, text in enumerate(STORY, 300):
        lines.append(event(number, text, **_said(number, "stranger\u202e", "child\u202ename")))
    lines.append(
        {"type": "user_report", "id": "r1", "at": "2026-01-01T12:00:00Z", "from": "k", "to": "mean", "reason": HOSTILE[:60]}
    )  # fmt: skip
    with service.client("platform") as client:
        while client.get("/readyz").status_code != 200:
            pass
        post(client, *lines)


def _said(number: int, sender: str, to: str) -> dict[str, Any]:
    return {
        "from": sender, "to": [to], "conversation": f"{sender}-{to}"[:64],
        "at": f"2026-01-01T12:{number % 60:02d}:00Z",
    }  # fmt: skip
