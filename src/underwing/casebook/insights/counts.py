"""Numbers out of decided cases. Pure; every share comes with how many it is of."""

from collections.abc import Iterable
from math import sqrt

from msgspec import Struct

from underwing.casebook.cases.values import Priority
from underwing.casebook.insights.read import Decided

EDGES = (300, 900, 3_600, 14_400, 28_800, 86_400, 259_200, 604_800)
"""Seconds within which something is told to have been done: 5 and 15 minutes, 1, 4, 8 and 24 hours, 3 and 7 days."""
_Z = 1.96


class Confirmed(Struct, frozen=True, kw_only=True):
    """How often an alarm was right: of `told` decided cases whose outcome says something, `harm` were harm."""

    name: str
    cases: int
    told: int
    harm: int


class Early(Struct, frozen=True, kw_only=True):
    """Cases of harm, by when the first alarm was: `before` any sign that harm had begun, `at_once` with it; `never`: there
    was no such sign at all. `hours` is how long before, at the median."""

    before: int
    at_once: int
    never: int
    hours: float | None


class Prompt(Struct, frozen=True, kw_only=True):
    """How soon cases of one priority were taken and decided. `in_time` of `taken` were taken before their clock ran out;
    half and nine of ten were taken or decided within so many seconds (one of `EDGES`; None: later, or nothing to tell)."""

    priority: Priority
    cases: int
    taken: int
    in_time: int
    taken_half: int | None
    taken_most: int | None
    decided_half: int | None
    decided_most: int | None


def share(part: int, whole: int) -> tuple[float, float, float] | None:
    """(share, lower, upper) in per cent, with the 95 % interval of Wilson (1927); None of nothing."""
    if whole <= 0:
        return None
    p, z2 = part / whole, _Z * _Z
    middle = (p + z2 / (2 * whole)) / (1 + z2 / whole)
    half = _Z * sqrt(p * (1 - p) / whole + z2 / (4 * whole * whole)) / (1 + z2 / whole)
    return 100 * p, max(0.0, 100 * (middle - half)), min(100.0, 100 * (middle + half))


def within(seconds: Iterable[int], part: float) -> int | None:
    """The least edge within which this part of them was; None where it was later than the last, or there are none."""
    ordered = sorted(seconds)
    if not ordered:
        return None
    reached = ordered[min(len(ordered) - 1, max(0, int(part * len(ordered) + 0.999_999) - 1))]
    return next((edge for edge in EDGES if reached <= edge), None)


def prompt(cases: Iterable[Decided]) -> list[Prompt]:
    """How soon, by priority, the most urgent first; those without a case are there too."""
    held: dict[Priority, list[Decided]] = {priority: [] for priority in Priority}
    for case in cases:
        held[case.priority].append(case)
    made = []
    for priority, own in held.items():
        waits = [max(0, case.taken - case.opened) for case in own if case.taken is not None]
        ends = [max(0, case.closed - case.opened) for case in own]
        made.append(
            Prompt(
                priority=priority, cases=len(own), taken=len(waits),
                in_time=sum(case.taken is not None and case.taken <= case.due for case in own),
                taken_half=within(waits, 0.5), taken_most=within(waits, 0.9),
                decided_half=within(ends, 0.5), decided_most=within(ends, 0.9),
            )
        )  # fmt: skip
    return made


def early(cases: Iterable[Decided]) -> Early:
    """Whether the first alarm of a case of harm came before harm had begun, as far as the case's events tell."""
    before = at_once = never = 0
    leads: list[float] = []
    for case in cases:
        if case.harm is not True or case.first is None:
            continue
        if case.harm_at is None:
            never += 1
        elif case.harm_at > case.first:
            before += 1
            leads.append((case.harm_at - case.first) / 3_600)
        else:
            at_once += 1
    leads.sort()
    return Early(before=before, at_once=at_once, never=never, hours=leads[len(leads) // 2] if leads else None)


def alarms(cases: Iterable[Decided]) -> list[Confirmed]:
    """Entries of packs (and signs that are in no pack) by how many cases they were part of; each once a case."""
    held: dict[str, list[int]] = {}
    for case in cases:
        for signal in case.signals:
            counts = held.setdefault(signal, [0, 0, 0])
            counts[0] += 1
            counts[1] += case.harm is not None
            counts[2] += case.harm is True
    made = [Confirmed(name=name, cases=n, told=told, harm=harm) for name, (n, told, harm) in held.items()]
    return sorted(made, key=lambda c: (-c.cases, c.name))


def by_language(cases: Iterable[Decided], languages: Iterable[str]) -> list[Confirmed]:
    """As `alarms`, by the language of the pack ("" for signs of no language); a case counts once for each."""
    known = frozenset(languages)
    translated = [
        Decided(
            id=c.id, priority=c.priority, outcome=c.outcome, opened=c.opened, due=c.due, closed=c.closed,
            signals=frozenset(_language(signal, known) for signal in c.signals),
        )
        for c in cases
    ]  # fmt: skip
    return alarms(translated)


def _language(signal: str, known: frozenset[str]) -> str:
    first = signal.partition(".")[0]
    return first if first in known else ""
