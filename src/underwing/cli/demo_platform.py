"""A platform as the demo plays it: what it asks of the service, over HTTP with its key."""

import time
from typing import Any

import httpx2
import msgspec

from underwing.model import Decision, Event, Media, encode

BANKS_SECONDS = 120
"""How long the service may take to load its banks, on a machine that has much else to do."""
_JSON = {"Content-Type": "application/json"}


class Platform:
    """The service's own HTTP API, as far as the demo uses it. What is refused raises `httpx2.HTTPStatusError`."""

    def __init__(self, client: httpx2.Client) -> None:
        self._client = client

    def ready(self) -> bool:
        """Whether the service has loaded what it needs."""
        return self._client.get("/readyz").status_code == 200

    def send(self, event: Event) -> Decision:
        """What is decided about an event."""
        answer = self._client.post("/v1/events", content=encode(event), headers=_JSON)
        return msgspec.json.decode(answer.raise_for_status().content, type=Decision)

    def send_file(self, data: bytes, event: Media) -> None:
        """Let a file be checked that was sent; the service loads its banks beside, so it may say "not ready" at first."""
        headers = {"Underwing-Event": encode(event).decode("ascii")}
        until = time.monotonic() + BANKS_SECONDS
        answer = self._client.post("/v1/media", content=data, headers=headers)
        while answer.status_code == 503 and time.monotonic() < until:
            time.sleep(0.2)
            answer = self._client.post("/v1/media", content=data, headers=headers)
        answer.raise_for_status()

    def bring(self, data: bytes, case: int, event: str) -> None:
        """Bring a file that belongs to an event of a case."""
        path = f"/v1/cases/{case}/evidence"
        self._client.post(path, params={"event": event}, content=data).raise_for_status()

    def appeal(self, account: str, event: str, given: dict[str, Any], text: str) -> None:
        """Tell an account holder why, and file what they answer."""
        asked = {"account": account, "event": event, "given": given}
        token = self._client.post("/v1/appeals/tokens", json=asked).raise_for_status().json()["token"]
        self._client.post("/v1/appeals", json={"token": token, "text": text}).raise_for_status()
