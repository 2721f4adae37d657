"""Let a workflow take its lists from the rows of another, and executions start executions."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("mappings", schema=None) as batch_op:
        batch_op.alter_column("source_collection_id", existing_type=sa.Text(), nullable=True)
        batch_op.add_column(sa.Column("source_workflow_id", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("source_column", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("source_table", sa.Text(), nullable=True))
        batch_op.create_foreign_key(
            batch_op.f("fk_mappings_source_workflow_id"), "workflows", ["source_workflow_id"], ["id"]
        )
        batch_op.create_index(
            batch_op.f("ix_mappings_source_workflow_id"), ["source_workflow_id"], unique=False
        )
    with op.batch_alter_table("executions", schema=None) as batch_op:
        batch_op.add_column(sa.Column("source_id", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("triggered_by", sa.Text(), nullable=True))
        batch_op.create_index(batch_op.f("ix_executions_source_id"), ["source_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_executions_triggered_by"), ["triggered_by"], unique=False)
