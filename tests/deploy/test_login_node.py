"""A hub on a machine that has no Slurm: it asks and submits on a login node, which it reaches by ssh."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.deploy.conftest import SITE, Deployed
from tests.deploy.notebook import Notebook
from tests.machine.machine import Machine
from tests.support.wait import until

KEYS, KNOWN_HOSTS = "/var/lib/hpchub/keys", "/etc/hpchub/known_hosts"
SSH = {"host": "slurm.test", "user": "hpchub", "identity_file": f"{KEYS}/id_ed25519", "known_hosts_file": KNOWN_HOSTS}
ACCOUNT = """
getent passwd hpchub >/dev/null || useradd --system --create-home --home-dir /srv/hpchub --shell /bin/bash hpchub
install -d -m 700 -o hpchub -g hpchub /srv/hpchub/.ssh
cat >/srv/hpchub/.ssh/authorized_keys
chown hpchub:hpchub /srv/hpchub/.ssh/authorized_keys
"""
KEY = f"""
install -d -m 700 -o hpchub -g hpchub {KEYS}
[ -e {KEYS}/id_ed25519 ] || runuser -u hpchub -- ssh-keygen -q -t ed25519 -N '' -f {KEYS}/id_ed25519
cat {KEYS}/id_ed25519.pub
"""


def shell(machine: Machine, script: str, given: str = "") -> str:
    """Run a script as root, with a text as its input."""
    done = machine.run("sh", "-euc", f"{{ {script}\n}} <<'END'\n{given}\nEND\n")
    assert done.status == 0, done.output
    return done.output


@pytest.fixture(scope="module")
def behind_ssh(deployed: Deployed) -> Iterator[Deployed]:
    """The same site, whose hub has lost its Slurm and found a login node; at the end it is as before."""
    fleet = deployed.fleet
    hub, login = fleet.machines["hub"], fleet.machines["slurm"]
    # what its administrators do by hand: an account, a key, the key of the host
    shell(login, ACCOUNT, shell(hub, KEY).strip())
    key = (Path(login.root) / "etc/ssh/ssh_host_ed25519_key.pub").read_text()
    shell(hub, f"cat >{KNOWN_HOSTS}", f"slurm.test {key}".strip())
    before = {path: path.read_text() for path in described(deployed)}
    for path, text in before.items():
        path.write_text(changed(path.name, text))
    shell(hub, "systemctl stop munge hpchub-launch.socket; mv /etc/slurm /etc/slurm.away")
    fleet.play(SITE)
    yield deployed
    for path, text in before.items():
        path.write_text(text)
    shell(hub, "mv /etc/slurm.away /etc/slurm; systemctl start munge")
    fleet.play(SITE)


def described(deployed: Deployed) -> list[Path]:
    """The files of the inventory that say where jobs are submitted."""
    folder = deployed.fleet.folder
    return [folder / "inventory" / "hosts.yml", folder / "inventory/group_vars/all.yml", folder / "files/site.yaml"]


def changed(name: str, text: str) -> str:
    """Say in one of these files that it is the login node."""
    if name == "hosts.yml":
        return text.replace("submit: {hosts: {hub.test: {}}}", "submit: {hosts: {slurm.test: {}}}")
    if name == "all.yml":
        return f"{text}launcher_door: sudo\n"
    line = f"    ssh: {yaml.safe_dump(SSH, default_flow_style=True, width=1000).strip()}"
    return re.sub("^(    notebook_address: .*)$", rf"\1\n{line}", text, flags=re.MULTILINE)


def test_a_notebook_starts_and_ends_through_the_login_node(behind_ssh: Deployed) -> None:
    slurm = behind_ssh.fleet.machines["slurm"]
    assert behind_ssh.fleet.machines["hub"].run("squeue").status != 0, "there must be no Slurm on the hub's machine"
    notebook = Notebook(behind_ssh)
    notebook.start()
    assert slurm.run("squeue", "--noheader", "--format=%u %T").output.split() == ["ada", "RUNNING"]
    notebook.stop()
    until(lambda: not slurm.run("squeue", "--noheader", "-t", "R,PD").output, "the job to be gone", 60)


def test_no_connection_outlives_a_hub_that_was_killed(behind_ssh: Deployed) -> None:
    hub = behind_ssh.fleet.machines["hub"]
    before = until(lambda: hub.run("pgrep", "-u", "hpchub", "-x", "ssh").output.split(), "a connection", 60)
    assert hub.run("systemctl", "kill", "--kill-whom=main", "--signal=KILL", "hpchub").status == 0
    until(lambda: not {*before} & {*hub.run("pgrep", "-u", "hpchub", "-x", "ssh").output.split()}, "its end", 20)
    until(lambda: hub_answers(Notebook(behind_ssh)), "the hub to answer again", 60)


def hub_answers(notebook: Notebook) -> bool:
    try:
        return notebook.is_known() is False
    except OSError:
        return False


def test_a_second_run_changes_nothing_there_either(behind_ssh: Deployed) -> None:
    second = behind_ssh.fleet.play(SITE)
    assert {name: counts["changed"] for name, counts in second.summary.items()} == dict.fromkeys(second.summary, 0)
