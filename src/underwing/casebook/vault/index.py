"""The vault's index in the casebook's database. All of the vault's SQL is here.

The custody log is the truth about what happened to an object; these tables are what follows from it, kept for speed, and
`verify` compares the two. Only the wrapped keys and the sealed labels are here alone.
"""

from collections.abc import Iterator
from typing import Literal

import msgspec
from msgspec import Struct
from sqlalchemy import and_, delete, func, insert, or_, select, true, update

from underwing.casebook.database import CasebookError, Database, Row
from underwing.casebook.vault.retention import ObjectKind
from underwing.casebook.vault.tables import case_keys, certificates, destructions, holds, intakes, objects

_c = objects.c
_STORED = (
    _c.address, _c.locator, _c.case_id, _c.sha256, _c.generation, _c.size, _c.segment, _c.segments, _c.kind, _c.regions,
    _c.at, _c.reported, _c.state,
)  # fmt: skip
State = Literal["kept", "withdrawn", "destroyed"]


class Stored(Struct, frozen=True, kw_only=True):
    """What the index knows of one object. Sizes in bytes, times as the casebook writes them, `reported` "" for never.

    `address` is what others name it by, `locator` the random name its segments lie under, `generation` how many objects
    of the same bytes and case were destroyed before it.
    """

    address: str
    locator: str
    case: str
    sha256: str
    generation: int
    size: int
    segment: int
    segments: int
    kind: ObjectKind
    regions: tuple[str, ...]
    at: str
    reported: str = ""
    state: State = "kept"


class Hold(Struct, frozen=True, kw_only=True):
    """A legal hold on one object, or on a whole case with all it will ever get (`object` ""). `number` is its record's."""

    number: int
    object: str
    case: str
    by: str
    reason: str
    at: str


class Asked(Struct, frozen=True, kw_only=True):
    """Someone asked for an object's destruction; a second person has not confirmed it yet."""

    address: str
    by: str
    reason: str
    at: str


class Index:
    """Reads and writes of the vault's tables; transactions are the caller's."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def case_key(self, case: str) -> tuple[str, bytes] | None:
        """(id of the wrapping key, wrapped key) of a case."""
        found = self._db.row(select(case_keys).where(case_keys.c.case_id == case))
        return (found.keys_id, found.wrapped) if found else None

    def case_keys(self) -> list[tuple[str, str, bytes]]:
        """(case, id of the wrapping key, wrapped key) of every case."""
        return [
            (r.case_id, r.keys_id, r.wrapped)
            for r in self._db.rows(select(case_keys).order_by(case_keys.c.case_id))
        ]

    def add_case_key(self, case: str, keys_id: str, wrapped: bytes) -> None:
        """Keep a case's wrapped key, in place of the one before."""
        self._db.run(delete(case_keys).where(case_keys.c.case_id == case))
        self._db.run(insert(case_keys).values(case_id=case, keys_id=keys_id, wrapped=wrapped))

    def begin(self, locator: str, case: str, at: str) -> None:
        """Note an intake before its first byte is stored, so that what it leaves behind can be found."""
        self._db.run(insert(intakes).values(locator=locator, case_id=case, at=at))

    def end(self, locator: str) -> bool:
        """The intake is over and its object kept; False if it was given up before."""
        return self._db.run(delete(intakes).where(intakes.c.locator == locator, intakes.c.at != "")) == 1

    def give_up(self, locator: str) -> bool:
        """The intake can no longer end well; False if it has."""
        return self._db.run(update(intakes).where(intakes.c.locator == locator).values(at="")) == 1

    def forget(self, locator: str) -> None:
        """Nothing is left of an intake that was given up."""
        self._db.run(delete(intakes).where(intakes.c.locator == locator))

    def intakes(self, before: str = "9") -> list[str]:
        """Locators of intakes that began before a time and are not over."""
        return [r.locator for r in self._db.rows(select(intakes.c.locator).where(intakes.c.at < before))]

    def add(self, stored: Stored, wrapped: bytes, label: bytes) -> None:
        """A new object with its wrapped key; its entry in the store is still to be made."""
        fields = msgspec.structs.asdict(stored)
        fields |= {"case_id": fields.pop("case"), "regions": " ".join(stored.regions)}
        self._db.run(insert(objects).values(**fields, settled=False, wrapped=wrapped, label=label))

    def get(self, address: str) -> Stored:
        """The object at an address.

        Raises:
            CasebookError: there is none.
        """
        found = self.find(address)
        if found is None:
            raise CasebookError(f"there is no object {address}", "no_object")
        return found

    def find(self, address: str) -> Stored | None:
        """The object at an address, or None."""
        found = self._db.row(select(*_STORED).where(_c.address == address))
        return _stored(found) if found else None

    def beginning(self, digits: str) -> list[str]:
        """At most two addresses that begin with these digits."""
        starts = func.substr(_c.address, 1, len(digits)) == digits
        return [row.address for row in self._db.rows(select(_c.address).where(starts).limit(2))]

    def same(self, sha256: str) -> list[Stored]:
        """The objects with these bytes, in all cases."""
        rows = self._db.rows(select(*_STORED).where(_c.sha256 == sha256).order_by(_c.at))
        return [_stored(row) for row in rows]

    def objects(self, case: str = "", settled: bool | None = None) -> Iterator[Stored]:
        """All objects, of one case or all, in the order of their addresses, some hundreds at a time in memory."""
        after = ""
        wanted = and_(
            _c.case_id == case if case else true(), _c.settled == settled if settled is not None else true()
        )
        query = select(*_STORED).where(wanted).order_by(_c.address).limit(500)
        while rows := self._db.rows(query.where(_c.address > after)):
            for row in rows:
                yield _stored(row)
            after = rows[-1].address

    def secrets(self, address: str) -> tuple[bytes | None, bytes | None]:
        """(wrapped data key, sealed label) of an object; None once it was destroyed."""
        row = self._db.row(select(_c.wrapped, _c.label).where(_c.address == address))
        return (row.wrapped, row.label) if row else (None, None)

    def settle(self, address: str) -> None:
        """The store now holds what the object's state says it holds."""
        self._db.run(update(objects).where(_c.address == address).values(settled=True))

    def set_state(self, address: str, state: State) -> None:
        """Change an object's state; `destroyed` takes its key and its label as well, and leaves the store to be cleared."""
        gone = {"settled": False, "wrapped": None, "label": None} if state == "destroyed" else {}
        self._db.run(update(objects).where(_c.address == address).values(state=state, **gone))

    def set_reported(self, address: str, at: str) -> None:
        """An authority was told of the object."""
        self._db.run(update(objects).where(_c.address == address).values(reported=at))

    def hold(self, hold: Hold) -> None:
        """A new hold."""
        self._db.run(
            insert(holds).values(
                number=hold.number, object=hold.object, case_id=hold.case, holder=hold.by, reason=hold.reason, at=hold.at
            )
        )  # fmt: skip

    def release(self, number: int) -> None:
        """The hold is over."""
        self._db.run(delete(holds).where(holds.c.number == number))

    def holds(self) -> list[Hold]:
        """Every hold that stands."""
        return [_hold(row) for row in self._db.rows(select(holds).order_by(holds.c.number))]

    def holds_on(self, stored: Stored) -> list[Hold]:
        """The holds on an object, its own and its case's."""
        on = or_(holds.c.object == stored.address, and_(holds.c.object == "", holds.c.case_id == stored.case))
        return [_hold(row) for row in self._db.rows(select(holds).where(on).order_by(holds.c.number))]

    def ask(self, asked: Asked) -> None:
        """Note that destruction was asked for."""
        self._db.run(
            insert(destructions).values(
                address=asked.address, asked_by=asked.by, reason=asked.reason, at=asked.at
            )
        )

    def asked(self, address: str) -> Asked | None:
        """Who asked for an object's destruction, if anyone."""
        row = self._db.row(select(destructions).where(destructions.c.address == address))
        return Asked(address=row.address, by=row.asked_by, reason=row.reason, at=row.at) if row else None

    def unask(self, address: str) -> None:
        """The request is over."""
        self._db.run(delete(destructions).where(destructions.c.address == address))

    def certify(self, address: str, body: bytes) -> None:
        """Keep a certificate of destruction."""
        self._db.run(insert(certificates).values(address=address, body=body))

    def certificate(self, address: str) -> bytes | None:
        """The certificate of an object's destruction."""
        found: bytes | None = self._db.value(
            select(certificates.c.body).where(certificates.c.address == address)
        )
        return found


def _stored(row: Row) -> Stored:
    return Stored(
        address=row[0], locator=row[1], case=row[2], sha256=row[3], generation=row[4], size=row[5], segment=row[6],
        segments=row[7], kind=row[8], regions=tuple(row[9].split()), at=row[10], reported=row[11], state=row[12],
    )  # fmt: skip


def _hold(row: Row) -> Hold:
    return Hold(
        number=row.number,
        object=row.object,
        case=row.case_id,
        by=row.holder,
        reason=row.reason,
        at=row.at,
    )
