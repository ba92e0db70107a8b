"""nginx with its RTMP module: its control interface ends a stream by dropping the publisher.

Source: the module's directives, "Control" (`/control/drop/publisher?app=…&name=…`; it answers with the number dropped).
"""

from urllib.parse import parse_qs, urlsplit, urlunsplit

import httpx2

from underwing.connectors.control import ControlError, asked
from underwing.model import Decision


class NginxRtmp:
    """One stream of one application, by the address of the control interface."""

    does = frozenset({"end_stream"})
    undoes: frozenset[str] = frozenset()

    def __init__(self, url: str) -> None:
        """Of an address without its `nginx-rtmp+`. Raises `ControlError` when it names no stream."""
        parts = urlsplit(url)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if not query.get("app") or not query.get("name"):
            raise ControlError(
                "nginx-rtmp: name the application and the stream: …/control?app=live&name=stream"
            )
        self._url = urlunsplit((*parts[:3], "", "")).rstrip("/")
        self._stream = {"app": query["app"], "name": query["name"]}

    def do(self, action: str, decision: Decision) -> None:
        """Drop the publisher. Raises `ControlError` when the server refuses, or nobody publishes."""
        answer = asked(httpx2.Request("GET", f"{self._url}/drop/publisher", params=self._stream))
        if answer.status_code != 200:
            raise ControlError(f"the server answered {answer.status_code} to drop/publisher")
        if answer.text.strip() in ("", "0"):
            raise ControlError("nobody publishes this stream")

    def undo(self, action: str) -> None:
        """Nothing here can be undone: a publisher may connect again by himself."""
        raise ControlError("nginx-rtmp cannot undo it")
