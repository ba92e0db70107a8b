"""Indexes for the insights: cases by the day they opened and closed, and the history by what was done."""

from alembic import op

from underwing.casebook.migrations.kinds import only

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make them."""
    op.create_index("cases_opened", "cases", ["test", "opened"])
    op.create_index("cases_closed", "cases", ["test", "closed"], **only("closed IS NOT NULL"))
    op.create_index("case_history_what", "case_history", ["what", "at"])


def downgrade() -> None:
    """Take them away."""
    op.drop_index("case_history_what", "case_history")
    op.drop_index("cases_closed", "cases")
    op.drop_index("cases_opened", "cases")
