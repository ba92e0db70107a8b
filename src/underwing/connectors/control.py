"""The door to a media server: an address says which kind it is, `carry_out` does what a decision asks for."""

from typing import Protocol
from urllib.parse import parse_qs, urlsplit, urlunsplit

import httpx2
from msgspec import Struct

from underwing.model import Decision

STREAM_ACTIONS = ("slow_chat", "pause_chat", "warn_streamer", "blur_stream", "end_stream")
"""What concerns a stream; the other actions of a decision are the platform's."""
TIMEOUT = 5.0
"""Seconds for one request."""


class ControlError(RuntimeError):
    """The media server did not do it, or its address cannot be used; says why."""


class Control(Protocol):
    """One stream on one media server."""

    does: frozenset[str]
    """The actions it can do."""

    def do(self, action: str, decision: Decision) -> None:
        """Do one of `does`. Raises `ControlError`."""
        ...


class Done(Struct, frozen=True):
    """What became of one action: done, or why not."""

    action: str
    problem: str = ""


def control_at(address: str, secret: str = "") -> Control:
    """The control of one stream by its address.

    `nginx-rtmp+http://host:port/control?app=live&name=stream` or `webhook+https://host/path` (signed with `secret`).

    Raises:
        ControlError: an address of another kind, or one that lacks something; says what.
    """
    from underwing.connectors.nginx_rtmp import NginxRtmp
    from underwing.connectors.webhook import Webhook

    kind, found, _ = urlsplit(address).scheme.partition("+")
    url = address[len(kind) + 1 :]
    if not found or kind not in ("nginx-rtmp", "webhook") or urlsplit(url).scheme not in ("http", "https"):
        raise ControlError(
            "a control's address begins with nginx-rtmp+http:// or webhook+https:// (also +http:// on loopback)"
        )
    if kind == "webhook":
        return Webhook(url, secret)
    parts = urlsplit(url)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    if not query.get("app") or not query.get("name"):
        raise ControlError("nginx-rtmp: name the application and the stream: …/control?app=live&name=stream")
    return NginxRtmp(urlunsplit((*parts[:3], "", "")), query["app"], query["name"])


def carry_out(control: Control, decision: Decision) -> list[Done]:
    """Do what a decision asks of its stream; of each action, what became of it."""
    made = []
    for action in decision.actions:
        if action not in STREAM_ACTIONS:
            continue
        if action not in control.does:
            made.append(Done(action, "this media server cannot do it; the platform has to"))
            continue
        try:
            control.do(action, decision)
        except ControlError as error:
            made.append(Done(action, str(error)))
        else:
            made.append(Done(action))
    return made


def asked(request: httpx2.Request) -> httpx2.Response:
    """The answer to a request, within `TIMEOUT`. Raises `ControlError`."""
    try:
        with httpx2.Client(timeout=TIMEOUT, follow_redirects=False, trust_env=False) as client:
            return client.send(request)
    except httpx2.HTTPError as error:
        raise ControlError(f"{request.url.host} did not answer: {error or type(error).__name__}") from None
