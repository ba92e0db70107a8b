"""The tables of the sealed context: what was said around a case, under a key for each conversation."""

from sqlalchemy import Column, ForeignKey, Index, Table

from underwing.casebook.columns import METADATA, Bytes, Number, Text

keys = Table(
    "context_keys", METADATA,
    Column("name", Text, primary_key=True),
    Column("keys_id", Text, nullable=False),
    Column("wrapped", Bytes, nullable=False),
)  # fmt: skip
seals = Table(
    "context_seals", METADATA,
    Column("id", Number, primary_key=True),
    Column("conversation", Bytes, nullable=False, unique=True),
    Column("keys_id", Text, nullable=False),
    Column("wrapped", Bytes, nullable=False),
    sqlite_autoincrement=True,
)  # fmt: skip
lines = Table(
    "context_lines", METADATA,
    Column("seal", Number, ForeignKey(seals.c.id), primary_key=True),
    Column("event", Bytes, primary_key=True),
    Column("at", Number, nullable=False),
    Column("origin", Text, nullable=False),
    Column("body", Bytes, nullable=False),
    sqlite_with_rowid=False,
)  # fmt: skip
holds = Table(
    "context_holds", METADATA,
    Column("case_id", Number, ForeignKey("cases.id"), primary_key=True),
    Column("seal", Number, ForeignKey(seals.c.id), primary_key=True),
    Index("context_holds_seal", "seal"),
    sqlite_with_rowid=False,
)  # fmt: skip
