"""One request to the console by one member: who, in which language, with which form."""

import asyncio
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, ParamSpec, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit

from underwing.casebook.cases import Case
from underwing.casebook.people import May, Member, Whose, may
from underwing.server.console.guests import SESSION_SECONDS, digest
from underwing.server.console.words import known
from underwing.server.http import Header, Refusal, Request, Response
from underwing.server.limits import read_body

if TYPE_CHECKING:
    from underwing.server.console.site import Site

P = ParamSpec("P")
T = TypeVar("T")
NOBODY = Member(id="", name="", shown="", role="reviewer", active=False)
"""Who asks without a session: may nothing."""
COOKIE, VISITOR = b"underwing_console", b"underwing_visitor"
"""The session's cookie, and that of one who has none yet (forms before signing in are bound to it)."""
MOST_FIELDS = 2_000
_FORM = b"application/x-www-form-urlencoded"
_DID = re.compile(r"([a-z_]{1,30})\.([a-z_]{1,30})")


class Problem(Exception):
    """Something that cannot be done, for an error page: a status, and the key of the text that says why."""

    def __init__(self, status: int, key: str = "", **values: object) -> None:
        super().__init__(key or str(status))
        self.status, self.key, self.values = status, key, values


class Visit:
    """What a handler gets. `case` and `whose` are there on paths about a case; `form` and `fields` with POST."""

    def __init__(self, site: "Site", request: Request, *, https: bool) -> None:
        self.site, self.request = site, request
        self.member = NOBODY
        self.language = "en"
        self.form: dict[str, str] = {}
        """The last value of each field."""
        self.fields: list[tuple[str, str]] = []
        """Every field in order, for lists of check boxes."""
        self.case: Case | None = None
        self.whose: Whose = "none"
        self.query: dict[str, str] = {}
        self._prefix = b"__Host-" if https else b""
        self.token = request.cookie(self._prefix + COOKIE) or ""
        """The session's token, "" without one."""
        self._visitor = request.cookie(self._prefix + VISITOR) or ""
        self._new_visitor = not (self.token or self._visitor)
        if self._new_visitor:
            self._visitor = secrets.token_urlsafe(32)

    @property
    def session(self) -> str:
        """The session's id: what stands for its token in records."""
        return digest(self.token)[:32] if self.token else ""

    @property
    def csrf(self) -> str:
        """What a form of ours carries and no other site can know: it follows from the cookie's secret value."""
        return hashlib.sha256(
            b"underwing form\n" + (self.token or self._visitor).encode("latin-1")
        ).hexdigest()

    def may(self, what: May, whose: Whose = "none") -> bool:
        """Whether this member may do something."""
        return may(self.member, what, whose)

    def stands(self, case: Case) -> Whose:
        """How this member stands to a case."""
        return "free" if case.holder is None else "own" if case.holder == self.member.id else "other"

    async def work(self, function: Callable[P, T], *args: P.args, **more: P.kwargs) -> T:
        """What a function that waits for disk or network gives, from a thread."""
        return await asyncio.to_thread(function, *args, **more)

    def many(self, name: str) -> list[str]:
        """All values of a field."""
        return [value for key, value in self.fields if key == name]

    def redirect(self, path: str, did: str = "", about: object = "", *headers: Header) -> Response:
        """Send the browser to `path` of this service with GET. There `did` says what was done: `case.closed` shows the text
        `case.did.closed` with `about` in it."""
        if not path.startswith("/") or path.startswith("//") or "\\" in path:
            raise ValueError(f"not a path of this service: {path!r}")
        told = urlencode({"did": did, "about": str(about)} if str(about) else {"did": did}) if did else ""
        where = path + ("&" if "?" in path else "?") + told if told else path
        return Response(b"", status=303, type=b"", headers=((b"location", where.encode()), *headers))

    @property
    def notice(self) -> tuple[str, str] | None:
        """(key, about) of what was just done, for the page to say."""
        did = _DID.fullmatch(self.query.get("did", ""))
        key = f"{did[1]}.did.{did[2]}" if did else ""
        return (key, self.query.get("about", "")[:60]) if known(key) else None

    def cookies(self) -> tuple[Header, ...]:
        """The visitor's cookie, if this visit needs a new one."""
        return (self._cookie(VISITOR, self._visitor, SESSION_SECONDS),) if self._new_visitor else ()

    def session_cookie(self, token: str) -> Header:
        """The header that begins a session in this browser; an empty token ends it."""
        return self._cookie(COOKIE, token, SESSION_SECONDS if token else 0)

    def _cookie(self, name: bytes, value: str, seconds: int) -> Header:
        secure = "; Secure" if self._prefix else ""
        kept = f"{(self._prefix + name).decode()}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}"
        return b"set-cookie", kept.encode()

    async def read_form(self, most: int) -> None:
        """Read the form of a POST and make sure that a page of ours sent it.

        Raises:
            Refusal: 413, 415, 400, what cannot be read.
            Problem: 403, another site sent it, or the page is older than the session.
        """
        request = self.request
        self._own_page()
        if request.media_type() != _FORM:
            raise Refusal(415, "unsupported_type", "a form is expected here")
        body = await read_body(request.receive, request.declared_length(), most, "a form")
        try:
            self.fields = parse_qsl(
                body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS
            )
        except ValueError:
            raise Refusal(400, "bad_form", "the form cannot be read, or has too many fields") from None
        self.form = {name: value.replace("\r\n", "\n") for name, value in self.fields}
        if not hmac.compare_digest(self.form.pop("csrf", "").encode(), self.csrf.encode()):
            raise Problem(403, "problem.form_old")

    def _own_page(self) -> None:
        """As far as the browser tells: Sec-Fetch-Site, or else Origin, names this service."""
        site = self.request.header(b"sec-fetch-site")
        if site is not None:
            if site not in (b"same-origin", b"none"):
                raise Problem(403, "problem.form_foreign")
            return
        origin = self.request.header(b"origin")
        if origin is not None and urlsplit(origin.decode("latin-1")).netloc.encode() != self.request.header(
            b"host"
        ):
            raise Problem(403, "problem.form_foreign")
