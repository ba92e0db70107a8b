"""What a person found to be wrong is taken back: the folds as if the evidence up to a time had never counted.

States are sums, so they are built anew from the dated contributions that they keep: what came after stays, with its decay.
Of a pair with more than six contributions only the weightiest are kept, so its score may come out lower than an exact
replay would give it.
"""

from math import exp

from msgspec import structs

from underwing.risk.pair import levels_of
from underwing.risk.settings import Settings
from underwing.risk.states import ActorState, PairState, TargetState

_COMPLAINTS = ("actor.reported", "actor.blocked", "actor.declined")


def clear_pair(state: PairState, until: int, settings: Settings) -> PairState:
    """A pair without its evidence of up to `until` (epoch seconds). The reading of the meaning layer begins anew."""
    kept = tuple(c for c in state.kept if c.at > until)
    fast = sum(c.milli / 1000 * exp(-max(0, state.at - c.at) / settings.fast_tau) for c in kept)
    slow = sum(c.milli / 1000 * exp(-max(0, state.at - c.at) / settings.slow_tau) for c in kept)
    new = PairState(
        state.at,
        round(max(settings.floor, fast), 4),
        round(max(settings.floor, slow), 4),
        round(-sum(min(0, c.milli) for c in kept) / 1000, 3),
        {stage: at for stage, at in state.stages.items() if at > until},
        state.refused if state.refused > until else 0,
        kept=kept,
    )
    return structs.replace(new, level=int(levels_of(new, new.at, settings)[0]))


def clear_actor(state: ActorState, events: frozenset[str], settings: Settings) -> ActorState:
    """An actor without what these events added. What it told others of itself stays: that is no judgement."""
    gone = [c for c in state.kept if c.event in events]
    score = state.score - sum(
        c.milli / 1000 * exp(-max(0, state.at - c.at) / settings.actor_tau) for c in gone
    )
    complaints = state.complaints - sum(c.milli for c in gone if c.signal in _COMPLAINTS) / 1000
    return structs.replace(
        state,
        score=round(max(0.0, score), 4),
        complaints=round(max(0.0, complaints), 3),
        kept=tuple(c for c in state.kept if c.event not in events),
    )


def clear_target(state: TargetState, actor: int) -> TargetState:
    """A target that is no longer pressed by an account (hash)."""
    return structs.replace(state, pressing=tuple(p for p in state.pressing if p[0] != actor))
