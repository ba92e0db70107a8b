"""The custody log a page at a time, the newest first, by what a reader asks for.

The log has no index but its numbers, on purpose: what it says lies in its records' one spelling. So a page looks through a
bounded number of records and says where it stopped.
"""

from collections.abc import Iterator

from msgspec import Struct
from sqlalchemy import func, select

from underwing.casebook.custody.records import Record, decode
from underwing.casebook.custody.tables import custody as LOG
from underwing.casebook.database import Database

SIZE = 50
MOST = 20_000
"""Records that are looked through for one page."""
_STEP = 500


class Wanted(Struct, frozen=True, kw_only=True):
    """Which records: "" means all. `since` and `until` are times as records write them (`until` is left out itself)."""

    case: str = ""
    object: str = ""
    kind: str = ""
    by: str = ""
    since: str = ""
    until: str = ""

    def fits(self, record: Record) -> bool:
        """Whether a record is asked for."""
        pairs = (
            (self.case, record.case),
            (self.object, record.object),
            (self.kind, record.kind),
            (self.by, record.by),
        )
        return all(want in ("", has) for want, has in pairs) and (not self.until or record.at < self.until)


class Page(Struct, frozen=True, kw_only=True):
    """Records, the newest first. `damaged` are the numbers of those that cannot be read; `older`: where the next page begins
    (records below that number), None at the end. `looked`: how many were looked through."""

    records: tuple[Record, ...]
    damaged: tuple[int, ...]
    looked: int
    older: int | None


def last_number(database: Database) -> int:
    """The number of the newest record, 0 of an empty log."""
    return int(database.value(select(func.max(LOG.c.number))) or 0)


def page(
    database: Database, wanted: Wanted, before: int | None = None, size: int = SIZE, most: int = MOST
) -> Page:
    """The newest records that are asked for, below the number `before`."""
    start = before if before is not None else _end(database, wanted.until)
    found: list[Record] = []
    damaged: list[int] = []
    looked, number = 0, start
    for number, body in _down(database, start):
        if looked == most or len(found) == size:
            return Page(records=tuple(found), damaged=tuple(damaged), looked=looked, older=number + 1)
        looked += 1
        try:
            record = decode(body)
        except (TypeError, ValueError):
            damaged.append(number)
            continue
        if wanted.since and record.at < wanted.since:
            break
        if wanted.fits(record):
            found.append(record)
    return Page(records=tuple(found), damaged=tuple(damaged), looked=looked, older=None)


def _down(database: Database, below: int) -> Iterator[tuple[int, bytes]]:
    while rows := database.rows(
        select(LOG.c.number, LOG.c.body)
        .where(LOG.c.number < below)
        .order_by(LOG.c.number.desc())
        .limit(_STEP)
    ):
        for number, body in rows:
            yield int(number), body
        below = int(rows[-1][0])


def _end(database: Database, until: str) -> int:
    """The number above the last record before a time: times never run backwards in the log, so halving finds it."""
    low, high = 0, last_number(database) + 1
    while until and high - low > 1:
        middle = (low + high) // 2
        body = database.value(select(LOG.c.body).where(LOG.c.number == middle))
        try:
            late = body is None or decode(body).at >= until
        except (TypeError, ValueError):
            late = True
        low, high = (low, middle) if late else (middle, high)
    return high
