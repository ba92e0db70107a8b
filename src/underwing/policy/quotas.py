"""Quotas: the circuit breaker between a wrong rule and a thousand wrongly treated people.

A pure fold over event time. Exact while few actions were taken; when many were, neighbouring times are kept
as one span with a count, which can only make it stricter, never looser. What had to be forgotten is
treated as full: an event that is later than the memory reaches back is withheld.
"""

from bisect import bisect_right
from collections.abc import Sequence
from math import isfinite

from msgspec import Struct

from underwing.policy.policy import Policy, Quota

SPANS = 48
"""Spans kept per action: with `FINENESS` they reach back at least three windows."""

FINENESS = 8
"""A span made by joining is at most this part of the window long, unless memory is short anyhow."""

Span = tuple[float, float, int]
"""First and last event time (epoch seconds) and the number of admitted actions between them."""


class Used(Struct, frozen=True, kw_only=True):
    """What was admitted of one action: disjoint spans in order, and the last time no longer held."""

    action: str
    spans: tuple[Span, ...] = ()
    forgotten: float | None = None


class QuotaState(Struct, frozen=True):
    """State of all quotas, at most `SPANS` spans an action, sorted by action; serialisable by msgspec."""

    used: tuple[Used, ...] = ()


class Quotas:
    """The quotas of one policy. State may outlive a change of policy; the new limits hold at once."""

    def __init__(self, policy: Policy) -> None:
        self.limits = dict(policy.quotas)

    def admit(
        self, state: QuotaState, actions: Sequence[str], at: float
    ) -> tuple[QuotaState, tuple[str, ...], tuple[str, ...]]:
        """Which of `actions` may be taken for the event of time `at` (epoch seconds).

        Returns the next state, the admitted and the withheld actions, both in the given order. For every
        action with a quota and every stretch of event time `[t, t + window)`, at most `count` are ever
        admitted, in whatever order events come.

        Raises:
            ValueError: `at` is not a finite number.
        """
        if not isfinite(at):
            raise ValueError(f"the time of an event must be a finite number of seconds, not {at}")
        if not any(action in self.limits for action in actions):
            return state, tuple(actions), ()
        used = {entry.action: entry for entry in state.used}
        admitted: list[str] = []
        withheld: list[str] = []
        for action in actions:
            limit = self.limits.get(action)
            if limit is not None:
                entry = used.get(action) or Used(action=action)
                if not _fits(entry, limit, at):
                    withheld.append(action)
                    continue
                used[action] = _with(entry, limit, at)
            admitted.append(action)
        if len(withheld) == len(actions):
            return state, (), tuple(withheld)
        return QuotaState(tuple(used[name] for name in sorted(used))), tuple(admitted), tuple(withheld)


def _fits(used: Used, limit: Quota, at: float) -> bool:
    """Whether one more at `at` keeps every window within the limit."""
    if limit.count < 1:
        return False
    if used.forgotten is not None and at - used.forgotten < limit.window:
        return False
    spans = _inserted(used.spans, at)
    for start, (first, last, _) in enumerate(spans):
        if at - last >= limit.window:
            continue
        if first > at:
            break
        total = 0
        for other, _, count in spans[start:]:
            if other - last >= limit.window:
                break
            total += count
        if total > limit.count:
            return False
    return True


def _inserted(spans: tuple[Span, ...], at: float) -> list[Span]:
    """The spans with one more at `at`: within the span that covers it, or as a span of its own."""
    result = list(spans)
    place = bisect_right(result, at, key=lambda span: span[0])
    if place and at <= result[place - 1][1]:
        first, last, count = result[place - 1]
        result[place - 1] = (first, last, count + 1)
    else:
        result.insert(place, (at, at, 1))
    return result


def _with(used: Used, limit: Quota, at: float) -> Used:
    """`used` and one more, within the bound: join the two closest spans, or forget the oldest."""
    spans, forgotten = _inserted(used.spans, at), used.forgotten
    while len(spans) > SPANS:
        closest = min(range(len(spans) - 1), key=lambda i: spans[i + 1][1] - spans[i][0])
        if spans[closest + 1][1] - spans[closest][0] <= limit.window / FINENESS:
            first, _, count = spans[closest]
            _, last, more = spans[closest + 1]
            spans[closest : closest + 2] = [(first, last, count + more)]
        else:
            oldest = spans.pop(0)[1]
            forgotten = oldest if forgotten is None else max(forgotten, oldest)
    return Used(action=used.action, spans=tuple(spans), forgotten=forgotten)
