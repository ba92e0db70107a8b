"""The heads of cases and their order."""

from typing import Any

from msgspec import structs
from sqlalchemy import bindparam, insert, select, tuple_, update

from underwing.casebook.cases.rows.base import Base
from underwing.casebook.cases.tables import cases
from underwing.casebook.cases.values import Case, Priority
from underwing.casebook.database import Row

_c = cases.c
_COLUMNS = [_c[name] for name in Case.__struct_fields__]
_ONE = select(*_COLUMNS).where(_c.id == bindparam("wanted"))
_INSERT = insert(cases).returning(_c.id)
_UPDATE = update(cases).where(_c.id == bindparam("wanted"), _c.version == bindparam("had"))
_PLACE = tuple_(_c.priority, _c.due, _c.opened, _c.id)
_AFTER = tuple_(*(bindparam(name, type_=_c.id.type) for name in ("priority", "due", "opened", "number")))
_ENDED = (
    select(*_COLUMNS)
    .where(_c.state == "closed", _c.id > bindparam("after"))
    .order_by(_c.id)
    .limit(bindparam("most"))
)


class Heads(Base):
    """Statements on the cases themselves."""

    def case(self, id: int) -> Case | None:
        """A case by its number."""
        row = self.database.row(_ONE, {"wanted": id})
        return _case(row) if row else None

    def insert_case(self, case: Case) -> int:
        """Write a new case; its number (that of `case` is not used)."""
        return int(self.database.value(_INSERT, _fields(case)))

    def update_case(self, case: Case, version: int) -> bool:
        """Write `case` over its row if that still has `version`; whether it had."""
        return self.database.run(_UPDATE, _fields(case) | {"wanted": case.id, "had": version}) == 1

    def page(
        self,
        state: str | None,
        holder: str | None,
        after: tuple[int, int, int, int] | None,
        limit: int,
    ) -> list[Case]:
        """Cases in the order of the queue, behind `after` (priority, due, opened, id)."""
        query = select(*_COLUMNS).order_by(_c.priority, _c.due, _c.opened, _c.id).limit(limit)
        values = {}
        if holder is not None:
            query = query.where(_c.holder == holder)
        if state is not None:
            query = query.where(_c.state == state)
        if after is not None:
            query = query.where(_PLACE > _AFTER)
            values = dict(zip(("priority", "due", "opened", "number"), after, strict=True))
        return [_case(row) for row in self.database.rows(query, values)]

    def ended(self, after: int, limit: int) -> list[Case]:
        """Closed cases with a number above `after`."""
        return [_case(row) for row in self.database.rows(_ENDED, {"after": after, "most": limit})]


def _fields(case: Case) -> dict[str, Any]:
    """The columns of a case but its number."""
    made = structs.asdict(case) | {"regions": ",".join(case.regions), "priority": int(case.priority)}
    del made["id"]
    return made


def _case(row: Row) -> Case:
    made = dict(row._mapping)
    regions = made["regions"]
    made |= {
        "priority": Priority(made["priority"]),
        "regions": tuple(regions.split(",")) if regions else (),
        "test": bool(made["test"]),
    }
    return Case(**made)
