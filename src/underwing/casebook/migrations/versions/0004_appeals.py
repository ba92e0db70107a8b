"""Appeals: tokens that were given, what was filed, what follows."""

from alembic import op
from sqlalchemy import PrimaryKeyConstraint

from underwing.casebook.migrations.kinds import blob, flag, number, words

revision = "0004"
down_revision = "0003"
TABLES = ("appeal_grants", "appeals", "appeal_follows")


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "appeal_grants", words("hash"), words("account"), words("event"), number("case_id", nullable=True),
        words("language"), blob("statement", nullable=True), number("issued"), number("expires"),
        PrimaryKeyConstraint("hash", name="appeal_grants_pkey"), sqlite_with_rowid=False,
    )  # fmt: skip
    op.create_index("appeal_grants_event", "appeal_grants", ["event", "account"])
    op.create_index("appeal_grants_expires", "appeal_grants", ["expires"])
    op.create_table(
        "appeals", words("id"), words("grant_hash"), words("kind"), words("account"), words("event"),
        number("case_id", nullable=True), words("language"), blob("statement", nullable=True), words("text"),
        words("state"), number("filed"), number("due"), words("holder"), words("decided_by"),
        number("decided", nullable=True), words("answer"), words("reason"), flag("match_false"),
        PrimaryKeyConstraint("id", name="appeals_pkey"), sqlite_with_rowid=False,
    )  # fmt: skip
    op.create_index("appeals_case", "appeals", ["case_id"])
    op.create_index("appeals_filed", "appeals", ["filed"])
    op.create_index("appeals_grant", "appeals", ["grant_hash", "kind"], unique=True)
    op.create_index("appeals_queue", "appeals", ["state", "due", "id"])
    op.create_table(
        "appeal_follows", number("number"), words("appeal"), words("what"), number("tries"),
        number("next", nullable=True), PrimaryKeyConstraint("number", name="appeal_follows_pkey"),
        sqlite_autoincrement=True,
    )  # fmt: skip
    op.create_index("appeal_follows_next", "appeal_follows", ["next"])


def downgrade() -> None:
    """Drop them."""
    for table in reversed(TABLES):
        op.drop_table(table)
