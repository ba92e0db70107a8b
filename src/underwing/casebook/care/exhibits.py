"""Exhibits: which file of the vault belongs to which event of a case, and what is known of it without looking."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple

import msgspec
from msgspec import Struct
from sqlalchemy import Select, select, update

from underwing.casebook.care.likeness import Print, first_like, print_of
from underwing.casebook.care.tables import exhibits as table
from underwing.casebook.cases.tables import cases, items
from underwing.casebook.database import Database, Row
from underwing.model import MediaHashes, MediaMatch

MOST = 200
"""Exhibits of one case that are listed."""
MOST_SEEN = 2_000
"""Of the files that somebody saw, so many of the last are compared with a new one; an exact copy is always found."""
Made = Literal["", "stills"]
"""How a file was made: "" as it came, or of single frames of a live stream that were looked at (`stills`)."""
SEALING = "is being sealed"
"""The problem of a file until the vault has it. What a process that died leaves so, `Care.mend` settles."""
_decode = msgspec.msgpack.Decoder(tuple[MediaMatch, ...]).decode
_print = msgspec.msgpack.Decoder(Print).decode


class Exhibit(Struct, frozen=True, kw_only=True):
    """One file of a case.

    `address` is the vault's ("" while it is missing, then `problem` says why: `SEALING` while it is on its way), `event` the
    event that brought it ("" when it was supplied by itself), `seconds` the length of a video. `seen_by` is who looked at it
    first. `made` says whether it is as it came.
    """

    number: int
    case: int
    event: str
    sha256: str
    address: str = ""
    problem: str = ""
    size: int = 0
    type: str = ""
    width: int = 0
    height: int = 0
    seconds: float | None = None
    matches: tuple[MediaMatch, ...] = ()
    at: int = 0
    by: str = ""
    seen_by: str = ""
    seen_at: int | None = None
    print: Print = Print()
    made: Made = ""

    @property
    def known(self) -> tuple[MediaMatch, ...]:
        """The matches that say what it is; with one of these nobody needs to look."""
        return tuple(match for match in self.matches if match.label != "false_match")

    @property
    def labels(self) -> tuple[str, ...]:
        """The neutral labels of its matches."""
        return tuple(match.label for match in self.known)


class Unsettled(NamedTuple):
    """A file that was being sealed: its exhibit's number, the case it was sealed into, and its SHA-256."""

    number: int
    case: int
    sha256: str


class Exhibits:
    """All SQL about exhibits. Transactions are the caller's where several things belong together."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def note(
        self, case: int, event: str, hashes: MediaHashes, matches: Sequence[MediaMatch], *, at: int, by: str,
        address: str = "", problem: str = "", made: Made = "",
    ) -> Exhibit:  # fmt: skip
        """Note a file of a case: kept at `address`, or missing because of `problem`. The same file of the same event once;
        what was missing and is there now is made good, and what was kept stays kept."""
        values = {
            "case_id": case, "event": event, "sha256": hashes.sha256, "address": address, "problem": problem[:300],
            "size": hashes.size, "type": hashes.type, "width": hashes.width, "height": hashes.height,
            "millis": None if hashes.duration is None else round(hashes.duration * 1000),
            "matches": msgspec.msgpack.encode(tuple(matches)), "print": msgspec.msgpack.encode(print_of(hashes)),
            "at": at, "by": by, "seen_by": "", "seen_at": None, "made": made,
        }  # fmt: skip
        here = (table.c.case_id == case) & (table.c.event == event) & (table.c.sha256 == hashes.sha256)
        with self._db.transaction():
            self._db.run(self._db.upsert(table).values(values).on_conflict_do_nothing())
            self._db.run(
                update(table)
                .where(here, table.c.address == "")
                .values(address=address, problem=problem[:300], at=at)
            )
            row = self._db.row(_all().where(here))
        assert row is not None
        return self._exhibit(row)

    def unsettled(self, until: int) -> list[Unsettled]:
        """The files that were being sealed at a time, or before, and still are."""
        wanted = select(table.c.number, table.c.case_id, table.c.sha256).where(
            table.c.address == "", table.c.problem == SEALING, table.c.at <= until
        )
        return [Unsettled(*row) for row in self._db.rows(wanted.order_by(table.c.number))]

    def settle(self, number: int, address: str, problem: str) -> bool:
        """Say what became of a file that was being sealed; False if that is known already."""
        still = (table.c.number == number) & (table.c.address == "") & (table.c.problem == SEALING)
        return self._db.run(update(table).where(still).values(address=address, problem=problem)) == 1

    def get(self, number: int) -> Exhibit | None:
        """An exhibit by its number; its case is the one where its event lies now."""
        row = self._db.row(_all().where(table.c.number == number))
        return self._exhibit(row) if row is not None else None

    def of_case(self, case: int) -> list[Exhibit]:
        """The exhibits of a case, in the order in which they came: those of its events, and those supplied to it or to a
        case that was merged into it."""
        by_event = _all().where(items.c.case_id == case)
        supplied = _all().where(
            items.c.event.is_(None), table.c.case_id.in_([case, *self._merged_into(case)])
        )
        rows = [
            row
            for wanted in (by_event, supplied)
            for row in self._db.rows(wanted.order_by(table.c.number).limit(MOST))
        ]
        made = sorted(map(self._exhibit, rows), key=lambda exhibit: exhibit.number)
        return [exhibit for exhibit in made if exhibit.case == case][:MOST]

    def _merged_into(self, case: int) -> list[int]:
        """The cases with supplied files that lie in this one now."""
        supplied = select(table.c.case_id).distinct().join(cases, cases.c.id == table.c.case_id)
        gone = self._db.rows(supplied.where(table.c.event == "", cases.c.into.is_not(None)))
        return [row[0] for row in gone if self._home(row[0]) == case]

    def _home(self, case: int) -> int:
        """The case that a case is now, after merges."""
        while (into := self._db.value(select(cases.c.into).where(cases.c.id == case))) is not None:
            case = into
        return case

    def cases_with(self, numbers: Iterable[int]) -> set[int]:
        """Those of some cases that have an exhibit."""
        asked = list(numbers)
        by_item = (
            select(items.c.case_id)
            .join(table, table.c.event == items.c.event)
            .where(items.c.case_id.in_(asked))
        )
        by_case = select(table.c.case_id).where(table.c.case_id.in_(asked))
        return {row[0] for row in self._db.rows(by_item.union(by_case))}

    def saw(self, number: int, member: str, at: int) -> None:
        """Note who saw an exhibit first."""
        self._db.run(
            update(table)
            .where(table.c.number == number, table.c.seen_by == "")
            .values(seen_by=member, seen_at=at)
        )

    def seen(self) -> list[tuple[int, Print]]:
        """(number, print) of the files that were seen last."""
        rows = self._db.rows(
            select(table.c.number, table.c.print)
            .where(table.c.seen_at.is_not(None))
            .order_by(table.c.seen_at.desc(), table.c.number)
            .limit(MOST_SEEN)
        )
        return [(row[0], _print(row[1])) for row in rows]

    def same_as(self, exhibit: Exhibit, seen: Sequence[tuple[int, Print]]) -> Exhibit | None:
        """An exhibit that somebody saw and that this one is a copy of: the same bytes, or one of `seen` to the eye."""
        other = table.c.seen_at.is_not(None) & (table.c.number != exhibit.number)
        row = self._db.row(
            _all().where(other, table.c.sha256 == exhibit.sha256).order_by(table.c.number).limit(1)
        )
        if row is not None:
            return self._exhibit(row)
        others = [one for one in seen if one[0] != exhibit.number]
        place = first_like(exhibit.print, [print for _, print in others])
        return self.get(others[place][0]) if place is not None else None

    def _exhibit(self, row: Row) -> Exhibit:
        case = self._home(row.case_id) if row.lies_in is None else row.lies_in
        return Exhibit(
            number=row.number, case=case, event=row.event, sha256=row.sha256,
            address=row.address, problem=row.problem, size=row.size, type=row.type, width=row.width, height=row.height,
            seconds=None if row.millis is None else row.millis / 1000, matches=_decode(row.matches), at=row.at, by=row.by,
            seen_by=row.seen_by, seen_at=row.seen_at, print=_print(row.print),
            made=row.made,
        )  # fmt: skip


def _all() -> Select[*tuple[Any, ...]]:
    """Every exhibit with the case where its event lies now."""
    return select(table, items.c.case_id.label("lies_in")).outerjoin(items, items.c.event == table.c.event)
