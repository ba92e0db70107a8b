"""What was done to cases, whom they still have to wake, and how far others have read."""

from functools import cached_property
from typing import Any

import msgspec
from sqlalchemy import bindparam, insert, select

from underwing.casebook.cases.rows.base import Base
from underwing.casebook.cases.tables import alarms, history, marks
from underwing.casebook.cases.values import Act
from underwing.casebook.database import Row

_encode = msgspec.json.encode
_h = history.c
_WRITE = insert(history).returning(_h.number)
_ACT = select(history).where(_h.number == bindparam("wanted"))
_HISTORY = select(history).where(_h.case_id == bindparam("wanted")).order_by(_h.number)
_ALARM = select(alarms.c.body).where(alarms.c.case_id == bindparam("wanted"))
_ALARMS = (
    select(alarms.c.body)
    .where(alarms.c.next <= bindparam("now"))
    .order_by(alarms.c.next)
    .limit(bindparam("most"))
)
_MARK = select(marks.c.value).where(marks.c.name == bindparam("wanted"))


class Past(Base):
    """Statements on the history, the alarms and the marks."""

    @cached_property
    def _set_alarm(self) -> Any:
        made = self.database.upsert(alarms)
        new = {"next": made.excluded.next, "body": made.excluded.body}
        return made.on_conflict_do_update(index_elements=[alarms.c.case_id], set_=new)

    @cached_property
    def _set_mark(self) -> Any:
        made = self.database.upsert(marks)
        return made.on_conflict_do_update(index_elements=[marks.c.name], set_={"value": made.excluded.value})

    def write_act(self, case: int, at: int, who: str, what: str, detail: dict[str, Any]) -> int:
        """Append to the history; the line's number."""
        line = {"case_id": case, "at": at, "who": who, "what": what, "detail": _encode(detail)}
        return int(self.database.value(_WRITE, line))

    def act(self, number: int) -> Act | None:
        """A line of the history by its number."""
        row = self.database.row(_ACT, {"wanted": number})
        return _act(row) if row else None

    def history(self, case: int) -> list[Act]:
        """Everything done to a case, in order."""
        return [_act(row) for row in self.database.rows(_HISTORY, {"wanted": case})]

    def set_alarm(self, case: int, next: int | None, body: bytes) -> None:
        """Write the state of a case's alarm; `next` is when it is looked at again (None: never)."""
        self.database.run(self._set_alarm, {"case_id": case, "next": next, "body": body})

    def alarm(self, case: int) -> bytes | None:
        """The state of a case's alarm."""
        found: bytes | None = self.database.value(_ALARM, {"wanted": case})
        return found

    def alarms(self, now: int, limit: int = 100) -> list[bytes]:
        """The alarms to be looked at by `now`, the longest waiting first."""
        return [row.body for row in self.database.rows(_ALARMS, {"now": now, "most": limit})]

    def mark(self, name: str) -> int:
        """A number kept under a name; 0 at first."""
        return self.database.value(_MARK, {"wanted": name}) or 0

    def set_mark(self, name: str, value: int) -> None:
        """Keep a number under a name."""
        self.database.run(self._set_mark, {"name": name, "value": value})


def _act(row: Row) -> Act:
    return Act(
        number=row.number, case=row.case_id, at=row.at, who=row.who, what=row.what,
        detail=msgspec.json.decode(row.detail),
    )  # fmt: skip
