"""Somebody with a clone and a terminal, and what the install guide says has to be there: a machine with a name and a
Slurm, a certificate, a provider of identities.

The names and addresses are those that guide and example have.  The machine has no network: where it finds packages is
said by the machine, and not by what is typed.
"""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.deploy.certificates import Authority
from tests.deploy.conftest import write_provider
from tests.deploy.fleet import Fleet, Network, fleet
from tests.deploy.supplies import DEMO_CACHE, VENV

HUB, LOGIN = "hub.example.org", "login.example.org"
ADDRESSES = {"machine": "192.0.2.10", "login": "192.0.2.11"}
NETWORK = Network("br-guide", "192.0.2.1", ADDRESSES, {HUB: ADDRESSES["machine"], LOGIN: ADDRESSES["login"]})
OFFLINE = """PIP_NO_INDEX=1
PIP_FIND_LINKS=/srv/wheels
UV_OFFLINE=1
UV_CACHE_DIR=/srv/uv
npm_config_offline=true
"""
LINES_OF_A_FAILURE = 80


@dataclass(frozen=True)
class Typed:
    """What came of a command."""

    status: int
    output: str


@dataclass(frozen=True)
class Typist:
    """Types commands in the clone."""

    fleet: Fleet
    authority: Authority
    password: str

    def type(self, command: str, good: bool = True) -> Typed:
        """Type it as it stands."""
        folder = self.fleet.folder
        environment = {
            **os.environ,
            "PATH": f"{folder / 'programs'}:{os.environ['PATH']}",
            "ANSIBLE_HOME": str(folder / "ansible-home"),
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(folder / "connections"),
            "ANSIBLE_NOCOLOR": "1",
            "SSH_AUTH_SOCK": "",
        }
        done = subprocess.run(
            ["sh", "-e", "-c", command],
            cwd=self.fleet.checkout,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        print(f"$ {command.strip()}  # exit status {done.returncode}")
        tail = "\n".join(done.stdout.splitlines()[-LINES_OF_A_FAILURE:])
        assert done.returncode == 0 or not good, tail
        return Typed(done.returncode, done.stdout)


@contextmanager
def typist(folder: Path, shared: Path) -> Iterator[Typist]:
    """Make the machine, and all that the guide says has to be there; nothing of it stays."""
    with fleet(folder, shared, NETWORK) as machines:
        password = secrets.token_urlsafe(12)
        authority = _write_surroundings(folder, password)
        hub = machines.machines["machine"]
        with (hub.root / "etc" / "environment").open("a") as file:
            file.write(OFFLINE)
        for name in ("uv", "npm"):
            assert hub.run("ln", "-s", f"/srv/{name}", f"/var/cache/hpchub-{name}").status == 0
        machines.play("tests/deploy/guide/playbook.yml")
        machines.play("tests/deploy/provider/playbook.yml")
        _bring_what_is_given(machines)
        yield Typist(machines, authority, password)


def _write_surroundings(folder: Path, password: str) -> Authority:
    """Write certificates, the provider's settings, and the inventory that the test itself needs to prepare it all."""
    inventory, files = folder / "inventory", folder / "files"
    inventory.mkdir()
    files.mkdir()
    authority = Authority(files)
    for host in (HUB, LOGIN):
        authority.sign(host)
    write_provider(files, HUB, LOGIN, password)
    hosts = {
        "hosts": {name: {"ansible_host": address} for name, address in NETWORK.names.items()},
        "children": {"hub": {"hosts": {HUB: {}}}, "provider": {"hosts": {LOGIN: {}}}},
        "vars": {"ansible_user": "root", "provider_name": LOGIN},
    }
    (inventory / "hosts.yml").write_text(yaml.safe_dump({"all": hosts}))
    return authority


def _bring_what_is_given(machines: Fleet) -> None:
    """Give the typist a clone whose tools are installed, the certificate, the secret, and an ssh that knows the way."""
    folder, checkout = machines.folder, machines.checkout
    for given, name in ((f"{HUB}.pem", "fullchain.pem"), (f"{HUB}.key", "privkey.pem")):
        (checkout / name).write_bytes((folder / "files" / given).read_bytes())
    (checkout / "oidc-client-secret").write_text((folder / "files" / "oidc-client-secret").read_text())
    (checkout / ".cache" / "deploy").mkdir(parents=True, exist_ok=True)
    (checkout / ".cache" / "deploy" / "venv").symlink_to(VENV)
    (checkout / ".cache" / "demo").symlink_to(DEMO_CACHE)
    settings = folder / "ssh_config"
    settings.write_text(
        f"Host {HUB}\n HostName {ADDRESSES['machine']}\n"
        f" IdentityFile {folder / 'key'}\n IdentitiesOnly yes\n UserKnownHostsFile {folder / 'known_hosts'}\n"
    )
    programs = folder / "programs"
    programs.mkdir()
    for name in ("ssh", "sftp", "scp"):
        (programs / name).write_text(f'#!/bin/sh\nexec /usr/bin/{name} -F {settings} "$@"\n')
        (programs / name).chmod(0o755)
