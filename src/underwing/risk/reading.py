"""How a conversation reads: the fold over what the meaning layer says of its messages.

    ratio    = now + mean of the sender's earlier messages + mean of the others' earlier messages
    evidence ← min(cap, max(floor, peak - back, evidence · exp(-Δt/τ) + clip(ratio + offset, ±each)))

A bounded sequential sum (Page, 1954) of log-likelihood ratios in nats. It holds a few numbers and no text.
"""

from collections.abc import Callable, Iterable
from math import exp

from underwing.risk.settings import Settings
from underwing.risk.states import Reading

REPEATS = 8
"""How many of a sender's messages are remembered to know one that is said again."""


def evidence_of(reading: Reading | None, at: int, settings: Settings) -> float:
    """The evidence of a reading at time `at`, in nats."""
    if reading is None:
        return 0.0
    return reading.evidence * exp(-max(0, at - reading.at) / settings.slow_tau)


def fold_reading(
    reading: Reading | None,
    senses: tuple[float, float, float],
    others: Iterable[Reading],
    at: int,
    settings: Settings,
    *,
    counts: bool,
    worded: Callable[[], bool],
    minor: bool = False,
    dull: bool = False,
    what: int = -1,
) -> tuple[Reading, float]:
    """Add one message; `senses` are its (now, own, other), `others` the readings of the other speakers.

    `counts` says whether it may count against its sender, who is a known `minor` or not; `worded` whether a pack knew
    a word of it (asked only where that matters). What is `dull`, near small talk, adds nothing and is no context.
    `what` is a 16-bit hash of the message (-1 for none): one of the last few said again says nothing new.
    Returns the new reading and what the message added to the evidence.
    """
    before = reading or Reading(at=at)
    if what in before.said:
        return before, 0.0
    now, own, other = senses
    ratio = now
    if before.weight:
        ratio += before.own / before.weight
    heard, many = 0.0, 0
    for one in others:
        if one.weight:
            heard += one.other / one.weight
            many += 1
    if many:
        ratio += heard / many
    faded = exp((before.at - at) / settings.slow_tau) if at > before.at else 1.0
    old = evidence = before.evidence * faded
    peak = before.peak * faded
    known = before.worded
    if counts:
        each, cap = settings.reading_each, settings.reading_cap
        step = min(each, max(-each, ratio + settings.reading_offset))
        if dull:
            step = min(0.0, step)
        if minor:
            cap *= settings.reading_minor
            step *= settings.reading_minor if step > 0 else 1.0
        floor = settings.reading_floor
        if peak > 0:
            floor = max(floor, peak - settings.reading_back)
        evidence = min(cap, max(floor, old + step))
        if ratio > 0 and not dull and known < 9 and worded():
            known += 1
    fade = settings.reading_fade
    if dull:
        context = before.own, before.other, before.weight
    else:
        context = (
            round(before.own * fade + own, 3),
            round(before.other * fade + other, 3),
            round(before.weight * fade + 1, 3),
        )
    return Reading(
        *context,
        _short(evidence, before.evidence),
        _short(max(peak, evidence), before.peak),
        max(at, before.at),
        known,
        before.said if what < 0 else (*before.said, what)[-REPEATS:],
    ), evidence - old


def _short(value: float, before: float) -> float:
    """A number of nats to three places. One that stays what it was is so already, and most do."""
    return before if value == before else round(value, 3)
