"""Reading the banks: which hashes are whose, which banks match, and what changed since a reader last looked.

Made for a matcher in each worker process: whether anything changed costs a microsecond, and a change made by any process
of the machine is seen by the next look.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from underwing.banks.entries import Bank
from underwing.model import HASH_KINDS, HashKind

Numbers = NDArray[np.int64]
Stamp = tuple[int, int]
_PDQ = HASH_KINDS.index("pdq")
_BATCH = 65_536


class BankState(Struct, frozen=True, kw_only=True):
    """A bank and whether it matches now: `why_not` says why it does not, and is empty when it does."""

    number: int
    bank: Bank
    why_not: str = ""
    created_by: str = ""
    created_at: int = 0

    @property
    def matches(self) -> bool:
        """Whether its entries are matched against."""
        return not self.why_not


class Hit(Struct, frozen=True):
    """A hash of an active entry: its number, its bank's number, the entry's id and label, and which view or frame it is."""

    number: int
    bank: int
    entry: str
    label: str
    kind: HashKind
    how: str
    at: float | None
    quality: int


class Holder(Struct, frozen=True):
    """An entry that has a hash, whatever its status: its bank's name, its own id, label and status."""

    bank: str
    entry: str
    label: str
    status: str


class Change(Struct, frozen=True):
    """PDQ hashes that came (`hashes`: n × 32 bytes) or went (None), by their numbers.

    `false` are the numbers among those that came whose entries silence others.
    """

    numbers: Numbers
    hashes: NDArray[np.uint8] | None
    false: Numbers


class Lookups:
    """The reading side of a connection. One thread uses it at a time."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def stamp(self) -> Stamp:
        """Equal to an earlier stamp exactly if nothing was written since, by this connection or any other."""
        return self._db.execute("PRAGMA data_version").fetchone()[0], self._db.total_changes

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """What is read inside is of one moment."""
        self._db.execute("BEGIN")
        try:
            yield
        finally:
            self._db.execute("COMMIT")

    def banks(self) -> tuple[BankState, ...]:
        """Every bank and whether it matches now."""
        rows = self._db.execute(
            "SELECT b.number, b.body, b.created_by, b.created_at, b.agreement, a.expired FROM banks b"
            " LEFT JOIN agreements a ON a.name = b.agreement ORDER BY b.name"
        )
        found = []
        for number, body, by, at, agreement, expired in rows:
            bank = msgspec.json.decode(body, type=Bank)
            why = "" if bank.enabled else "disabled by the operator"
            if agreement is not None and (expired is None or expired):
                why = f"the agreement {agreement} has {'expired' if expired else 'gone'}"
            found.append(BankState(number=number, bank=bank, why_not=why, created_by=by, created_at=at))
        return tuple(found)

    def last_change(self) -> int:
        """The number of the newest change, 0 before the first."""
        return int(self._db.execute("SELECT coalesce(max(number), 0) FROM changes").fetchone()[0])

    def mark(self, position: int) -> str:
        """Tells this store's history up to a change from another's, as that of a copy that went its own way; 16 digits.

        It is made of the last changes up to there and the hashes they name. Where such a hash is gone since (its entry was
        replaced), the mark is another one: whoever relied on it begins anew.
        """
        rows = self._db.execute(
            "SELECT c.number, c.removed, c.first, c.last, h.hash FROM changes c LEFT JOIN hashes h ON h.number = c.last"
            " WHERE c.number <= ? ORDER BY c.number DESC LIMIT 256",
            (position,),
        ).fetchall()
        return sha256(repr(rows).encode()).hexdigest()[:16]

    def changes(self, after: int, until: int) -> Iterator[Change]:
        """What the changes numbered `after` + 1 to `until` mean for an index of PDQ hashes, in order; read in a snapshot.

        Hashes that came and no longer match are left out, so one that goes may be one that never came.
        """
        banks = self.banks()
        false = json.dumps([state.number for state in banks if state.bank.negative])
        matching = json.dumps([state.number for state in banks if state.matches])
        log = self._db.execute(
            "SELECT removed, first, last FROM changes WHERE number > ? AND number <= ? ORDER BY number",
            (after, until),
        ).fetchall()
        for removed, first, last in log:
            for start in range(first, last + 1, _BATCH):
                end = min(last, start + _BATCH - 1)
                if removed:
                    yield Change(np.arange(start, end + 1, dtype=np.int64), None, _none())
                    continue
                rows = self._db.execute(
                    "SELECT h.number, h.hash, e.label = 'false_match' OR e.bank IN (SELECT value FROM json_each(?))"
                    " FROM hashes h CROSS JOIN entries e ON e.number = h.entry"
                    " WHERE h.number BETWEEN ? AND ? AND h.kind = ? AND e.status = 'active'"
                    " AND e.bank IN (SELECT value FROM json_each(?))",
                    (false, start, end, _PDQ, matching),
                ).fetchall()
                if rows:
                    numbers = np.array([row[0] for row in rows], np.int64)
                    raw = np.frombuffer(b"".join(row[1] for row in rows), np.uint8).reshape(len(rows), 32)
                    yield Change(numbers, raw, numbers[np.array([bool(row[2]) for row in rows])])

    def false_numbers(self, false_banks: Iterable[int]) -> Numbers:
        """The PDQ hashes of every active entry that silences others: of these banks, or labelled `false_match`."""
        rows = self._db.execute(
            "SELECT h.number FROM hashes h JOIN entries e ON e.number = h.entry"
            " WHERE e.label = 'false_match' AND e.status = 'active' AND h.kind = ?1"
            " UNION SELECT h.number FROM hashes h JOIN entries e ON e.number = h.entry"
            " WHERE e.bank IN (SELECT value FROM json_each(?2)) AND e.status = 'active' AND h.kind = ?1",
            (_PDQ, json.dumps(list(false_banks))),
        ).fetchall()
        return np.array([row[0] for row in rows], np.int64)

    def exact(self, hashes: Iterable[tuple[HashKind, str]], most: int = 1_000) -> tuple[Hit, ...]:
        """The active entries that have one of these exact hashes (at most so many hits)."""
        hits: list[Hit] = []
        for kind, digits in hashes:
            place = HASH_KINDS.index(kind)
            if place == _PDQ or len(hits) >= most:
                continue
            rows = self._db.execute(
                f"{_HIT} WHERE h.hash = ? AND h.kind = {place} AND h.kind < 3 AND e.status = 'active' LIMIT ?",
                (bytes.fromhex(digits), most - len(hits)),
            )
            hits += [_hit(row) for row in rows]
        return tuple(hits)

    def holders(self, kind: HashKind, digits: str, most: int = 100) -> tuple[Holder, ...]:
        """The entries, also those that do not match now, that have this very hash. A PDQ hash is found only by those
        who search near it (`Matcher`)."""
        rows = self._db.execute(
            "SELECT DISTINCT b.name, e.id, e.label, e.status FROM hashes h JOIN entries e ON e.number = h.entry"
            " JOIN banks b ON b.number = e.bank WHERE h.hash = ? AND h.kind = ? AND h.kind < 3 LIMIT ?",
            (bytes.fromhex(digits), HASH_KINDS.index(kind), most),
        )
        return tuple(Holder(*row) for row in rows)

    def numbers(self, entries: Iterable[tuple[str, str]]) -> dict[tuple[str, str], int]:
        """The numbers of entries, each given by its bank and its id; unknown ones are left out."""
        wanted = json.dumps(list(entries))
        rows = self._db.execute(
            "SELECT b.name, e.id, e.number FROM json_each(?) j JOIN banks b ON b.name = j.value ->> 0"
            " JOIN entries e ON e.bank = b.number AND e.id = j.value ->> 1",
            (wanted,),
        )
        return {(bank, entry): number for bank, entry, number in rows}

    def numbered(self, number: int) -> tuple[str, str] | None:
        """The bank and the id of the entry of that number."""
        row: tuple[str, str] | None = self._db.execute(
            "SELECT b.name, e.id FROM entries e JOIN banks b ON b.number = e.bank WHERE e.number = ?",
            (number,),
        ).fetchone()
        return row

    def seconds(self, bank: int, entry: str, quality: int) -> tuple[float, ...]:
        """The seconds of an active banked video's frames of this quality or better."""
        rows = self._db.execute(
            "SELECT h.at FROM entries e JOIN hashes h ON h.entry = e.number"
            " WHERE e.bank = ? AND e.id = ? AND e.status = 'active' AND h.at IS NOT NULL AND h.quality >= ?",
            (bank, entry, quality),
        )
        return tuple(row[0] for row in rows)

    def hits(self, numbers: Iterable[int]) -> dict[int, Hit]:
        """Whose these hashes are, by their numbers; those that are not active are left out."""
        listed = json.dumps([int(n) for n in numbers])
        rows = self._db.execute(
            f"{_HIT} WHERE h.number IN (SELECT value FROM json_each(?)) AND e.status = 'active'", (listed,)
        )
        return {row[0]: _hit(row) for row in rows}


_HIT = (
    "SELECT h.number, e.bank, e.id, e.label, h.kind, h.how, h.at, h.quality"
    " FROM hashes h JOIN entries e ON e.number = h.entry"
)


def _hit(row: tuple[int, int, str, str, int, str, float | None, int]) -> Hit:
    number, bank, entry, label, kind, how, at, quality = row
    return Hit(number, bank, entry, label, HASH_KINDS[kind], how, at, quality)


def _none() -> Numbers:
    return np.empty(0, np.int64)
