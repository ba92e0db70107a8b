"""Decisions: what Underwing answers to an event, with every reason that led to it."""

from enum import IntEnum
from typing import Any

from msgspec import Struct


class Level(IntEnum):
    """How much attention a pair deserves. `watch` costs nobody anything, `review` opens a case,
    `urgent` means harm now and pages a person."""

    none = 0
    watch = 1
    review = 2
    urgent = 3


ACTIONS = {
    "nudge_child": "Show the child a private, calm note: signs to look for and where help is.",
    "offer_help": "Open the help route for the account that said it is afraid or was hurt.",
    "nudge_sender": "Tell the sender that this kind of message is not welcome here.",
    "hold_message": "Keep this message back until a person has looked.",
    "hold_link": "Keep this message back, and make no preview: it holds a link that a list names.",
    "hold_media": "Keep this picture or video back: it matched, or it could not be checked.",
    "limit_contact": "Stop the sender from contacting accounts of young people it does not know.",
    "slow_contact": "Limit the rate at which the sender may write to new accounts.",
    "slow_chat": "Let each viewer of this stream write only now and then.",
    "pause_chat": "Close the chat of this stream to all but the streamer and the moderators.",
    "warn_streamer": "Show the streamer, privately: what is happening, that it may stop any time, and where help is.",
    "blur_stream": "Show viewers the stream blurred and without sound until a person has looked.",
    "end_stream": "End this stream.",
    "open_case": "Put the pair into the review queue.",
    "page": "Wake the person on call.",
}
"""Every action a policy may name, with its meaning for whoever carries it out on the platform."""


class Reason(Struct, frozen=True, gc=False, kw_only=True):
    """One dated contribution. `weight` is what it added (after context and novelty), in nats."""

    signal: str
    stage: str
    span: tuple[int, int] | None
    weight: float
    at: str
    event: str
    source: str


class Versions(Struct, frozen=True, gc=False, kw_only=True):
    """What decided: replaying the same events under the same versions gives the same bytes."""

    engine: str
    packs: str
    policy: str


class Decision(Struct, frozen=True, gc=False, kw_only=True):
    """The answer to one event. `level` is a name of `Level`; `test` marks the documented trigger phrases."""

    event: str
    level: str
    actor: str | None
    target: str | None
    stage: str | None
    actions: tuple[str, ...]
    reasons: tuple[Reason, ...]
    versions: Versions
    score: float = 0.0
    help: tuple[str, ...] = ()
    """Accounts for whom the help route is opened (never a suspicion)."""
    shadow: tuple[str, ...] | None = None
    """What the shadow policy would have done, when one is loaded."""
    withheld: tuple[str, ...] = ()
    """Actions the policy asked for that a quota (circuit breaker) held back."""
    test: bool = False

    def jsonable(self) -> dict[str, Any]:
        """The decision as plain JSON types, for tables and templates."""
        from msgspec import to_builtins

        result: dict[str, Any] = to_builtins(self)
        return result
