"""Streams of a running service, for the tests."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from live_servers import RtmpServer
from server_cases import Running, post

CHILD = {"type": "account", "id": "kid", "declared_age": 12, "minor": True}
PRESSING = [
    "do it now, 500 coins if you stand up and show us",
    "i will post your pics to everyone at your school if you don't do it",
    "do it right now or i send them to your mum, 5 minutes",
    "pay me or everyone will see your pictures",
]
CALM = ["nice build!", "which song is that", "gg", "see you tomorrow", "love this level"]


def asked(server: RtmpServer, name: str = "one", **more: Any) -> dict[str, Any]:
    """The body that asks for a watch of a stream of a real server."""
    return {
        "id": name, "url": server.url(name), "streamer": "kid",
        "control": [f"nginx-rtmp+{server.control}?app=live&name={name}"], **more,
    }  # fmt: skip


def say(
    service: Running, texts: list[str], conversation: str = "one", sender: str = "v1"
) -> list[dict[str, Any]]:
    """Viewers write; the decisions."""
    now = datetime.now(UTC).isoformat()
    with service.client("platform") as client:
        return post(
            client,
            *(
                {
                    "type": "message", "id": f"{conversation}{sender}{n}", "at": now, "surface": "live",
                    "conversation": conversation, "from": sender, "to": [], "text": text,
                }
                for n, text in enumerate(texts)
            ),
        )  # fmt: skip


def kinds(told: dict[str, Any]) -> list[str]:
    """What the events of a stream told of what can be seen of it, oldest first."""
    return [event["why"].partition(":")[0] for event in told["events"] if event["type"] == "stream"]


class Asked:
    """One stream, as the service tells it."""

    def __init__(self, service: Running, id: str) -> None:
        self.service, self.id = service, id

    def now(self) -> dict[str, Any]:
        with self.service.client("reviewer") as client:
            answer = client.get(f"/v1/streams/{self.id}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def until(self, true: Callable[[dict[str, Any]], Any], seconds: float = 90) -> dict[str, Any]:
        """How it stands as soon as something is true of it."""
        end = time.monotonic() + seconds
        while not true(one := self.now()):
            assert time.monotonic() < end, one
            time.sleep(0.1)
        return one

    def told(self) -> list[str]:
        """What was told of what can be seen until now, oldest first."""
        return kinds(self.now())
