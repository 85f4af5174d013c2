"""The console's database: where it lies, how it is opened, and its migrations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, Table, create_engine, event, func, select

from hpchub.catalogue.site import Site
from hpchub.console.model import Base, EventRow
from hpchub.database import settings_for, url_in
from hpchub.errors import HpchubError

MIGRATIONS = Path(__file__).with_name("migrations")
_BUSY_SECONDS = 30


def url_of(site: Site) -> str:
    """Give the database's address.

    Raises:
        CatalogueError: the site file names a file with it that cannot be read, that others may read, or that has none.
    """
    if site.console is None:
        raise HpchubError(f"{site.file} has no block `console`, so there is none here.")
    path = site.console.database_url_file
    return f"sqlite:///{site.hub.state_folder / 'console.sqlite'}" if path is None else url_in(path)


def opened(url: str) -> Engine:
    """Open a database; nothing is read yet."""
    engine = create_engine(url, pool_pre_ping=True, **settings_for(url))
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare)
        event.listen(engine, "begin", _begin)
    return engine


def migrate(engine: Engine, revision: str = "head") -> None:
    """Bring the tables to what this version of the program, or a given revision, works with; nothing is lost."""
    settings = Config()
    settings.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        settings.attributes["connection"] = connection
        command.upgrade(settings, revision)


def copy(source: Engine, target: Engine) -> int:
    """Copy everything from one database into another, which must have no events; give how many there are.

    Both are brought up to date first.  Nothing may be writing to the first one.

    Raises:
        HpchubError: there are events in the second one already.
    """
    for engine in (source, target):
        migrate(engine)
    with source.connect() as reading, target.begin() as writing:
        if writing.execute(select(func.count()).select_from(EventRow)).scalar_one():
            raise HpchubError("The other database has events already, and nothing was copied.")
        for table in Base.metadata.sorted_tables:
            rows = [dict(row) for row in reading.execute(select(table)).mappings()]
            if rows:
                writing.execute(table.insert(), rows)
            if rows and target.dialect.name == "postgresql" and "id" in table.c:
                _count_on(writing, table)
        return int(writing.execute(select(func.count()).select_from(EventRow)).scalar_one())


def _count_on(connection: Connection, table: Table) -> None:
    # PostgreSQL counts in a sequence of its own, which knows nothing of rows that bring their number.
    sequence = connection.execute(select(func.pg_get_serial_sequence(table.name, "id"))).scalar()
    if sequence is not None:
        highest = select(func.max(table.c.id)).scalar_subquery()
        connection.execute(select(func.setval(sequence, highest)))


def _prepare(connection: Any, _: object) -> None:
    # Python's sqlite3 begins transactions when it likes; we do that ourselves (SQLAlchemy's documentation of SQLite).
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute(f"PRAGMA busy_timeout={_BUSY_SECONDS * 1000}")
    cursor.close()


def _begin(connection: Any) -> None:
    # At once, so that what a transaction has read is still so when it writes.
    connection.exec_driver_sql("BEGIN IMMEDIATE")
