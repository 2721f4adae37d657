"""Know which executions need which copies of collections, and what of an execution is gone."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("executions", schema=None) as batch_op:
        batch_op.add_column(sa.Column("archive_removed_at", sa.BigInteger(), nullable=True))
    inputs = op.create_table(
        "inputs",
        sa.Column("execution_id", sa.Text(), nullable=False),
        sa.Column("collection", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("execution_id", "collection", "version", name=op.f("pk_inputs")),
    )
    op.create_index("ix_inputs_collection_version", "inputs", ["collection", "version"], unique=False)
    op.create_table(
        "removals",
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("prefix", name=op.f("pk_removals")),
    )
    connection = op.get_bind()
    for row in connection.execute(sa.text("SELECT id, definition FROM executions")).all():
        axes = json.loads(row.definition)["definition"].get("axes") or []
        used = {tuple(axis["snapshot"]) for axis in axes if axis.get("snapshot")}
        for collection, version in used:
            values = {"execution_id": row.id, "collection": collection, "version": version}
            connection.execute(sa.insert(inputs).values(values))
