"""Sessions that a ticket opens: for the demo, where nobody has an account. In memory only; a restart ends them."""

import hashlib
import secrets
import time
from collections import OrderedDict

from underwing.casebook.people import Member

SESSION_SECONDS = 12 * 3600
TICKET_SECONDS = 12 * 3600
DEMO = Member(id="demo", name="demo", shown="Demo", role="senior")
_MOST = 1_000


def digest(value: str) -> str:
    """What stands for a secret value where it is kept or told."""
    return hashlib.sha256(value.encode("utf-8", "replace")).hexdigest()


class Guests:
    """Tickets and the sessions they opened. Whoever runs the process makes tickets; nothing on the network does."""

    def __init__(self) -> None:
        self._tickets: OrderedDict[str, tuple[Member, float]] = OrderedDict()
        self._sessions: OrderedDict[str, tuple[Member, float]] = OrderedDict()

    def invite(self, member: Member = DEMO, ticket: str = "") -> str:
        """A ticket that opens one session as `member` within twelve hours (a given one: for good)."""
        made = ticket or secrets.token_urlsafe(32)
        _put(self._tickets, digest(made), member, float("inf") if ticket else TICKET_SECONDS)
        return made

    def redeem(self, ticket: str) -> str | None:
        """Use a ticket up; the new session's token, or None."""
        member, until = self._tickets.pop(digest(ticket), (None, 0.0))
        if member is None or time.monotonic() >= until:
            return None
        token = secrets.token_urlsafe(32)
        _put(self._sessions, digest(token), member, SESSION_SECONDS)
        return token

    def session(self, token: str) -> Member | None:
        """Who a session's token belongs to."""
        member, until = self._sessions.get(digest(token), (None, 0.0))
        return member if time.monotonic() < until else None

    def sign_out(self, token: str) -> None:
        """End a session."""
        self._sessions.pop(digest(token), None)


def _put(kept: OrderedDict[str, tuple[Member, float]], key: str, member: Member, seconds: float) -> None:
    kept[key] = (member, time.monotonic() + seconds)
    while len(kept) > _MOST:
        kept.popitem(last=False)
