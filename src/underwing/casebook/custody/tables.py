"""The tables of the custody log."""

from sqlalchemy import Column, Table

from underwing.casebook.columns import METADATA, Bytes, Number, Text

custody = Table(
    "custody", METADATA,
    Column("number", Number, primary_key=True, autoincrement=False),
    Column("body", Bytes, nullable=False),
    Column("hash", Text, nullable=False),
    Column("signature", Bytes, nullable=False),
)  # fmt: skip
checkpoints = Table(
    "custody_checkpoints", METADATA,
    Column("number", Number, primary_key=True),
    Column("body", Bytes, nullable=False),
)  # fmt: skip
