"""What an event and its decision bring to a case. Pure: no clock, no store.

Who is a suspect is decided here, by own cues alone: what a child says in fear, asks or refuses is the other side's
doing, and a report by itself names nobody a suspect (abusers report their victims too).
"""

from datetime import datetime
from hashlib import blake2b

from underwing.casebook.cases.values import Findings, Flag, Marks, Person, Priority, Role, Tie
from underwing.model import (
    ACTOR_STAGES,
    KNOWN_STAGES,
    OVERHEARD,
    Decision,
    Event,
    Media,
    Message,
    Reason,
    UserReport,
)

BANDS, BAND_BITS = 4, 16
SCRIPT_BITS = 3
"""Openers at most this many of 64 bits apart are one script between accounts. With four bands of 16 bits each such
two share a band (Manku, Jain, Das Sarma, "Detecting near-duplicates for web crawling", WWW 2007, k = 3 of 64)."""
MOST_BYSTANDERS = 16
MOST_MEDIA = 16
_HEARSAY = ("actor.reported", "actor.blocked", "actor.declined")
"""What others did about an account is no cue of its own."""
_STAGE_FLAGS = {
    "threat": Flag.threat,
    "go_live": Flag.live,
    "payment": Flag.payment,
    "image_request": Flag.image,
    "desensitise": Flag.image,
    "meet": Flag.image,
    "distress": Flag.distress,
}
_CUE_FLAGS = {
    "pressure.deadline": Flag.deadline,
    "go_live.obey": Flag.order,
    "distress.harm": Flag.self_harm,
}
"""By the end of a cue's id, which is the same in every language (`en.distress.harm`)."""


def own_cues(decision: Decision) -> list[Reason]:
    """The reasons that speak against the actor: its own cues, and what a list knows."""
    return [
        r
        for r in decision.reasons
        if (r.stage in KNOWN_STAGES or r.signal.startswith("test.") or (r.stage in ACTOR_STAGES and r.weight > 0))
        and r.signal not in _HEARSAY
        and not r.signal.startswith(OVERHEARD)
    ]  # fmt: skip


def flags_of(decision: Decision) -> Flag:
    """What triage asks of a decision's reasons."""
    flags = Flag(0)
    for reason in decision.reasons:
        if reason.stage in KNOWN_STAGES:
            flags |= Flag.known
        elif reason.weight > 0 and reason.signal not in _HEARSAY:
            cue = ".".join(reason.signal.split(".")[-2:])
            flags |= _CUE_FLAGS.get(cue, Flag(0))
            if reason.stage in _STAGE_FLAGS:
                flags |= _STAGE_FLAGS[reason.stage]
            elif reason.stage in ACTOR_STAGES:
                flags |= Flag.conversation
    if decision.level == "urgent":
        flags |= Flag.urgent
        if decision.test:
            flags |= Flag.threat | Flag.deadline
    return flags


def script_ties(script: int) -> list[Tie]:
    """The bands of an opener's SimHash; which candidates are near enough is for `near_scripts` to say."""
    if not script:
        return []
    mask = (1 << BAND_BITS) - 1
    bands = (script >> BAND_BITS * n & mask for n in range(BANDS))
    return [Tie("script", f"{n}:{band:04x}") for n, band in enumerate(bands)]


def near_scripts(one: int, other: int) -> bool:
    """Whether two openers are one script."""
    return bool(one and other) and (one ^ other).bit_count() <= SCRIPT_BITS


def findings(event: Event | None, decision: Decision, marks: Marks) -> Findings:
    """What an answered event brings. Without the event (made good from the table of decisions) only what the decision
    knows; a decision's time is then that of its newest reason."""
    cues = own_cues(decision)
    report = isinstance(event, UserReport)
    actor, target = decision.actor, decision.target
    conversation = getattr(event, "conversation", None)
    found = Findings(
        event=decision.event,
        kind="report" if report else "decision",
        at=_time(event, decision),
        actor=actor,
        target=target,
        conversation=conversation,
        surface=getattr(event, "surface", "live" if conversation else ""),
        level=decision.level,
        stage=decision.stage,
        flags=int(flags_of(decision)),
        region=marks.region,
        page="page" in decision.actions,
        test=decision.test,
        ties=_ties(event, decision, marks),
        people=tuple(_people(event, decision, marks, bool(cues))),
    )
    return found


def by_hand(
    event: str, at: int, actor: str | None, target: str | None, region: str, said: Priority
) -> Findings:
    """What a person says who opens a case: whom it is about, and who may be harmed. Nothing is proven by that."""
    named: tuple[tuple[str | None, Role], ...] = ((actor, "reported"), (target, "victim"))
    return Findings(
        event=event, kind="hand", at=at, actor=actor, target=target, region=region, said=int(said),
        ties=_pairs(actor, target, ""), people=tuple(Person(account=a, role=r) for a, r in named if a),
    )  # fmt: skip


def _time(event: Event | None, decision: Decision) -> int:
    at = getattr(event, "at", None)
    if at is not None:
        return int(at.timestamp())
    times = [datetime.fromisoformat(r.at).timestamp() for r in decision.reasons]
    return int(max(times, default=0))


def _pairs(actor: str | None, target: str | None, prefix: str) -> tuple[Tie, ...]:
    ties = []
    if actor and target:
        ties.append(
            Tie("pair", prefix + blake2b(f"{actor}\x1f{target}".encode(), digest_size=16).hexdigest())
        )
    if actor:
        ties.append(Tie("actor", prefix + actor))
    if target:
        ties.append(Tie("target", prefix + target))
    return tuple(ties)


def _ties(event: Event | None, decision: Decision, marks: Marks) -> tuple[Tie, ...]:
    """Test decisions have keys of their own: they gather among themselves and never with a real case."""
    prefix = "test\x1f" if decision.test else ""
    ties = list(_pairs(decision.actor, decision.target, prefix))
    ties += [Tie("payment", f"{prefix}{value:x}") for value in marks.payments]
    ties += [Tie("handle", f"{prefix}{value:x}") for value in marks.handles]
    ties += [Tie("script", f"{prefix}{t.key}:{marks.script:016x}") for t in script_ties(marks.script)]
    if isinstance(event, Media) and (event.matches or decision.reasons):
        if event.sha256:
            ties.append(Tie("media", prefix + event.sha256))
        ties += [Tie("entry", f"{prefix}{m.bank}/{m.entry}") for m in event.matches[:MOST_MEDIA]]
    return tuple(dict.fromkeys(ties))


def _people(event: Event | None, decision: Decision, marks: Marks, cued: bool) -> list[Person]:
    roles: dict[tuple[str, Role], None] = {}
    if decision.actor:
        named: Role = "reported" if isinstance(event, UserReport) else "bystander"
        roles[decision.actor, "suspect" if cued else named] = None
    if decision.target:
        roles[decision.target, "victim"] = None
    for account in decision.help:
        roles[account, "victim"] = None
    if isinstance(event, UserReport) and event.sender != decision.target:
        roles[event.sender, "reporter"] = None
    known = {account for account, _ in roles}
    if isinstance(event, Message | Media):
        for account in [event.sender, *event.to][: MOST_BYSTANDERS + 1]:
            if account not in known:
                roles[account, "bystander"] = None
    return [Person(account=a, role=r, minor=marks.minors.get(a)) for a, r in roles]
