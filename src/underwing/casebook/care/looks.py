"""What looking cost one person, and what follows: go on, take a break, or enough for now. Pure: no clock, no store.

Times and lengths are whole seconds, times since the epoch. Nothing here compares two people.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Literal

from msgspec import Struct

from underwing.casebook.care.limits import WORST, Cap, Limits

DAY, WEEK = 86_400, 7 * 86_400
MEASURES = ("items", "seconds", "severe")


class Look(Struct, frozen=True):
    """One look at one file: when it began, seconds it was revealed (0: only blurred), how severe the file is (0 to 3)."""

    at: int
    exhibit: int
    seconds: int = 0
    severity: int = 0

    @property
    def end(self) -> int:
        """When it was over."""
        return self.at + self.seconds


class Spent(Struct, frozen=True):
    """A sum of looks: different files, seconds revealed, different files of the highest severity."""

    items: int = 0
    seconds: int = 0
    severe: int = 0


class Ruling(Struct, frozen=True):
    """Whether a person may look now.

    `near`: yes, but the cap is near. `rest`: a break is due until `until`. `over`: a cap is reached; there is room again at
    `until`. `why` names what decided: `day.items`, `week.seconds`, `sitting.severe`, … ("" when nothing did).
    """

    state: Literal["free", "near", "rest", "over"]
    day: Spent
    week: Spent
    until: int = 0
    why: str = ""

    @property
    def looks(self) -> bool:
        """Whether a further look is free."""
        return self.state in ("free", "near")


def spent(looks: Iterable[Look]) -> Spent:
    """The sum of looks."""
    looks = list(looks)
    return Spent(
        items=len({look.exhibit for look in looks}),
        seconds=sum(look.seconds for look in looks),
        severe=len({look.exhibit for look in looks if look.severity >= WORST}),
    )


def rule(looks: Iterable[Look], now: int, limits: Limits) -> Ruling:
    """What a person with these looks may do at `now`. Looks of more than a week ago do not count."""
    kept = sorted((look for look in looks if now - WEEK < look.at <= now), key=lambda look: look.at)
    day, week = spent(_since(kept, now - DAY)), spent(kept)
    over = [*_reached(kept, "day", day, DAY, limits.day), *_reached(kept, "week", week, WEEK, limits.week)]
    if over:
        until, why = max(over)
        return Ruling("over", day, week, until, why)
    if (rest := _rest(kept, now, limits)) is not None:
        return Ruling("rest", day, week, *rest)
    for name, done, cap in (("day", day, limits.day), ("week", week, limits.week)):
        for measure in MEASURES:
            if getattr(done, measure) >= limits.near * getattr(cap, measure):
                return Ruling("near", day, week, 0, f"{name}.{measure}")
    return Ruling("free", day, week)


def _since(looks: Sequence[Look], after: int) -> Sequence[Look]:
    """Of looks in their order those that began after a time."""
    return looks[bisect_left(looks, after + 1, key=lambda look: look.at) :]


def _reached(looks: Sequence[Look], name: str, done: Spent, window: int, cap: Cap) -> list[tuple[int, str]]:
    """The caps of a window that are reached, each with when there is room again."""
    return [
        (_room(looks, measure, getattr(cap, measure), window), f"{name}.{measure}")
        for measure in MEASURES
        if getattr(done, measure) >= getattr(cap, measure)
    ]


def _room(looks: Sequence[Look], measure: str, cap: int, window: int) -> int:
    """When so many of the oldest looks have left the window that the rest is below the cap."""
    first = bisect_left(range(len(looks)), True, key=lambda n: getattr(spent(looks[n + 1 :]), measure) < cap)
    return looks[first].at + window


def _rest(looks: Sequence[Look], now: int, limits: Limits) -> tuple[int, str] | None:
    """(until, why) of the break that is due, or None."""
    sitting = limits.sitting
    part: list[Look] = []
    following = now
    for look in reversed(looks):
        if following - look.end >= sitting.rest:
            break
        part.append(look)
        following = look.at
    if not part:
        return None
    until, done = max(look.end for look in part) + sitting.rest, spent(part)
    for why, value, cap in (
        ("seconds", until - sitting.rest - part[-1].at, sitting.seconds),
        ("revealed", done.seconds, sitting.revealed),
        ("severe", done.severe, sitting.severe),
    ):
        if value >= cap:
            return until, f"sitting.{why}"
    return None
