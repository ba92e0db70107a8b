"""The live page: recent decisions for reviewers, rendered here, with nothing fetched from elsewhere."""

import hashlib
import secrets
import time
from collections import OrderedDict
from pathlib import Path
from typing import Any

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from underwing.engine import Runner
from underwing.model import Decision
from underwing.server.answers import Numbered, Recent
from underwing.server.explain import LEVELS, STAGES, reason_sentence, when
from underwing.server.http import HTML, Header, Response

SHOWN = 50
"""Decisions on a fresh page."""
SESSION_SECONDS = 12 * 3600
TICKET_SECONDS = 15 * 60
COOKIE = b"underwing_session"

_decode = msgspec.json.Decoder(Decision).decode


class Sessions:
    """Who is signed in to the page, in memory only: a restart signs everybody out.

    A session belongs to a key's id and ends with the key; that of a ticket belongs to nobody ("").
    """

    def __init__(self, capacity: int = 1_000) -> None:
        self._capacity = capacity
        self._sessions: OrderedDict[bytes, tuple[str, float]] = OrderedDict()
        self._tickets: dict[bytes, float] = {}

    def open(self, key: str) -> str:
        """Begin a session and return the cookie's value."""
        value = secrets.token_urlsafe(32)
        self._sessions[_digest(value)] = (key, time.monotonic() + SESSION_SECONDS)
        if len(self._sessions) > self._capacity:
            self._sessions.popitem(last=False)
        return value

    def find(self, value: str) -> str | None:
        """The key's id of a session ("" for a ticket's), or None."""
        key, until = self._sessions.get(_digest(value), ("", 0.0))
        return key if time.monotonic() < until else None

    def close(self, value: str) -> None:
        """End a session."""
        self._sessions.pop(_digest(value), None)

    def invite(self, ticket: str = "") -> str:
        """Make a ticket that opens one session within a quarter of an hour (a given one within its life)."""
        made = ticket or secrets.token_urlsafe(32)
        self._tickets[_digest(made)] = float("inf") if ticket else time.monotonic() + TICKET_SECONDS
        return made

    def redeem(self, ticket: str) -> bool:
        """Use a ticket up; whether it was good."""
        return time.monotonic() < self._tickets.pop(_digest(ticket), 0.0)


def _digest(value: str) -> bytes:
    return hashlib.sha256(value.encode("utf-8", "replace")).digest()


def newest_number(runner: Runner) -> int:
    """The number of the newest decision with reasons, 0 when there is none (a search: about 40 look-ups)."""
    low, high = 0, 1
    while runner.recent(high - 1, 1):
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        if runner.recent(middle - 1, 1):
            low = middle
        else:
            high = middle
    return low


def recent(runner: Runner, after: int | None, limit: int) -> Recent:
    """Decisions above the number `after`; None means the newest. For the thread that owns the runner."""
    if after is None:
        after = max(0, newest_number(runner) - limit)
    rows = runner.recent(after, limit)
    return Recent(
        last=rows[-1][0] if rows else after,
        decisions=tuple(Numbered(number=number, decision=_decode(body)) for number, body in rows),
    )


class Page:
    """Renders the page, its rows and the sign-in form."""

    def __init__(self) -> None:
        env = Environment(
            loader=FileSystemLoader(Path(__file__).parent / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        env.filters["when"] = when
        env.globals.update(stages=STAGES, levels=LEVELS, sentence=reason_sentence, dated=_dated)
        self._page = env.get_template("page.html.j2")
        self._rows = env.get_template("rows.html.j2")
        self._sign_in = env.get_template("sign_in.html.j2")
        source = Path(__file__).parent / "templates"
        self._style = Markup((source / "page.css").read_text("utf-8"))  # noqa: S704 (ours)
        self._script = Markup((source / "page.js").read_text("utf-8"))  # noqa: S704 (ours)

    def page(self, recent: Recent) -> Response:
        """The list of recent decisions."""
        return self._html(self._page, recent=recent, script=self._script)

    def rows(self, recent: Recent) -> Response:
        """Only the rows, newest first, for the page's own script."""
        body = self._rows.render(recent=recent).encode()
        return Response(body, type=HTML, headers=((b"x-last", b"%d" % recent.last),))

    def sign_in(self, problem: str = "", status: int = 200) -> Response:
        """The form that asks for a key."""
        return self._html(self._sign_in, status=status, problem=problem)

    def _html(self, template: Any, *, status: int = 200, **values: object) -> Response:
        nonce = secrets.token_urlsafe(18)
        body = template.render(nonce=nonce, style=self._style, **values).encode()
        policy = (
            f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; connect-src 'self'; "
            "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        )
        return Response(
            body, status=status, type=HTML, headers=((b"content-security-policy", policy.encode()),)
        )


def cookie(value: str, *, https: bool) -> Header:
    """The header that sets the session's cookie; an empty value takes it away."""
    parts = [f"{COOKIE.decode()}={value}", "Path=/", "HttpOnly", "SameSite=Strict"]
    parts.append(f"Max-Age={SESSION_SECONDS if value else 0}")
    if https:
        parts.append("Secure")
    return b"set-cookie", "; ".join(parts).encode()


def redirect(to: bytes, *headers: Header) -> Response:
    """Send the browser elsewhere with GET."""
    return Response(b"", status=303, type=b"", headers=((b"location", to), *headers))


def _dated(decision: Decision) -> str:
    """When a decision fell: the time of the newest of its reasons."""
    own = [r.at for r in decision.reasons if r.event == decision.event] or [r.at for r in decision.reasons]
    return max(own, default="")
