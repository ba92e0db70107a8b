"""MediaMTX: its control API kicks the publisher of a path (`mediamtx+http://host:9997/path`).

Source: its OpenAPI description: `GET /v3/paths/get/{name}` tells the path's source by type and id, and each type has a list
of its own from which `POST /v3/{list}/kick/{id}` drops it. A path that the server fetches itself has nobody to kick.
A publisher who was kicked may come back: keeping them out is the server's own authentication.
"""

from base64 import b64encode
from urllib.parse import quote, unquote, urlsplit

import httpx2
from msgspec import DecodeError, Struct, ValidationError, json

from underwing.connectors.control import ControlError, asked
from underwing.model import Decision

_LISTS = {
    "rtmpConn": "rtmpconns",
    "rtmpsConn": "rtmpsconns",
    "rtspSession": "rtspsessions",
    "rtspsSession": "rtspssessions",
    "srtConn": "srtconns",
    "webRTCSession": "webrtcsessions",
    "moqSession": "moqsessions",
}


class _Source(Struct):
    type: str
    id: str = ""


class _Path(Struct):
    source: _Source | None = None


class MediaMtx:
    """One path of one server. `secret` is `user:password` of a user who may `api`, or a token, or nothing."""

    does = frozenset({"end_stream"})
    undoes: frozenset[str] = frozenset()

    def __init__(self, url: str, secret: str = "") -> None:
        """Of an address without its `mediamtx+`. Raises `ControlError` when it names no path."""
        parts = urlsplit(url)
        self._path = unquote(parts.path.strip("/"))
        if not self._path:
            raise ControlError("mediamtx: name the path: mediamtx+http://host:9997/path")
        self._url = f"{parts.scheme}://{parts.netloc}/v3"
        basic = f"Basic {b64encode(secret.encode()).decode()}" if ":" in secret else f"Bearer {secret}"
        self._headers = {"authorization": basic} if secret else {}

    def do(self, action: str, decision: Decision) -> None:
        """Kick the publisher. Raises `ControlError` when the server refuses, or nobody publishes."""
        try:
            path = json.decode(self._ask("GET", f"paths/get/{quote(self._path)}"), type=_Path)
        except (DecodeError, ValidationError):
            raise ControlError("the server's answer is none of MediaMTX") from None
        if path.source is None:
            raise ControlError("nobody publishes this stream")
        where = _LISTS.get(path.source.type)
        if where is None:
            raise ControlError(f"the server fetches this stream itself ({path.source.type}): nobody to kick")
        self._ask("POST", f"{where}/kick/{quote(path.source.id, safe='')}")

    def undo(self, action: str) -> None:
        """Nothing here can be undone."""
        raise ControlError("MediaMTX cannot undo it")

    def _ask(self, method: str, what: str) -> bytes:
        answer = asked(httpx2.Request(method, f"{self._url}/{what}", headers=self._headers))
        if answer.status_code == 404:
            raise ControlError("nobody publishes this stream")
        if answer.status_code != 200:
            raise ControlError(f"the server answered {answer.status_code} to {what.partition('/')[0]}")
        return answer.content
