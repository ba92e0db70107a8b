"""Sessions: who is signed in. The cookie holds 256 random bits; only their hash is kept.

A session ends after 30 minutes without a request, 12 hours after it began (NIST SP 800-63B-4, section 2.2.3, asks for at
most 1 hour and 24), or when it is ended. One that is not complete (no second factor yet) lives a quarter of an hour.
"""

import hashlib
import secrets
from typing import Any

from msgspec import Struct
from sqlalchemy import delete, insert, select, update

from underwing.casebook.database import Database
from underwing.casebook.people.tables import SESSIONS
from underwing.casebook.people.values import Session

UNFINISHED_SECONDS = 900
MOST = 10
"""Sessions of one member at the same time; beyond, the oldest ends."""
_TOUCH_SECONDS = 30
"""How exactly the last request is noted: a write for every request would be too many."""
_AGENT = 200


class Span(Struct, frozen=True, kw_only=True):
    """How long a session lives, in seconds: without a request, and at most."""

    idle: int = 30 * 60
    most: int = 12 * 3_600


def digest(token: str) -> bytes:
    """What is kept of a token or an invitation. A fast hash: nobody guesses 2^256."""
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


class Sessions:
    """The table of sessions. Nothing here asks whether a member is still active: `People` does."""

    def __init__(self, database: Database, span: Span) -> None:
        self._database, self.span = database, span

    def open(self, member: str, now: int, *, complete: bool, address: str = "", agent: str = "") -> Session:
        """A new session with its token."""
        token = secrets.token_urlsafe(32)
        life = self.span.most if complete else min(UNFINISHED_SECONDS, self.span.most)
        made = Session(
            id=secrets.token_hex(8), member=member, complete=complete, began=now, seen=now, ends=now + life,
            address=address[:_AGENT], agent=agent[:_AGENT], token=token,
        )  # fmt: skip
        row = {name: getattr(made, name) for name in made.__struct_fields__ if name != "token"}
        with self._database.transaction():
            self._sweep(now)
            others = sorted(self.of(member, now), key=lambda s: s.began, reverse=True)
            for old in others[MOST - 1 :]:
                self.end(member, old.id)
            self._database.run(insert(SESSIONS).values(hash=digest(token), **row))
        return made

    def find(self, token: str, now: int, touch: bool = True) -> Session | None:
        """The living session of a token; notes that it was used, if `touch` says so."""
        hash = digest(token)
        row = self._database.row(select(SESSIONS).where(SESSIONS.c.hash == hash))
        if row is None or not self._lives(row, now):
            return None
        if touch and now - row.seen >= _TOUCH_SECONDS:
            self._database.run(
                update(SESSIONS).where(SESSIONS.c.hash == hash, SESSIONS.c.seen < now).values(seen=now)
            )
        return _session(row)

    def of(self, member: str, now: int) -> list[Session]:
        """A member's living sessions, the newest first."""
        rows = self._database.rows(
            select(SESSIONS).where(SESSIONS.c.member == member).order_by(SESSIONS.c.began.desc())
        )
        return [_session(row) for row in rows if self._lives(row, now)]

    def end(self, member: str, id: str) -> bool:
        """End one session of a member; whether there was such a one."""
        return bool(
            self._database.run(delete(SESSIONS).where(SESSIONS.c.member == member, SESSIONS.c.id == id))
        )

    def end_all(self, member: str, but: str = "") -> int:
        """End a member's sessions (but the one with this id); how many."""
        return self._database.run(delete(SESSIONS).where(SESSIONS.c.member == member, SESSIONS.c.id != but))

    def _lives(self, row: Any, now: int) -> bool:
        return bool(now < row.ends and now < row.seen + self.span.idle)

    def _sweep(self, now: int) -> None:
        gone = (SESSIONS.c.ends <= now) | (SESSIONS.c.seen <= now - self.span.idle)
        self._database.run(delete(SESSIONS).where(gone))


def _session(row: Any) -> Session:
    return Session(**{name: getattr(row, name) for name in Session.__struct_fields__ if name != "token"})
