"""The tables of the vault's index."""

from sqlalchemy import Boolean, Column, Index, Table

from underwing.casebook.columns import METADATA, Bytes, Number, Text

case_keys = Table(
    "vault_case_keys", METADATA,
    Column("case_id", Text, primary_key=True),
    Column("keys_id", Text, nullable=False),
    Column("wrapped", Bytes, nullable=False),
)  # fmt: skip
intakes = Table(
    "vault_intakes", METADATA,
    Column("locator", Text, primary_key=True),
    Column("case_id", Text, nullable=False),
    Column("at", Text, nullable=False),
)  # fmt: skip
objects = Table(
    "vault_objects", METADATA,
    Column("address", Text, primary_key=True),
    Column("locator", Text, nullable=False, unique=True),
    Column("case_id", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("generation", Number, nullable=False),
    Column("size", Number, nullable=False),
    Column("segment", Number, nullable=False),
    Column("segments", Number, nullable=False),
    Column("kind", Text, nullable=False),
    Column("regions", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("reported", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("settled", Boolean, nullable=False),
    Column("wrapped", Bytes),
    Column("label", Bytes),
    Index("vault_objects_case", "case_id"),
    Index("vault_objects_sha256", "sha256"),
    Index("vault_objects_settled", "settled"),
)  # fmt: skip
holds = Table(
    "vault_holds", METADATA,
    Column("number", Number, primary_key=True, autoincrement=False),
    Column("object", Text, nullable=False),
    Column("case_id", Text, nullable=False),
    Column("holder", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", Text, nullable=False),
)  # fmt: skip
destructions = Table(
    "vault_destructions", METADATA,
    Column("address", Text, primary_key=True),
    Column("asked_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", Text, nullable=False),
)  # fmt: skip
certificates = Table(
    "vault_certificates", METADATA,
    Column("address", Text, primary_key=True),
    Column("body", Bytes, nullable=False),
)  # fmt: skip
