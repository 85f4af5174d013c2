"""A migration that a newer release brings: one column more, and with or without a way back."""

from __future__ import annotations

from pathlib import Path

from alembic.script import ScriptDirectory

REVISION = "9999"
COLUMN = "of_a_test"
_MIGRATION = '''"""One column more, by a test."""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{before}"


def upgrade():
    op.add_column("{table}", sa.Column("{column}", sa.Integer(), nullable=True))
'''
_WAY_BACK = """

def downgrade():
    with op.batch_alter_table("{table}") as table:
        table.drop_column("{column}")
"""


def write_migration(migrations: Path, target: Path, table: str, *, with_way_back: bool = True) -> str:
    """Write a migration that follows the newest of a folder of Alembic's.

    Args:
        migrations: the folder.
        target: the folder to write into, which may be another one that is put over its `versions`.
        table: the one that gets a column.
        with_way_back: whether it can be taken back.

    Returns:
        The revision that was the newest before.
    """
    before = str(ScriptDirectory(str(migrations)).get_current_head())
    text = _MIGRATION + (_WAY_BACK if with_way_back else "")
    target.mkdir(parents=True, exist_ok=True)
    (target / "r9999_of_a_test.py").write_text(
        text.format(revision=REVISION, before=before, table=table, column=COLUMN), encoding="utf-8"
    )
    return before
