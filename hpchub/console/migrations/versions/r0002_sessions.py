"""The sessions of events, for their reports."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "sessions",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("event_slug", sa.String(63), nullable=False),
        sa.Column("user_name", sa.String(255), nullable=False),
        sa.Column("cluster", sa.String(64), nullable=False),
        sa.Column("job_id", sa.String(32), nullable=False),
        sa.Column("gpus", sa.Integer(), nullable=False),
        sa.Column("asked_epoch", sa.Float(), nullable=False),
        sa.Column("started_epoch", sa.Float(), nullable=True),
        sa.Column("until_epoch", sa.Float(), nullable=False),
        sa.Column("ending", sa.String(32), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
        sa.ForeignKeyConstraint(["event_slug"], ["events.slug"], name="fk_sessions_event_slug_events"),
    )
    op.create_index("ix_sessions_event_slug", "sessions", ["event_slug"])
