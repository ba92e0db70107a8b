"""Signals become risk: three folds, for the ordered pair, the actor and the target.

Each fold is a pure function (state, cues) -> (state, contributions): evidence is additive, dated and decays,
so every alarm is the list of contributions that made it. No message text is ever kept.
May import: model. (Near-duplicate openers come in as hashes.)
"""

from underwing.risk.actor import fold_approach, fold_claim, fold_complaint, fold_spread, fold_told
from underwing.risk.clear import clear_actor, clear_pair, clear_target
from underwing.risk.context import Facts, Heard, Parties, child_of, effective_age, is_minor, taken_for_minor
from underwing.risk.pair import Cue, decayed, fold_pair, levels_of, with_reading
from underwing.risk.reading import evidence_of, fold_reading
from underwing.risk.settings import Settings
from underwing.risk.states import ActorState, Contribution, PairState, Reading, RoomState, TargetState
from underwing.risk.stream import fold_read, fold_seen, guess_weight, pressed_by_words, recently_seen
from underwing.risk.target import fold_target

__all__ = [
    "ActorState",
    "Contribution",
    "Cue",
    "Facts",
    "Heard",
    "PairState",
    "Parties",
    "Reading",
    "RoomState",
    "Settings",
    "TargetState",
    "child_of",
    "clear_actor",
    "clear_pair",
    "clear_target",
    "decayed",
    "effective_age",
    "evidence_of",
    "fold_approach",
    "fold_claim",
    "fold_complaint",
    "fold_pair",
    "fold_read",
    "fold_reading",
    "fold_seen",
    "fold_spread",
    "fold_target",
    "fold_told",
    "guess_weight",
    "is_minor",
    "levels_of",
    "pressed_by_words",
    "recently_seen",
    "taken_for_minor",
    "with_reading",
]
