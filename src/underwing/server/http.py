"""The little of HTTP that a dozen routes need: requests, responses, refusals, headers that protect."""

import itertools
import re
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes

import msgspec

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Header = tuple[bytes, bytes]

JSON = b"application/json"
NDJSON = b"application/x-ndjson"
HTML = b"text/html; charset=utf-8"

_NO_STORE: Header = (b"cache-control", b"no-store")
_LASTING: Header = (b"cache-control", b"public, max-age=31536000, immutable")
_COMMON: tuple[Header, ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    _NO_STORE,
)
_FOR_PAGES: tuple[Header, ...] = (
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
)
_CLOSED: Header = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
_HSTS: Header = (b"strict-transport-security", b"max-age=31536000")
_RUN, _count = secrets.token_hex(4), itertools.count(1)
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")


class ClientGone(Exception):
    """The client hung up before it had sent its request; nobody is left to answer."""


class Refusal(Exception):
    """A request that is not served: `status`, a stable `code`, and a `message` that quotes nothing of it."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        retry_after: int | None = None,
        close: bool = False,
        headers: tuple[Header, ...] = (),
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        if retry_after is not None:
            headers = (*headers, (b"retry-after", b"%d" % retry_after))
        if close:
            headers = (*headers, (b"connection", b"close"))
        self.headers = headers

    def response(self, *, bare: bool = False) -> "Response":
        """The refusal as an answer: `{"error": {"code", "message"}}`, or what is inside of it alone."""
        error = {"code": self.code, "message": self.message}
        body = msgspec.json.encode(error if bare else {"error": error})
        return Response(body, status=self.status, headers=self.headers)


class Request:
    """One request: what handlers look at, and the counts that its log line will hold."""

    __slots__ = (
        "_headers",
        "bare",
        "counts",
        "id",
        "key",
        "method",
        "path",
        "receive",
        "route",
        "scope",
        "send",
    )

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope, self.receive, self.send = scope, receive, send
        self._headers: list[Header] = scope["headers"]
        self.method: str = scope["method"]
        raw: bytes | None = scope.get("raw_path")
        self.path: bytes = (raw if raw is not None else scope["path"].encode()).partition(b"?")[0]
        given = self.header(b"x-request-id")
        self.id = given.decode() if given and _REQUEST_ID.fullmatch(given) else f"{_RUN}-{next(_count):x}"
        self.key = ""
        self.route = ""
        self.bare = False
        """Whether a refusal is answered without the `error` around it."""
        self.counts: dict[str, int] = {}

    def header(self, name: bytes) -> bytes | None:
        """The value of a header, by its lower-case name; None when absent."""
        for known, value in self._headers:
            if known == name:
                return value
        return None

    def media_type(self) -> bytes:
        """The content type, lower-case and without parameters; empty when absent."""
        return (self.header(b"content-type") or b"").partition(b";")[0].strip().lower()

    def declared_length(self) -> int | None:
        """The Content-Length, or None when it was not given."""
        value = self.header(b"content-length")
        return int(value) if value is not None and value.isdigit() and len(value) < 19 else None

    def query(self, *known: str) -> dict[str, str]:
        """The query's parameters; when `known` are given, no others may be there.

        Raises:
            Refusal: 400, bad UTF-8, too many, an unknown one, or one given twice.
        """
        raw: bytes = self.scope["query_string"]
        if not raw:
            return {}
        try:
            pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=20)
        except ValueError:
            raise Refusal(400, "bad_query", "the query is not percent-encoded UTF-8") from None
        if len(dict(pairs)) != len(pairs):
            raise Refusal(400, "bad_query", "a parameter of the query is given twice")
        if known and not set(dict(pairs)) <= set(known):
            raise Refusal(400, "bad_query", f"the parameters known here are {', '.join(known)}")
        return dict(pairs)

    def cookie(self, name: bytes) -> str | None:
        """The value of a cookie, or None."""
        for part in (self.header(b"cookie") or b"").split(b";"):
            known, _, value = part.strip().partition(b"=")
            if known == name:
                return value.decode("latin-1")
        return None


def segment(raw: bytes) -> str:
    """A percent-decoded part of a path.

    Raises:
        Refusal: 400, not UTF-8.
    """
    try:
        return unquote_to_bytes(raw).decode("utf-8")
    except UnicodeDecodeError:
        raise Refusal(400, "bad_path", "the path is not percent-encoded UTF-8") from None


class Response:
    """An answer with all its bytes at hand. `headers` come on top of the protecting ones; `lasting`: it never changes
    and may be kept."""

    __slots__ = ("body", "headers", "lasting", "status", "type")

    def __init__(
        self,
        body: bytes = b"",
        *,
        status: int = 200,
        type: bytes = JSON,
        headers: tuple[Header, ...] = (),
        lasting: bool = False,
    ) -> None:
        self.body, self.status, self.type, self.headers, self.lasting = body, status, type, headers, lasting


def redirect(to: bytes, *headers: Header) -> Response:
    """Send the browser elsewhere with GET."""
    return Response(b"", status=303, type=b"", headers=((b"location", to), *headers))


class Sender:
    """Puts protecting headers and the request's id on every answer and sends it."""

    def __init__(self, *, https: bool = False) -> None:
        self._fixed = (*_COMMON, _HSTS) if https else _COMMON

    def head(self, request: Request, response: Response, length: int | None) -> list[Header]:
        """All headers of an answer; `length` None for one whose length is not known yet."""
        headers = [*self._fixed, (b"x-request-id", request.id.encode()), *response.headers]
        if response.lasting:
            headers[headers.index(_NO_STORE)] = _LASTING
        if response.type is HTML:
            headers += _FOR_PAGES
        if not response.headers or not any(name == _CLOSED[0] for name, _ in response.headers):
            headers.append(_CLOSED)
        if response.type:
            headers.append((b"content-type", response.type))
        if length is not None:
            headers.append((b"content-length", b"%d" % length))
        return headers

    async def send(self, request: Request, response: Response) -> None:
        """Send a whole answer (without its body when the method is HEAD)."""
        headers = self.head(request, response, len(response.body))
        await request.send({"type": "http.response.start", "status": response.status, "headers": headers})
        body = b"" if request.method == "HEAD" else response.body
        await request.send({"type": "http.response.body", "body": body})

    async def start(self, request: Request, response: Response) -> None:
        """Send the head of an answer that comes in parts."""
        headers = self.head(request, response, None)
        await request.send({"type": "http.response.start", "status": response.status, "headers": headers})
