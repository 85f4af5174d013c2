"""The console's database: migrations lead to the tables that the program has, and nothing is lost on the way."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect

from hpchub.catalogue.site import Site
from hpchub.console.database import MIGRATIONS, copy, migrate, opened, url_of
from hpchub.console.joins import JoinRefused
from hpchub.console.model import Base
from hpchub.console.plans import Plan
from hpchub.console.store import Store
from hpchub.errors import HpchubError
from tests.unit.data.console import NINE, plan
from tests.unit.data.world import demo_catalogue

SITE = demo_catalogue().site


def revisions() -> list[str]:
    """All revisions, the first one first."""
    settings = Config()
    settings.set_main_option("script_location", str(MIGRATIONS))
    return [each.revision for each in ScriptDirectory.from_config(settings).walk_revisions()][::-1]


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return opened(f"sqlite:///{tmp_path / 'console.sqlite'}")


@pytest.mark.parametrize("revision", ["nothing", *revisions()])
def test_from_every_revision_the_tables_become_those_of_the_program(engine: Engine, revision: str) -> None:
    migrate_from(engine, revision)


def migrate_from(engine: Engine, revision: str) -> None:
    """Migrate from one revision, or from ``nothing``, to the tables of the program."""
    if revision != "nothing":
        migrate(engine, revision)
    migrate(engine)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_migrations_are_one_line() -> None:
    assert revisions() == [f"{number:04}" for number in range(1, len(revisions()) + 1)]


def test_to_migrate_again_loses_nothing(engine: Engine) -> None:
    migrate(engine)
    event = Store(engine).create(Plan.model_validate(plan()), "carla", 0, approved=True)
    migrate(engine)
    assert Store(engine).get("gpu-school") == event


def test_the_last_seat_is_given_once_when_all_come_at_the_same_time(engine: Engine) -> None:
    come_at_once(engine)


def come_at_once(engine: Engine) -> None:
    """Have twelve people join an event with three seats: three of them get one."""
    migrate(engine)
    store = Store(engine)
    event = store.create(Plan.model_validate(plan(seats=3)), "carla", 0, approved=True)
    assert event.code is not None
    code, refused = event.code, list[str]()

    def come(name: str) -> None:
        try:
            store.join("gpu-school", name, (), code, NINE)
        except JoinRefused:
            refused.append(name)

    room = [threading.Thread(target=come, args=(f"seat{number:02}",)) for number in range(12)]
    for person in room:
        person.start()
    for person in room:
        person.join()
    assert len(store.get("gpu-school").participants) == 3 and len(refused) == 9


def test_foreign_keys_are_watched(engine: Engine) -> None:
    migrate(engine)
    assert [key["referred_table"] for key in inspect(engine).get_foreign_keys("participants")] == ["events"]
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_a_copy_has_everything_and_goes_on_from_there(engine: Engine, tmp_path: Path) -> None:
    migrate(engine)
    store = Store(engine)
    event = store.create(Plan.model_validate(plan()), "carla", 0, approved=True)
    joined = store.join("gpu-school", "ada", (), event.code or "", NINE)
    other = opened(f"sqlite:///{tmp_path / 'other.sqlite'}")
    assert copy(engine, other) == 1
    assert (Store(other).get("gpu-school"), Store(other).record("gpu-school")) == (joined, store.record("gpu-school"))
    assert len(Store(other).join("gpu-school", "bruno", (), event.code or "", NINE).participants) == 2
    with pytest.raises(HpchubError, match="has events already, and nothing was copied"):
        copy(engine, other)


def with_database(path: Path | None) -> Site:
    assert SITE.console is not None
    return SITE.model_copy(update={"console": SITE.console.model_copy(update={"database_url_file": path})})


def test_without_a_setting_the_database_lies_in_the_hub_s_state_folder() -> None:
    assert url_of(with_database(None)) == f"sqlite:///{SITE.hub.state_folder}/console.sqlite"


def test_the_address_of_another_database_is_read_from_a_closed_file(tmp_path: Path) -> None:
    path = tmp_path / "database"
    path.write_text("postgresql+psycopg://hpchub@host/console\n")
    path.chmod(0o600)
    assert url_of(with_database(path)) == "postgresql+psycopg://hpchub@host/console"
    path.chmod(0o640)
    with pytest.raises(HpchubError, match="can be read by other users: chmod 600"):
        url_of(with_database(path))


@pytest.mark.parametrize(
    ("text", "words"), [(None, "No such file"), ("not an address", "has no address of a database")]
)
def test_a_file_without_an_address_is_named(tmp_path: Path, text: str | None, words: str) -> None:
    path = tmp_path / "database"
    if text is not None:
        path.write_text(text)
        path.chmod(0o600)
    with pytest.raises(HpchubError, match=words) as raised:
        url_of(with_database(path))
    assert "not an address" not in str(raised.value)


def test_each_migration_since_the_first_deployments_has_a_way_back() -> None:
    """A rollback takes them back; the three before could be in nobody's upgrade."""
    settings = Config()
    settings.set_main_option("script_location", str(MIGRATIONS))
    all_of_them = list(ScriptDirectory.from_config(settings).walk_revisions())[::-1]
    assert [each.revision for each in all_of_them[3:] if not hasattr(each.module, "downgrade")] == []
