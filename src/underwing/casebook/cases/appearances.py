"""The cases that an account appears in, and those that events are in."""

from collections.abc import Collection

from msgspec import Struct
from sqlalchemy import select

from underwing.casebook.cases.tables import cases, items, people
from underwing.casebook.cases.values import Priority
from underwing.casebook.database import Database

MOST = 50


class Appearance(Struct, frozen=True):
    """One case and the roles that the account has there."""

    case: int
    state: str
    priority: str
    opened: int
    outcome: str | None
    roles: tuple[str, ...]


def appearances(database: Database, account: str, most: int = MOST) -> list[Appearance]:
    """The newest cases of an account, the newest first."""
    c = cases.c
    newest = (
        select(people.c.case_id)
        .where(people.c.account == account)
        .distinct()
        .order_by(people.c.case_id.desc())
        .limit(most)
    ).subquery()
    rows = database.rows(
        select(c.id, c.state, c.priority, c.opened, c.outcome, people.c.role)
        .join(newest, newest.c.case_id == c.id)
        .join(people, people.c.case_id == c.id)
        .where(people.c.account == account)
        .order_by(c.id.desc(), people.c.role)
    )
    found: dict[int, Appearance] = {}
    for id, state, priority, opened, outcome, role in rows:
        before = found[id].roles if id in found else ()
        found[id] = Appearance(id, state, Priority(priority).name, opened, outcome, (*before, role))
    return list(found.values())


def cases_with(database: Database, events: Collection[str]) -> dict[str, int]:
    """The case of each of some events (ids, a few hundred at most), without those that are in none."""
    asked = select(items.c.event, items.c.case_id).where(items.c.event.in_(events))
    return {row.event: row.case_id for row in database.rows(asked)} if events else {}
