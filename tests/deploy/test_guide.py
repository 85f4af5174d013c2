"""The install guide, typed literally on a machine that has just been made, in the order in which it stands there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.deploy.conftest import Deployed
from tests.deploy.fleet import Run, summary_of
from tests.deploy.notebook import Notebook
from tests.deploy.reader import commands, rows
from tests.deploy.typist import ADDRESSES, Typed, Typist, typist
from tests.machine.machine import REPOSITORY
from tests.support.wait import until

PAGE = REPOSITORY / "docs" / "howto" / "install.md"
DAYS = "Days after that"
CHOICE = {"profile": "general/notebook", "cluster": "mycluster", "size": "small"}


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Typist]:
    """Somebody who has what the guide says has to be there."""
    with typist(tmp_path_factory.mktemp("guide"), tmp_path_factory.mktemp("homes")) as found:
        yield found


@pytest.fixture(scope="module")
def typed(reader: Typist) -> list[Typed]:
    """What came of each command up to a hub that works."""
    return [reader.type(command) for command in commands(PAGE, "Write an inventory", "Run it")]


@pytest.fixture(scope="module")
def notebook(reader: Typist, typed: list[Typed]) -> Iterator[Notebook]:
    """A notebook of the one profile that the example has."""
    deployed = Deployed(reader.fleet, Run(0, "", 0, {}), reader.password, reader.authority)
    found = Notebook(deployed, "machine", ADDRESSES["machine"], "hub.example.org", CHOICE)
    found.start()
    yield found


def test_what_the_guide_says_makes_a_hub(typed: list[Typed]) -> None:
    summary = summary_of(next(each.output for each in typed if "Start what is new" in each.output))
    assert summary["hub.example.org"]["failed"] == 0
    assert summary["hub.example.org"]["changed"] > 0


def test_a_notebook_runs_on_the_cluster(reader: Typist, notebook: Notebook) -> None:
    said = reader.fleet.machines["machine"].run("squeue", "--noheader", "--format=%u %T %j").output.splitlines()
    assert "ada RUNNING hpchub" in said


def test_the_same_command_again_changes_nothing(reader: Typist, notebook: Notebook) -> None:
    [command] = commands(PAGE, DAYS)
    assert summary_of(reader.type(command).output)["hub.example.org"]["changed"] == 0


def test_days_after_that(reader: Typist, notebook: Notebook) -> None:
    hub = reader.fleet.machines["machine"]
    for what, playbook in rows(PAGE, DAYS).items():
        if what == "take it away":
            continue
        if "backup_archive" in playbook:
            archive = hub.run("sh", "-c", "ls -t /var/backups/hpchub/*.tar.gz | head -n 1").output.strip()
            playbook = playbook.split("=")[0] + f"={archive}"
        typed = day(reader, playbook, good="rollback" not in playbook)
        if "rollback" in playbook:
            assert "There is no release before" in " ".join(typed.output.split())
        notebook.token = notebook.admin_token()
        until(notebook.answers, f"the notebook to answer after: {what}", 60)


def test_it_goes_as_the_guide_says(reader: Typist, notebook: Notebook) -> None:
    notebook.stop()
    day(reader, rows(PAGE, DAYS)["take it away"])
    hub = reader.fleet.machines["machine"]
    assert hub.run("sh", "-c", "ls /etc/systemd/system/hpchub* /etc/hpchub 2>&-").output == ""
    assert hub.run("test", "-d", "/opt/hpchub/environments/base").status == 0
    assert hub.run("test", "-s", "/var/lib/hpchub/secrets/admin-token").status == 0


def day(reader: Typist, playbook: str, good: bool = True) -> Typed:
    return reader.type(f"./run deploy -i ansible/inventories/mysite {playbook}", good)
