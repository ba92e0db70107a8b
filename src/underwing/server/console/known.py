"""What is known of one account: facts with where they come from, what it did, what was done to it, with whom.

Facts of the platform and of the engine's folds; no text of a message is in any of them.
"""

from collections.abc import Iterable

from msgspec import Struct

from underwing.engine import Runner
from underwing.model import Decision, Level
from underwing.risk import ActorState, TargetState, effective_age, is_minor
from underwing.risk import Facts as AccountFacts
from underwing.risk.context import UNKNOWN
from underwing.server.answers import Explanation
from underwing.server.explain import explain

MOST_PAIRS = 100


class Fact(Struct, frozen=True):
    """One thing said of an account. `key` and `source` are words of the catalogue, `value` is the platform's own."""

    key: str
    value: str | int | bool
    source: str


class Pair(Struct, frozen=True, kw_only=True):
    """What passed between this account and another, in one direction: `outward` when this one acted."""

    other: str
    outward: bool
    level: str
    worst: str
    decisions: int
    first: str
    last: str
    stage: str


class Across(Struct, frozen=True, kw_only=True):
    """What an account does across others: the fold of an actor, as numbers."""

    score: float
    contacts: int
    """Young accounts it approached first, of the last 40."""
    ages: tuple[int, ...]
    """Ages it claimed, each once, in order."""
    payments: int
    handles: int
    places: int
    complaints: float


class Account(Struct, frozen=True, kw_only=True):
    """Everything a page tells of an account. `seen` is False where neither platform nor engine know it."""

    id: str
    seen: bool
    facts: tuple[Fact, ...]
    minor: bool | None
    age: int | None
    across: Across | None
    pressing: int
    """Accounts that press it at the moment."""
    as_actor: Explanation | None
    as_target: Explanation | None
    pairs: tuple[Pair, ...]


def facts_of(facts: AccountFacts) -> tuple[Fact, ...]:
    """The facts that are known, the most reliable age first."""
    found: list[Fact] = []
    for key, value, source in (
        ("verified_age", facts.verified_age, "verified"),
        ("estimated_age", facts.estimated_age, "estimated"),
        ("declared_age", facts.declared_age, "declared"),
        ("minor", facts.minor, "platform"),
        ("created_at", facts.created_at, "platform"),
        ("country", facts.country, "platform"),
    ):
        if value is not None:
            found.append(Fact(key, value, source))
    return tuple(found)


def across_of(state: ActorState | None) -> Across | None:
    """The fold of an actor, told; None where it did nothing across others."""
    if state is None:
        return None
    return Across(
        score=round(state.score, 2), contacts=len(state.contacts), ages=tuple(dict.fromkeys(a for a, _, _ in state.ages)),
        payments=len({p for p, _ in state.payments}), handles=len({h for h, _ in state.handles}),
        places=len({p for p, _ in state.places}), complaints=state.complaints,
    )  # fmt: skip


def pairs_of(account: str, decisions: Iterable[Decision]) -> tuple[Pair, ...]:
    """Decisions by the other side and direction, the worst and newest first."""
    held: dict[tuple[str, bool], list[Decision]] = {}
    for decision in decisions:
        outward = decision.actor == account
        other = decision.target if outward else decision.actor
        if other is not None and not decision.test:
            held.setdefault((other, outward), []).append(decision)
    pairs = [_pair(other, outward, made) for (other, outward), made in held.items()]
    return tuple(sorted(pairs, key=lambda p: (Level[p.worst], p.last), reverse=True)[:MOST_PAIRS])


def _pair(other: str, outward: bool, made: list[Decision]) -> Pair:
    times = sorted(reason.at for decision in made for reason in decision.reasons) or [""]
    worst = max(made, key=lambda d: Level[d.level])
    return Pair(
        other=other, outward=outward, level=made[-1].level, worst=worst.level, decisions=len(made), first=times[0],
        last=times[-1], stage=made[-1].stage or "",
    )  # fmt: skip


def look_up(runner: Runner, account: str) -> Account:
    """What the engine's store holds of an account. For the thread that owns the runner."""
    state = runner.state
    facts: AccountFacts = state.accounts.get(account) or UNKNOWN
    actor: ActorState | None = state.actors.get(account)
    target: TargetState | None = state.targets.get(account)
    doing, suffering = explain(runner, account, None), explain(runner, None, account)
    told = [one.decision for side in (doing, suffering) if side for one in side.decisions]
    return Account(
        id=account,
        seen=bool(state.accounts.get(account) or actor or target or told),
        facts=facts_of(facts),
        minor=is_minor(facts),
        age=effective_age(facts),
        across=across_of(actor),
        pressing=len(target.pressing) if target else 0,
        as_actor=doing,
        as_target=suffering,
        pairs=pairs_of(account, told),
    )
