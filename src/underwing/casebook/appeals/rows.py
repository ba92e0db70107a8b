"""All SQL of appeals. Transactions are the caller's where several things belong together."""

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Select, delete, insert, select, update

from underwing.casebook.appeals.figures import Outline
from underwing.casebook.appeals.statement import Statement
from underwing.casebook.appeals.tables import appeals, follows, grants
from underwing.casebook.appeals.values import Appeal, Grant
from underwing.casebook.care.tables import exhibits
from underwing.casebook.cases.tables import cases
from underwing.casebook.database import Database, Row

MOST_LISTED = 200
_statement = msgspec.msgpack.Decoder(Statement).decode


class Follow(Struct, frozen=True):
    """Something that follows from a decided appeal outside of the casebook's database (`engine`, `bank`, `platform`), and
    how often it was tried."""

    number: int
    appeal: str
    what: str
    tries: int


FORGOTTEN = {
    "account": "", "event": "", "case_id": None, "statement": None, "text": "", "holder": "", "decided_by": "",
    "answer": "", "reason": "",
}  # fmt: skip
"""What a forgotten appeal has: nothing but what the statistics count."""


class Rows:
    """Reads and writes. An appeal that was forgotten is found by the statistics only."""

    def __init__(self, database: Database) -> None:
        self.db = database

    def grant(self, hash: str) -> Grant | None:
        """What a token's hash stands for."""
        row = self.db.row(select(grants).where(grants.c.hash == hash))
        if row is None:
            return None
        return Grant(
            hash=row.hash, account=row.account, event=row.event, case=row.case_id, language=row.language,
            statement=_read(row.statement), issued=row.issued, expires=row.expires,
        )  # fmt: skip

    def add_grant(self, grant: Grant) -> None:
        """Keep a grant."""
        self.db.run(insert(grants).values(**_columns(grant)))

    def appeal(self, id: str) -> Appeal | None:
        """An appeal by its id."""
        row = self.db.row(_known().where(appeals.c.id == id))
        return _appeal(row) if row is not None else None

    def of_grant(self, hash: str) -> list[Appeal]:
        """What was filed with a token, oldest first."""
        wanted = select(appeals).where(appeals.c.grant_hash == hash).order_by(appeals.c.filed, appeals.c.id)
        return [_appeal(row) for row in self.db.rows(wanted)]

    def of_case(self, case: int) -> list[Appeal]:
        """The appeals about decisions of a case, oldest first."""
        wanted = select(appeals).where(appeals.c.case_id == case).order_by(appeals.c.filed, appeals.c.id)
        return [_appeal(row) for row in self.db.rows(wanted.limit(MOST_LISTED))]

    def insert(self, appeal: Appeal, grant_hash: str) -> bool:
        """File an appeal, unless one of its kind was filed with the token; whether it was."""
        values = {**_columns(appeal), "grant_hash": grant_hash}
        return self.db.run(self.db.upsert(appeals).values(values).on_conflict_do_nothing()) == 1

    def update(self, appeal: Appeal, was: Appeal) -> bool:
        """Write an appeal, if it still is what it was; whether it is."""
        still = (appeals.c.id == was.id) & (appeals.c.state == was.state) & (appeals.c.holder == was.holder)
        return self.db.run(update(appeals).where(still).values(**_columns(appeal))) == 1

    def queue(self, states: Iterable[str], limit: int, after: tuple[int, str] | None = None) -> list[Appeal]:
        """Appeals in some states by when they are due, behind the place `after` (due, id)."""
        wanted = _known().where(appeals.c.state.in_(list(states))).order_by(appeals.c.due, appeals.c.id)
        if after is not None:
            due, id = after
            wanted = wanted.where((appeals.c.due > due) | ((appeals.c.due == due) & (appeals.c.id > id)))
        return [_appeal(row) for row in self.db.rows(wanted.limit(min(limit, MOST_LISTED)))]

    def outlines(self, since: int, until: int) -> list[Outline]:
        """What the statistics need of the appeals filed from a time to another."""
        wanted = select(appeals.c.kind, appeals.c.state, appeals.c.filed, appeals.c.decided, appeals.c.alone)
        between = wanted.where(appeals.c.filed >= since, appeals.c.filed < until)
        return [Outline(*row) for row in self.db.rows(between)]

    def add_follow(self, appeal: str, what: str, at: int) -> None:
        """Note something that is to be done."""
        self.db.run(insert(follows).values(appeal=appeal, what=what, tries=0, next=at))

    def follows(self, now: int) -> list[Follow]:
        """What is to be done by now, oldest first."""
        wanted = select(follows).where(follows.c.next <= now).order_by(follows.c.number).limit(100)
        return [Follow(row.number, row.appeal, row.what, row.tries) for row in self.db.rows(wanted)]

    def pending(self, appeal: str) -> list[str]:
        """What is not done yet of an appeal."""
        wanted = select(follows.c.what).where(follows.c.appeal == appeal, follows.c.next.is_not(None))
        return [row[0] for row in self.db.rows(wanted.order_by(follows.c.number))]

    def tried(self, number: int, next: int | None) -> None:
        """Note a try; `next` is when it is tried again (None: it is done)."""
        self.db.run(
            update(follows).where(follows.c.number == number).values(tries=follows.c.tries + 1, next=next)
        )

    # -- retention ---------------------------------------------------------------------------------------

    def decided(self, before: int, after: tuple[int, str], limit: int) -> list[Appeal]:
        """Appeals decided before a time whose tokens have run out by then, behind the place `after` (decided, id)."""
        on = grants.c.hash == appeals.c.grant_hash
        wanted = _known().outerjoin(grants, on).where(appeals.c.decided < before)
        wanted = wanted.where(grants.c.hash.is_(None) | (grants.c.expires <= before))
        decided, id = after
        wanted = wanted.where(
            (appeals.c.decided > decided) | ((appeals.c.decided == decided) & (appeals.c.id > id))
        )
        return [
            _appeal(row)
            for row in self.db.rows(wanted.order_by(appeals.c.decided, appeals.c.id).limit(limit))
        ]

    def sealed_into(self, event: str) -> set[int]:
        """The cases that files of an event were sealed into."""
        return {row[0] for row in self.db.rows(select(exhibits.c.case_id).where(exhibits.c.event == event))}

    def merged_into(self, case: int) -> set[int]:
        """A case and all that was merged into it."""
        found = select(cases.c.id).where(cases.c.id == case).cte("merged", recursive=True)
        found = found.union(select(cases.c.id).join(found, cases.c.into == found.c.id))
        return {row[0] for row in self.db.rows(select(found.c.id))}

    def forget(self, id: str) -> None:
        """Forget an appeal: who, what, why and what followed. What the statistics need stays."""
        self.db.run(delete(follows).where(follows.c.appeal == id))
        self.db.run(update(appeals).where(appeals.c.id == id).values(grant_hash=id, **FORGOTTEN))

    def forget_grants(self, now: int) -> int:
        """Forget the tokens that have run out, and that no appeal is kept of; how many."""
        filed = select(appeals.c.grant_hash).where(appeals.c.grant_hash == grants.c.hash).exists()
        return self.db.run(delete(grants).where(grants.c.expires <= now, ~filed))


def _known() -> Select[*tuple[Any, ...]]:
    return select(appeals).where(appeals.c.account != "")


def _columns(value: Appeal | Grant) -> dict[str, Any]:
    values: dict[str, Any] = msgspec.structs.asdict(value)
    values["case_id"] = values.pop("case")
    told = values["statement"]
    return values | {"statement": None if told is None else msgspec.msgpack.encode(told)}


def _read(body: bytes | None) -> Statement | None:
    return None if body is None else _statement(body)


def _appeal(row: Row) -> Appeal:
    return Appeal(
        id=row.id, kind=row.kind, account=row.account, event=row.event, case=row.case_id, language=row.language,
        statement=_read(row.statement), text=row.text, state=row.state, filed=row.filed, due=row.due, holder=row.holder,
        decided_by=row.decided_by, decided=row.decided, answer=row.answer, reason=row.reason, match_false=row.match_false,
        alone=row.alone,
    )  # fmt: skip
