"""An upgrade from the commit before this one, and the way back, with sessions and with migrations of both databases."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from jupyterhub import dbutil

from hpchub.console.database import MIGRATIONS
from tests.deploy.conftest import HERE, SITE, Surroundings
from tests.deploy.fleet import Fleet
from tests.deploy.notebook import Notebook
from tests.machine.machine import REPOSITORY
from tests.support.migrations import REVISION, write_migration
from tests.support.wait import until

MOST_SECONDS = 15
"""For so long the hub may be away."""
PROXY_SECONDS = 5
"""For so long a notebook may be, where the proxy is another one."""
FILLER = "runuser -u ada -- sbatch -p lrd_all_serial -A aifac_agri01 -n 31 --mem=1G -o /dev/null --wrap".split()


@pytest.fixture(scope="module")
def before(surroundings: Surroundings) -> Surroundings:
    """The hub of the commit before this one, on a new machine."""
    fleet = surroundings.fleet
    older = exported(fleet.folder / "older")
    configure(fleet, older / "tests" / "deploy" / "inventory")
    surroundings.new_hub()
    fleet.play(SITE, checkout=older)
    return surroundings


@pytest.fixture(scope="module")
def running(before: Surroundings) -> Notebook:
    """A session that runs."""
    found = Notebook(before)
    found.start()
    return found


@pytest.fixture(scope="module")
def queued(before: Surroundings, running: Notebook) -> Iterator[Notebook]:
    """One that waits in Slurm's queue, because something else has the rest of the node."""
    controller = before.fleet.machines["slurm"]
    filler = controller.run(*FILLER, "sleep 7200", folder="/").output.split()[-1]
    until(
        lambda: "RUNNING" in controller.run("squeue", "-h", "-j", filler, "-o", "%T").output, "the node to be full", 60
    )
    found = Notebook(before, server="second")
    found.request()
    until(lambda: waiting(before.fleet), "the session to wait in the queue", 60)
    yield found
    controller.run("scancel", filler)


def test_an_upgrade_and_the_way_back_end_no_session(before: Surroundings, running: Notebook, queued: Notebook) -> None:
    fleet = before.fleet
    job, old = waiting(fleet), revisions(fleet)
    renew(fleet)
    for playbook, expected in ((SITE, {REVISION}), ("ansible/playbooks/rollback.yml", old)):
        with running.watched() as hub, running.watched(running.status) as notebook:
            fleet.play(playbook)
        print(f"{playbook}: the hub was away for {hub.seconds:.1f} s, the notebook for {notebook.seconds:.1f} s")
        assert hub.seconds < MOST_SECONDS
        assert notebook.seconds < PROXY_SECONDS
        assert revisions(fleet) == expected
        assert running.answers()
        assert waiting(fleet) == job
        assert queued.is_known()

    slurm = fleet.machines["slurm"]
    slurm.run("scancel", "--user=ada", "--name=wrap")
    until(queued.answers, "the session that waited to start", 240, pause=1)
    assert slurm.run("squeue", "-h", "-j", job, "-o", "%T").output.strip() == "RUNNING"
    queued.stop()
    running.stop()


def test_where_the_tables_cannot_be_taken_back_the_copy_of_before_is_the_way(before: Surroundings) -> None:
    fleet, notebook = before.fleet, Notebook(before)
    notebook.start()
    old, served = revisions(fleet), in_service(fleet)
    renew(fleet, with_way_back=False)
    fleet.play(SITE)
    copy = fleet.machines["hub"].run("sh", "-c", "ls -t /var/backups/hpchub/*.tar.gz | head -n 1").output.strip()
    refused = fleet.play("ansible/playbooks/rollback.yml", good=False)
    assert "cannot be taken back" in " ".join(refused.output.split())
    assert in_service(fleet) != served
    assert notebook.answers()

    configure(fleet, fleet.folder / "older" / "tests" / "deploy" / "inventory")
    fleet.play(SITE, "-e", f"backup_archive={copy}", checkout=fleet.folder / "older")
    assert in_service(fleet) == served
    assert revisions(fleet) == old
    until(notebook.answers, "the notebook to be reachable", 60)
    notebook.stop()


def in_service(fleet: Fleet) -> str:
    """The folder of the release."""
    return fleet.machines["hub"].run("readlink", "/opt/hpchub/current").output.strip()


def exported(folder: Path) -> Path:
    """Write the files of the commit before this one."""
    found = subprocess.run(["git", "-C", REPOSITORY, "rev-parse", "--verify", "-q", "HEAD~1"], capture_output=True)
    assert found.returncode == 0, "There is no commit before this one here: fetch the history (git fetch --unshallow)."
    folder.mkdir()
    archive = subprocess.run(["git", "-C", REPOSITORY, "archive", "HEAD~1"], capture_output=True, check=True)
    subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)
    return folder


def configure(fleet: Fleet, inventory: Path, **hub: object) -> None:
    """Give the fleet the variables and the site file of a checkout, or with another block `hub`."""
    variables = (inventory / "group_vars.yml").read_text()
    (fleet.folder / "inventory" / "group_vars" / "all.yml").write_text(variables)
    site = yaml.safe_load((inventory / "site.yaml").read_text())
    site["hub"] = hub or site["hub"]
    (fleet.folder / "files" / "site.yaml").write_text(yaml.safe_dump(site, sort_keys=False, allow_unicode=True))


def renew(fleet: Fleet, *, with_way_back: bool = True) -> None:
    """Make a newer release of this checkout: both databases get another revision."""
    # addresses and encryption are another change, which a site makes without sessions
    hub = yaml.safe_load((fleet.folder / "files" / "site.yaml").read_text())["hub"]
    configure(fleet, HERE / "inventory", **hub)
    write_migration(
        MIGRATIONS, fleet.checkout / "hpchub/console/migrations/versions", "events", with_way_back=with_way_back
    )
    # JupyterHub's own package is the lock's: the revision comes beside its others with our wheel
    write_migration(Path(dbutil.ALEMBIC_DIR), fleet.checkout / "of_a_test", "users")
    name = "r9999_of_a_test.py"
    project = (REPOSITORY / "pyproject.toml").read_text()
    included = (
        f'\n[tool.hatch.build.targets.wheel.force-include]\n"of_a_test/{name}" = "jupyterhub/alembic/versions/{name}"\n'
    )
    (fleet.checkout / "pyproject.toml").write_text(project + included)


def revisions(fleet: Fleet) -> set[str]:
    """The revisions of both databases."""
    ask = ("runuser", "-u", "postgres", "--", "psql", "-tAc", "SELECT version_num FROM alembic_version")
    return {fleet.machines["hub"].run(*ask, name, folder="/").output.strip() for name in ("jupyterhub", "console")}


def waiting(fleet: Fleet) -> str:
    """The id of ada's session that waits, as Slurm knows it."""
    return fleet.machines["slurm"].run("squeue", "-h", "-t", "PD", "--name=hpchub", "-o", "%i").output.strip()
