"""Words on the screen of a stream, or spoken in it, as messages that nobody is known to have sent.

They go through the fold that messages go through, weigh half, and gather on a pseudo-account of the stream, which no
decision names: what presses a child is told, and nobody is accused of it. What sounds like the child itself (refusal,
fear) counts against whoever presses it already, and else for nothing: games and films are full of it.
"""

from collections.abc import Sequence

from msgspec import structs

from underwing.engine.keys import pair_key, room_target, short_hash
from underwing.engine.state import State
from underwing.model import ACTOR_STAGES, OVERHEARD, VICTIM_STAGES, Message, Signal, StreamText
from underwing.risk import Facts, RoomState, Settings, is_minor, pressed_by_words
from underwing.risk.context import UNKNOWN

_PREFIX = "(overheard) "
_WHERE = {"screen": "on the screen", "speech": "spoken"}


def nobody(conversation: str) -> str:
    """The pseudo-account on which a stream's overheard words gather."""
    return f"{_PREFIX}{short_hash(conversation):08x}"


def is_nobody(account: str | None) -> bool:
    """Whether an account is such a pseudo-account."""
    return account is not None and account.startswith(_PREFIX)


def as_message(event: StreamText, sender: str = "") -> Message:
    """Overheard words as a message to the streamer; `sender` empty says in words where they were."""
    return Message(
        id=event.id, at=event.at, surface="live", conversation=event.conversation, to=[event.sender],
        sender=sender or f"({_WHERE[event.source]})", text=event.text,
    )  # fmt: skip


def taken_for_said(
    state: State, event: StreamText, signals: tuple[Signal, ...], settings: Settings
) -> tuple[Message, tuple[Signal, ...], Facts] | None:
    """Overheard words as a message, what of it counts, and what is known of the one addressed; None where nothing counts.

    What presses is nobody's message to the streamer, else what may be the child's own is the streamer's to nobody.
    """
    theirs = state.accounts.get(event.sender) or UNKNOWN
    if is_minor(theirs) is False or not signals:
        return None
    room = state.rooms.get(event.conversation) or RoomState()
    if counting := _pressing(state, event, signals, settings):
        if not room.host:
            state.rooms.put(event.conversation, structs.replace(room, host=event.sender))
        return as_message(event, nobody(event.conversation)), counting, theirs
    if counting := _pressed(state, event, signals, settings):
        return as_message(event, event.sender), counting, UNKNOWN
    return None


def pressers(room: RoomState, conversation: str, strong: Sequence[int]) -> list[str]:
    """Who those are that press a stream's child by words (`strong`: their hashes), the strongest first, nobody last."""
    names = [*(name for name, _ in room.speakers), nobody(conversation)]
    known = {short_hash(name): name for name in names}
    return sorted((known[who] for who in strong if who in known), key=is_nobody)


def _pressing(
    state: State, event: StreamText, signals: tuple[Signal, ...], settings: Settings
) -> tuple[Signal, ...]:
    """What of overheard words presses the streamer: what the chat said in the same minutes is its echo on the screen."""
    at = int(event.at.timestamp())
    said = _said(state, event, at, settings) if event.source == "screen" else set()
    return tuple(
        _placed(event, signal, settings)
        for signal in signals
        if signal.stage in ACTOR_STAGES and signal.weight > 0 and signal.signal not in said
    )


def _pressed(
    state: State, event: StreamText, signals: tuple[Signal, ...], settings: Settings
) -> tuple[Signal, ...]:
    """What of overheard words may be the child's own, while somebody presses it."""
    words, _ = pressed_by_words(state.targets.get(event.sender), int(event.at.timestamp()), settings)
    if not words:
        return ()
    return tuple(_placed(event, signal, settings) for signal in signals if signal.stage in VICTIM_STAGES)


def _said(state: State, event: StreamText, at: int, settings: Settings) -> set[str]:
    """The cues that the chat's speakers gave of late."""
    room = state.rooms.get(event.conversation) or RoomState()
    pairs = (state.pairs.get(pair_key(name, room_target(event.conversation))) for name, _ in room.speakers)
    return {
        made.signal
        for pair in pairs
        if pair is not None
        for made in pair.kept
        if abs(at - made.at) <= settings.stream_echo
    }


def _placed(event: StreamText, signal: Signal, settings: Settings) -> Signal:
    """A cue at its share, with where it was."""
    where = f"{signal.source}, {_WHERE[event.source]} at {event.second:.0f} s"
    return structs.replace(
        signal,
        signal=OVERHEARD + signal.signal,
        weight=signal.weight * settings.stream_overheard,
        source=where,
    )
