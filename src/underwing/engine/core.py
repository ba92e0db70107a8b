"""The fold: one event in, one decision out, over the states of pairs, actors, targets and rooms.

Order of work for a message: text → cues → pair → actor → target → level → policy → decision. A message
without a cue touches nothing but the record that its pair exists.

Rule for time: the engine knows only `at` of the events. A state's clock never runs backwards; a late event is
taken as evidence that has decayed since its own time, at the newest state (see `risk/pair.py`).
"""

from collections.abc import Callable

from underwing.engine.across import across
from underwing.engine.corrections import correct
from underwing.engine.heard import hear
from underwing.engine.keys import pair_key, room_target
from underwing.engine.links import Links, listed_of
from underwing.engine.media import judge_media
from underwing.engine.overheard import taken_for_said
from underwing.engine.people import as_claimed, as_heard, note_speaker, readings_of_others, target_of
from underwing.engine.said import Said
from underwing.engine.sides import calm, other_side, press, raised
from underwing.engine.state import State
from underwing.engine.streams import judge_frame, judge_gift, judge_stream, reads_again
from underwing.engine.trigger import trigger_level
from underwing.engine.verdict import Case, Verdicts
from underwing.model import (
    ACTOR_STAGES,
    VICTIM_STAGES,
    Account,
    Block,
    ContactRequest,
    Correction,
    Decision,
    Event,
    Gift,
    Level,
    Media,
    Message,
    Signal,
    Stream,
    StreamFrame,
    StreamText,
    UserReport,
    Versions,
)
from underwing.packs import Packs
from underwing.policy import Facts as PolicyFacts
from underwing.policy import Policy, SwitchBook
from underwing.risk import (
    Contribution,
    Cue,
    Facts,
    PairState,
    Parties,
    Settings,
    child_of,
    fold_complaint,
    fold_pair,
    fold_reading,
    fold_spread,
    is_minor,
    taken_for_minor,
    with_reading,
)
from underwing.risk.context import UNKNOWN
from underwing.text import NOTHING, Meaning
from underwing.text.sieve import NUMBER

ENGINE_VERSION = "1"


class Engine:
    """The packs, the numbers and the policy that decide. Holds no state of its own."""

    def __init__(
        self,
        packs: Packs,
        policy: Policy,
        settings: Settings | None = None,
        shadow: Policy | None = None,
        meaning: Meaning | None = None,
        links: Links | None = None,
        switches: SwitchBook | None = None,
        observer: Callable[[str, PolicyFacts], None] | None = None,
    ) -> None:
        """`meaning` is the optional layer for phrasings that no pack has; None switches it off. `links` are lists of
        addresses that messages are held against; None where there are none. `switches` say what children's
        streams have switched off: what happens all the same is told.

        `observer` is told the facts that each policy decision was taken on (a backtest collects them)."""
        self.packs, self.settings = packs, settings or Settings()
        self._observer, self._meaning = observer, meaning
        self._links, self._switches = links, switches
        self._scan = packs.scanner.scan
        self.use_policy(policy, shadow)

    def use_links(self, links: Links | None) -> None:
        """Hold messages against these lists from now on."""
        self._links = links
        self.use_policy(self.policy, self.shadow)

    def use_policy(self, policy: Policy, shadow: Policy | None = None) -> None:
        """Decide by `policy` from now on; `shadow` only tells what it would have done."""
        self.policy, self.shadow = policy, shadow
        packs = self.packs.version + (f"+meaning.{self._meaning.version}" if self._meaning else "")
        packs += f"+links.{self._links.version}" if self._links else ""
        self.versions = Versions(engine=ENGINE_VERSION, packs=packs, policy=policy.version)
        self._verdicts = Verdicts(self.versions, policy, shadow, self.settings, self._observer)
        self._quiet = self._verdicts.quiet

    # -- the fold ---------------------------------------------------------------------------------------

    def step(self, state: State, event: Event) -> Decision:
        """Fold one event into `state` and decide."""
        if type(event) is Message:
            return self._message(state, event)
        if isinstance(event, Account):
            known = state.accounts.get(event.id) or UNKNOWN
            state.accounts.put(event.id, known.updated(event))
            return self._quiet(event.id, None, None)
        if isinstance(event, ContactRequest):
            return self._complaint(
                state, event, "declined", self.settings.declined_weight, event.outcome == "declined"
            )
        if isinstance(event, Block):
            return self._complaint(state, event, "blocked", self.settings.blocked_weight, True)
        if isinstance(event, UserReport):
            return self._complaint(state, event, "reported", self.settings.reported_weight, True)
        if isinstance(event, Media):
            return judge_media(state, event, self._verdicts)
        if isinstance(event, Correction):
            correct(state, event, self.settings)
            return self._quiet(event.id, event.sender, event.to)
        if isinstance(event, Stream):
            return judge_stream(state, event, self._verdicts)
        if isinstance(event, StreamFrame):
            return judge_frame(state, event, self._verdicts, self.settings)
        if isinstance(event, StreamText):
            return self._overheard(state, event)
        if isinstance(event, Gift):
            return judge_gift(state, event, self._verdicts, self.settings, self._switches)
        return self._message(state, event)

    def _message(self, state: State, event: Message) -> Decision:
        """The short way of a message that says nothing; any other goes on to be weighed."""
        sender = event.sender
        direct = event.surface == "dm" and len(event.to) == 1
        other = event.to[0] if direct else room_target(event.conversation)
        scan = self._scan(event.text)
        claims = self.packs.claims(event.text, scan.view, scan.clues) if scan.clues else NOTHING
        trigger = trigger_level(scan.view)
        at = int(event.at.timestamp())
        signals = scan.signals
        if signals or scan.clues & NUMBER:
            signals = hear(state, event, at, scan, claims, self.settings)
        key = f"{sender}\x1f{other}"
        opening = key not in state.pairs
        if not direct:
            note_speaker(state, event, at)
        elif opening:
            state.pairs.put(key, PairState(at))
        read = self._read(state, event, at, scan.plain, bool(signals), other, direct)
        listed = self._links.match(event.text) if self._links is not None else ()
        if (
            not signals
            and not listed
            and (read is None or read[0] is None)
            and not (opening and direct)
            and claims is NOTHING
            and not trigger
        ):
            return self._quiet(event.id, sender, other if direct else None)
        said = Said(
            at=at, key=key, other=other, direct=direct, opening=opening, view=scan.view, signals=signals,
            claims=claims, read=read, listed=listed,
        )  # fmt: skip
        target, theirs = target_of(state, event, other, direct, self.settings)
        if trigger:
            mine = state.accounts.get(sender) or UNKNOWN
            if target is not None and is_minor(theirs) is None:
                theirs = as_claimed(state, target, theirs, self.settings)
            return self._verdicts.trigger(state, event, at, target, mine, theirs, trigger)
        return self._weigh(state, event, said, target, theirs)

    def _overheard(self, state: State, event: StreamText) -> Decision:
        """Words that nobody is known to have said, in the stream of a child or of one who may be."""
        scan = self._scan(event.text)
        found = taken_for_said(state, event, scan.signals, self.settings)
        if found is None:
            return self._quiet(event.id, None, event.sender)
        message, signals, theirs = found
        other = room_target(event.conversation)
        said = Said(
            at=int(event.at.timestamp()), key=pair_key(message.sender, other), other=other, direct=False, opening=False,
            view=scan.view, signals=signals, claims=NOTHING, read=None, listed=(),
        )  # fmt: skip
        own = message.sender == event.sender
        return self._weigh(state, message, said, None if own else event.sender, theirs)

    def _weigh(self, state: State, event: Message, said: Said, target: str | None, theirs: Facts) -> Decision:
        """Fold what a message says into the states it concerns, and decide."""
        at, key, other, direct, opening = said.at, said.key, said.other, said.direct, said.opening
        sender, read = event.sender, said.read
        pair = None if opening and read is None else state.pairs.get(key)
        mine = state.accounts.get(sender) or UNKNOWN
        if target is not None and is_minor(theirs) is None:
            theirs = as_claimed(state, target, theirs, self.settings)
        parties = Parties.of(mine, theirs, target or "", sender)
        actor = state.actors.get(sender)
        cues, help_route = self._cues(event, at, said.signals, parties)

        actor_before = actor
        actor, told, joined = across(actor, event, said, mine, parties, self.settings)
        cues += told

        # The pair itself; then what the other side says counts against the other side's own pair.
        contributions: list[Contribution] = []
        own = [cue for cue in cues if cue.stage not in VICTIM_STAGES]
        before = pair.level if pair else 0
        if own:
            pair, contributions = fold_pair(pair, own, parties, self.settings)
        if read is not None and read[0] is not None:
            contributions = [*contributions, read[0]]
        if pair is not None and contributions:
            pair = raised(state, key, pair, at, actor, self.settings)
            if pair.level >= Level.watch > before:
                further = Cue("actor.further-pair", "befriend", 0.0, at, event.id, None, "ncmec")
                actor, made = fold_spread(actor, further, self.settings)
        if actor is not None and actor is not actor_before:
            state.actors.put(sender, actor)
        calm(state, event, own, sender, other, direct, self.settings)
        answer = other_side(state, event, at, cues, sender, other, direct, self.settings)
        if answer is not None:
            suspect, their_pair, made, rise = answer
            if made and not said.listed and their_pair.level >= (pair.level if pair and contributions else 0):
                case = Case(suspect, sender, their_pair, made, rise, help_route, state.actors.get(suspect))
                return self._verdicts.decide(state, event, at, case)
        if not contributions and not joined and not said.listed:
            if not help_route:
                return self._quiet(event.id, sender, target)
            return self._verdicts.decide(
                state, event, at, Case(None, None, None, [], False, help_route, None)
            )
        press(state, target, sender, contributions, at, self.settings)
        rise = pair is not None and pair.level > before
        case = Case(
            sender, target, pair, contributions + joined, rise, help_route, actor, listed_of(said.listed)
        )
        return self._verdicts.decide(state, event, at, case)

    # -- parts of it ------------------------------------------------------------------------------------

    def _cues(
        self, event: Message, at: int, signals: tuple[Signal, ...], parties: Parties
    ) -> tuple[list[Cue], bool]:
        """Signals as cues, by who may give them; and whether the sender asks for or needs help."""
        side = child_of(parties)
        cues: list[Cue] = []
        help_route = False
        for signal in signals:
            stage = signal.stage
            if stage in ACTOR_STAGES and side == "actor" and signal.direction == "to_child":
                continue
            if stage in VICTIM_STAGES and side == "target" and signal.direction == "from_child":
                continue
            if stage in ("distress", "disclose") or (stage == "report_quote" and parties.actor_minor):
                help_route = help_route or parties.actor_minor is not False
            if stage == "report_quote" and signal.signal.split(".")[1] == stage:
                weight = self.settings.talk_of_harm
                cues.append(Cue(signal.signal, stage, weight, at, event.id, signal.span, signal.source))
            if stage == "report_quote" or stage == "advice":
                continue
            needs = signal.needs
            cues.append(
                Cue(signal.signal, stage, signal.weight, at, event.id, signal.span, signal.source, needs)
            )
        return cues, help_route

    def _read(
        self, state: State, event: Message, at: int, view: str, cued: bool, other: str, direct: bool
    ) -> tuple[Contribution | None] | None:
        """Fold what the meaning layer makes of a message into the sender's pair: what the message contributed, if that is
        worth telling. None while there is no such layer or its gate is closed: it opens where a minor is known to be."""
        if self._meaning is None:
            return None
        sender, settings = event.sender, self.settings
        known = state.accounts.get(sender)
        if known is None and direct and state.accounts.get(other) is None:
            return None
        mine = known or UNKNOWN
        target, theirs = target_of(state, event, other, direct, settings)
        heard = not (is_minor(mine) or is_minor(theirs))
        if heard:
            if not (taken_for_minor(mine, settings) or taken_for_minor(theirs, settings)):
                return None
            theirs = as_heard(theirs, settings)
        sense = self._meaning.read(view)
        if sense.idle:
            return (None,)
        key = f"{sender}\x1f{other}"
        pair = state.pairs.get(key)
        before = pair.reading if pair is not None else None
        if before is not None and sense.what in before.said:
            return (None,)
        if direct or sense.dull or reads_again(state, event.conversation, at, settings):
            sense = self._meaning.read_again(view, sense)
        parties = Parties.of(mine, theirs, target or "", sender)
        reading, gain = fold_reading(
            before,
            (sense.now, sense.own, sense.other),
            readings_of_others(state, event, sender, other, direct),
            at,
            settings,
            counts=child_of(parties) != "actor"
            and not parties.kin
            and (not heard or parties.target_minor is True),
            worded=lambda: cued or self.packs.scanner.telling_word(view) is not None,
            minor=parties.actor_proven and parties.actor_minor is True,
            dull=sense.dull,
            what=sense.what,
        )
        made = None
        if gain >= settings.reading_tells:
            stage = self._meaning.stage(view)
            made = Contribution(
                f"meaning.{stage}", stage, round(gain * settings.reading_share * 1000), at,
                event.id, 0, len(event.text), "own",
            )  # fmt: skip
        state.pairs.put(key, with_reading(pair, reading, made, at))
        return (made,)

    def _complaint(
        self, state: State, event: ContactRequest | Block | UserReport, what: str, weight: float, counts: bool
    ) -> Decision:
        """A declined request counts against who asked; a block or a report against whom it names."""
        suspect, by = (event.sender, event.to) if what == "declined" else (event.to, event.sender)
        if not counts:
            return self._quiet(event.id, event.sender, event.to)
        at = int(event.at.timestamp())
        facts = state.accounts.get(by) or UNKNOWN
        if is_minor(facts) is False:
            weight *= 0.3
        cue = Cue(f"actor.{what}", "befriend", weight, at, event.id, None, "wee")
        actor, made = fold_complaint(state.actors.get(suspect), weight, cue, self.settings)
        state.actors.put(suspect, actor)
        pair = state.pairs.get(pair_key(suspect, by))
        before = pair.level if pair else 0
        if pair is None:
            return self._quiet(event.id, suspect, by)
        pair = raised(state, pair_key(suspect, by), pair, at, actor, self.settings)
        case = Case(suspect, by, pair, made, pair.level > before, False, actor)
        return self._verdicts.decide(state, event, at, case)
