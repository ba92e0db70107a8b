"""The shapes of `/v1/streams`: what is asked, what is kept, what is told."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

_Id = Annotated[str, Meta(min_length=1, max_length=64)]
Address = Annotated[str, Meta(min_length=8, max_length=2_000)]
State = Literal["opening", "watching", "unseen", "ended"]
Outcome = Literal["waiting", "done", "not_done"]


class NewStream(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A stream to watch. `conversation` is where its viewers write (empty: the stream's id); each of `control` is a media
    server, or the platform, that can act on it: the first one that can do an action is asked."""

    id: _Id
    url: Address
    streamer: _Id
    conversation: Annotated[str, Meta(max_length=64)] = ""
    kind: Literal["one", "many"] = "one"
    control: Annotated[tuple[Address, ...], Meta(max_length=4)] = ()


class ActionAnswer(Struct, frozen=True, kw_only=True):
    """An action that a decision asked for, and what became of it. `reasons` are the signals that it rests on; `at` (epoch
    seconds) is when it was asked for. `problem` says why it is not done, or not yet."""

    event: str
    action: str
    outcome: Outcome
    problem: str
    tries: int
    at: float
    level: str
    stage: str | None
    actor: str | None
    reasons: tuple[str, ...]


class Happened(Struct, frozen=True, kw_only=True):
    """Something that was decided about a stream, with reasons or help; `why` is of the stream's own events (`unseen`)."""

    at: float
    event: str
    type: str
    level: str
    stage: str | None = None
    actor: str | None = None
    target: str | None = None
    actions: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    help: tuple[str, ...] = ()
    why: str = ""


class StreamAnswer(Struct, frozen=True, kw_only=True):
    """How a watch stands. Times are epoch seconds.

    `source` and `control` are addresses without what is secret in them. `state` is `unseen` while the stream cannot be
    looked at, for the reason `why`. `second` is the stream's newest, counted from its first packet; `looks` are frames
    that were looked at, `skipped` those that could not be matched in time. `lost` counts how often the stream broke off,
    `restarts` how often another watcher took it up. `level` is the highest of `raised_for` seconds that are left.
    """

    id: str
    streamer: str
    conversation: str
    kind: str
    source: str
    control: tuple[str, ...]
    state: State
    why: str
    since: float
    started: float
    ended: float | None
    second: float
    looks: int
    skipped: int
    packets: int
    lost: int
    damaged: int
    restarts: int
    watcher: int | None
    level: str
    raised_for: float
    said: int
    events: tuple[Happened, ...]
    actions: tuple[ActionAnswer, ...]


class StreamList(Struct, frozen=True, kw_only=True):
    """The streams, those that need somebody first; `events` and `actions` are empty here but for the newest."""

    streams: tuple[StreamAnswer, ...]
    watched: int
    unseen: int


TYPES = [NewStream, StreamAnswer, StreamList]
