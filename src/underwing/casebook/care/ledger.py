"""The ledger: what each member looked at, when, for how many seconds, and how severe it was. It only grows."""

from typing import Any

from msgspec import Struct
from sqlalchemy import func, insert, select, update

from underwing.casebook.care.looks import Look
from underwing.casebook.care.tables import enough as enoughs
from underwing.casebook.care.tables import looks as table
from underwing.casebook.database import Database, Row


class Reveal(Struct, frozen=True, kw_only=True):
    """A reveal that has not ended: its number, whose it is, of which exhibit and case, and since when."""

    number: int
    member: str
    case: int
    exhibit: int
    at: int


class Team(Struct, frozen=True, kw_only=True):
    """What looking cost all together since a time: how many people looked, at how many files, for how many seconds. There is
    no such sum by person that could be sorted."""

    people: int
    items: int
    seconds: int
    severe: int


class Ledger:
    """All SQL about looks."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def looks(self, member: str, since: int, now: int, most: int) -> list[Look]:
        """A member's looks since a time, oldest first. One that has not ended counts until now, at most `most` seconds."""
        rows = self._db.rows(
            select(table)
            .where(table.c.member == member, table.c.at > since)
            .order_by(table.c.at, table.c.number)
        )
        return [
            Look(
                at=row.at, exhibit=row.exhibit, severity=row.severity,
                seconds=min(max(0, now - row.at), most) if row.seconds is None else row.seconds,
            )
            for row in rows
        ]  # fmt: skip

    def write(
        self,
        member: str,
        case: int,
        exhibit: int,
        at: int,
        severity: int,
        *,
        step: int,
        token: str | None = None,
    ) -> None:
        """Write a look down: blurred by `step`, or (`token`, a hash) a reveal that begins now."""
        values: dict[str, Any] = {
            "member": member, "case_id": case, "exhibit": exhibit, "at": at, "severity": severity, "step": step,
            "revealed": token is not None, "seconds": None if token is not None else 0, "token": token,
        }  # fmt: skip
        self._db.run(insert(table).values(values))

    def least_step(self, member: str, exhibit: int, since: int) -> int | None:
        """The least blur that a member saw an exhibit with since a time, or None."""
        found: int | None = self._db.value(
            select(func.min(table.c.step)).where(
                table.c.member == member,
                table.c.exhibit == exhibit,
                table.c.at > since,
                table.c.revealed.is_(False),
            )
        )
        return found

    def open(
        self, *, member: str | None = None, token: str | None = None, before: int | None = None
    ) -> list[Reveal]:
        """The reveals that have not ended: a member's, the one of a token, those that began before a time."""
        wanted = select(table).where(table.c.seconds.is_(None)).order_by(table.c.number).limit(1_000)
        for column, value in ((table.c.member, member), (table.c.token, token)):
            wanted = wanted.where(column == value) if value is not None else wanted
        wanted = wanted.where(table.c.at <= before) if before is not None else wanted
        return [_reveal(row) for row in self._db.rows(wanted)]

    def end(self, number: int, seconds: int) -> bool:
        """End a reveal; whether it had not ended before."""
        open = table.c.seconds.is_(None)
        return self._db.run(update(table).where(table.c.number == number, open).values(seconds=seconds)) == 1

    def team(self, since: int, severe: int) -> Team:
        """What looking cost all together since a time."""
        wanted = (
            func.count(table.c.member.distinct()), func.count(table.c.exhibit.distinct()),
            func.coalesce(func.sum(table.c.seconds), 0),
        )  # fmt: skip
        row = self._db.row(select(*wanted).where(table.c.at > since))
        worst = self._db.value(
            select(func.count(table.c.exhibit.distinct())).where(
                table.c.at > since, table.c.severity >= severe
            )
        )
        assert row is not None
        return Team(people=row[0], items=row[1], seconds=int(row[2]), severe=worst)

    def members(self, since: int) -> list[str]:
        """Who looked at anything since a time, by id."""
        return [row[0] for row in self._db.rows(select(table.c.member).distinct().where(table.c.at > since))]

    def enough(self, case: int, member: str, at: int) -> None:
        """A member has seen enough of a case to decide."""
        self._db.run(
            self._db.upsert(enoughs).values(case_id=case, member=member, at=at).on_conflict_do_nothing()
        )

    def who_had_enough(self, case: int) -> tuple[str, int] | None:
        """(member, when) of who had seen enough of a case to decide, or None."""
        row = self._db.row(select(enoughs.c.member, enoughs.c.at).where(enoughs.c.case_id == case))
        return (row[0], row[1]) if row is not None else None


def _reveal(row: Row) -> Reveal:
    return Reveal(number=row.number, member=row.member, case=row.case_id, exhibit=row.exhibit, at=row.at)
