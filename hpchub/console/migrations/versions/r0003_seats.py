"""Temporary seats, teams, raised hands, help, messages, rehearsals, and what Slurm accounted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

LENT = sa.text("returned_epoch IS NULL")


def upgrade() -> None:
    """Make the tables and columns."""
    for table, columns in {
        "events": (sa.Column("rehearsal", sa.JSON(), nullable=True),),
        "participants": (
            sa.Column("team", sa.String(63), nullable=True),
            sa.Column("hand_epoch", sa.BigInteger(), nullable=True),
            sa.Column("hand_says", sa.Text(), nullable=False, server_default=""),
            sa.Column("asked_by", sa.String(255), nullable=True),
            sa.Column("helper", sa.String(255), nullable=True),
            sa.Column("helper_until_epoch", sa.BigInteger(), nullable=True),
            sa.Column("helper_session", sa.String(32), nullable=True),
        ),
        "sessions": (
            sa.Column("accounted_seconds", sa.BigInteger(), nullable=True),
            sa.Column("accounted_gpus", sa.Integer(), nullable=True),
            sa.Column("accounted_core_hours", sa.Float(), nullable=True),
        ),
    }.items():
        for column in columns:
            op.add_column(table, column)
    op.create_table(
        "seats",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("event_slug", sa.String(63), nullable=False),
        sa.Column("account", sa.String(32), nullable=False),
        sa.Column("card_digest", sa.String(64), nullable=True),
        sa.Column("card_sealed", sa.Text(), nullable=False),
        sa.Column("used_epoch", sa.BigInteger(), nullable=True),
        sa.Column("returned_epoch", sa.BigInteger(), nullable=True),
        sa.Column("trouble", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_seats"),
        sa.ForeignKeyConstraint(["event_slug"], ["events.slug"], name="fk_seats_event_slug_events"),
    )
    op.create_index("ix_seats_event_slug", "seats", ["event_slug"])
    op.create_index("uq_seats_event_slug_account", "seats", ["event_slug", "account"], unique=True)
    op.create_index(
        "uq_seats_account_lent", "seats", ["account"], unique=True, sqlite_where=LENT, postgresql_where=LENT
    )
    op.create_table(
        "messages",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("event_slug", sa.String(63), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.String(255), nullable=False),
        sa.Column("says", sa.Text(), nullable=False),
        sa.Column("team", sa.String(63), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_messages"),
        sa.ForeignKeyConstraint(["event_slug"], ["events.slug"], name="fk_messages_event_slug_events"),
    )
    op.create_index("ix_messages_event_slug", "messages", ["event_slug"])
