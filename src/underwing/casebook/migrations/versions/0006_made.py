"""Files say how they were made, where that is not as they came."""

from alembic import op
from sqlalchemy import Column

from underwing.casebook.columns import Text

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make the column; what is there was kept as it came."""
    op.add_column("care_exhibits", Column("made", Text, nullable=False, server_default=""))


def downgrade() -> None:
    """Drop it."""
    op.drop_column("care_exhibits", "made")
