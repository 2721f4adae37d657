"""Leases of workers, scopes that they share, and the mark of a shard's last checkpoint."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "leases",
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column("slots", sa.Integer(), nullable=False),
        sa.Column("beat_at", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("worker", name=op.f("pk_leases")),
    )
    op.create_table(
        "scopes",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("due", sa.BigInteger(), nullable=False),
        sa.Column("held_until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_scopes")),
    )
    with op.batch_alter_table("shards", schema=None) as batch_op:
        batch_op.add_column(sa.Column("mark", sa.Text(), nullable=True))
