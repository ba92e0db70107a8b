"""The statement of reasons: what the account holder is told about a decision, as codes that the page puts into words. Pure.

It holds what Art. 17(3) of Regulation (EU) 2022/2065 (Digital Services Act) asks for: the measure, its reach and length; the
facts in general, and whether automated means were used to find or to decide; the ground, in law or in the terms; and the
ways to object. It never holds the name of a list, a hash, a rule, the words that were found, a score, who reported, or any
other account: each of these would help to evade, or harm somebody.
"""

from collections.abc import Iterable
from typing import Annotated, Literal, get_args

from msgspec import Meta, Struct

from underwing.model import ACTOR_STAGES, GUESSED_STAGES, KNOWN_STAGES, OVERHEARD, Decision

Measure = Literal[
    "file_held", "message_held", "link_held", "content_removed", "visibility_reduced", "contact_limited",
    "feature_restricted", "account_suspended", "account_closed", "other",
]  # fmt: skip
MEASURES: tuple[Measure, ...] = get_args(Measure)
"""What a platform may have done (Art. 17(1) DSA), and what Underwing's own actions do."""
Ground = Literal["law", "terms"]
Fact = Literal["known_file", "guessed_file", "unchecked_file", "known_link", "messages", "conduct", "test"]
"""The facts in general: a file or link that is known; a file that a program took for something; one that could not be
checked; messages; conduct towards others."""
_OWN_MEASURES: dict[str, Measure] = {
    "hold_media": "file_held",
    "hold_message": "message_held",
    "hold_link": "link_held",
    "limit_contact": "contact_limited",
    "slow_contact": "contact_limited",
}


class Given(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the platform says about its own measure. `clause` is the law or the part of its terms; `until` epoch seconds,
    None: without an end; `where` the reach ("everywhere", a country, a room)."""

    measures: Annotated[list[Measure], Meta(max_length=10)] = []
    ground: Ground = "terms"
    clause: Annotated[str, Meta(max_length=500)] = ""
    where: Annotated[str, Meta(max_length=200)] = ""
    until: Annotated[int, Meta(ge=0, le=1 << 40)] | None = None
    contact: Annotated[str, Meta(max_length=200)] = ""
    """Where the platform can be written to, or the settlement body (Art. 21 DSA) it names."""


class Statement(Struct, frozen=True, kw_only=True):
    """What is told. `decided` is the day of the decision in epoch seconds, `by` who decided; `detection` whether automated
    means found it, which they always did when there was a decision of ours."""

    decided: int
    by: Literal["automated", "person"]
    detection: bool
    facts: tuple[Fact, ...]
    measures: tuple[Measure, ...]
    ground: Ground
    clause: str = ""
    where: str = ""
    until: int | None = None
    contact: str = ""


def statement(decision: Decision | None, given: Given, *, decided: int, person: bool) -> Statement:
    """The statement about a decision (None: the platform's own, of which we know nothing)."""
    own = [_OWN_MEASURES[a] for a in decision.actions if a in _OWN_MEASURES] if decision else []
    return Statement(
        decided=decided - decided % 86_400,
        by="person" if person else "automated",
        detection=decision is not None,
        facts=tuple(_facts(decision)) if decision else (),
        measures=tuple(dict.fromkeys([*own, *given.measures])),
        ground=given.ground, clause=given.clause, where=given.where, until=given.until, contact=given.contact,
    )  # fmt: skip


def _facts(decision: Decision) -> Iterable[Fact]:
    """The kinds of facts behind a decision. What others did (reports, blocks) is told as conduct, like all that is none of
    the other kinds: whether somebody reported cannot be read from it."""
    if decision.test:
        return ("test",)
    found: dict[Fact, None] = {}
    for reason in decision.reasons:
        if reason.signal == "media.unchecked":
            found["unchecked_file"] = None
        elif reason.stage in GUESSED_STAGES:
            found["guessed_file"] = None
        elif reason.stage in KNOWN_STAGES:
            found["known_file" if reason.stage == "known_media" else "known_link"] = None
        elif (
            reason.stage in ACTOR_STAGES
            and reason.weight > 0
            and not reason.signal.startswith(("actor.", OVERHEARD))
        ):
            found["messages"] = None
    return tuple(found) or ("conduct",)
