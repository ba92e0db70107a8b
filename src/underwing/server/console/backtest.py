"""What another policy would have done with the decisions that are kept.

The store keeps decisions, not what the policy was told when it took them. That is built again here: level, stage, test
and help stand in the decision; ages and countries are the accounts' of today; the surface comes from the case; whether the
level rose is read off the decision before. Where the policy in force does not give again from it what was done then,
what was built is wrong, and the decision is left out and counted.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

import msgspec
from msgspec import Struct

from underwing.model import GUESSED_STAGES, Decision, Level
from underwing.policy import Comparison, Policy, compare
from underwing.policy import Facts as PolicyFacts
from underwing.risk import ActorState, Facts, effective_age, is_minor
from underwing.risk.context import UNKNOWN
from underwing.risk.settings import DAY

MOST = 5_000
"""Decisions that are looked at, the newest."""
SHOWN = 50
"""Differences that a page shows, the newest."""
_LABEL = re.compile(r": ([a-z_]+), ")
_GUESS = re.compile(r" gives (\d{1,3}) of 100: a guess")
_decode = msgspec.json.Decoder(Decision).decode


class Sides(Struct, frozen=True):
    """What is known today of the actor and the target of a decision."""

    mine: Facts
    theirs: Facts
    actor: ActorState | None


class Rebuilt(Struct, frozen=True):
    """A decision and what its policy was told, as far as that can be built again."""

    decision: Decision
    facts: PolicyFacts


class Result(Struct, frozen=True, kw_only=True):
    """What a backtest found, and over what: of `looked` decisions `left_out` could not be built again, and `unproven` were
    taken by another policy than the one in force, so that nothing proves what was built."""

    looked: int
    left_out: int
    unproven: int
    first: str
    last: str
    comparison: Comparison


class Shadow(Struct, frozen=True, kw_only=True):
    """What the shadow policy would have done with the decisions it was beside."""

    compared: int
    differ: int
    added: dict[str, int]
    removed: dict[str, int]
    examples: tuple[Decision, ...]


def wanted(decision: Decision) -> set[str]:
    """What the policy asked for, also what a quota held back."""
    return {*decision.actions, *decision.withheld}


def shadowed(decisions: Iterable[Decision]) -> Shadow:
    """Totals and the newest differences; decisions without a shadow are passed over."""
    compared = differ = 0
    added: Counter[str] = Counter()
    removed: Counter[str] = Counter()
    examples: list[Decision] = []
    for decision in decisions:
        if decision.shadow is None:
            continue
        compared += 1
        did, would = wanted(decision), set(decision.shadow)
        if did != would:
            differ += 1
            added.update(would - did)
            removed.update(did - would)
            examples.append(decision)
    return Shadow(
        compared=compared, differ=differ, added=dict(sorted(added.items())), removed=dict(sorted(removed.items())),
        examples=tuple(reversed(examples[-SHOWN:])),
    )  # fmt: skip


def sides_of(
    decision: Decision, account: Callable[[str], Facts | None], actor: Callable[[str], ActorState | None]
) -> Sides:
    """What the engine's state knows today; for the thread that owns it."""
    mine = (account(decision.actor) if decision.actor else None) or UNKNOWN
    theirs = (account(decision.target) if decision.target else None) or UNKNOWN
    return Sides(mine, theirs, actor(decision.actor) if decision.actor else None)


def rebuild(told: Sequence[tuple[Decision, Sides]], surface: Callable[[str], str]) -> list[Rebuilt]:
    """What the policy was told of each decision, oldest first. `surface` gives that of an event, "" if unknown."""
    levels: dict[tuple[str | None, str | None], int] = {}
    made = []
    for decision, sides in told:
        pair = decision.actor, decision.target
        level = int(Level[decision.level])
        media = _media(decision)
        raised = decision.test or bool(media) or level > levels.get(pair, 0)
        if not decision.test:
            levels[pair] = level
        made.append(Rebuilt(decision, _facts(decision, sides, level, raised, media, surface(decision.event))))
    return made


def backtest(live: Policy, new: Policy, told: Sequence[Rebuilt]) -> Result:
    """Hold a new policy against the one in force, over what can be built again."""
    chosen: list[tuple[str, PolicyFacts]] = []
    left_out = unproven = 0
    for one in told:
        if one.decision.versions.policy != live.version:
            unproven += 1
        elif set(live.decide(one.facts)) != wanted(one.decision):
            left_out += 1
            continue
        chosen.append((one.decision.event, one.facts))
    days = [dated(one.decision) for one in told] or [""]
    return Result(
        looked=len(told), left_out=left_out, unproven=unproven, first=min(days), last=max(days),
        comparison=compare(live, new, chosen),
    )  # fmt: skip


def decisions_of(rows: Iterable[tuple[int, bytes]]) -> list[Decision]:
    """The decisions of what `Runner.recent` gives."""
    return [_decode(body) for _, body in rows]


def dated(decision: Decision) -> str:
    """When a decision fell (RFC 3339): the time of the newest of its reasons."""
    own = [r.at for r in decision.reasons if r.event == decision.event] or [r.at for r in decision.reasons]
    return max(own, default="")


def _media(decision: Decision) -> str:
    if decision.stage in GUESSED_STAGES:
        return "clear"
    if decision.stage != "known_media":
        return ""
    return "unchecked" if any(r.signal == "media.unchecked" for r in decision.reasons) else "match"


def _score(decision: Decision) -> int | None:
    """What a classifier gave, where a rule looked at it: only then it is told."""
    told = (r.source for r in decision.reasons if r.signal == "media.score" and r.event == decision.event)
    found = _GUESS.search(next(told, ""))
    return int(found[1]) if found else None


def _label(decision: Decision) -> str:
    """The label of the most serious entry that matched; it is told first."""
    if decision.stage not in ("known_media", "known_link"):
        return ""
    found = _LABEL.search(decision.reasons[0].source) if decision.reasons else None
    return found[1] if found else ""


def _facts(
    decision: Decision, sides: Sides, level: int, raised: bool, media: str, surface: str
) -> PolicyFacts:
    mine, theirs = sides.mine, sides.theirs
    my_age, their_age = effective_age(mine), effective_age(theirs)
    seconds = _seconds(dated(decision))
    contacts = sides.actor.contacts if sides.actor and not media and not decision.test else ()
    return PolicyFacts(
        level=level, level_name=decision.level, raised=raised, stage=decision.stage or "", surface=surface,
        region=theirs.country or mine.country or "", actor_age=my_age, target_age=their_age,
        actor_minor=is_minor(mine), target_minor=is_minor(theirs),
        gap=my_age - their_age if my_age is not None and their_age is not None else None,
        breadth=sum(0 <= seconds - seen <= 30 * DAY for _, seen in contacts), help=bool(decision.help),
        test=decision.test, score=round(decision.score, 1), at=float(seconds), media=media, label=_label(decision),
        media_score=_score(decision),
    )  # fmt: skip


def _seconds(at: str) -> int:
    return int(datetime.fromisoformat(at).timestamp()) if at else 0
