"""A decision that a person found to be wrong: what followed from it is taken back, and nothing else."""

from underwing.engine.keys import pair_key, room_target, short_hash
from underwing.engine.state import State
from underwing.model import Correction
from underwing.risk import Settings, clear_actor, clear_pair, clear_target


def correct(state: State, event: Correction, settings: Settings) -> None:
    """Clear the pair (in a room, the sender's there) up to what was corrected, and its part in actor and target."""
    until, sender = int(event.until.timestamp()), event.sender
    others = [*([event.to] if event.to else []), *([room_target(event.room)] if event.room else [])]
    for other in others:
        pair = state.pairs.get(pair_key(sender, other))
        if pair is not None:
            state.pairs.put(pair_key(sender, other), clear_pair(pair, until, settings))
    actor = state.actors.get(sender)
    if actor is not None:
        state.actors.put(sender, clear_actor(actor, frozenset(event.events), settings))
    target = state.targets.get(event.to) if event.to else None
    if event.to and target is not None:
        state.targets.put(event.to, clear_target(target, short_hash(sender)))
