"""The tables of care: which file belongs to which event, what was looked at, what was enough."""

from sqlalchemy import Boolean, Column, Index, Table, UniqueConstraint

from underwing.casebook.columns import METADATA, Bytes, Number, Text

exhibits = Table(
    "care_exhibits", METADATA,
    Column("number", Number, primary_key=True),
    Column("case_id", Number, nullable=False),
    Column("event", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("problem", Text, nullable=False),
    Column("size", Number, nullable=False),
    Column("type", Text, nullable=False),
    Column("width", Number, nullable=False),
    Column("height", Number, nullable=False),
    Column("millis", Number),
    Column("matches", Bytes, nullable=False),
    Column("print", Bytes, nullable=False),
    Column("at", Number, nullable=False),
    Column("by", Text, nullable=False),
    Column("seen_by", Text, nullable=False),
    Column("seen_at", Number),
    Column("made", Text, nullable=False, server_default=""),
    UniqueConstraint("case_id", "event", "sha256"),
    Index("care_exhibits_event", "event"),
    Index("care_exhibits_sha256", "sha256"),
    Index("care_exhibits_seen", "seen_at"),
    sqlite_autoincrement=True,
)  # fmt: skip

looks = Table(
    "care_looks", METADATA,
    Column("number", Number, primary_key=True),
    Column("member", Text, nullable=False),
    Column("case_id", Number, nullable=False),
    Column("exhibit", Number, nullable=False),
    Column("at", Number, nullable=False),
    Column("seconds", Number),
    Column("severity", Number, nullable=False),
    Column("revealed", Boolean, nullable=False),
    Column("step", Number, nullable=False),
    Column("token", Text),
    Index("care_looks_member", "member", "at"),
    Index("care_looks_at", "at"),
    Index("care_looks_exhibit", "exhibit", "member"),
    sqlite_autoincrement=True,
)  # fmt: skip
_open = looks.c.seconds.is_(None)
Index("care_looks_open", looks.c.at, sqlite_where=_open, postgresql_where=_open)

enough = Table(
    "care_enough", METADATA,
    Column("case_id", Number, primary_key=True, autoincrement=False),
    Column("member", Text, nullable=False),
    Column("at", Number, nullable=False),
)  # fmt: skip
