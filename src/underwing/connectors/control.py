"""The door to a media server: `carry_out` does what a decision asks for, `take_back` undoes it where that can be done."""

from typing import Protocol

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
    undoes: frozenset[str]
    """Those of them that it can take back."""

    def do(self, action: str, decision: Decision) -> None:
        """Do one of `does`. Raises `ControlError`."""
        ...

    def undo(self, action: str) -> None:
        """Take back one of `undoes`. Raises `ControlError`."""
        ...


class Done(Struct, frozen=True):
    """What became of one action: done, or why not."""

    action: str
    problem: str = ""


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


def take_back(control: Control, action: str) -> Done:
    """Undo an action that was done; what became of it."""
    if action not in control.undoes:
        return Done(action, "this media server cannot take it back; the platform has to")
    try:
        control.undo(action)
    except ControlError as error:
        return Done(action, str(error))
    return Done(action)


def asked(request: httpx2.Request) -> httpx2.Response:
    """The answer to a request, within `TIMEOUT`. Raises `ControlError`."""
    try:
        with httpx2.Client(timeout=TIMEOUT, follow_redirects=False, trust_env=False) as client:
            return client.send(request)
    except httpx2.HTTPError as error:
        raise ControlError(f"{request.url.host} did not answer: {error or type(error).__name__}") from None
