"""The shapes of what the service answers, beside `Decision`: for the encoder and for OpenAPI."""

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from underwing.model import Decision


class Fault(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was wrong: a stable `code` for programs, a `message` for people; never the text of an event."""

    code: str
    message: str
    line: Annotated[int, Meta(ge=1)] | UnsetType = UNSET
    """The number of the line in an NDJSON body, counted from 1."""


class Problem(Struct, frozen=True, kw_only=True):
    """The body of every answer that is not a success."""

    error: Fault


class Dated(Struct, frozen=True, kw_only=True):
    """One contribution to the risk, when it happened, in one plain sentence."""

    at: str
    event: str
    actor: str | None
    target: str | None
    signal: str
    stage: str
    weight: float
    """What it added, in nats; below zero it took away."""
    span: tuple[int, int] | None
    source: str
    sentence: str


class Explained(Struct, frozen=True, kw_only=True):
    """A decision and one plain sentence about it."""

    sentence: str
    decision: Decision


class Explanation(Struct, frozen=True, kw_only=True):
    """Why the level is what it is: dated contributions and the decisions they led to, oldest first."""

    actor: str | None
    target: str | None
    level: str
    """The level of the newest decision."""
    summary: str
    contributions: tuple[Dated, ...]
    decisions: tuple[Explained, ...]


class Numbered(Struct, frozen=True, kw_only=True):
    """A decision with its place in the order of all decisions that have reasons."""

    number: int
    decision: Decision


class Recent(Struct, frozen=True, kw_only=True):
    """Decisions with reasons, oldest first; ask again with `after` = `last`."""

    last: int
    decisions: tuple[Numbered, ...]


class Health(Struct, frozen=True, kw_only=True):
    """The process answers."""

    status: str


class Readiness(Struct, frozen=True, kw_only=True):
    """Whether events are taken, and what each part says."""

    ready: bool
    packs: str
    store: str
    policy: str
    details: dict[str, str]
