"""Events: what a platform tells Underwing, one frozen struct a kind.

Every event but `account` carries its own `id` (the key of idempotency) and `at`, an RFC 3339 time with
an offset. An `account` event's `id` is the account's: it is an upsert of facts, later ones win.
Limits are part of the type, so that an oversized value is refused by the decoder with its path.
"""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from underwing.model.media import MediaMatch, MediaScore

SCHEMA_VERSION = 1

Id = Annotated[str, Meta(min_length=1, max_length=64)]
At = Annotated[datetime, Meta(tz=True)]
Text = Annotated[str, Meta(max_length=20_000)]
Recipients = Annotated[list[Id], Meta(max_length=1_000)]
Country = Annotated[str, Meta(pattern="^[A-Z]{2}$")]
Age = Annotated[int, Meta(ge=0, le=130)]
Surface = Literal["dm", "group", "live", "comment"]
Relation = Literal["parent", "guardian", "sibling", "relative", "teacher", "carer", "friend"]


class _Event(Struct, frozen=True, gc=False, tag_field="type", omit_defaults=True):
    """Common base: tagged by `type`; unknown fields are ignored so that newer senders keep working."""


class Message(_Event, tag="message", frozen=True, gc=False, kw_only=True):
    """One text message. `to` may be empty on group, live and comment surfaces (the room is addressed)."""

    id: Id
    at: At
    surface: Surface
    conversation: Id
    sender: Id = field(name="from")
    to: Recipients = []
    text: Text


class Account(_Event, tag="account", frozen=True, gc=False, kw_only=True):
    """What the platform knows of an account, with its provenance in the field's name.

    Ages are in years. Absent means "says nothing new"; an explicit `null` takes a fact back.
    `relations` maps another account's id to the known relationship *of the other to this one*.
    """

    id: Id
    declared_age: Age | None | UnsetType = UNSET
    estimated_age: Age | None | UnsetType = UNSET
    verified_age: Age | None | UnsetType = UNSET
    minor: bool | None | UnsetType = UNSET
    created_at: At | None | UnsetType = UNSET
    country: Country | None | UnsetType = UNSET
    relations: Annotated[dict[Id, Relation], Meta(max_length=32)] | UnsetType = UNSET


class ContactRequest(_Event, tag="contact_request", frozen=True, gc=False, kw_only=True):
    """One account asks another for contact (friend request, follow of a closed account), or the answer."""

    id: Id
    at: At
    sender: Id = field(name="from")
    to: Id
    outcome: Literal["sent", "accepted", "declined"] = "sent"


class Block(_Event, tag="block", frozen=True, gc=False, kw_only=True):
    """`from` blocked `to`."""

    id: Id
    at: At
    sender: Id = field(name="from")
    to: Id


class UserReport(_Event, tag="user_report", frozen=True, gc=False, kw_only=True):
    """`from` reported `to` to the platform."""

    id: Id
    at: At
    sender: Id = field(name="from")
    to: Id
    reason: Annotated[str, Meta(max_length=64)] = ""


class Media(_Event, tag="media", frozen=True, gc=False, kw_only=True):
    """A picture or a video was sent, and what became of its check (see `state`).

    `sha256` names the bytes that were checked, `error` says why they could not be, `matches` are the banks' entries
    that they matched. Without all three only the fact is known. `score` is a classifier's guess, where one was asked; it
    changes nothing of the state.
    """

    id: Id
    at: At
    surface: Surface
    conversation: Id
    sender: Id = field(name="from")
    to: Recipients = []
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")] | None = None
    error: Annotated[str, Meta(max_length=500)] | None = None
    matches: Annotated[list[MediaMatch], Meta(max_length=100)] = []
    score: MediaScore | None = None

    @property
    def state(self) -> Literal["match", "unchecked", "clear", "unknown"]:
        """Whether it matched, could not be checked, was checked and did not match, or was never looked at."""
        if self.matches:
            return "match"
        if self.error is not None:
            return "unchecked"
        return "clear" if self.sha256 is not None else "unknown"


class Stream(_Event, tag="stream", frozen=True, gc=False, kw_only=True):
    """A live stream of `from` started or ended, cannot be seen by who watches it, or can be seen again.

    `conversation` is where its viewers write. `why` says what hinders, for `unseen`. In a `many` to many stream several
    share the picture; in one to many only `from` does.
    """

    id: Id
    at: At
    conversation: Id
    sender: Id = field(name="from")
    state: Literal["started", "ended", "unseen", "seen"]
    kind: Literal["one", "many"] = "one"
    why: Annotated[str, Meta(max_length=500)] = ""


class StreamFrame(_Event, tag="stream_frame", frozen=True, gc=False, kw_only=True):
    """A frame of the stream of `from` was looked at: what it matched, and a classifier's guess where one was asked.

    `second` counts from the beginning of the stream. A frame of which there is nothing to say needs no event.
    """

    id: Id
    at: At
    conversation: Id
    sender: Id = field(name="from")
    second: Annotated[float, Meta(ge=0, le=10_000_000)]
    matches: Annotated[list[MediaMatch], Meta(max_length=100)] = []
    score: MediaScore | None = None


class StreamText(_Event, tag="stream_text", frozen=True, gc=False, kw_only=True):
    """Words in the stream of `from`: read on its screen, or spoken in it. Nobody knows whose they are.

    `second` counts from the beginning of the stream. A machine read or heard them, and may be wrong.
    """

    id: Id
    at: At
    conversation: Id
    sender: Id = field(name="from")
    second: Annotated[float, Meta(ge=0, le=10_000_000)]
    source: Literal["screen", "speech"]
    text: Annotated[str, Meta(min_length=1, max_length=2_000)]


class Gift(_Event, tag="gift", frozen=True, gc=False, kw_only=True):
    """`from` gave `to` something of worth in a live stream. `coins` is in the platform's own unit."""

    id: Id
    at: At
    conversation: Id
    sender: Id = field(name="from")
    to: Id
    coins: Annotated[int, Meta(ge=0, le=2**53)] = 0


class Correction(_Event, tag="correction", frozen=True, gc=False, kw_only=True):
    """A person found that what was decided about `from` was wrong: the evidence of these events, up to `until`, goes.

    Only the casebook makes it (an appeal that was reversed). `to` is the account that was addressed, `room` the
    conversation where it was one of many; `until` is the time of the newest of `events`.
    """

    id: Id
    at: At
    sender: Id = field(name="from")
    to: Id | None = None
    room: Id | None = None
    events: Annotated[list[Id], Meta(max_length=1_000)]
    until: At


Event = (
    Message
    | Account
    | ContactRequest
    | Block
    | UserReport
    | Media
    | Stream
    | StreamFrame
    | StreamText
    | Gift
    | Correction
)
