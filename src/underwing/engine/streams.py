"""A live stream: what is known of it, what is seen in it, and what is given in it becomes a decision.

The stream's own fold is the room's: whose it is, and what was seen of late. Words are judged as messages are; what is seen
counts beside them, for the child whose stream it is.
"""

from msgspec import structs

from underwing.engine.keys import iso, pair_key, room_target
from underwing.engine.media import MOST_REASONS, counting, known_reason, level_of
from underwing.engine.overheard import pressers
from underwing.engine.state import State
from underwing.engine.verdict import LEVELS, Case, Verdicts, facts_of
from underwing.model import GUESSED_STAGES, UNSEEN_STAGES, Decision, Gift, Level, Reason, Stream, StreamFrame
from underwing.policy import SwitchBook
from underwing.risk import (
    Contribution,
    RoomState,
    Settings,
    effective_age,
    fold_read,
    fold_seen,
    guess_weight,
    is_minor,
    pressed_by_words,
)
from underwing.risk.context import UNKNOWN

(_GUESSED,) = GUESSED_STAGES
(_UNSEEN,) = UNSEEN_STAGES
_NO_SWITCHES = SwitchBook(())


def judge_stream(state: State, event: Stream, verdicts: Verdicts) -> Decision:
    """Note whose stream it is. One that nobody can look at is an alarm, unless its streamer is known to be grown up."""
    room = state.rooms.get(event.conversation) or RoomState()
    if event.state in ("started", "ended"):
        left = "" if room.host == event.sender else room.host  # in a many-to-many stream others go on
        host = event.sender if event.state == "started" else left
        state.rooms.put(event.conversation, structs.replace(room, host=host, seen=()))
        pressed = state.targets.get(event.sender)
        if pressed is not None and pressed.level:
            state.targets.put(event.sender, structs.replace(pressed, level=0))
    if event.state != "unseen":
        return verdicts.quiet(event.id, None, event.sender)
    theirs = state.accounts.get(event.sender) or UNKNOWN
    level = Level.watch if is_minor(theirs) is False else Level.review
    at = int(event.at.timestamp())
    facts = facts_of(event, at, level, UNKNOWN, theirs, raised=True, stage=_UNSEEN, stream="unseen")
    actions, withheld, shadow = verdicts.act(state, event.id, facts)
    reason = Reason(
        signal="stream.unseen", stage=_UNSEEN, span=None, weight=0.0, at=iso(at), event=event.id,
        source=event.why or "the stream cannot be looked at",
    )  # fmt: skip
    return Decision(
        event=event.id, level=LEVELS[level], actor=None, target=event.sender, stage=_UNSEEN, actions=actions,
        reasons=(reason,), versions=verdicts.versions, shadow=shadow, withheld=withheld,
    )  # fmt: skip


def reads_again(state: State, conversation: str, at: int, settings: Settings) -> bool:
    """Whether one more message of a room of many gets the second reading; it is counted then."""
    room = fold_read(state.rooms.get(conversation), at, settings)
    if room is not None:
        state.rooms.put(conversation, room)
    return room is not None


def judge_frame(state: State, event: StreamFrame, verdicts: Verdicts, settings: Settings) -> Decision:
    """The decision on a frame: on what it matched; else on a guess, which counts only beside what is said."""
    at = int(event.at.timestamp())
    found = counting(event.matches)
    if found:
        level, label, where = level_of(found), found[0].label, f", {event.second:.1f} s into the stream"
        mine = state.accounts.get(event.sender) or UNKNOWN
        facts = facts_of(
            event, at, level, mine, UNKNOWN, raised=True, stage="known_media", test=label == "test", label=label,
            stream="known",
        )  # fmt: skip
        actions, withheld, shadow = verdicts.act(state, event.id, facts)
        return Decision(
            event=event.id, level=LEVELS[level], actor=event.sender, target=None, stage="known_media",
            actions=actions, reasons=tuple(known_reason(m, event.id, at, where) for m in found[:MOST_REASONS]),
            versions=verdicts.versions, shadow=shadow, withheld=withheld, test=label == "test",
        )  # fmt: skip
    weight = guess_weight(event.score.score, settings) if event.score is not None else 0.0
    if event.score is None or not weight or is_minor(state.accounts.get(event.sender) or UNKNOWN) is False:
        return verdicts.quiet(event.id, None, event.sender)
    source = f"{event.score.name} {event.score.version}: {round(100 * event.score.score)} of 100, a guess"
    made = Contribution("stream.frame", _GUESSED, round(weight * 1000), at, event.id, source=source)
    return _beside_words(state, event, event.sender, made, verdicts, settings)


def judge_gift(
    state: State, event: Gift, verdicts: Verdicts, settings: Settings, switches: SwitchBook | None
) -> Decision:
    """A gift to a streamer who is, or may be, a child: it counts beside what is said. Where its stream is to have no gifts,
    that is told too, and nobody is blamed for it."""
    theirs = state.accounts.get(event.to) or UNKNOWN
    if is_minor(theirs) is False:
        return verdicts.quiet(event.id, event.sender, event.to)
    at = int(event.at.timestamp())
    made = Contribution(
        "stream.gift", "incentive", round(settings.stream_gift * 1000), at, event.id,
        source=f"a gift of {event.coins} coins",
    )  # fmt: skip
    decision = _beside_words(state, event, event.to, made, verdicts, settings)
    asked = (switches or _NO_SWITCHES).of(
        age=effective_age(theirs), minor=is_minor(theirs), country=theirs.country or ""
    )
    if asked.gifts:
        return decision
    rule = asked.because["gifts"].rule
    told = Reason(
        signal="switch.gifts", stage="incentive", span=None, weight=0.0, at=iso(at), event=event.id,
        source=f"switches {asked.version}, rule {rule}: this stream is to have gifts off",
    )  # fmt: skip
    return structs.replace(decision, reasons=(*decision.reasons, told))


def _beside_words(
    state: State,
    event: StreamFrame | Gift,
    host: str,
    made: Contribution,
    verdicts: Verdicts,
    settings: Settings,
) -> Decision:
    """Remember what was seen, and decide where somebody presses the streamer by words."""
    room = fold_seen(state.rooms.get(event.conversation) or RoomState(), made)
    room = room if room.host else structs.replace(room, host=host)
    state.rooms.put(event.conversation, room)
    words, strong = pressed_by_words(state.targets.get(host), made.at, settings)
    actor = next(iter(pressers(room, event.conversation, strong)), None)
    if not words or actor is None:
        return verdicts.quiet(event.id, event.sender if isinstance(event, Gift) else None, host)
    pair = state.pairs.get(pair_key(actor, room_target(event.conversation)))
    case = Case(actor, host, pair, [made], False, False, state.actors.get(actor))
    return verdicts.decide(state, event, made.at, case)
