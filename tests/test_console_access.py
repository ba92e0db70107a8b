"""Who may ask for what: every page of the console, for every role, without a session, and for cases in whose hands.

The table below is the whole of it, written by hand. A page that is not in it fails, and so does a row without a page.
R reviewer, S senior, W policy author, A administrator, U auditor; a letter that is missing is refused. `OPEN` needs no
session. Rows about a case have three parts: the member holds it, nobody does, another one does.
"""

import asyncio
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import httpx2
import pytest
from sqlalchemy import update

from casebook_cases import put
from people_cases import Rig
from people_console import SESSION, Place
from underwing.casebook.cases.tables import cases
from underwing.casebook.people import Member, Role
from underwing.server.console.words import say

OPEN, ALL = "open", "RSWAU"
LETTER: dict[Role, str] = {
    "reviewer": "R",
    "senior": "S",
    "author": "W",
    "administrator": "A",
    "auditor": "U",
}
TABLE: dict[str, str | tuple[str, str, str]] = {
    # everybody with an account
    "GET /console/": ALL,
    "GET /console/keys": ALL,
    "GET /console/guide": ALL,
    "POST /console/sign-out": ALL,
    "GET /console/me": ALL,
    "POST /console/me/language": ALL,
    "POST /console/me/phrase": ALL,
    "POST /console/me/factor": ALL,
    "POST /console/me/factor/code": ALL,
    "POST /console/me/recovery": ALL,
    "POST /console/me/sessions": ALL,
    "GET /console/care": ALL,
    # the door
    "GET /console/enter": OPEN,
    "GET /console/sign-in": OPEN,
    "POST /console/sign-in": OPEN,
    "GET /console/join": OPEN,
    "POST /console/join": OPEN,
    "GET /console/enrol": OPEN,
    "POST /console/enrol": OPEN,
    "GET /console/sign-in/provider": OPEN,
    "GET /console/sign-in/provider/back": OPEN,
    # the queue and cases                       own   free  another's
    "GET /console/queue": "RSU",
    "POST /console/queue/next": "RS",
    "GET /console/open": "RS",
    "POST /console/open": "RS",
    "GET /console/cases/{case}": ("RS", "S", "S"),
    "GET /console/cases/{case}/why/{event}": ("RS", "S", "S"),
    "POST /console/cases/{case}/take": ("RS", "RS", "S"),
    "POST /console/cases/{case}/release": ("RS", "S", "S"),
    "POST /console/cases/{case}/hand_over": ("RS", "S", "S"),
    "POST /console/cases/{case}/note": ("RS", "S", "S"),
    "POST /console/cases/{case}/close": ("RS", "S", "S"),
    "POST /console/cases/{case}/undo": ("RS", "RS", "S"),
    "POST /console/cases/{case}/merge": ("RS", "S", "S"),
    "POST /console/cases/{case}/reopen": ("RS", "S", "S"),
    "GET /console/cases/{case}/split": ("RS", "S", "S"),
    "POST /console/cases/{case}/split": ("RS", "S", "S"),
    # files of cases
    "GET /console/cases/{case}/files/{number}": ("RS", "S", "S"),
    "POST /console/cases/{case}/files/{number}/look": ("RS", "S", "S"),
    "GET /console/cases/{case}/files/{number}/still/{token}": ("RS", "S", "S"),
    "POST /console/cases/{case}/files/{number}/reveal": ("RS", "S", "S"),
    "GET /console/cases/{case}/files/{number}/ask": ("RS", "S", "S"),
    "POST /console/cases/{case}/files/{number}/once": ("RS", "S", "S"),
    "POST /console/cases/{case}/files/{number}/end": ("RS", "S", "S"),
    "POST /console/cases/{case}/enough": ("RS", "S", "S"),
    "GET /console/cases/{case}/files/{number}/keeping": ("RS", "S", "S"),
    "POST /console/cases/{case}/files/{number}/keeping/withdraw": ("RS", "S", "S"),
    "POST /console/cases/{case}/files/{number}/keeping/restore": ("RS", "S", "S"),
    "POST /console/cases/{case}/files/{number}/keeping/hold": ("RS", "S", "S"),
    "POST /console/cases/{case}/files/{number}/keeping/release": ("RS", "S", "S"),
    "POST /console/cases/{case}/files/{number}/keeping/erase": ("RS", "S", "S"),
    "POST /console/cases/{case}/files/{number}/keeping/ask": ("RS", "S", "S"),
    "POST /console/cases/{case}/files/{number}/keeping/cancel": ("RS", "S", "S"),
    "POST /console/cases/{case}/files/{number}/keeping/destroy": ("S", "S", "S"),
    "GET /console/cases/{case}/files/{number}/keeping/certificate": ("RS", "S", "S"),
    "POST /console/cases/{case}/files/{number}/keeping/export": ("S", "S", "S"),
    # what was decided, and by which policy
    "GET /console/live": "RS",
    "GET /console/streams": "RS",
    "GET /console/streams/{id}": "RS",
    "POST /console/streams/{id}/closer": "RS",
    "POST /console/streams/{id}/seal": "RS",
    "POST /console/streams/{id}/act": "RS",
    "POST /console/streams/{id}/back": "RS",
    "POST /console/streams/{id}/end": "S",
    "GET /console/accounts": "RS",
    "GET /console/accounts/{id}": "RS",
    "GET /console/policies": "SWAU",
    "GET /console/policies/shadow": "SWAU",
    "GET /console/policies/try": "SWAU",
    "POST /console/policies/try": "SWAU",
    "POST /console/policies/live": "W",
    "GET /console/packs": "SWAU",
    "GET /console/insights": "SWAU",
    # what is kept: the custody log, banks and where they come from, the service
    "GET /console/custody": "SU",
    "GET /console/custody/proof": "SU",
    "POST /console/custody/proof": "SU",
    "GET /console/custody/checkpoints": "SU",
    "POST /console/custody/checkpoints": "SU",
    "GET /console/banks": "SAU",
    "POST /console/banks": "A",
    "GET /console/banks/{bank}": "SAU",
    "POST /console/banks/{bank}": "A",
    "POST /console/banks/{bank}/entries": "A",
    "GET /console/bank-entries": "SAU",
    "GET /console/bank-entries/{number}": "SAU",
    "POST /console/bank-entries/{number}": "A",
    "POST /console/bank-mistakes": "A",
    "POST /console/agreements": "A",
    "GET /console/exchanges": "SAU",
    "POST /console/exchanges/{source}": "A",
    "GET /console/service": "A",
    "GET /console/service/regions": "A",
    "GET /console/service/keys": "A",
    "POST /console/service/keys": "A",
    "POST /console/service/keys/{key}": "A",
    # appeals: the queue of those who decide, and the page of those who complain
    "GET /console/appeals": "RS",
    "GET /console/appeals/{id}": "RS",
    "POST /console/appeals/{id}/take": "RS",
    "POST /console/appeals/{id}/release": "RS",
    "POST /console/appeals/{id}/decide": "RS",
    "GET /console/appeal": OPEN,
    "POST /console/appeal": OPEN,
    # people and the second person
    "GET /console/people": "A",
    "POST /console/people": "A",
    "GET /console/people/{member}": "A",
    "POST /console/people/{member}/name": "A",
    "POST /console/people/{member}/role": "A",
    "POST /console/people/{member}/reset": "A",
    "POST /console/people/{member}/close": "A",
    "POST /console/people/{member}/open": "A",
    "POST /console/people/{member}/sessions": "A",
    "GET /console/requests": ALL,
    "POST /console/requests/{request}/confirm": "S",
    "POST /console/requests/{request}/decline": "S",
    "POST /console/requests/{request}/take-back": ALL,
}
VISITOR = "underwing_visitor"
WHOSE = ("own", "free", "other")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path, Rig())
    yield made
    made.keys.close()
    made.rig.database.close()


def test_every_page_has_its_row(place: Place) -> None:
    pages = {f"{row.method} {row.path}" for row in place.app.site.table()}
    assert pages == set(TABLE)


@pytest.mark.parametrize("role", [*get_args(Role), None])
def test_the_table_is_what_the_console_does(place: Place, role: Role | None) -> None:
    asked = Asked(place, role)
    wrong = asyncio.run(asked.all())
    assert not wrong, "\n".join(wrong)
    assert asked.count > 60


class Asked:
    """All pages, asked for by somebody with a role (None: without a session); each with a session of its own."""

    def __init__(self, place: Place, role: Role | None) -> None:
        self.place, self.role, self.count = place, role, 0
        self.me = place.rig.add("me", role) if role else None
        self.spare = place.rig.add("spare")
        place.rig.add("boss", "administrator")
        self.case = put(place.book, "m1")

    async def all(self) -> list[str]:
        """What is not as the table says."""
        wrong = []
        for page, row in TABLE.items():
            parts = zip(WHOSE, row, strict=True) if isinstance(row, tuple) else (("none", row),)
            for whose, allowed in parts:
                answer = await self._ask(page, whose)
                expected = allowed == OPEN or (self.role is not None and LETTER[self.role] in allowed)
                if self._let_in(answer) != expected or answer.status_code == 500:
                    wrong.append(
                        f"{page} ({whose}): {answer.status_code}, expected {'in' if expected else 'out'}"
                    )
        return wrong

    async def _ask(self, page: str, whose: str) -> httpx2.Response:
        method, path = page.split(" ")
        self.count += 1
        self._hold(whose)
        given = {"{case}": str(self.case), "{member}": self.spare.id}
        path = re.sub(r"\{\w+\}", lambda part: given.get(part[0], "1"), path)
        token = self._session() if self.me else "a visitor's"
        form = {"csrf": hashlib.sha256(b"underwing form\n" + token.encode()).hexdigest()}
        async with httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=self.place.app),
            base_url="http://underwing.example",
            headers={"cookie": f"{SESSION if self.me else VISITOR}={token}"},
        ) as client:
            return await (client.get(path) if method == "GET" else client.post(path, data=form))

    def _session(self) -> str:
        assert self.me is not None
        return self.place.people._sessions.open(self.me.id, self.place.people.now, complete=True).token

    def _hold(self, whose: str) -> None:
        """Put the case into somebody's hands, whatever was done to it before."""
        holder: Member | None = {"own": self.me, "other": self.spare}.get(whose)
        if whose == "own" and self.me is None:
            holder = self.spare
        self.place.rig.database.run(
            update(cases)
            .where(cases.c.id == self.case)
            .values(holder=holder.id if holder else None, state="taken" if holder else "open")
        )

    def _let_in(self, answer: httpx2.Response) -> bool:
        assert say("en", "problem.form_old") not in answer.text
        if self.me is None:
            to_door = answer.headers.get("location") == "/console/sign-in"
            return not to_door and say("en", "problem.text.401") not in answer.text
        return say("en", "problem.not_allowed") not in answer.text
