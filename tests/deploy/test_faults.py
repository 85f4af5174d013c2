"""What happens to a deployment: parts die, a newer release comes and goes, the machine is lost.

In the order in which they stand here: each test leaves a hub that works.
"""

from __future__ import annotations

import time
import urllib.error
from collections.abc import Iterator

import pytest

from tests.deploy.conftest import SITE, Deployed
from tests.deploy.notebook import Notebook
from tests.support.thorough import THOROUGH
from tests.support.wait import until

# Beside other rings a disk or a processor may keep it waiting; with HPCHUB_THOROUGH it has the machine for itself.
AGAIN_SECONDS, AWAY_SECONDS = (10, 15) if THOROUGH else (30, 60)
UNITS = ("hpchub-proxy", "hpchub", "hpchub-console", "nginx")
DATABASE = "postgresql@15-main"
"""As Debian 12 names its unit."""


@pytest.fixture(scope="module")
def notebook(deployed: Deployed) -> Iterator[Notebook]:
    """A notebook that runs on the compute machine, asked for by the hub's API."""
    found = Notebook(deployed)
    found.start()
    yield found
    found.stop()


@pytest.mark.parametrize("unit", UNITS)
def test_a_killed_unit_comes_back_and_the_notebook_is_reachable(
    deployed: Deployed, notebook: Notebook, unit: str
) -> None:
    hub = deployed.fleet.machines["hub"]
    before = hub.run("systemctl", "show", "--property=MainPID", "--value", unit).output.strip()
    assert hub.run("systemctl", "kill", "--kill-whom=main", "--signal=KILL", unit).status == 0
    began = time.monotonic()
    until(lambda: notebook.answers(), "the notebook to be reachable", AGAIN_SECONDS)
    print(f"{unit}: the notebook answered {time.monotonic() - began:.1f} s after its end")
    after = until(lambda: _other(deployed, unit, before), f"{unit} to run again", 60)
    assert after != before


def test_a_killed_database_comes_back_and_nobody_is_turned_away(deployed: Deployed, notebook: Notebook) -> None:
    hub = deployed.fleet.machines["hub"]
    before = hub.run("systemctl", "show", "--property=MainPID", "--value", DATABASE).output.strip()
    assert hub.run("systemctl", "kill", "--kill-whom=main", "--signal=KILL", DATABASE).status == 0
    began = time.monotonic()
    until(lambda: _other(deployed, DATABASE, before), "PostgreSQL to run again", AGAIN_SECONDS)
    until(lambda: _knows(notebook), "the hub to know its notebook", AGAIN_SECONDS)
    print(f"{DATABASE}: the hub knew its notebook {time.monotonic() - began:.1f} s after its end")
    assert notebook.answers()


def _knows(notebook: Notebook) -> bool:
    try:
        return notebook.is_known()
    except urllib.error.HTTPError as error:
        assert error.code == 503
        return False


def _other(deployed: Deployed, unit: str, before: str) -> str:
    hub = deployed.fleet.machines["hub"]
    shown = hub.run("systemctl", "show", "--property=MainPID", "--value", unit).output.strip()
    return "" if shown in ("0", before) else shown


def test_an_upgrade_ends_no_session_and_there_is_a_way_back(deployed: Deployed, notebook: Notebook) -> None:
    hub = deployed.fleet.machines["hub"]
    first = release(deployed)
    module = deployed.fleet.checkout / "hpchub" / "__init__.py"
    module.write_text(module.read_text() + '\nUPGRADED = "by a test of the deployment"\n')
    with notebook.watched() as away:
        deployed.fleet.play(SITE)
    print(f"the hub was away for {away.seconds:.1f} s while it was upgraded")
    print(hub.run("journalctl", "--unit=hpchub*", "--since=-3min", "--no-pager", "--output=short-precise").output)
    assert release(deployed) != first
    assert away.seconds < AWAY_SECONDS
    assert notebook.answers()
    deployed.fleet.play("ansible/playbooks/rollback.yml")
    assert release(deployed) == first
    assert notebook.answers()
    assert (
        hub.run("runuser", "-u", "postgres", "--", "psql", "-tAc", "SELECT 1", "jupyterhub", folder="/").output.strip()
        == "1"
    )


def release(deployed: Deployed) -> str:
    return deployed.fleet.machines["hub"].run("readlink", "/opt/hpchub/current").output.strip()


def test_a_copy_brings_everything_back_that_was_lost(deployed: Deployed, notebook: Notebook) -> None:
    fleet = deployed.fleet
    hub = fleet.machines["hub"]
    fleet.play("ansible/playbooks/backup.yml")
    archive = hub.run("sh", "-c", "ls -t /var/backups/hpchub/*.tar.gz | head -n 1").output.strip()
    token = notebook.admin_token()
    hub.run("systemctl", "stop", *UNITS[:3])
    for database in ("jupyterhub", "console"):
        assert hub.run("runuser", "-u", "postgres", "--", "dropdb", "--force", database).status == 0
    hub.run("find", "/var/lib/hpchub", "-mindepth", "1", "-delete")
    fleet.play("ansible/playbooks/restore.yml", "-e", f"backup_archive={archive}")
    assert notebook.admin_token() == token
    assert notebook.is_known()
    until(lambda: notebook.answers(), "the notebook to be reachable", 60)


def test_the_hubs_machine_comes_back_without_a_hand(deployed: Deployed, notebook: Notebook) -> None:
    began = time.monotonic()
    deployed.fleet.reboot("hub")
    until(notebook.answers, "the notebook to be reachable", 120)
    print(f"the notebook answered {time.monotonic() - began:.1f} s after the hub's machine had lost its power")
    until(lambda: set(active(deployed)) == {"active"}, "all units to run", 60)


def active(deployed: Deployed) -> list[str]:
    """The states of the units."""
    units = [*UNITS, "hpchub-launch.socket", "hpchub-backup.timer"]
    return deployed.fleet.machines["hub"].run("systemctl", "is-active", *units).output.split()


def test_new_secrets_replace_the_old_ones_and_end_no_session(deployed: Deployed, notebook: Notebook) -> None:
    old = notebook.admin_token()
    deployed.fleet.play("ansible/playbooks/rotate-secrets.yml")
    assert notebook.admin_token() != old
    with pytest.raises(urllib.error.HTTPError, match="403"):
        notebook.ask("GET", "/hub/api/users/ada")
    notebook.token = notebook.admin_token()
    assert notebook.is_known()
    until(notebook.answers, "the notebook to be reachable", 60)
