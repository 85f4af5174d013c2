"""Machines on which the playbook has run once: the tests follow them through their life, in the order of the files."""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.deploy.certificates import Authority
from tests.deploy.fleet import ADDRESSES, Fleet, Run, fleet
from tests.support.chromium import ARGUMENTS, CHROMIUM
from tests.support.thorough import THOROUGH

# Each of these plays playbooks several times more, or has machines of its own.
LONG = [
    f"test_{name}.py"
    for name in ("guide", "login_node", "new_machine", "refusals", "release", "switched_off", "traefik", "uninstall")
]
collect_ignore = [] if THOROUGH else LONG
HERE = Path(__file__).parent
SITE = "ansible/site.yml"
ADMINS, TRAINERS = "hub-admins", "course-teachers"
NAMES = {"hub.test": ADDRESSES["hub"], "login.test": ADDRESSES["slurm"]}


@dataclass(frozen=True)
class Deployed:
    """Machines after the first run of the playbook."""

    fleet: Fleet
    first: Run
    password: str
    """Of all people at the provider."""
    authority: Authority


@pytest.fixture(scope="session")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Three machines as one gets them, and an inventory that names them."""
    folder = tmp_path_factory.mktemp("deploy")
    with fleet(folder, tmp_path_factory.mktemp("shared")) as found:
        yield found


@dataclass(frozen=True)
class Surroundings:
    """What a site has before the playbook runs."""

    fleet: Fleet
    password: str
    authority: Authority

    def prepare(self, *options: str) -> None:
        """Give the machines a Slurm, and a provider of identities; the options are Ansible's."""
        key = self.fleet.folder / "munge.key"
        self.fleet.play("tests/deploy/slurm/playbook.yml", "-e", f"munge_key={key}", *options)
        self.fleet.play("tests/deploy/provider/playbook.yml", *options)

    def new_hub(self) -> None:
        """Lose the hub's machine; the new one has what a site gives it before the playbook runs."""
        self.fleet.lose("hub")
        self.prepare("--limit", "hub.test")


@pytest.fixture(scope="session")
def surroundings(machines: Fleet) -> Surroundings:
    """The machines with a Slurm and with a provider of identities."""
    password = secrets.token_urlsafe(12)
    authority = write_inventory(machines.folder / "inventory", password)
    (machines.folder / "munge.key").write_bytes(secrets.token_bytes(1024))
    found = Surroundings(machines, password, authority)
    found.prepare()
    return found


@pytest.fixture(scope="session")
def deployed(surroundings: Surroundings) -> Deployed:
    """The same with the hub."""
    fleet = surroundings.fleet
    return Deployed(fleet, fleet.play(SITE), surroundings.password, surroundings.authority)


def write_inventory(folder: Path, password: str) -> Authority:
    """Write what a site has: its hosts, its variables, its site file, a certificate, a secret of the provider's."""
    (folder / "group_vars").mkdir(parents=True)
    shutil.copy(HERE / "inventory" / "hosts.yml", folder)
    shutil.copy(HERE / "inventory" / "group_vars.yml", folder / "group_vars" / "all.yml")
    # beside the inventory: Ansible would take what lies in its folder for hosts
    files = folder.parent / "files"
    files.mkdir()
    shutil.copy(HERE / "inventory" / "site.yaml", files)
    authority = Authority(files)
    for host in NAMES:
        authority.sign(host)
    write_provider(files, "hub.test", "login.test", password)
    return authority


def write_provider(files: Path, hub: str, login: str, password: str) -> None:
    """Write what the provider with this name reads, and the secret that it has for the hub with that name."""
    secret = secrets.token_hex(32)
    (files / "oidc-client-secret").write_text(secret)
    provider = {
        "issuer": f"https://{login}",
        "behind_tls": True,
        "port": 8090,
        "people": "/srv/provider/people.json",
        "client": {
            "id": "hpchub",
            "secret": secret,
            "callback_url": f"https://{hub}/hub/oauth_callback",
            "signed_out_url": f"https://{hub}/hub/login",
        },
    }
    (files / "provider.json").write_text(json.dumps(provider))
    groups = {"ada": ["hpc"], "carla": ["hpc", TRAINERS]}
    people = {
        name: {"password": password, "claims": {"preferred_username": name, "groups": theirs}}
        for name, theirs in groups.items()
    }
    (files / "people.json").write_text(json.dumps(people))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, which finds the machines by their names."""
    rules = ", ".join(f"MAP {name} {address}" for name, address in NAMES.items())
    with sync_playwright() as playwright:
        arguments = [*ARGUMENTS, f"--host-resolver-rules={rules}"]
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield chromium
        chromium.close()
