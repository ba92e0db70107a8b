"""The one door to appeals: tokens, filing, the queue, decisions and what follows from them."""

import secrets
import time
from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from msgspec import Struct

from underwing.casebook.appeals import machine, tokens
from underwing.casebook.appeals.figures import Figures, figures
from underwing.casebook.appeals.rows import Follow, Rows
from underwing.casebook.appeals.statement import Statement
from underwing.casebook.appeals.values import MOST_TEXT, Appeal, AppealError, Grant, Kind, Verdict
from underwing.casebook.cases import Casebook, Item, Outcome
from underwing.casebook.database import Database

DAY = 86_400
DUE = 7 * DAY
"""Seconds in which an appeal should be decided: Underwing's own aim. The law says "timely" (Art. 20(4) DSA)."""
RETRY = (30, 120, 600, 3_600)
"""Seconds until something that failed is tried again; the last one again and again."""
MOST_ITEMS = 1_000


class Audit(Protocol):
    """Appends to the custody log who did what about what."""

    def __call__(self, by: str, what: str, about: str, facts: dict[str, int | str | bool]) -> object:
        """Append; stands or falls with the transaction around it."""
        ...


class Matter(Struct, frozen=True, kw_only=True):
    """What an appeal is about in its case: the account's own events there, towards whom, and whether they are all of it."""

    items: tuple[Item, ...] = ()
    whole: bool = False
    """Whether the case holds nothing of other accounts."""


class Appeals:
    """Safe to call from several threads. `audit` writes to the custody log, in the transaction of the act. `able` gives who
    may decide about appeals here (None: it is not known, so that somebody else may be there)."""

    def __init__(
        self,
        database: Database,
        book: Casebook,
        audit: Audit,
        *,
        clock: Callable[[], float] = time.time,
        able: Callable[[], Collection[str]] | None = None,
    ) -> None:
        self._db, self._rows, self._book = database, Rows(database), book
        self._audit, self._clock, self._able = audit, clock, able

    # -- tokens and filing ------------------------------------------------------------------------------

    def grant(
        self, account: str, *, event: str = "", statement: Statement | None = None, language: str = "en",
        days: int = tokens.DAYS,
    ) -> tuple[str, Grant]:  # fmt: skip
        """(token, grant) for one account about one decision. The token is shown once and cannot be found again.

        Raises:
            AppealError: the days are too few or too many.
        """
        if not 1 <= days <= tokens.LONGEST_DAYS:
            raise AppealError(
                f"a token lasts from 1 to {tokens.LONGEST_DAYS} days", "token_days", most=tokens.LONGEST_DAYS
            )
        token, now = tokens.make(), self._now()
        item = self._book.where(event) if event else None
        grant = Grant(
            hash=str(tokens.hash_of(token)), account=account, event=event, case=item.case if item else None,
            language=language, statement=statement, issued=now, expires=now + days * DAY,
        )  # fmt: skip
        self._rows.add_grant(grant)
        return token, grant

    def find(self, token: str) -> Grant | None:
        """What a token stands for; None for one that is unknown or has run out (which of the two is not said)."""
        hash = tokens.hash_of(token)
        grant = self._rows.grant(hash) if hash is not None else None
        return grant if grant is not None and self._now() < grant.expires else None

    def filed(self, grant: Grant) -> list[Appeal]:
        """What was filed with a token."""
        return self._rows.of_grant(grant.hash)

    def file(self, grant: Grant, kind: Kind, text: str) -> Appeal:
        """File an appeal or a complaint; one of each kind for each token.

        Raises:
            AppealError: no words or too many, no decision to object to, or one was filed.
        """
        text = text.strip()
        if not text or len(text) > MOST_TEXT:
            raise AppealError(f"write from 1 to {MOST_TEXT} characters", "appeal_text", most=MOST_TEXT)
        if kind == "decision" and grant.statement is None:
            raise AppealError("there is no decision that this could be about", "no_decision")
        now = self._now()
        about = kind == "decision"
        appeal = Appeal(
            id=secrets.token_hex(8), kind=kind, account=grant.account, event=grant.event if about else "",
            case=self._case(grant.event) if about else None, language=grant.language, text=text,
            statement=grant.statement, filed=now, due=now + DUE,
        )  # fmt: skip
        if not self._rows.insert(appeal, grant.hash):
            raise AppealError("this was filed already; the decision about it comes here", "filed_already")
        return appeal

    # -- people -----------------------------------------------------------------------------------------

    def queue(
        self,
        states: Sequence[str] = ("waiting", "taken"),
        limit: int = 50,
        after: tuple[int, str] | None = None,
    ) -> list[Appeal]:
        """Appeals in some states, the longest due first, behind the place `after` (due, id)."""
        return self._rows.queue(states, limit, after)

    def get(self, id: str) -> Appeal:
        """An appeal by its id.

        Raises:
            AppealError: there is none.
        """
        appeal = self._rows.appeal(id)
        if appeal is None:
            raise AppealError(f"there is no appeal {id}", "no_appeal")
        return appeal

    def of_case(self, case: int) -> list[Appeal]:
        """The appeals about a case."""
        return self._rows.of_case(case)

    def deciders(self, appeal: Appeal) -> frozenset[str]:
        """Who may not decide about an appeal, for having decided the first time."""
        case = self._case(appeal.event) if appeal.event else None
        if case is None:
            return frozenset()
        return machine.deciders(self._book.case(case), self._book.history(case))

    def alone_from(self, appeal: Appeal) -> int | None:
        """From when on somebody who decided the first time may decide, since nobody else here could; None: another could."""
        first = self.deciders(appeal)
        if not first or self._able is None or set(self._able()) - first:
            return None
        return appeal.filed + machine.COOLING

    def independent(self, grant: Grant) -> bool:
        """Whether somebody is here who had no part in the decision that a token is about."""
        case = self._case(grant.event) if grant.event else None
        first = (
            machine.deciders(self._book.case(case), self._book.history(case)) if case is not None else set()
        )
        return not first or self._able is None or bool(set(self._able()) - first)

    def take(self, id: str, who: str) -> Appeal:
        """Take an appeal (`machine.take`)."""
        with self._db.transaction():
            appeal = self.get(id)
            new = machine.take(appeal, who, self.deciders(appeal), self._now(), self.alone_from(appeal))
            return self._write(appeal, new, who, "take")

    def release(self, id: str, who: str) -> Appeal:
        """Give an appeal back (`machine.release`)."""
        with self._db.transaction():
            appeal = self.get(id)
            return self._write(appeal, machine.release(appeal, who), who, "release")

    def decide(
        self, id: str, who: str, verdict: Verdict, *, reason: str, answer: str, match_false: bool = False
    ) -> Appeal:
        """Decide about an appeal (`machine.decide`). A reversal corrects the case and notes what else follows, in the same
        transaction; `follows` has it to do."""
        now = self._now()
        with self._db.transaction():
            appeal = self.get(id)
            new = machine.decide(
                appeal, who, self.deciders(appeal), verdict, reason=reason, answer=answer, at=now,
                match_false=match_false, alone_from=self.alone_from(appeal),
            )  # fmt: skip
            self._write(appeal, new, who, "decide", verdict=verdict, independent=not new.alone)
            if new.kind == "decision":
                self._clear(new, who)
            self._rows.add_follow(id, "platform", now)
            return new

    def matter(self, appeal: Appeal) -> Matter:
        """What an appeal is about in its case."""
        case = self._case(appeal.event) if appeal.event else None
        if case is None:
            return Matter()
        items = self._book.items(case, limit=MOST_ITEMS)
        mine = tuple(item for item in items if item.found.actor == appeal.account)
        return Matter(items=mine, whole=len(mine) == len(items) < MOST_ITEMS)

    def _clear(self, appeal: Appeal, who: str) -> None:
        """What a reversal changes in the casebook, and what it asks of others."""
        case = self._case(appeal.event)
        told = f"appeal {appeal.id} about event {appeal.event}: {appeal.state}. {appeal.reason}"[:MOST_TEXT]
        if appeal.state == "reversed":
            self._rows.add_follow(appeal.id, "engine", self._now())
            if appeal.match_false:
                self._rows.add_follow(appeal.id, "bank", self._now())
            head = self._book.case(case) if case is not None else None
            outcome: Outcome = "false_match" if appeal.match_false else "no_harm"
            if (
                head is not None
                and head.state == "closed"
                and head.outcome != outcome
                and self.matter(appeal).whole
            ):
                self._book.correct(head.id, who, outcome, told)
                return
        if case is not None:
            self._book.note(case, who, told)

    def _write(self, was: Appeal, new: Appeal, who: str, act: str, **facts: int | str | bool) -> Appeal:
        if new is was:
            return new
        if not self._rows.update(new, was):
            raise AppealError(f"appeal {was.id} has changed meanwhile", "appeal_changed")
        self._audit(who, f"appeal.{act}", f"appeal:{was.id}", {**facts})
        return new

    def _case(self, event: str) -> int | None:
        item = self._book.where(event) if event else None
        return item.case if item is not None else None

    # -- statistics, and what is still to be done -------------------------------------------------------

    def figures(self, since: int, until: int) -> Figures:
        """The statistics of the appeals filed from a time to another."""
        return figures(self._rows.outlines(since, until))

    def follows(self) -> list[Follow]:
        """What is to be done now outside of the casebook."""
        return self._rows.follows(self._now())

    def done(self, follow: Follow) -> None:
        """Note that it was done."""
        self._rows.tried(follow.number, None)

    def failed(self, follow: Follow) -> None:
        """Note that it failed, and when it is tried again."""
        self._rows.tried(follow.number, self._now() + RETRY[min(follow.tries, len(RETRY) - 1)])

    def pending(self, id: str) -> list[str]:
        """What is not done yet of an appeal: `engine`, `bank`, `platform`."""
        return self._rows.pending(id)

    def _now(self) -> int:
        return int(self._clock())
