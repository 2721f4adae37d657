"""Let limits be set and changed while an execution runs: its pauses, and what is not recorded yet."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("executions", schema=None) as batch_op:
        batch_op.add_column(sa.Column("paused_ms", sa.BigInteger(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("unsettled", sa.Text(), nullable=True))
    paused = "deadline_at - started_at - maximum_ms"
    op.execute(f"UPDATE executions SET paused_ms = {paused} WHERE {paused} > 0")
    op.drop_column("executions", "deadline_at")
