"""What Alembic runs: our migrations, on the connection that it is given."""

from __future__ import annotations

from alembic import context

from hpchub.console.model import Base

if __name__ == "env_py":  # the name under which Alembic runs this file
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=Base.metadata,
        # SQLite cannot change a table in its place.
        render_as_batch=True,
    )
    with context.begin_transaction():
        context.run_migrations()
