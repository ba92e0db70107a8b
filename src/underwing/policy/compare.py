"""What would change under another policy, decision by decision and in totals."""

from collections import Counter
from collections.abc import Iterable

from msgspec import Struct

from underwing.policy.facts import Facts
from underwing.policy.policy import Policy


class Change(Struct, frozen=True, kw_only=True):
    """One event that two policies answer differently; rules are those that fired in each."""

    event: str
    old: tuple[str, ...]
    new: tuple[str, ...]
    old_rules: tuple[str, ...]
    new_rules: tuple[str, ...]


class Comparison(Struct, frozen=True, kw_only=True):
    """All differences between two policies over the same events.

    `events` counts all events looked at, `changes` holds only those answered differently, `added` and
    `removed` count by action how often the new policy takes or leaves it. Quotas are not applied: they
    would hide what a rule does.
    """

    old_version: str
    new_version: str
    events: int
    changes: tuple[Change, ...]
    added: dict[str, int]
    removed: dict[str, int]


def compare(old: Policy, new: Policy, facts: Iterable[tuple[str, Facts]]) -> Comparison:
    """Run both policies over `(event id, facts)` pairs; memory grows with the changes only."""
    events = 0
    changes: list[Change] = []
    added: Counter[str] = Counter()
    removed: Counter[str] = Counter()
    for event, known in facts:
        events += 1
        before, after = old.verdict(known), new.verdict(known)
        if set(before.actions) == set(after.actions):
            continue
        added.update(set(after.actions) - set(before.actions))
        removed.update(set(before.actions) - set(after.actions))
        changes.append(
            Change(
                event=event,
                old=before.actions,
                new=after.actions,
                old_rules=before.fired,
                new_rules=after.fired,
            )
        )
    return Comparison(
        old_version=old.version,
        new_version=new.version,
        events=events,
        changes=tuple(changes),
        added=dict(sorted(added.items())),
        removed=dict(sorted(removed.items())),
    )
