"""nginx with its RTMP module: its control interface ends a stream by dropping the publisher.

Source: the module's directives, "Control" (`/control/drop/publisher?app=…&name=…`; it answers with the number dropped).
"""

import httpx2

from underwing.connectors.control import ControlError, asked
from underwing.model import Decision


class NginxRtmp:
    """One stream of one application, by the address of the control interface."""

    does = frozenset({"end_stream"})

    def __init__(self, control: str, app: str, name: str) -> None:
        self._url, self._stream = control.rstrip("/"), {"app": app, "name": name}

    def do(self, action: str, decision: Decision) -> None:
        """Drop the publisher. Raises `ControlError` when the server refuses, or nobody publishes."""
        answer = asked(httpx2.Request("GET", f"{self._url}/drop/publisher", params=self._stream))
        if answer.status_code != 200:
            raise ControlError(f"the server answered {answer.status_code} to drop/publisher")
        if answer.text.strip() in ("", "0"):
            raise ControlError("nobody publishes this stream")
