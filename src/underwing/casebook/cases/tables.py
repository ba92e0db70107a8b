"""The tables of the cases.

What is true of a case is its row, its items and its history; ties, people and edges only sum up the items, and can be made
again from them. The history only grows: the migrations give it triggers that refuse anything else.
"""

from sqlalchemy import Boolean, CheckConstraint, Column, Double, ForeignKey, Index, Table, false, true

from underwing.casebook.columns import METADATA, Bytes, Number, Text

cases = Table(
    "cases", METADATA,
    Column("id", Number, primary_key=True),
    Column("state", Text, nullable=False),
    Column("priority", Number, nullable=False),
    Column("due", Number, nullable=False),
    Column("opened", Number, nullable=False),
    Column("updated", Number, nullable=False),
    Column("version", Number, nullable=False),
    Column("origin", Text, nullable=False),
    Column("holder", Text),
    Column("regions", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("outcome", Text),
    Column("reason", Text, nullable=False),
    Column("closed", Number),
    Column("into", Number),
    Column("acted", Number, nullable=False),
    Column("items", Number, nullable=False),
    Column("test", Boolean, nullable=False),
    sqlite_autoincrement=True,
)  # fmt: skip
_place = (cases.c.priority, cases.c.due, cases.c.opened, cases.c.id)
Index("cases_queue", cases.c.state, *_place)
Index("cases_all", *_place)
_held = cases.c.holder.is_not(None)
Index("cases_holder", cases.c.holder, *_place, sqlite_where=_held, postgresql_where=_held)
Index("cases_ended", cases.c.state, cases.c.id)

items = Table(
    "case_items", METADATA,
    Column("event", Text, primary_key=True),
    Column("case_id", Number, ForeignKey(cases.c.id), nullable=False),
    Column("added", Number, nullable=False),
    Column("at", Number, nullable=False),
    Column("found", Bytes, nullable=False),
    Column("because", Bytes, nullable=False),
    Column("decision", Bytes),
    Column("sealed", Boolean, nullable=False),
    Index("case_items_case", "case_id", "at", "event"),
    sqlite_with_rowid=False,
)  # fmt: skip
_unsealed = items.c.sealed == false()
Index("case_items_unsealed", items.c.case_id, sqlite_where=_unsealed, postgresql_where=_unsealed)

ties = Table(
    "case_ties", METADATA,
    Column("kind", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("case_id", Number, ForeignKey(cases.c.id), primary_key=True),
    Column("event", Text, nullable=False),
    Column("live", Boolean, nullable=False),
    Index("case_ties_case", "case_id"),
    sqlite_with_rowid=False,
)  # fmt: skip
_live = ties.c.live == true()
Index("case_ties_live", ties.c.kind, ties.c.key, ties.c.case_id, sqlite_where=_live, postgresql_where=_live)

people = Table(
    "case_people", METADATA,
    Column("case_id", Number, ForeignKey(cases.c.id), primary_key=True),
    Column("account", Text, primary_key=True),
    Column("role", Text, primary_key=True),
    Column("minor", Boolean),
    Index("case_people_account", "account", "case_id"),
    sqlite_with_rowid=False,
)  # fmt: skip

edges = Table(
    "case_edges", METADATA,
    Column("case_id", Number, ForeignKey(cases.c.id), primary_key=True),
    Column("actor", Text, primary_key=True),
    Column("target", Text, primary_key=True),
    Column("flags", Number, nullable=False),
    Column("items", Number, nullable=False),
    Column("first", Number, nullable=False),
    Column("last", Number, nullable=False),
    Index("case_edges_actor", "actor", "target"),
    sqlite_with_rowid=False,
)  # fmt: skip

relations = Table(
    "case_relations", METADATA,
    Column("case_id", Number, ForeignKey(cases.c.id), primary_key=True),
    Column("other", Number, ForeignKey(cases.c.id), primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("strength", Double, nullable=False),
    Column("event", Text, nullable=False),
    Column("at", Number, nullable=False),
    CheckConstraint("case_id < other", name="order"),
    Index("case_relations_other", "other", "case_id"),
    sqlite_with_rowid=False,
)  # fmt: skip

history = Table(
    "case_history", METADATA,
    Column("number", Number, primary_key=True),
    Column("case_id", Number, ForeignKey(cases.c.id), nullable=False),
    Column("at", Number, nullable=False),
    Column("who", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("detail", Bytes, nullable=False),
    Index("case_history_case", "case_id", "number"),
    sqlite_autoincrement=True,
)  # fmt: skip

alarms = Table(
    "case_alarms", METADATA,
    Column("case_id", Number, ForeignKey(cases.c.id), primary_key=True, autoincrement=False),
    Column("next", Number),
    Column("body", Bytes, nullable=False),
)  # fmt: skip
_waits = alarms.c.next.is_not(None)
Index("case_alarms_next", alarms.c.next, sqlite_where=_waits, postgresql_where=_waits)

marks = Table(
    "case_marks", METADATA,
    Column("name", Text, primary_key=True),
    Column("value", Number, nullable=False),
    sqlite_with_rowid=False,
)  # fmt: skip
