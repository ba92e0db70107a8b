"""Who is there: the speakers of a room, whom a message addresses, and what is known of them."""

from msgspec import structs

from underwing.engine.keys import pair_key
from underwing.engine.state import State
from underwing.model import Media, Message
from underwing.risk import Facts, Reading, RoomState, Settings, is_minor, taken_for_minor
from underwing.risk.context import UNKNOWN

MAX_AUDIENCE = 16
"""Of a message to many, at most this many recipients are looked at for their ages."""


def note_speaker(state: State, event: Message, at: int) -> None:
    """Remember who spoke last in a room of many."""
    room = state.rooms.get(event.conversation)
    if room is None:
        state.rooms.put(event.conversation, RoomState(((event.sender, at),)))
    elif not room.speakers or room.speakers[-1][0] != event.sender:
        others = tuple(s for s in room.speakers if s[0] != event.sender)[-7:]
        state.rooms.put(event.conversation, structs.replace(room, speakers=(*others, (event.sender, at))))


def target_of(
    state: State, event: Message | Media, other: str, direct: bool, settings: Settings
) -> tuple[str | None, Facts]:
    """Who is addressed, and what is known: in a room, the child whose stream it is or who spoke last, else who is taken for
    one, else somebody of unknown age."""
    if direct:
        return other, state.accounts.get(other) or UNKNOWN
    room = state.rooms.get(event.conversation)
    spoke = [name for name, _ in reversed(room.speakers)] if room else []
    if room is not None and room.host:
        spoke.insert(0, room.host)
    unknown = heard = None
    for name in dict.fromkeys([*spoke, *event.to[:MAX_AUDIENCE]]):
        if name == event.sender:
            continue
        facts = state.accounts.get(name)
        if facts is not None and is_minor(facts):
            return name, facts
        if unknown is None and (facts is None or is_minor(facts) is None):
            unknown = name
        if heard is None and facts is not None and taken_for_minor(facts, settings):
            heard = name
    unknown = heard or unknown
    if unknown is not None:
        return unknown, state.accounts.get(unknown) or UNKNOWN
    rest = [name for name in [*spoke, *event.to[:MAX_AUDIENCE]] if name != event.sender]
    return (rest[0], state.accounts.get(rest[0]) or UNKNOWN) if rest else (None, UNKNOWN)


def as_claimed(state: State, account: str, facts: Facts, settings: Settings) -> Facts:
    """Facts of an account of unknown age, taken at its word where it said how old it is, else by what else it said."""
    claims = state.actors.get(account)
    if claims is not None and claims.ages:
        age = claims.ages[-1][0]
        return structs.replace(facts, declared_age=age) if age < 18 else facts
    return as_heard(facts, settings)


def as_heard(facts: Facts, settings: Settings) -> Facts:
    """Facts of an account, as those of a child where it is taken for one."""
    return structs.replace(facts, minor=True) if taken_for_minor(facts, settings) else facts


def other_speakers(state: State, event: Message, sender: str) -> list[str]:
    """Those who spoke last in the room of `event`, without `sender`."""
    room = state.rooms.get(event.conversation)
    return [name for name, _ in room.speakers if name != sender] if room else []


def pairs_of_others(state: State, event: Message, sender: str, other: str, direct: bool) -> list[str]:
    """Keys of the pairs in which the others of a conversation act: towards `sender`, or in the room `other`."""
    if direct:
        return [pair_key(other, sender)]
    return [pair_key(name, other) for name in other_speakers(state, event, sender)]


def readings_of_others(state: State, event: Message, sender: str, other: str, direct: bool) -> list[Reading]:
    """How the others' parts of a conversation read, of those who have one."""
    if direct:
        pair = state.pairs.get(pair_key(other, sender))
        return [pair.reading] if pair is not None and pair.reading is not None else []
    found = map(state.pairs.get, pairs_of_others(state, event, sender, other, direct))
    return [pair.reading for pair in found if pair is not None and pair.reading is not None]
