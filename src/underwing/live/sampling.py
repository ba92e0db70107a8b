"""Which frames of a stream are looked at: few while it is calm, many while it is not, and each new scene.

While calm only keyframes are decoded. An encoder that puts keyframes at cuts betrays a new scene by one that comes before
its time, so a scene costs nothing to notice. While raised every frame is at hand.
"""

from msgspec import Struct


class Pace(Struct, frozen=True, kw_only=True):
    """Seconds between looks. `least` bounds the cost: no two looks lie nearer, whatever happens."""

    calm: float = 10.0
    raised: float = 0.5
    least: float = 0.45


class Sampler(Struct, frozen=True):
    """What is known of a stream's sampling. `looked` and `keyed` are seconds of the last look and the last keyframe;
    `usual` is the longest recent time between keyframes, 0 while unknown."""

    looked: float = -1e9
    keyed: float = -1e9
    usual: float = 0.0


EARLY = 0.6
"""A keyframe that comes within this part of the usual time began a new scene."""
_FADES = 0.8
_SLACK = 0.05
"""Seconds by which a look may come too soon: time stamps are rounded."""


def look(
    state: Sampler, second: float, keyframe: bool, raised: bool, pace: Pace | None = None
) -> tuple[Sampler, bool]:
    """Whether the frame of a stream second is looked at. Only keyframes are while not `raised`.

    `second` may lie a little before the one of the call before (frames are sent in another order than shown).
    """
    pace = pace or Pace()
    looked, keyed, usual, scene = state.looked, state.keyed, state.usual, False
    if keyframe:
        gap = second - keyed
        scene = usual > 0 and 0 < gap < EARLY * usual
        usual = max(gap, usual * _FADES) if 0 < gap < 60 else usual
        keyed = max(keyed, second)
    gone = second - looked
    due = gone >= (pace.raised if raised else pace.calm) - _SLACK or scene
    wanted = (keyframe or raised) and due and gone >= pace.least - _SLACK
    return Sampler(second if wanted else looked, keyed, usual), wanted
