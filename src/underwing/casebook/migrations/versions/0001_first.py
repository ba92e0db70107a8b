"""The first tables: cases, sealed context, custody log, index of the vault."""

from alembic import op
from sqlalchemy import CheckConstraint, ForeignKeyConstraint, PrimaryKeyConstraint, UniqueConstraint

from underwing.casebook.migrations.kinds import blob, flag, number, only, real, words

revision = "0001"
down_revision = None
TABLES = (
    "cases",
    "case_items",
    "case_history",
    "case_alarms",
    "case_marks",
    "case_ties",
    "case_people",
    "case_edges",
    "case_relations",
    "context_keys",
    "context_seals",
    "context_lines",
    "context_holds",
    "custody",
    "custody_checkpoints",
    "vault_case_keys",
    "vault_intakes",
    "vault_objects",
    "vault_holds",
    "vault_destructions",
    "vault_certificates",
)
"""In the order in which they are made."""
STAYS = """
CREATE TRIGGER case_history_stays BEFORE UPDATE ON case_history
BEGIN SELECT RAISE(ABORT, 'the history of a case only grows'); END
"""
KEPT = STAYS.replace("stays", "kept").replace("UPDATE", "DELETE")
REFUSE = """
CREATE FUNCTION case_history_grows() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the history of a case only grows'; END $$
"""
GROWS = """
CREATE TRIGGER case_history_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON case_history
FOR EACH STATEMENT EXECUTE FUNCTION case_history_grows()
"""


def upgrade() -> None:
    """Make them."""
    _cases()
    _sums()
    _context()
    _custody()
    _vault()
    if op.get_context().dialect.name == "sqlite":
        op.execute(STAYS)
        op.execute(KEPT)
    else:
        op.execute(REFUSE)
        op.execute(GROWS)


def downgrade() -> None:
    """Drop them."""
    for table in reversed(TABLES):
        op.drop_table(table)
    if op.get_context().dialect.name == "postgresql":
        op.execute("DROP FUNCTION case_history_grows")


def _cases() -> None:
    op.create_table(
        "cases", number("id"), words("state"), number("priority"), number("due"), number("opened"),
        number("updated"), number("version"), words("origin"), words("holder", nullable=True),
        words("regions"), words("why"), words("outcome", nullable=True), words("reason"),
        number("closed", nullable=True), number("into", nullable=True), number("acted"), number("items"),
        flag("test"), PrimaryKeyConstraint("id", name="cases_pkey"), sqlite_autoincrement=True,
    )  # fmt: skip
    op.create_index("cases_all", "cases", ["priority", "due", "opened", "id"])
    op.create_index("cases_ended", "cases", ["state", "id"])
    op.create_index(
        "cases_holder", "cases", ["holder", "priority", "due", "opened", "id"], **only("holder IS NOT NULL")
    )
    op.create_index("cases_queue", "cases", ["state", "priority", "due", "opened", "id"])
    op.create_table(
        "case_items", words("event"), number("case_id"), number("added"), number("at"), blob("found"),
        blob("because"), blob("decision", nullable=True), flag("sealed"),
        ForeignKeyConstraint(["case_id"], ["cases.id"], name="case_items_case_id_fkey"),
        PrimaryKeyConstraint("event", name="case_items_pkey"), sqlite_with_rowid=False,
    )  # fmt: skip
    op.create_index("case_items_case", "case_items", ["case_id", "at", "event"])
    op.create_index("case_items_unsealed", "case_items", ["case_id"], **only("sealed = 0", "NOT sealed"))
    op.create_table(
        "case_history", number("number"), number("case_id"), number("at"), words("who"), words("what"),
        blob("detail"), ForeignKeyConstraint(["case_id"], ["cases.id"], name="case_history_case_id_fkey"),
        PrimaryKeyConstraint("number", name="case_history_pkey"), sqlite_autoincrement=True,
    )  # fmt: skip
    op.create_index("case_history_case", "case_history", ["case_id", "number"])
    op.create_table(
        "case_alarms", number("case_id", autoincrement=False), number("next", nullable=True), blob("body"),
        ForeignKeyConstraint(["case_id"], ["cases.id"], name="case_alarms_case_id_fkey"),
        PrimaryKeyConstraint("case_id", name="case_alarms_pkey"),
    )  # fmt: skip
    op.create_index("case_alarms_next", "case_alarms", ["next"], **only("next IS NOT NULL"))
    op.create_table(
        "case_marks", words("name"), number("value"), PrimaryKeyConstraint("name", name="case_marks_pkey"),
        sqlite_with_rowid=False,
    )  # fmt: skip


def _sums() -> None:
    op.create_table(
        "case_ties", words("kind"), words("key"), number("case_id"), words("event"), flag("live"),
        ForeignKeyConstraint(["case_id"], ["cases.id"], name="case_ties_case_id_fkey"),
        PrimaryKeyConstraint("kind", "key", "case_id", name="case_ties_pkey"), sqlite_with_rowid=False,
    )  # fmt: skip
    op.create_index("case_ties_case", "case_ties", ["case_id"])
    op.create_index("case_ties_live", "case_ties", ["kind", "key", "case_id"], **only("live = 1", "live"))
    op.create_table(
        "case_people", number("case_id"), words("account"), words("role"), flag("minor", nullable=True),
        ForeignKeyConstraint(["case_id"], ["cases.id"], name="case_people_case_id_fkey"),
        PrimaryKeyConstraint("case_id", "account", "role", name="case_people_pkey"),
        sqlite_with_rowid=False,
    )  # fmt: skip
    op.create_index("case_people_account", "case_people", ["account", "case_id"])
    op.create_table(
        "case_edges", number("case_id"), words("actor"), words("target"), number("flags"), number("items"),
        number("first"), number("last"),
        ForeignKeyConstraint(["case_id"], ["cases.id"], name="case_edges_case_id_fkey"),
        PrimaryKeyConstraint("case_id", "actor", "target", name="case_edges_pkey"),
        sqlite_with_rowid=False,
    )  # fmt: skip
    op.create_index("case_edges_actor", "case_edges", ["actor", "target"])
    op.create_table(
        "case_relations", number("case_id"), number("other"), words("kind"), real("strength"),
        words("event"), number("at"), CheckConstraint("case_id < other", name="case_relations_order"),
        ForeignKeyConstraint(["case_id"], ["cases.id"], name="case_relations_case_id_fkey"),
        ForeignKeyConstraint(["other"], ["cases.id"], name="case_relations_other_fkey"),
        PrimaryKeyConstraint("case_id", "other", "kind", name="case_relations_pkey"),
        sqlite_with_rowid=False,
    )  # fmt: skip
    op.create_index("case_relations_other", "case_relations", ["other", "case_id"])


def _context() -> None:
    op.create_table(
        "context_keys", words("name"), words("keys_id"), blob("wrapped"),
        PrimaryKeyConstraint("name", name="context_keys_pkey"),
    )  # fmt: skip
    op.create_table(
        "context_seals", number("id"), blob("conversation"), words("keys_id"), blob("wrapped"),
        PrimaryKeyConstraint("id", name="context_seals_pkey"),
        UniqueConstraint("conversation", name="context_seals_conversation_key"), sqlite_autoincrement=True,
    )  # fmt: skip
    op.create_table(
        "context_lines", number("seal"), blob("event"), number("at"), words("origin"), blob("body"),
        ForeignKeyConstraint(["seal"], ["context_seals.id"], name="context_lines_seal_fkey"),
        PrimaryKeyConstraint("seal", "event", name="context_lines_pkey"), sqlite_with_rowid=False,
    )  # fmt: skip
    op.create_table(
        "context_holds", number("case_id"), number("seal"),
        ForeignKeyConstraint(["case_id"], ["cases.id"], name="context_holds_case_id_fkey"),
        ForeignKeyConstraint(["seal"], ["context_seals.id"], name="context_holds_seal_fkey"),
        PrimaryKeyConstraint("case_id", "seal", name="context_holds_pkey"), sqlite_with_rowid=False,
    )  # fmt: skip
    op.create_index("context_holds_seal", "context_holds", ["seal"])


def _custody() -> None:
    op.create_table(
        "custody", number("number", autoincrement=False), blob("body"), words("hash"), blob("signature"),
        PrimaryKeyConstraint("number", name="custody_pkey"),
    )  # fmt: skip
    op.create_table(
        "custody_checkpoints", number("number"), blob("body"),
        PrimaryKeyConstraint("number", name="custody_checkpoints_pkey"),
    )  # fmt: skip


def _vault() -> None:
    op.create_table(
        "vault_case_keys", words("case_id"), words("keys_id"), blob("wrapped"),
        PrimaryKeyConstraint("case_id", name="vault_case_keys_pkey"),
    )  # fmt: skip
    op.create_table(
        "vault_intakes", words("locator"), words("case_id"), words("at"),
        PrimaryKeyConstraint("locator", name="vault_intakes_pkey"),
    )  # fmt: skip
    op.create_table(
        "vault_objects", words("address"), words("locator"), words("case_id"), words("sha256"),
        number("generation"), number("size"), number("segment"), number("segments"), words("kind"),
        words("regions"), words("at"), words("reported"), words("state"), flag("settled"),
        blob("wrapped", nullable=True), blob("label", nullable=True),
        PrimaryKeyConstraint("address", name="vault_objects_pkey"),
        UniqueConstraint("locator", name="vault_objects_locator_key"),
    )  # fmt: skip
    op.create_index("vault_objects_case", "vault_objects", ["case_id"])
    op.create_index("vault_objects_settled", "vault_objects", ["settled"])
    op.create_index("vault_objects_sha256", "vault_objects", ["sha256"])
    op.create_table(
        "vault_holds", number("number", autoincrement=False), words("object"), words("case_id"),
        words("holder"), words("reason"), words("at"),
        PrimaryKeyConstraint("number", name="vault_holds_pkey"),
    )  # fmt: skip
    op.create_table(
        "vault_destructions", words("address"), words("asked_by"), words("reason"), words("at"),
        PrimaryKeyConstraint("address", name="vault_destructions_pkey"),
    )  # fmt: skip
    op.create_table(
        "vault_certificates", words("address"), blob("body"),
        PrimaryKeyConstraint("address", name="vault_certificates_pkey"),
    )  # fmt: skip
