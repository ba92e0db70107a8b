"""How long appeals are kept: as long as the evidence of their case at the least, and when nothing asks for it, no longer.

An appeal is kept while it is open or something still follows from it, while its token is good, while its case is not
closed, while a legal hold stands on the case or a part of it; and until the longest of these is over: the rules for
appeals, the rules for content in the regions of its case, and what the evidence of its case is kept for.
"""

import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from underwing.casebook.appeals.appeals import Audit
from underwing.casebook.appeals.rows import Rows
from underwing.casebook.appeals.tables import appeals, follows, grants
from underwing.casebook.appeals.values import Appeal
from underwing.casebook.cases import SYSTEM, Case, Casebook
from underwing.casebook.database import Database
from underwing.casebook.vault import Keeping, Retention
from underwing.casebook.vault.retention import RuleKind

BATCH = 200
"""Appeals that are looked at in one transaction."""
_KINDS: tuple[RuleKind, ...] = ("appeal", "content")


def kept_until(
    appeal: Appeal, regions: Iterable[str], retention: Retention, evidence: Iterable[datetime | None] = ()
) -> datetime | None:
    """Until when a decided appeal is kept; None while it is open. `evidence`: until when that of its case is."""
    if appeal.decided is None:
        return None
    filed, decided = (datetime.fromtimestamp(at, UTC) for at in (appeal.filed, appeal.decided))
    own = [
        retention.kept(regions=regions, kind=kind, intake=filed, reported=decided).until for kind in _KINDS
    ]
    return max([*own, *(until for until in evidence if until is not None)])


class Keeper:
    """Forgets what need not be kept. `keeping` has the rules, the evidence and the holds."""

    def __init__(
        self,
        database: Database,
        book: Casebook,
        keeping: Keeping,
        audit: Audit,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._db, self._rows, self._book, self._keeping = database, Rows(database), book, keeping
        self._audit, self._clock = audit, clock

    def sweep(self) -> int:
        """Forget the appeals whose time is over, and the tokens that have run out and of which none is kept; how many
        appeals. Statistics go on counting them. The custody log says that it was done, not to whom."""
        now, after, done = int(self._clock()), (0, ""), 0
        while True:
            with self._db.transaction():
                found = self._rows.decided(now, after, BATCH)
                held = self._keeping.held_cases() if found else set()
                over = [appeal for appeal in found if self._over(appeal, held, now)]
                for appeal in over:
                    self._rows.forget(appeal.id)
                tokens = 0 if found else self._rows.forget_grants(now)
                if over or tokens:
                    self._audit(SYSTEM, "appeals.forgotten", "", {"appeals": len(over), "tokens": tokens})
                    self._db.forget(appeals, follows, grants)
            if not found:
                return done
            done += len(over)
            after = (found[-1].decided or 0, found[-1].id)

    def _over(self, appeal: Appeal, held: set[str], now: int) -> bool:
        item = self._book.where(appeal.event) if appeal.event else None
        case = self._book.case(item.case) if item is not None else None
        if (case is not None and case.state != "closed") or self._rows.pending(appeal.id):
            return False
        moment, rules = datetime.fromtimestamp(now, UTC), self._keeping.retention
        regions = case.regions if case is not None else ()
        until = kept_until(appeal, regions, rules)
        if until is None or moment < until:
            return False
        names = {str(number) for number in self._cases(appeal, case)}
        longest = kept_until(appeal, regions, rules, map(self._keeping.kept_of_case, names))
        return not names & held and longest is not None and moment >= longest

    def _cases(self, appeal: Appeal, case: Case | None) -> set[int]:
        """Every case under which evidence of an appeal may lie: its own, those merged into that, and those it was in."""
        found = self._rows.sealed_into(appeal.event) if appeal.event else set()
        found |= {appeal.case} if appeal.case is not None else set()
        return found | (self._rows.merged_into(case.id) if case is not None else set())
