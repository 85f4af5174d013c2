"""Take both databases back to the tables of an older release.

``python step_back.py SITE_FILE OLDER_PYTHON`` says to which revisions, as JSON, and changes nothing; where there is no
way back it says why and ends with 1.  ``python step_back.py SITE_FILE REVISIONS``, with what that has said, goes there:
the hub and the console must be stopped.  Run it as the hub's user with the newer release's Python, whose migrations
know the way.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jupyterhub.dbutil
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import SQLAlchemyError

from hpchub.catalogue.load import load_site
from hpchub.console import database
from hpchub.errors import HpchubError

MIGRATIONS = {"jupyterhub": Path(jupyterhub.dbutil.ALEMBIC_DIR), "console": database.MIGRATIONS}
ASK = """
import json, jupyterhub.dbutil, hpchub.console.database as console
from alembic.script import ScriptDirectory
folders = {"jupyterhub": jupyterhub.dbutil.ALEMBIC_DIR, "console": console.MIGRATIONS}
print(json.dumps({name: ScriptDirectory(str(folder)).get_current_head() for name, folder in folders.items()}))
"""


class NoWayBack(Exception):
    """A database cannot be taken back; the text says which one, why, and what to do instead."""


@dataclass(frozen=True)
class Way:
    """The migrations of one database that are to be taken back, the newest first."""

    name: str
    engine: Engine
    migrations: ScriptDirectory
    older: str
    steps: tuple[Script, ...]

    def go(self) -> None:
        """Take all of them back, or none."""
        with self.engine.begin() as connection:
            context = MigrationContext.configure(connection)
            with Operations.context(context):
                for step in self.steps:
                    step.module.downgrade()
            context.stamp(self.migrations, self.older)
        self.engine.dispose()


def heads_of(python: str) -> dict[str, str]:
    """Ask a release, by its Python, to which revisions it brings the databases."""
    asked = subprocess.run([python, "-I", "-c", ASK], capture_output=True, text=True, check=False)
    if asked.returncode != 0:
        raise NoWayBack(f"{python} does not say which tables its release works with: {asked.stderr.strip()[-300:]}")
    return dict(json.loads(asked.stdout))


def addresses(site_file: Path) -> dict[str, str]:
    """Give the addresses of the databases that the site has, by their names in `MIGRATIONS`."""
    site = load_site(site_file)
    file = site.hub.database_url_file
    url = f"sqlite:///{site.hub.state_folder}/jupyterhub.sqlite" if file is None else database.url_in(file)
    found = {"jupyterhub": url}
    if site.console is not None:
        found["console"] = database.url_of(site)
    return found


def way(name: str, url: str, older: str, folder: Path) -> Way:
    """Find the way of one database back to the older release's revision.

    Args:
        name: of the database, for sentences.
        url: its address.
        older: the revision to go to.
        folder: the newer release's migrations.

    Raises:
        NoWayBack: there is none.
    """
    migrations = ScriptDirectory(str(folder))
    engine = opened(url)
    with engine.connect() as connection:
        now = MigrationContext.configure(connection).get_current_revision()
    engine.dispose()
    known = {step.revision for step in migrations.walk_revisions()}
    for revision, whose in ((older, "the older release works with"), (now, "is in service")):
        if revision is not None and revision not in known:
            raise NoWayBack(
                f"The release in service does not know revision {revision} of the database {name}, which {whose}: "
                "the other one is not older."
            )
    past = {step.revision for step in migrations.iterate_revisions(older, "base")}
    if now is None or now in past:
        return Way(name, engine, migrations, older, ())
    steps = tuple(migrations.iterate_revisions(now, older))
    for step in steps:
        if not has_downgrade(step):
            raise NoWayBack(
                f"Revision {step.revision} of the database {name} ({step.doc}) cannot be taken back. The way "
                "to the older release is the copy of before the upgrade: docs/howto/upgrade-and-go-back.md says how."
            )
    return Way(name, engine, migrations, older, steps)


def has_downgrade(step: Script) -> bool:
    """Tell whether a migration has a way back: one that only raises an error is none."""
    tree = ast.parse(Path(step.path).read_text())
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == "downgrade":
            explained = isinstance(node.body[0], ast.Expr) and isinstance(node.body[0].value, ast.Constant)
            return not isinstance(node.body[1 if explained and len(node.body) > 1 else 0], ast.Raise)
    return False


def opened(url: str) -> Engine:
    """Open a database so that what one transaction changes of its tables is changed together or not at all."""
    engine = create_engine(url, hide_parameters=True)
    if engine.dialect.name == "sqlite":
        # Python's sqlite3 would end the transaction where a table changes (SQLAlchemy's documentation of SQLite).
        event.listen(engine, "connect", _no_transactions_of_its_own)
        event.listen(engine, "begin", _begin)
    return engine


def _no_transactions_of_its_own(connection: Any, _: object) -> None:
    connection.isolation_level = None


def _begin(connection: Any) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def ways_to(revisions: dict[str, str], site_file: Path) -> list[Way]:
    """Find the way of each database of the site, so that all are known before one is gone.  Raises what `way` does."""
    return [
        way(name, url, revisions[name], MIGRATIONS[name])
        for name, url in addresses(site_file).items()
        if name in revisions
    ]


def main(site_file: str, what: str) -> None:
    """Do what the module says."""
    if not what.startswith("{"):
        ways = ways_to(heads_of(what), Path(site_file))
        print(json.dumps({one.name: one.older for one in ways if one.steps}))
        return
    for one in ways_to(json.loads(what), Path(site_file)):
        one.go()
        print(f"{one.name}: {', '.join(step.revision for step in one.steps)} taken back to {one.older}.")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (NoWayBack, HpchubError, SQLAlchemyError) as error:
        sys.exit(str(error))
