"""Styles, scripts and pictures of the console: read once, named by their hash, kept by the browser for good."""

import hashlib
from functools import cache
from pathlib import Path

from underwing.server.http import Refusal, Request, Response

HOME = Path(__file__).parent / "static"
PREFIX = b"/console/static/"
_TYPES = {
    ".css": b"text/css; charset=utf-8",
    ".js": b"text/javascript; charset=utf-8",
    ".svg": b"image/svg+xml",
}


@cache
def _files() -> dict[str, tuple[bytes, bytes, str]]:
    """(bytes, content type, hash) by name."""
    return {
        path.name: (body, _TYPES[path.suffix], hashlib.sha256(body).hexdigest()[:16])
        for path in HOME.iterdir()
        if path.suffix in _TYPES
        for body in [path.read_bytes()]
    }


def address(name: str) -> str:
    """Where a file is asked for; changes with its content.

    Raises:
        KeyError: there is no such file.
    """
    return f"{PREFIX.decode()}{name}?{_files()[name][2]}"


def serve(request: Request) -> Response:
    """The answer to a request below `PREFIX`.

    Raises:
        Refusal: 404, there is no such file; 405, not GET or HEAD.
    """
    if request.method not in ("GET", "HEAD"):
        raise Refusal(405, "method_not_allowed", "use GET, HEAD here", headers=((b"allow", b"GET, HEAD"),))
    found = _files().get(request.path[len(PREFIX) :].decode("latin-1"))
    if found is None:
        raise Refusal(404, "not_found", "there is no such file")
    body, type, digest = found
    return Response(body, type=type, lasting=request.scope["query_string"] == digest.encode())
