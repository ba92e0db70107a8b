"""From risk to a decision: level, policy, quotas, and every contribution that led there."""

from collections.abc import Callable
from typing import NamedTuple

from msgspec import structs

from underwing.engine.keys import iso, pair_key, room_target, short_hash
from underwing.engine.links import Listed
from underwing.engine.overheard import is_nobody, nobody, pressers
from underwing.engine.state import State
from underwing.model import (
    Block,
    ContactRequest,
    Decision,
    Gift,
    Level,
    Media,
    Message,
    Reason,
    Stream,
    StreamFrame,
    UserReport,
    Versions,
)
from underwing.policy import Facts as PolicyFacts
from underwing.policy import Policy, Quotas, QuotaState
from underwing.risk import (
    ActorState,
    Contribution,
    Facts,
    PairState,
    Settings,
    effective_age,
    is_minor,
    levels_of,
    pressed_by_words,
    recently_seen,
    taken_for_minor,
)
from underwing.risk.context import UNKNOWN
from underwing.risk.settings import DAY, PRESSING

LEVELS = tuple(level.name for level in Level)
Live = Stream | StreamFrame | Gift
Judged = Message | Media | ContactRequest | Block | UserReport | Live


class Case(NamedTuple):
    """What is to be decided on: who, towards whom, with what evidence."""

    actor: str | None
    target: str | None
    pair: PairState | None
    made: list[Contribution]
    raised: bool
    help_route: bool
    actor_state: ActorState | None
    listed: Listed | None = None
    """The link of the message that a list names, the most serious one."""


class _Beside(NamedTuple):
    """What is seen and overheard beside what is said: the sum, what it is, whether it is the first time in this stream, who
    presses most (an account before nobody)."""

    score: float
    made: list[Contribution]
    first: bool
    who: str


_NOTHING = _Beside(0.0, [], False, "")


class Verdicts:
    """Decides by a policy. Pure in what it is given: the state holds the quotas."""

    def __init__(
        self,
        versions: Versions,
        policy: Policy,
        shadow: Policy | None,
        settings: Settings,
        observer: Callable[[str, PolicyFacts], None] | None,
    ) -> None:
        self.versions, self._policy, self._shadow = versions, policy, shadow
        self.settings, self._observer = settings, observer
        self._quotas = Quotas(policy)

    def quiet(self, event: str, actor: str | None, target: str | None) -> Decision:
        """The decision on an event that says nothing."""
        return Decision(
            event=event, level="none", actor=actor, target=target, stage=None, actions=(), reasons=(),
            versions=self.versions,
        )  # fmt: skip

    def decide(self, state: State, event: Judged, at: int, case: Case) -> Decision:
        """The level of a case, what the policy makes of it, and why."""
        actor, target, pair, made = case.actor, case.target, case.pair, case.made
        level, score, raised = 0, 0.0, case.raised
        kept: list[Contribution] = list(made)
        if pair is not None:
            prior = case.actor_state.score if case.actor_state else 0.0
            level, score = levels_of(pair, at, self.settings, prior)
            if is_nobody(actor):  # misheard, or part of a film: enough for a person to look
                level = min(level, int(Level.review))
            kept = [*pair.kept, *(c for c in made if c not in pair.kept)]
        alone = self._script(state, actor, case.actor_state, level)
        if alone is not None and case.actor_state is not None:
            raised = raised or alone > case.actor_state.level
            level, score = alone, case.actor_state.score
            kept = [*kept, *(c for c in case.actor_state.kept if c not in kept)]
        joint = self._joint(state, event, target, made) if actor is not None and level < Level.review else 0.0
        looks = level < Level.review or is_nobody(actor)
        beside = self._seen_beside(state, event, target, at) if looks else _NOTHING
        if beside.made:
            raised, level, score = raised or beside.first, int(Level.review), max(score, beside.score)
            kept += [c for c in beside.made if c not in kept]
            actor = beside.who if is_nobody(actor) else actor
        elif joint:
            raised, level, score = True, int(Level.review), max(score, joint)
            kept.append(
                Contribution(
                    "target.several-press", "pressure", round(joint * 1000), at, event.id, source="nca"
                )
            )
        listed = case.listed
        if not kept and not case.help_route and listed is None:
            return self.quiet(event.id, actor, target)
        test = listed is not None and listed.label == "test" and level == Level.none
        if listed is not None:
            level = max(level, listed.level)
        mine = (state.accounts.get(actor) if actor else None) or UNKNOWN
        theirs = (state.accounts.get(target) if target else None) or UNKNOWN
        stage = "known_link" if listed is not None else _stage_of(made, kept)
        contacts = case.actor_state.contacts if case.actor_state else ()
        facts = facts_of(
            event, at, level, mine, theirs, raised=raised, stage=stage, score=score, help=case.help_route,
            breadth=sum(at - seen <= 30 * DAY for _, seen in contacts), test=test,
            label=listed.label if listed is not None else "", stream="seen" if beside.made else "",
        )  # fmt: skip
        actions, withheld, shadow = self.act(state, event.id, facts)
        return Decision(
            event=event.id,
            level=LEVELS[level],
            actor=None if is_nobody(actor) else actor,
            target=target,
            stage=stage,
            actions=actions,
            reasons=(
                *(listed.reasons(event.id, iso(at)) if listed is not None else ()),
                *((reason_of(c) for c in kept) if level or made else ()),
                *(_heard(theirs, self.settings) if level else ()),
            ),
            versions=self.versions,
            score=round(score, 3),
            help=(event.sender,) if case.help_route else (),
            shadow=shadow,
            withheld=withheld,
            test=test,
        )

    def _script(
        self, state: State, actor: str | None, actor_state: ActorState | None, level: int
    ) -> int | None:
        """The level that the same opener to many young accounts reaches by itself, where it is the higher one."""
        if actor_state is None or actor is None:
            return None
        score, settings = actor_state.score, self.settings
        alone = 2 if score >= settings.review else 1 if score >= settings.watch else 0
        if alone <= level or not any(c.signal == "actor.same-opener" for c in actor_state.kept):
            return None
        state.actors.put(actor, structs.replace(actor_state, level=alone))
        return alone

    def _joint(self, state: State, event: Judged, target: str | None, made: list[Contribution]) -> float:
        """What several accounts pressing one target add up to, where that is enough for `review`; else 0. Words that nobody
        is known to have said make no account."""
        pressed = state.targets.get(target) if target is not None else None
        if pressed is None or len(pressed.pressing) < 2 or not any(c.stage in PRESSING for c in made):
            return 0.0
        settings, overheard = self.settings, short_hash(nobody(getattr(event, "conversation", "")))
        pressing = [s for who, s, _ in pressed.pressing if who != overheard]
        strong = [s for s in pressing if s >= settings.target_each]
        joint = sum(pressing)
        return joint if len(strong) >= 2 and joint >= settings.target_review else 0.0

    def _seen_beside(self, state: State, event: Judged, target: str | None, at: int) -> _Beside:
        """Where somebody presses the streamer by words, and what is seen or overheard in the stream in the same minutes adds
        up with that to `review`."""
        live = isinstance(event, StreamFrame | Gift) or (
            isinstance(event, Message) and event.surface == "live"
        )
        room = state.rooms.get(event.conversation) if live else None  # type: ignore[union-attr]
        if room is None or target is None or target != room.host:
            return _NOTHING
        conversation: str = event.conversation  # type: ignore[union-attr]
        pressed = state.targets.get(target)
        words, strong = pressed_by_words(pressed, at, self.settings)
        seen, kept = recently_seen(room, at, self.settings)
        who = pressers(room, conversation, strong)
        overheard = len(who) > 1 and is_nobody(who[-1])
        if (
            pressed is None
            or not who
            or not (kept or overheard)
            or words + seen < self.settings.target_review
        ):
            return _NOTHING
        first = pressed.level < Level.review
        if first:
            state.targets.put(target, structs.replace(pressed, level=int(Level.review)))
        pairs = (state.pairs.get(pair_key(name, room_target(conversation))) for name in who)
        said = [
            made
            for pair in pairs
            if pair is not None
            for made in pair.kept
            if made.stage in PRESSING and at - made.at <= self.settings.stream_tau * 3
        ]
        return _Beside(words + seen, [*said, *kept], first, who[0])

    def act(
        self, state: State, event: str, facts: PolicyFacts
    ) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...] | None]:
        """(actions, those a quota held back, what the shadow policy would have done)."""
        if self._observer is not None:
            self._observer(event, facts)
        wanted = self._policy.decide(facts)
        shadow = self._shadow.decide(facts) if self._shadow is not None else None
        if not wanted:
            return wanted, (), shadow
        quota = state.quotas.get("all") or QuotaState()
        assert facts.at is not None
        new, admitted, withheld = self._quotas.admit(quota, wanted, facts.at)
        if new != quota:
            state.quotas.put("all", new)
        return admitted, withheld, shadow

    def used(self, facts: PolicyFacts, variable: str) -> bool:
        """Whether a rule that fires on these facts looks at a variable; the shadow policy's rules count too."""
        policies = [self._policy] if self._shadow is None else [self._policy, self._shadow]
        return any(variable in policy.verdict(facts).read for policy in policies)

    def trigger(
        self,
        state: State,
        event: Message,
        at: int,
        target: str | None,
        mine: Facts,
        theirs: Facts,
        level: Level,
    ) -> Decision:
        """The documented test phrases: the same road to the end (quotas too), marked, and no trace in any fold."""
        facts = facts_of(event, at, level, mine, theirs, raised=True, stage="threat", test=True)
        actions, withheld, shadow = self.act(state, event.id, facts)
        reason = Reason(
            signal=f"test.{level.name}", stage="threat", span=(0, len(event.text)), weight=0.0, at=iso(at),
            event=event.id, source="Underwing's documented test phrase",
        )  # fmt: skip
        return Decision(
            event=event.id, level=level.name, actor=event.sender, target=target, stage="threat", actions=actions,
            reasons=(reason,), versions=self.versions, shadow=shadow, withheld=withheld, test=True,
        )  # fmt: skip


def facts_of(
    event: Judged,
    at: int,
    level: int,
    mine: Facts,
    theirs: Facts,
    *,
    raised: bool,
    stage: str | None,
    score: float = 0.0,
    breadth: int = 0,
    help: bool = False,
    test: bool = False,
    label: str = "",
    stream: str = "",
) -> PolicyFacts:
    """What a policy is told of an event between an actor (`mine`) and a target (`theirs`)."""
    mine_age, their_age = effective_age(mine), effective_age(theirs)
    return PolicyFacts(
        level=level,
        level_name=LEVELS[level],
        raised=raised,
        stage=stage or "",
        surface=event.surface
        if isinstance(event, Message | Media)
        else "live"
        if isinstance(event, Live)
        else "",
        region=theirs.country or mine.country or "",
        actor_age=mine_age,
        target_age=their_age,
        actor_minor=is_minor(mine),
        target_minor=is_minor(theirs),
        gap=mine_age - their_age if mine_age is not None and their_age is not None else None,
        breadth=breadth,
        help=help,
        test=test,
        score=round(score, 1),
        at=float(at),
        label=label,
        stream=stream,
    )


def _stage_of(made: list[Contribution], kept: list[Contribution]) -> str | None:
    """The stage that counts most in what was added, else the latest one kept."""
    rising = [c for c in made if c.milli > 0]
    if rising:
        return max(rising, key=lambda c: c.milli).stage
    return kept[-1].stage if kept else None


def _heard(theirs: Facts, settings: Settings) -> list[Reason]:
    """Why somebody of unknown age was taken for a child, where that is so. It adds nothing to the score."""
    if is_minor(theirs) is not None or not taken_for_minor(theirs, settings):
        return []
    return [
        Reason(
            signal=one.signal, stage="young", span=(one.start, one.end) if one.start >= 0 else None, weight=0.0,
            at=iso(one.at), event=one.event, source=one.source,
        )
        for one in theirs.heard
    ]  # fmt: skip


def reason_of(c: Contribution) -> Reason:
    """A contribution as a decision tells it."""
    return Reason(
        signal=c.signal,
        stage=c.stage,
        span=(c.start, c.end) if c.start >= 0 else None,
        weight=c.milli / 1000,
        at=iso(c.at),
        event=c.event,
        source=c.source,
    )
