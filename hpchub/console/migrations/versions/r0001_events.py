"""Events, who is in them, the record of what was done, and wrong codes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "events",
        sa.Column("slug", sa.String(63), nullable=False),
        sa.Column("plan", sa.JSON(), nullable=False),
        sa.Column("ends_epoch", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.String(255), nullable=False),
        sa.Column("created_epoch", sa.BigInteger(), nullable=False),
        sa.Column("code", sa.String(16), nullable=True),
        sa.Column("approved_epoch", sa.BigInteger(), nullable=True),
        sa.Column("refused_epoch", sa.BigInteger(), nullable=True),
        sa.Column("refusal", sa.Text(), nullable=False),
        sa.Column("closed_epoch", sa.BigInteger(), nullable=True),
        sa.Column("cleared_epoch", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("slug", name="pk_events"),
        sa.UniqueConstraint("code", name="uq_events_code"),
    )
    op.create_index("ix_events_ends_epoch", "events", ["ends_epoch"])
    for name, more in (
        ("trainers", ()),
        (
            "participants",
            (
                sa.Column("joined_epoch", sa.BigInteger(), nullable=False),
                sa.Column("joined_by", sa.String(8), nullable=False),
            ),
        ),
    ):
        op.create_table(
            name,
            sa.Column("id", sa.Integer(), nullable=False),
            sa.Column("event_slug", sa.String(63), nullable=False),
            sa.Column("name", sa.String(255), nullable=False),
            *more,
            sa.PrimaryKeyConstraint("id", name=f"pk_{name}"),
            sa.ForeignKeyConstraint(["event_slug"], ["events.slug"], name=f"fk_{name}_event_slug_events"),
        )
        op.create_index(f"ix_{name}_name", name, ["name"])
        op.create_index(f"uq_{name}_event_slug_name", name, ["event_slug", "name"], unique=True)
    op.create_table(
        "acts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.String(255), nullable=False),
        sa.Column("verb", sa.String(32), nullable=False),
        sa.Column("event_slug", sa.String(63), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_acts"),
    )
    op.create_index("ix_acts_event_slug", "acts", ["event_slug"])
    op.create_table(
        "wrong_codes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("who", sa.String(255), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_wrong_codes"),
    )
    op.create_index("ix_wrong_codes_who", "wrong_codes", ["who"])
    op.create_index("ix_wrong_codes_epoch", "wrong_codes", ["epoch"])
