"""Care's one door: files into a case, looks that are asked for, reveals that end, and when it is enough.

A look has two halves. First `stream` asks whether the member may look, and gives the bytes to be drawn (a `machine-read` in
the custody log). Then, with the still at hand and before it is sent, `saw` or `begin` writes down that a person sees it.
So the log never says that somebody saw what could not be shown, and nothing is shown that it does not say.
"""

import io
import math
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from typing import Literal

from msgspec import Struct

from underwing.casebook.care.exhibits import SEALING, Exhibit, Exhibits, Made, Unsettled
from underwing.casebook.care.ledger import Ledger, Reveal, Team
from underwing.casebook.care.likeness import Print
from underwing.casebook.care.limits import WORST, Limits, load_limits
from underwing.casebook.care.looks import DAY, WEEK, Ruling, rule
from underwing.casebook.cases.values import Case, Priority
from underwing.casebook.custody import Custody
from underwing.casebook.database import CasebookError, Database
from underwing.casebook.vault import Label, Vault
from underwing.model import MediaHashes, MediaMatch

FIRST_STEP = 3
"""The step of blur that a file is shown with first; each further look may take off one. 0 is none: a reveal."""
REMEMBERED = 3_600
"""Seconds after which a file is shown at the first step of blur again."""
LOST = "the service stopped before the file was sealed; send it again"
"""The problem of such a file."""
Need = Literal["known", "same", "enough", "over", "rest"]


class NotNow(CasebookError):
    """A look that is not given: `why` is `missing`, `withdrawn`, `over`, `rest`, `step`, or `reason` where one is needed."""

    def __init__(self, why: str, ruling: Ruling | None = None) -> None:
        super().__init__(f"this file is not shown: {why}", "not_shown")
        self.why, self.ruling = why, ruling


class Standing(Struct, frozen=True, kw_only=True):
    """How a member stands to an exhibit.

    `gone` says why it cannot be shown at all ("" when it can): `missing`, `withdrawn`, `destroyed`. `needs` are the grounds
    not to look, each of which asks for a reason. `same` is the file that it is a copy of, or itself where a colleague saw
    it; `step` the least blur that may be asked for now.
    """

    exhibit: Exhibit
    gone: str = ""
    needs: tuple[Need, ...] = ()
    same: Exhibit | None = None
    enough_by: str = ""
    step: int = FIRST_STEP

    @property
    def reason(self) -> bool:
        """Whether a look needs a reason."""
        return bool(self.needs)


class Begun(Struct, frozen=True):
    """A reveal that has begun: the token that ends it, and when it ends by itself (epoch seconds)."""

    token: str
    until: int


def vault_case(case: int) -> str:
    """What the vault and the custody log call a case."""
    return str(case)


class Care:
    """Safe to call from several threads. `vault` None: there is none, every file is missing."""

    def __init__(
        self,
        database: Database,
        vault: Vault | None,
        custody: Custody,
        limits: Limits | None = None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.limits = limits or load_limits()
        self.exhibits, self.ledger = Exhibits(database), Ledger(database)
        self._db, self.vault, self._custody, self._clock = database, vault, custody, clock

    # -- files into a case ------------------------------------------------------------------------------

    def keep(
        self, data: bytes, case: int, event: str, hashes: MediaHashes, matches: Sequence[MediaMatch] = (), *,
        by: str, regions: tuple[str, ...] = (), name: str = "", reason: str = "", made: Made = "",
    ) -> Exhibit:  # fmt: skip
        """Seal a file into a case and note it, before and after, so that what a process that dies leaves is named (`mend`).
        If the vault does not take it, it is noted as missing; the sender's copy is then the only one, to be sent again."""
        address, problem = "", "no vault is set up"
        self.missing(case, event, hashes, matches, by=by, problem=SEALING, made=made)
        if self.vault is not None:
            try:
                address = self.vault.put(
                    io.BytesIO(data), case=vault_case(case), by=by, reason=reason, regions=regions,
                    label=Label(name=name[:200], type=hashes.type),
                ).address  # fmt: skip
                problem = ""
            except CasebookError as error:
                problem = str(error)
        return self.missing(case, event, hashes, matches, by=by, problem=problem, address=address, made=made)

    def missing(
        self, case: int, event: str, hashes: MediaHashes, matches: Sequence[MediaMatch] = (), *, by: str, problem: str,
        address: str = "", made: Made = "",
    ) -> Exhibit:  # fmt: skip
        """Note a file that was not kept, and why."""
        return self.exhibits.note(
            case, event, hashes, matches, at=self._now(), by=by, problem=problem, address=address, made=made
        )

    def mend(self, until: int) -> list[Exhibit]:
        """Settle the files that were being sealed at `until` (epoch seconds) or before: what the vault has is kept, the rest
        is missing from now on. The missing ones, for whoever tells of them. A file that another process still seals is made
        good when that is done."""
        lost = []
        for one in self.exhibits.unsettled(until):
            address = self._sealed(one)
            settled = self.exhibits.settle(one.number, address, "" if address else LOST)
            exhibit = self.exhibits.get(one.number) if settled and not address else None
            if exhibit is not None:
                lost.append(exhibit)
        return lost

    def _sealed(self, one: Unsettled) -> str:
        """The address of the bytes of a file in its case, "" where the vault does not have them."""
        objects = self.vault.index.same(one.sha256) if self.vault is not None else ()
        here = (o.address for o in objects if o.case == vault_case(one.case) and o.state != "destroyed")
        return next(here, "")

    # -- how one stands ---------------------------------------------------------------------------------

    def ruling(self, member: str) -> Ruling:
        """Whether a member may look now, and what looking cost in the last day and week."""
        now = self._now()
        return rule(self.ledger.looks(member, now - WEEK, now, self.limits.reveal.most), now, self.limits)

    def standing(self, member: str, number: int) -> Standing:
        """How a member stands to an exhibit.

        Raises:
            CasebookError: there is none of that number.
        """
        exhibit = self.exhibits.get(number)
        if exhibit is None:
            raise CasebookError(f"there is no file {number}", "no_file", number=number)
        return self._standing(member, exhibit, self.ruling(member), self.exhibits.seen())

    def of_case(self, member: str, case: int) -> tuple[Ruling, list[Standing]]:
        """How a member stands to each exhibit of a case."""
        ruling = self.ruling(member)
        exhibits, seen = self.exhibits.of_case(case), self.exhibits.seen()
        return ruling, [self._standing(member, exhibit, ruling, seen) for exhibit in exhibits]

    def _standing(
        self, member: str, exhibit: Exhibit, ruling: Ruling, seen: Sequence[tuple[int, Print]]
    ) -> Standing:
        same: Exhibit | None = exhibit
        if not exhibit.seen_by or exhibit.seen_by == member:
            same = None if exhibit.seen_by else self.exhibits.same_as(exhibit, seen)
        enough = self.ledger.who_had_enough(exhibit.case)
        needs: list[Need] = [] if ruling.looks else ["over" if ruling.state == "over" else "rest"]
        grounds: tuple[tuple[Need, object], ...] = (
            ("known", exhibit.known),
            ("same", same),
            ("enough", enough),
        )
        needs += [need for need, there in grounds if there]
        least = self.ledger.least_step(member, exhibit.number, self._now() - REMEMBERED)
        return Standing(
            exhibit=exhibit, gone=self._gone(exhibit), needs=tuple(needs), same=same,
            enough_by=enough[0] if enough else "", step=FIRST_STEP if least is None else max(1, least - 1),
        )  # fmt: skip

    def _gone(self, exhibit: Exhibit) -> str:
        if not exhibit.address or self.vault is None:
            return "missing"
        stored = self.vault.index.find(exhibit.address)
        return "missing" if stored is None else "" if stored.state == "kept" else stored.state

    # -- looking ----------------------------------------------------------------------------------------

    def stream(self, member: str, number: int, step: int, reason: str = "") -> Iterator[bytes]:
        """The bytes of an exhibit to be drawn for a member; with `step` 0 for a reveal.

        Raises:
            NotNow: the member may not look, or not like this.
            CasebookError: there is no such exhibit, or its bytes are not what was put.
        """
        exhibit = self._allowed(member, number, step, reason)
        assert self.vault is not None
        shown = "reveal" if step == 0 else "blurred"
        return self.vault.read(
            exhibit.address, by=member, looking="machine-read", reason=reason, facts={"for": shown}
        )

    def saw(self, member: str, number: int, step: int, reason: str = "") -> None:
        """Write down that a member sees an exhibit blurred; the answer may be sent when this returns.

        Raises:
            NotNow: as `stream`.
        """
        with self._db.transaction():
            exhibit = self._allowed(member, number, step, reason)
            self._record("saw-media-blurred", member, exhibit, reason, {"step": step})
            self._look(member, exhibit, step)

    def begin(self, member: str, number: int, reason: str = "") -> Begun:
        """Write down that a member sees an exhibit revealed, from now until `end`; one at a time.

        Raises:
            NotNow: as `stream`.
        """
        token = secrets.token_urlsafe(24)
        with self._db.transaction():
            for reveal in self.ledger.open(member=member):
                self._close(reveal)
            exhibit = self._allowed(member, number, 0, reason)
            self._record("reveal-begun", member, exhibit, reason, {})
            self._look(member, exhibit, 0, _hash(token))
        return Begun(token, self._now() + self.limits.reveal.most)

    def end(self, member: str, token: str) -> int | None:
        """End a reveal; the seconds that it lasted, or None if it was over already."""
        with self._db.transaction():
            mine = [reveal for reveal in self.ledger.open(token=_hash(token)) if reveal.member == member]
            return self._close(mine[0]) if mine else None

    def close_late(self) -> int:
        """End the reveals whose end nobody reported, at the most that a reveal may last; how many there were."""
        with self._db.transaction():
            late = self.ledger.open(before=self._now() - self.limits.reveal.most)
            for reveal in late:
                self._close(reveal)
            return len(late)

    def enough(self, member: str, case: int) -> None:
        """A member has seen enough of a case to decide: nobody needs to look further."""
        with self._db.transaction():
            for reveal in self.ledger.open(member=member):
                self._close(reveal)
            self.ledger.enough(case, member, self._now())

    def _allowed(self, member: str, number: int, step: int, reason: str) -> Exhibit:
        standing, ruling = self.standing(member, number), self.ruling(member)
        if standing.gone:
            raise NotNow(standing.gone)
        if not ruling.looks and self.limits.over == "refuse":
            raise NotNow(ruling.state, ruling)
        if standing.reason and not reason.strip():
            raise NotNow("reason", ruling)
        if step != 0 and not standing.step <= step <= FIRST_STEP:
            raise NotNow("step")
        return standing.exhibit

    def _look(self, member: str, exhibit: Exhibit, step: int, token: str | None = None) -> None:
        now, severity = self._now(), self.limits.severity_of(exhibit.labels)
        self.ledger.write(member, exhibit.case, exhibit.number, now, severity, step=step, token=token)
        self.exhibits.saw(exhibit.number, member, now)

    def _record(
        self, kind: Literal["saw-media-blurred", "reveal-begun", "revealed-media"], member: str, exhibit: Exhibit,
        reason: str, facts: dict[str, int | str | bool],
    ) -> None:  # fmt: skip
        assert self.vault is not None
        case = self.vault.index.get(exhibit.address).case
        self._custody.append(
            kind,
            member,
            case=case,
            object=exhibit.address,
            reason=reason,
            facts={**facts, "item": exhibit.number},
        )

    def _close(self, reveal: Reveal) -> int:
        """End a reveal by the server's own clock."""
        seconds = min(max(1, math.ceil(self._clock()) - reveal.at), self.limits.reveal.most)
        exhibit = self.exhibits.get(reveal.exhibit)
        if self.ledger.end(reveal.number, seconds) and exhibit is not None:
            self._record("revealed-media", reveal.member, exhibit, "", {"seconds": seconds})
        return seconds

    # -- who is offered what, who may need support ------------------------------------------------------

    def offer(self, member: str) -> Callable[[Sequence[Case]], list[Case]]:
        """Which of some cases are offered to a member: to one who has seen enough none with files, but where a child is in
        danger now (it can be decided without looking)."""
        if self.ruling(member).looks:
            return list

        def without_files(cases: Sequence[Case]) -> list[Case]:
            shown = self.exhibits.cases_with(case.id for case in cases)
            return [case for case in cases if case.priority == Priority.imminent or case.id not in shown]

        return without_files

    def team(self) -> tuple[Team, Team]:
        """What looking cost all together in the last day and in the last week."""
        now = self._now()
        return self.ledger.team(now - DAY, WORST), self.ledger.team(now - WEEK, WORST)

    def to_support(self) -> list[str]:
        """Members near a cap or beyond, by id and without numbers: whom to ask how they are, not whom to count."""
        members = sorted(self.ledger.members(self._now() - WEEK))
        return [member for member in members if self.ruling(member).state in ("near", "over")]

    def _now(self) -> int:
        return int(self._clock())


def _hash(token: str) -> str:
    return sha256(b"underwing reveal\n" + token.encode()).hexdigest()
