"""The fold for a target: everyone who presses one child at once (a group, the viewers of a stream)."""

from math import exp

from underwing.risk.settings import Settings
from underwing.risk.states import TargetState

MAX_PRESSING = 8


def fold_target(
    state: TargetState | None, actor: int, weight: float, at: int, settings: Settings
) -> tuple[TargetState, float]:
    """Add pressure `weight` (nats) by `actor` (hash). Returns the state and the joint score: the sum over
    accounts when at least two press with `target_each` or more, else 0."""
    now = max(at, state.at if state else 0)
    pressing: dict[int, tuple[float, int]] = {}
    for who, score, seen in state.pressing if state else ():
        faded = score * exp(-(now - seen) / settings.target_tau)
        if faded >= 0.05:
            pressing[who] = (faded, now)
    before = pressing.get(actor, (0.0, now))[0]
    pressing[actor] = (before + weight * exp(-(now - at) / settings.target_tau), now)
    strongest = sorted(pressing.items(), key=lambda item: (-item[1][0], item[0]))[:MAX_PRESSING]
    new = TargetState(
        now,
        tuple((who, round(score, 4), seen) for who, (score, seen) in strongest),
        state.level if state else 0,
    )
    strong = [score for _, score, _ in new.pressing if score >= settings.target_each]
    joint = sum(score for _, score, _ in new.pressing) if len(strong) >= 2 else 0.0
    return new, joint
