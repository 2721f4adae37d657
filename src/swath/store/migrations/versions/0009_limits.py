"""Limits of an execution's rows, bytes and time, and which of its limits was reached."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("executions", schema=None) as batch_op:
        batch_op.add_column(sa.Column("truncated_by", sa.Text(), nullable=True))
        for name in ("maximum_rows", "maximum_bytes", "maximum_ms", "deadline_at", "paused_at"):
            batch_op.add_column(sa.Column(name, sa.BigInteger(), nullable=True))
        for name in ("rows_reserved", "bytes_reserved"):
            batch_op.add_column(sa.Column(name, sa.BigInteger(), nullable=False, server_default="0"))
    op.execute("UPDATE executions SET truncated_by = 'requests' WHERE truncated")
