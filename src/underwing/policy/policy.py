"""A checked policy: which actions follow from the facts of one event."""

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Annotated, Any, NamedTuple

from cel import Context, Program
from msgspec import Meta, Struct

from underwing.policy.facts import VARIABLES, Facts

REMEMBERED = 32_768
"""How many different sets of facts one policy remembers the answer to."""


class Quota(Struct, frozen=True, kw_only=True):
    """At most `count` automatic uses of an action within any `window` seconds of event time."""

    count: int
    window: float


class Rule(Struct, frozen=True, kw_only=True):
    """One rule. Empty `surfaces` or `regions` mean all; `expires` is its end in epoch seconds."""

    id: str
    why: str
    when: str
    actions: tuple[str, ...]
    surfaces: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    expires: float | None = None


class Verdict(NamedTuple):
    """What one policy says to one set of facts: actions in rule order, rules that fired or failed, and the variables that
    those which fired look at."""

    actions: tuple[str, ...]
    fired: tuple[str, ...]
    failed: tuple[str, ...]
    read: frozenset[str] = frozenset()


class ContextLimit(Struct, frozen=True, forbid_unknown_fields=True):
    """How much of each conversation may wait to be sealed into a case, wherever it is: the last `count` messages, at most
    `hours` old. A region's own window may be narrower still. 0: nothing waits."""

    count: Annotated[int, Meta(ge=0, le=1_000)] = 1_000
    hours: Annotated[int, Meta(ge=0, le=720)] = 720


class Policy:
    """Checked and compiled rules; build one with `load_policy`.

    Attributes:
        version: content hash, 16 hexadecimal digits; comments and layout of the file do not change it.
        label: the operator's own name for this version, as written in the file.
        source: where it was read from.
        rules: the rules in the order of the file.
        quotas: action to its quota; an action without one is not limited.
        warnings: doubts that do not stop it from being used, such as a rule that can never fire.
        context: how much context may wait; None: as the regions say.
    """

    def __init__(
        self,
        *,
        version: str,
        label: str,
        source: str,
        rules: Sequence[tuple[Rule, Program]],
        quotas: Mapping[str, Quota],
        warnings: Sequence[str] = (),
        context: ContextLimit | None = None,
    ) -> None:
        self.version = version
        self.label = label
        self.source = source
        self.rules = tuple(rule for rule, _ in rules)
        self.quotas = dict(quotas)
        self.warnings = tuple(warnings)
        self.context = context
        self._rules = tuple(rules)
        self._names = sorted({name for _, program in rules for name in program.variables()})
        self._expiries = sorted({rule.expires for rule in self.rules if rule.expires is not None})
        # Only what some rule looks at tells two sets of facts apart: so the memory stays small and hits.
        reads = {field for name in self._names for field in VARIABLES[name].reads} | {"surface", "region"}
        self._key: Callable[[Facts], Any] = attrgetter(*sorted(reads))
        self._remember = lru_cache(maxsize=REMEMBERED)(_Judged)

    def __repr__(self) -> str:
        return f"Policy({self.source!r}, version={self.version!r}, rules={len(self.rules)})"

    def decide(self, facts: Facts) -> tuple[str, ...]:
        """The actions that follow, each once, in the order of the rules. Pure, never raises."""
        return self.verdict(facts).actions

    def explain(self, facts: Facts) -> list[str]:
        """The ids of the rules that fired, in the order of the file."""
        return list(self.verdict(facts).fired)

    def verdict(self, facts: Facts) -> Verdict:
        """Actions and reasons at once.

        A rule whose expression fails on these facts does not fire and is named in `failed`. Loading tries
        every branch of every rule, so this takes a number beyond 64 bits or the like.
        """
        judged = self._remember(self._key(facts), self._ended(facts.at))
        if judged.verdict is None:
            judged.verdict = self._judge(facts)
        return judged.verdict

    def _ended(self, at: float | None) -> int:
        return bisect_right(self._expiries, at) if self._expiries and at is not None else 0

    def _judge(self, facts: Facts) -> Verdict:
        context = Context(variables={name: VARIABLES[name].value(facts) for name in self._names})
        actions: dict[str, None] = {}
        fired: list[str] = []
        failed: list[str] = []
        read: set[str] = set()
        for rule, program in self._rules:
            if not _applies(rule, facts):
                continue
            try:
                fires = program.execute(context) is True
            except Exception:  # whatever the evaluator meets, the other rules must still be heard
                failed.append(rule.id)
                continue
            if fires:
                fired.append(rule.id)
                read.update(program.variables())
                actions.update(dict.fromkeys(rule.actions))
        return Verdict(tuple(actions), tuple(fired), tuple(failed), frozenset(read))


class _Judged:
    """A place in the memory: the key alone finds it, the first asker fills it."""

    __slots__ = ("verdict",)

    def __init__(self, key: object, ended: int) -> None:
        self.verdict: Verdict | None = None


def _applies(rule: Rule, facts: Facts) -> bool:
    return (
        (not rule.surfaces or facts.surface in rule.surfaces)
        and (not rule.regions or facts.region in rule.regions)
        and (rule.expires is None or facts.at is None or facts.at < rule.expires)
    )
