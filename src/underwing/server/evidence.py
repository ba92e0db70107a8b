"""Files into cases: what was checked and asks for a case is sealed into it; what a platform brings later is as well.

Sealing never fails a check. When the vault does not take a file, the file stays held, the answer says that the evidence is
missing, the case notes it, and the platform may send the bytes again to `POST /v1/cases/{id}/evidence`.
"""

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Literal

from underwing.casebook.care import Care, Exhibit, Made
from underwing.casebook.cases import SYSTEM, Casebook, CaseError
from underwing.casebook.database import CasebookError
from underwing.model import Decision, Media, MediaMatch
from underwing.server.logs import note
from underwing.server.media.desk import Checked

SECONDS = 10.0
"""How long an answer waits for the vault; then it says `pending`, and the vault goes on."""
LONG = 900
"""Seconds after which a file that another service over the same casebook seals is taken for left behind."""
AT_ONCE, MOST_WAITING = 2, 8
"""Files that are sealed at the same time, and that are in memory for it."""
Kept = Literal["kept", "missing", "pending"]
_ASKS = ("open_case", "page")


def asks_for_case(decision: Decision, matches: Sequence[MediaMatch]) -> bool:
    """Whether a decision on a file asks that it be kept: for a case, or because it is held for a match that is more than
    what the platform itself does not want."""
    matched = any(match.label not in ("blocked", "false_match") for match in matches)
    return any(a in _ASKS for a in decision.actions) or ("hold_media" in decision.actions and matched)


class Evidence:
    """Seals files beside the service, in threads of its own. `keep_media`: whether checked files are kept by themselves."""

    def __init__(self, care: Care, book: Casebook, *, keep_media: bool = True) -> None:
        self._care, self._book, self._keep = care, book, keep_media
        self._threads = ThreadPoolExecutor(AT_ONCE, "underwing-evidence")
        self._waiting = 0

    def close(self) -> None:
        """Finish what was begun."""
        self._threads.shutdown()

    def mend(self, until: int) -> None:
        """Keep or name what a service that died was sealing at `until` (epoch seconds) or before (`Care.mend`)."""
        try:
            for exhibit in self._care.mend(until):
                self._tell(exhibit.case, exhibit)
        except CasebookError as error:
            note("evidence_fault", logging.ERROR, error)

    async def keep(
        self, data: bytes, event: Media, checked: Checked, decision: Decision, by: str
    ) -> Kept | None:
        """Seal a file that was checked, if the decision about it asks for that; what became of it, None: not asked."""
        if not self._keep or not asks_for_case(decision, checked.found.matches):
            return None
        try:
            case = await asyncio.to_thread(self._case, event, decision)
        except (CaseError, CasebookError) as error:
            note("evidence_fault", logging.ERROR, error)
            return "missing"
        found = await self.bring(data, case, event.id, checked, by)
        return "pending" if found is None else "kept" if found.address else "missing"

    async def bring(
        self,
        data: bytes,
        case: int,
        event: str,
        checked: Checked,
        by: str,
        *,
        name: str = "",
        reason: str = "",
        made: Made = "",
    ) -> Exhibit | None:
        """Seal a file into a case; None while that still goes on. `name` is sealed with it, `reason` stands in the log, how
        it was `made` in the case."""
        if self._waiting >= MOST_WAITING:
            return await asyncio.to_thread(
                self._missing, case, event, checked, by, "too many files wait to be sealed", made
            )
        self._waiting += 1
        future: Future[Exhibit] = self._threads.submit(
            self._seal, data, case, event, checked, by, name, reason, made
        )
        future.add_done_callback(lambda _: self._left())
        try:
            return await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(future)), SECONDS)
        except TimeoutError:
            return None

    def case_of(self, event: str) -> int | None:
        """The case that an event is in, None: in none."""
        item = self._book.where(event)
        return item.case if item is not None else None

    def _left(self) -> None:
        self._waiting -= 1

    def _case(self, event: Media, decision: Decision) -> int:
        """The case of an event. A file that is held for a match and that no rule gave a case gets one: somebody must decide
        whether it is let go."""
        item = self._book.where(event.id)
        if item is not None:
            return item.case
        made = self._book.open(
            SYSTEM, "held for a match", actor=event.sender, target=decision.target, key=event.id
        )
        return made.case

    def _seal(
        self,
        data: bytes,
        case: int,
        event: str,
        checked: Checked,
        by: str,
        name: str,
        reason: str,
        made: Made,
    ) -> Exhibit:
        head = self._book.case(case)
        regions = head.regions if head is not None else ()
        try:
            exhibit = self._care.keep(
                data, case, event, checked.hashes, checked.found.matches, by=by, regions=regions, name=name,
                reason=reason, made=made,
            )  # fmt: skip
        except Exception as error:  # whatever a store raises: the check must be answered
            note("evidence_fault", logging.ERROR, error)
            return self._missing(case, event, checked, by, "the vault failed; see the service's log", made)
        if not exhibit.address:
            self._tell(case, exhibit)
        return exhibit

    def _missing(self, case: int, event: str, checked: Checked, by: str, problem: str, made: Made) -> Exhibit:
        exhibit = self._care.missing(
            case, event, checked.hashes, checked.found.matches, by=by, problem=problem, made=made
        )
        self._tell(case, exhibit)
        return exhibit

    def _tell(self, case: int, exhibit: Exhibit) -> None:
        """The case says that evidence is missing."""
        text = f"file {exhibit.number} of event {exhibit.event or '-'} was not kept: {exhibit.problem}"
        note("evidence_missing", logging.ERROR, None, case=case, problem=exhibit.problem)
        try:
            self._book.note(case, SYSTEM, text)
        except (CaseError, CasebookError) as error:
            note("evidence_fault", logging.ERROR, error)
