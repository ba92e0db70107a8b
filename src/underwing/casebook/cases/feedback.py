"""What people decided, on its way back to the engine: examples for calibration, and suggestions for negative banks."""

from collections.abc import Iterator

import msgspec
from msgspec import Struct

from underwing.casebook.cases.rows import Rows
from underwing.casebook.cases.values import OUTCOMES
from underwing.model import Decision

_decode = msgspec.json.Decoder(Decision).decode
_PAGE = 200


class Label(Struct, frozen=True, kw_only=True):
    """A decision and what became of its case. `harm` is True, False, or None where the outcome says nothing."""

    event: str
    case: int
    outcome: str
    harm: bool | None
    level: str
    score: float
    signals: tuple[tuple[str, float], ...]
    """(signal, weight in nats) of each reason."""
    packs: str
    policy: str
    closed: int


class Negative(Struct, frozen=True, kw_only=True):
    """A bank entry that matched by mistake: to be looked at by whoever keeps the banks, not put in by itself."""

    bank_entry: str
    sha256: str | None
    event: str
    case: int


def labels(rows: Rows, after: int = 0) -> Iterator[Label]:
    """The decisions of closed cases with a number above `after`. Test cases and cases that were opened again give
    none."""
    while cases := rows.ended(after, _PAGE):
        for case in cases:
            after = case.id
            if case.test or case.outcome is None:
                continue
            for item in rows.all_items(case.id):
                if item.decision is None:
                    continue
                decision = _decode(item.decision)
                yield Label(
                    event=decision.event, case=case.id, outcome=case.outcome, harm=OUTCOMES[case.outcome],
                    level=decision.level, score=decision.score,
                    signals=tuple((r.signal, r.weight) for r in decision.reasons), packs=decision.versions.packs,
                    policy=decision.versions.policy, closed=case.closed or 0,
                )  # fmt: skip


def negatives(rows: Rows, after: int = 0) -> Iterator[Negative]:
    """What matched in cases that were closed as `false_match`."""
    while cases := rows.ended(after, _PAGE):
        for case in cases:
            after = case.id
            if case.outcome != "false_match" or case.test:
                continue
            for item in rows.all_items(case.id):
                keys = {
                    kind: [t.key for t in item.found.ties if t.kind == kind] for kind in ("entry", "media")
                }
                for entry in keys["entry"]:
                    sha256 = keys["media"][0] if keys["media"] else None
                    yield Negative(bank_entry=entry, sha256=sha256, event=item.found.event, case=case.id)
