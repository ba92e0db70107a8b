"""Which handler answers which method on which path, and who may ask."""

from collections.abc import Awaitable, Callable, Iterator
from typing import NamedTuple

from underwing.server.http import Refusal, Request, Response, segment

Handler = Callable[..., Awaitable[Response | None]]
EVENTS, DECISIONS, EXPLAIN, OPERATE = (
    frozenset(roles.split())
    for roles in ("platform operator", "platform reviewer operator", "reviewer operator", "operator")
)
"""The roles that may send, read decisions, read explanations and operate."""


class Route(NamedTuple):
    """What answers a method on a path, and the roles that may ask (None: everybody).

    `basic`: a key may also come as the password of HTTP Basic, and
    refusals are told as `{"message"}` (the routes that are another program's).
    """

    name: str
    handler: Handler
    roles: frozenset[str] | None = None
    basic: bool = False


class Routes:
    """The table. A path is exact, or has parts in braces: `/v1/banks/{bank}`; each stands for one segment."""

    def __init__(self) -> None:
        self._exact: dict[bytes, dict[str, Route]] = {}
        self._patterns: dict[int, list[tuple[list[bytes], dict[str, Route]]]] = {}
        self._laid: list[tuple[str, dict[str, Route]]] = []

    def table(self) -> Iterator[tuple[str, str, Route]]:
        """Every (method, path, route), for the test of access."""
        return ((method, path, route) for path, methods in self._laid for method, route in methods.items())

    def add(self, path: str, **methods: Route) -> None:
        """Take in a path with its methods (`GET=Route(...)`)."""
        self._laid.append((path, methods))
        if "{" not in path:
            self._exact[path.encode()] = methods
            return
        parts = [b"" if part.startswith("{") else part.encode() for part in path.split("/")[1:]]
        self._patterns.setdefault(len(parts), []).append((parts, methods))

    def find(self, request: Request) -> tuple[Route, list[str]]:
        """The route of a request, and what stands in its path for the parts in braces.

        Raises:
            Refusal: 404, nothing is there; 405, another method is; 400, the path is not UTF-8.
        """
        methods, raw = self._exact.get(request.path), list[bytes]()
        if methods is None:
            methods, raw = self._pattern(request.path)
        method = "GET" if request.method == "HEAD" else request.method
        route = methods.get(method)
        if route is None:
            allowed = ", ".join([*methods, *(["HEAD"] if "GET" in methods else [])])
            raise Refusal(
                405, "method_not_allowed", f"use {allowed} here", headers=((b"allow", allowed.encode()),)
            )
        return route, [segment(part) for part in raw]

    def _pattern(self, path: bytes) -> tuple[dict[str, Route], list[bytes]]:
        given = path.split(b"/")[1:]
        for parts, methods in self._patterns.get(len(given), ()):
            if all(part == found if part else found for part, found in zip(parts, given, strict=True)):
                return methods, [found for part, found in zip(parts, given, strict=True) if not part]
        raise Refusal(404, "not_found", "there is nothing here; see /openapi.json")
