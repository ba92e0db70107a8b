"""The tables of appeals: tokens that were given, what was filed with them, what follows and is not done yet."""

from sqlalchemy import Boolean, Column, Index, Table, false

from underwing.casebook.columns import METADATA, Bytes, Number, Text

grants = Table(
    "appeal_grants", METADATA,
    Column("hash", Text, primary_key=True),
    Column("account", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("case_id", Number),
    Column("language", Text, nullable=False),
    Column("statement", Bytes),
    Column("issued", Number, nullable=False),
    Column("expires", Number, nullable=False),
    Index("appeal_grants_event", "event", "account"),
    Index("appeal_grants_expires", "expires"),
    sqlite_with_rowid=False,
)  # fmt: skip

appeals = Table(
    "appeals", METADATA,
    Column("id", Text, primary_key=True),
    Column("grant_hash", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("case_id", Number),
    Column("language", Text, nullable=False),
    Column("statement", Bytes),
    Column("text", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("filed", Number, nullable=False),
    Column("due", Number, nullable=False),
    Column("holder", Text, nullable=False),
    Column("decided_by", Text, nullable=False),
    Column("decided", Number),
    Column("answer", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("match_false", Boolean, nullable=False),
    Column("alone", Boolean, nullable=False, server_default=false()),
    Index("appeals_grant", "grant_hash", "kind", unique=True),
    Index("appeals_queue", "state", "due", "id"),
    Index("appeals_filed", "filed"),
    Index("appeals_case", "case_id"),
    sqlite_with_rowid=False,
)  # fmt: skip

follows = Table(
    "appeal_follows", METADATA,
    Column("number", Number, primary_key=True),
    Column("appeal", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("tries", Number, nullable=False),
    Column("next", Number),
    Index("appeal_follows_next", "next"),
    sqlite_autoincrement=True,
)  # fmt: skip
