"""A platform's own hook: it is told which action a stream needs, and does it itself.

The body is `{"action", "event", "level", "actor", "target", "stage", "reasons"}` (JSON). With a secret the header
`underwing-signature` is `sha256=` and the HMAC-SHA256 of the body in hex. Any 2xx answer means: done. To take an action
back the body is `{"action", "undo": true}`.
"""

import hmac
from typing import Any

import httpx2
from msgspec import json

from underwing.connectors.control import STREAM_ACTIONS, ControlError, asked
from underwing.model import Decision


class Webhook:
    """One address that is told of every action."""

    does = undoes = frozenset(STREAM_ACTIONS)

    def __init__(self, url: str, secret: str = "") -> None:
        self._url, self._secret = url, secret.encode()

    def do(self, action: str, decision: Decision) -> None:
        """Tell the platform. Raises `ControlError` when it does not say 2xx."""
        self._tell(
            {
                "action": action, "event": decision.event, "level": decision.level, "actor": decision.actor,
                "target": decision.target, "stage": decision.stage, "reasons": decision.reasons,
            }
        )  # fmt: skip

    def undo(self, action: str) -> None:
        """Tell the platform to take it back. Raises `ControlError` when it does not say 2xx."""
        self._tell({"action": action, "undo": True})

    def _tell(self, what: dict[str, Any]) -> None:
        body = json.encode(what)
        headers = {"content-type": "application/json"}
        if self._secret:
            headers["underwing-signature"] = "sha256=" + hmac.digest(self._secret, body, "sha256").hex()
        answer = asked(httpx2.Request("POST", self._url, content=body, headers=headers))
        if not 200 <= answer.status_code < 300:
            raise ControlError(f"the platform answered {answer.status_code}")
