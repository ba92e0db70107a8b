"""What sums up the items of cases: what they share with others, who is in them, who did what to whom."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from sqlalchemy import BindParameter, bindparam, case, delete, func, select, true, update

from underwing.casebook.cases.rows.base import Base
from underwing.casebook.cases.tables import edges, people, relations, ties
from underwing.casebook.cases.triage import priority_of
from underwing.casebook.cases.values import Edge, Findings, Person, Relation, Tie
from underwing.casebook.database import Row

_MOST_TIED = 8
"""So many live cases are looked at for one tie."""
_t, _p, _e, _r = ties.c, people.c, edges.c, relations.c
_WANTED: BindParameter[int] = bindparam("wanted")
_MOST: BindParameter[int] = bindparam("most")
_TIED = select(_t.case_id, _t.event, _t.key).where(_t.kind == bindparam("kind"))
_LIVE = _TIED.where(_t.key == bindparam("key"), _t.live == true()).order_by(_t.case_id).limit(_MOST_TIED)
_NEWEST = _TIED.where(_t.key == bindparam("key")).order_by(_t.case_id.desc()).limit(1)
_BAND = (
    _TIED.where(_t.key >= bindparam("low"), _t.key < bindparam("high"), _t.live == true())
    .order_by(_t.key, _t.case_id)
    .limit(8 * _MOST_TIED)
)
_SET_LIVE = update(ties).where(_t.case_id == _WANTED)
_PEOPLE = (
    select(_p.account, _p.role, _p.minor)
    .where(_p.case_id == _WANTED)
    .order_by(_p.account, _p.role)
    .limit(_MOST)
)
_EDGE = select(_e.case_id, _e.actor, _e.target, _e.flags, _e["items"], _e.first, _e.last)
_EDGES = _EDGE.where(_e.case_id == _WANTED).order_by(_e.actor, _e.target).limit(_MOST)
_EDGES_OF = _EDGE.where(_e.actor == _WANTED).order_by(_e.target, _e.case_id).limit(_MOST)
_FLAGS = select(_e.flags).where(
    _e.case_id == _WANTED, _e.actor == bindparam("actor"), _e.target == bindparam("target")
)
_RELATED = (
    select(relations)
    .where((_r.case_id == _WANTED) | (_r.other == _WANTED))
    .order_by(_r.strength.desc(), _r.case_id, _r.other, _r.kind)
)
_EVERYTHING = 2**31


class Sums(Base):
    """Statements on ties, people, edges and relations."""

    @cached_property
    def _tie(self) -> Any:
        return self.database.upsert(ties).on_conflict_do_nothing()

    @cached_property
    def _person(self) -> Any:
        made = self.database.upsert(people)
        return made.on_conflict_do_update(
            index_elements=[_p.case_id, _p.account, _p.role],
            set_={"minor": func.coalesce(made.excluded.minor, _p.minor)},
        )

    @cached_property
    def _edge(self) -> Any:
        made = self.database.upsert(edges)
        new = made.excluded
        return made.on_conflict_do_update(
            index_elements=[_e.case_id, _e.actor, _e.target],
            set_={
                "flags": _e.flags.bitwise_or(new.flags),
                "items": _e["items"] + 1,
                "first": case((new.first < _e.first, new.first), else_=_e.first),
                "last": case((new.last > _e.last, new.last), else_=_e.last),
            },
        )

    @cached_property
    def _relation(self) -> Any:
        return self.database.upsert(relations).on_conflict_do_nothing()

    def sum_up(self, case: int, found: Findings, live: bool) -> None:
        """Add one item to what sums up its case."""
        run = self.database.run
        if found.ties:
            run(self._tie, [
                {"kind": t.kind, "key": t.key, "case_id": case, "event": found.event, "live": live} for t in found.ties
            ])  # fmt: skip
        if found.people:
            run(self._person, [
                {"case_id": case, "account": p.account, "role": p.role, "minor": p.minor} for p in found.people
            ])  # fmt: skip
        run(self._edge, {
            "case_id": case, "actor": found.actor or "", "target": found.target or "", "flags": found.flags, "items": 1,
            "first": found.at, "last": found.at,
        })  # fmt: skip

    def clear(self, case: int) -> None:
        """Forget what sums up a case's items."""
        for table in (ties, people, edges):
            self.database.run(delete(table).where(table.c.case_id == case))

    def set_live(self, case: int, live: bool) -> None:
        """Whether a case still gathers."""
        self.database.run(_SET_LIVE, {"wanted": case, "live": live})

    def tied(self, tie: Tie, *, live: bool = True) -> list[tuple[int, str, str]]:
        """(case, event that brought the tie, key) of cases that share a tie, the oldest first; with `live` False the
        newest of all. For scripts the key is a band, and the keys found are to be compared."""
        if tie.kind == "script":
            band = tie.key.rpartition(":")[0]
            rows = self.database.rows(_BAND, {"kind": "script", "low": band + ":", "high": band + ";"})
        else:
            rows = self.database.rows(_LIVE if live else _NEWEST, {"kind": tie.kind, "key": tie.key})
        return [(row.case_id, row.event, row.key) for row in rows]

    def people(self, case: int, limit: int = _EVERYTHING) -> list[Person]:
        """Who is in a case, by account."""
        rows = self.database.rows(_PEOPLE, {"wanted": case, "most": limit})
        return [Person(account=row.account, role=row.role, minor=row.minor) for row in rows]

    def roles_of(self, account: str, cases: Sequence[int]) -> list[tuple[str, bool | None]]:
        """(role, minor) of an account in some cases."""
        rows = self.database.rows(
            select(_p.role, _p.minor)
            .where(_p.account == account, _p.case_id.in_(cases))
            .order_by(_p.case_id, _p.role)
        )
        return [(row.role, row.minor) for row in rows]

    def edges(self, case: int, limit: int = _EVERYTHING) -> list[Edge]:
        """Who did what to whom in a case."""
        return [_an_edge(row) for row in self.database.rows(_EDGES, {"wanted": case, "most": limit})]

    def edges_of(self, actor: str, limit: int) -> list[tuple[int, Edge]]:
        """(case, edge) of everything one account did in any case."""
        rows = self.database.rows(_EDGES_OF, {"wanted": actor, "most": limit})
        return [(row.case_id, _an_edge(row)) for row in rows]

    def flags(self, case: int, actor: str, target: str) -> int:
        """What was seen between two accounts of a case."""
        return self.database.value(_FLAGS, {"wanted": case, "actor": actor, "target": target}) or 0

    def relate(self, relation: Relation) -> None:
        """Note that two cases share something; once for each kind."""
        low, high = sorted((relation.case, relation.other))
        if low != high:
            self.database.run(self._relation, {
                "case_id": low, "other": high, "kind": relation.kind, "strength": relation.strength,
                "event": relation.event, "at": relation.at,
            })  # fmt: skip

    def relations(self, case: int) -> list[Relation]:
        """What a case shares with others, the strongest first."""
        return [
            Relation(
                case=case, other=row.other if row.case_id == case else row.case_id, kind=row.kind,
                strength=row.strength, event=row.event, at=row.at,
            )
            for row in self.database.rows(_RELATED, {"wanted": case})
        ]  # fmt: skip


def _an_edge(row: Row) -> Edge:
    _, actor, target, flags, items, first, last = row
    return Edge(
        actor=actor, target=target, flags=flags, priority=priority_of(flags), items=items, first=first, last=last
    )  # fmt: skip
