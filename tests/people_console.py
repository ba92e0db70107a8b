"""The real application with people, over ASGI: browsers of members, forms, cookies. No engine: pages that ask it say 503."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2

from people_cases import Rig
from underwing.casebook.cases import Casebook
from underwing.casebook.people import Member
from underwing.server.app import App, create_app
from underwing.server.keys import Keys
from underwing.server.settings import Settings

CSRF = re.compile(r'name="csrf" value="([0-9a-f]{64})"')
SESSION = "underwing_console"


class Place:
    """An application over a casebook, with its people."""

    def __init__(self, directory: Path, rig: Rig | None = None, **settings: Any) -> None:
        self.rig = rig or Rig()
        self.people = self.rig.people
        path = directory / "store.db"
        self.keys = Keys(path)
        self.app: App = create_app(None, self.keys, Settings(database=str(path), **settings))
        self.book = Casebook(self.rig.database, clock=self.rig.clock)
        self.app.desk.clock = self.rig.clock
        self.app.desk.attach(
            book=self.book, database=self.rig.database, people=self.people, custody=self.rig.custody
        )

    @asynccontextmanager
    async def browser(self, member: Member | None = None, **headers: str) -> AsyncIterator["Browser"]:
        """A browser; of a member, with a fresh session."""
        async with Browser(
            transport=httpx2.ASGITransport(app=self.app, client=("192.0.2.7", 1)),
            base_url="https://underwing.example" if self.app.settings.https else "http://underwing.example",
            headers=headers,
        ) as client:
            if member is not None:
                client.hold(self.rig.sign_in(member).token)
            yield client


class Browser(httpx2.AsyncClient):
    """A client that keeps cookies and fills the hidden field of forms."""

    @property
    def token(self) -> str:
        return next(
            (c.value or "" for c in self.cookies.jar if c.name.removeprefix("__Host-") == SESSION), ""
        )

    def hold(self, token: str) -> None:
        self.cookies.set(SESSION, token, domain="underwing.example", path="/")

    async def send_form(self, path: str, page: str = "", **fields: Any) -> httpx2.Response:
        """POST a form that stands on `page` (default: the same path)."""
        found = CSRF.search((await self.get(page or path)).text)
        assert found, f"{page or path} has no form"
        return await self.post(path, data={"csrf": found[1], **fields})
