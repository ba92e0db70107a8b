"""The events of cases."""

from collections.abc import Iterator, Sequence

import msgspec
from sqlalchemy import bindparam, false, select, tuple_, update

from underwing.casebook.cases.rows.base import Base
from underwing.casebook.cases.tables import items
from underwing.casebook.cases.values import Because, Findings, Item
from underwing.casebook.database import Row

_encode = msgspec.json.encode
_found = msgspec.json.Decoder(Findings).decode
_because = msgspec.json.Decoder(tuple[Because, ...]).decode
_c = items.c
_SHOWN = select(_c.case_id, _c.added, _c.found, _c.because, _c.decision)
_ONE = _SHOWN.where(_c.event == bindparam("wanted"))
_OF_CASE = (
    _SHOWN.where(
        _c.case_id == bindparam("wanted"),
        tuple_(_c.at, _c.event) > tuple_(bindparam("at", type_=_c.at.type), bindparam("event", type_=_c.event.type)),
    )
    .order_by(_c.at, _c.event)
    .limit(bindparam("most"))
)  # fmt: skip
_MOVE = update(items).where(_c.event == bindparam("wanted"))
_UNSEALED = select(_c.case_id, _c.event, _c.found).where(_c.sealed == false()).limit(bindparam("most"))
_PART = 1_000


class Items(Base):
    """Statements on the events of cases."""

    def item(self, event: str) -> Item | None:
        """An item by its event."""
        row = self.database.row(_ONE, {"wanted": event})
        return _item(row) if row else None

    def items(self, case: int, after: tuple[int, str] = (-1, ""), limit: int = _PART) -> list[Item]:
        """So many items of a case by time, behind `after` (at, event)."""
        values = {"wanted": case, "at": after[0], "event": after[1], "most": limit}
        return [_item(row) for row in self.database.rows(_OF_CASE, values)]

    def all_items(self, case: int) -> Iterator[Item]:
        """All items of a case by time, some at a time in memory."""
        after = (-1, "")
        while part := self.items(case, after):
            yield from part
            after = (part[-1].found.at, part[-1].found.event)

    def insert_item(self, item: Item) -> bool:
        """Write an item, unless its event is in a case already; whether it was written."""
        found = item.found
        made = self.database.upsert(items).on_conflict_do_nothing()
        return self.database.run(made, {
            "event": found.event, "case_id": item.case, "added": item.added, "at": found.at, "found": _encode(found),
            "because": _encode(item.because), "decision": item.decision, "sealed": found.conversation is None,
        }) == 1  # fmt: skip

    def move(self, events: Sequence[str], to: int) -> None:
        """Put items into another case; `rebuild` both afterwards."""
        if events:
            self.database.run(_MOVE, [{"wanted": event, "case_id": to} for event in events])

    def unsealed(self, limit: int = _PART) -> list[tuple[int, str, str | None]]:
        """(case, event, conversation) of items whose context has not been sealed yet."""
        rows = self.database.rows(_UNSEALED, {"most": limit})
        return [(row.case_id, row.event, _found(row.found).conversation) for row in rows]

    def set_sealed(self, events: Sequence[str]) -> None:
        """Note that the context of items has been sealed."""
        if events:
            self.database.run(_MOVE, [{"wanted": event, "sealed": True} for event in events])


def _item(row: Row) -> Item:
    case, added, found, because, decision = row
    return Item(case=case, added=added, found=_found(found), because=_because(because), decision=decision)
