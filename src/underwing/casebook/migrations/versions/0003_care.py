"""Care: exhibits, the ledger of looks, and what was enough."""

from alembic import op
from sqlalchemy import PrimaryKeyConstraint, UniqueConstraint

from underwing.casebook.migrations.kinds import blob, flag, number, only, words

revision = "0003"
down_revision = "0002"
TABLES = ("care_exhibits", "care_looks", "care_enough")


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "care_exhibits", number("number"), number("case_id"), words("event"), words("sha256"), words("address"),
        words("problem"), number("size"), words("type"), number("width"), number("height"),
        number("millis", nullable=True), blob("matches"), blob("print"), number("at"), words("by"), words("seen_by"),
        number("seen_at", nullable=True), PrimaryKeyConstraint("number", name="care_exhibits_pkey"),
        UniqueConstraint("case_id", "event", "sha256", name="care_exhibits_case_id_key"), sqlite_autoincrement=True,
    )  # fmt: skip
    op.create_index("care_exhibits_event", "care_exhibits", ["event"])
    op.create_index("care_exhibits_seen", "care_exhibits", ["seen_at"])
    op.create_index("care_exhibits_sha256", "care_exhibits", ["sha256"])
    op.create_table(
        "care_looks", number("number"), words("member"), number("case_id"), number("exhibit"), number("at"),
        number("seconds", nullable=True), number("severity"), flag("revealed"), number("step"),
        words("token", nullable=True), PrimaryKeyConstraint("number", name="care_looks_pkey"),
        sqlite_autoincrement=True,
    )  # fmt: skip
    op.create_index("care_looks_at", "care_looks", ["at"])
    op.create_index("care_looks_exhibit", "care_looks", ["exhibit", "member"])
    op.create_index("care_looks_member", "care_looks", ["member", "at"])
    op.create_index("care_looks_open", "care_looks", ["at"], **only("seconds IS NULL"))
    op.create_table(
        "care_enough", number("case_id", autoincrement=False), words("member"), number("at"),
        PrimaryKeyConstraint("case_id", name="care_enough_pkey"),
    )  # fmt: skip


def downgrade() -> None:
    """Drop them."""
    for table in reversed(TABLES):
        op.drop_table(table)
