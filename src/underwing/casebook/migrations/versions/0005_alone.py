"""Appeals that nobody independent reviewed are marked."""

from alembic import op
from sqlalchemy import Boolean, Column, false

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the mark; what was decided before was decided by another person."""
    op.add_column("appeals", Column("alone", Boolean, nullable=False, server_default=false()))


def downgrade() -> None:
    """Drop it."""
    op.drop_column("appeals", "alone")
