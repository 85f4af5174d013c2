"""The way back of the databases to an older release, which a rollback goes."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from types import ModuleType

import pytest
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from jupyterhub import dbutil, orm
from sqlalchemy import create_engine, inspect, text

from hpchub.console.database import MIGRATIONS, migrate, opened
from tests.support.migrations import COLUMN, REVISION, write_migration
from tests.support.postgresql import PostgreSQL, postgresql
from tests.unit.data.world import REPOSITORY, demo_site_text

PROGRAM = REPOSITORY / "ansible" / "roles" / "hub" / "files" / "step_back.py"
TABLES = {"jupyterhub": "users", "console": "events"}
NUMBERS = count()


@pytest.fixture(scope="module")
def program() -> ModuleType:
    specification = importlib.util.spec_from_file_location("step_back", PROGRAM)
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules["step_back"] = module
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def server() -> Iterator[PostgreSQL]:
    with postgresql() as running:
        yield running


class Site:
    """Two databases that a newer release has migrated, and the site file that names them."""

    def __init__(self, folder: Path, addresses: dict[str, str], *, with_way_back: bool = True) -> None:
        self.addresses = addresses
        self.file = folder / "site.yaml"
        self.older: dict[str, str] = {}
        self.migrations = {name: folder / f"newer-{name}" for name in TABLES}
        session = orm.new_session_factory(addresses["jupyterhub"])()
        session.get_bind().dispose()
        session.close()
        engine = opened(addresses["console"])
        migrate(engine)
        engine.dispose()
        for name, source in {"jupyterhub": Path(dbutil.ALEMBIC_DIR), "console": MIGRATIONS}.items():
            newer = self.migrations[name]
            shutil.copytree(source, newer)
            # the console's alone may be without a way back: nothing may be done to the other one then
            back = with_way_back or name == "jupyterhub"
            self.older[name] = write_migration(newer, newer / "versions", TABLES[name], with_way_back=back)
            _bring_up(addresses[name], newer)
        self._write(folder)

    def _write(self, folder: Path) -> None:
        (folder / "hub").mkdir()
        for name, address in self.addresses.items():
            (folder / name).write_text(address)
            (folder / name).chmod(0o600)
        said = demo_site_text(str(folder))
        said = said.replace("\nhub:\n", f"\nhub:\n  database_url_file: {folder}/jupyterhub\n", 1)
        self.file.write_text(said.replace("\nconsole:\n", f"\nconsole:\n  database_url_file: {folder}/console\n", 1))
        (folder / "profiles").symlink_to(REPOSITORY / "profiles")

    def revision(self, name: str) -> str | None:
        engine = create_engine(self.addresses[name])
        with engine.connect() as connection:
            found = MigrationContext.configure(connection).get_current_revision()
        engine.dispose()
        return found

    def columns(self, name: str) -> set[str]:
        engine = create_engine(self.addresses[name])
        found = {column["name"] for column in inspect(engine).get_columns(TABLES[name])}
        engine.dispose()
        return found


def _bring_up(address: str, migrations: Path) -> None:
    scripts = ScriptDirectory(str(migrations))
    engine = create_engine(address)
    with engine.begin() as connection:
        context = MigrationContext.configure(connection)
        with Operations.context(context):
            scripts.get_revision(REVISION).module.upgrade()
        context.stamp(scripts, REVISION)
    engine.dispose()


def addresses(kind: str, server: PostgreSQL, folder: Path) -> dict[str, str]:
    if kind == "postgresql":
        return {name: server.database(f"{name}{next(NUMBERS)}") for name in TABLES}
    return {name: f"sqlite:///{folder}/{name}.sqlite" for name in TABLES}


@pytest.fixture(params=["postgresql", "sqlite"])
def site(request: pytest.FixtureRequest, server: PostgreSQL, tmp_path: Path) -> Site:
    return Site(tmp_path, addresses(request.param, server, tmp_path))


@pytest.fixture
def ask(
    program: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[Site], str]:
    """Ask it where to, as the newer release does; the older one is that of the tests' own Python."""

    def asked(site: Site) -> str:
        monkeypatch.setattr(program, "MIGRATIONS", site.migrations)
        capsys.readouterr()
        program.main(str(site.file), sys.executable)
        return capsys.readouterr().out.strip()

    return asked


def test_both_databases_go_back_to_the_older_release(
    program: ModuleType, site: Site, ask: Callable[[Site], str]
) -> None:
    program.main(str(site.file), ask(site))
    assert {name: site.revision(name) for name in TABLES} == site.older
    assert not any(COLUMN in site.columns(name) for name in TABLES)


def test_rows_stay(program: ModuleType, site: Site, ask: Callable[[Site], str]) -> None:
    engine = create_engine(site.addresses["jupyterhub"])
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO users (name, admin, cookie_id) VALUES ('ada', false, 'x')"))
    program.main(str(site.file), ask(site))
    with engine.connect() as connection:
        assert connection.execute(text("SELECT name FROM users")).scalars().all() == ["ada"]
    engine.dispose()


def test_to_ask_changes_nothing(site: Site, ask: Callable[[Site], str]) -> None:
    assert json.loads(ask(site)) == site.older
    assert {site.revision(name) for name in TABLES} == {REVISION}


def test_what_is_back_already_stays_as_it_is(program: ModuleType, site: Site, ask: Callable[[Site], str]) -> None:
    program.main(str(site.file), ask(site))
    assert ask(site) == "{}"


def test_without_a_way_back_of_one_nothing_is_done_to_the_other(
    program: ModuleType, server: PostgreSQL, tmp_path: Path, ask: Callable[[Site], str]
) -> None:
    site = Site(tmp_path, addresses("postgresql", server, tmp_path), with_way_back=False)
    with pytest.raises(program.NoWayBack, match=r"Revision 9999 of the database console .* cannot be taken back"):
        ask(site)
    assert {site.revision(name) for name in TABLES} == {REVISION}


def test_a_release_that_is_newer_is_no_way_back(program: ModuleType, site: Site) -> None:
    # the tests' own release stands for the one in service, and does not know what is in the database
    with pytest.raises(program.NoWayBack, match="does not know revision 9999"):
        program.main(str(site.file), sys.executable)
