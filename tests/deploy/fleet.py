"""Machines on a network of their own: usually the hub's, the controller of Slurm, a compute node.

Everything happens in the network namespace of the tests' process, which `./run` makes for them: the bridge ends with
it.  Folders of this host that the machines share stand for the parallel file system.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.deploy.supplies import DEBIAN, DEMO_CACHE, GOLDEN_PACKAGES, VENV, WHEELS
from tests.machine.machine import Machine, Place, copy_repository, fresh, running
from tests.machine.network import host

ADDRESSES = {"hub": "10.213.78.11", "slurm": "10.213.78.12", "node1": "10.213.78.13"}
OURS = ("lo", "br-", "ve-")
"""How the names of links begin where nobody but these tests is."""
SOURCES = "deb [trusted=yes] file:/srv/debian ./\n"
LINES_OF_A_FAILURE = 60


@dataclass(frozen=True)
class Network:
    """A bridge with machines behind it."""

    bridge: str
    host: str
    """The address of this host there; all addresses are of one network of 256."""
    addresses: Mapping[str, str]
    """Of the machines."""
    names: Mapping[str, str]
    """What the machines call each other, and the address of each name."""


USUAL = Network(
    "br-deploy",
    "10.213.78.1",
    ADDRESSES,
    {**{f"{name}.test": address for name, address in ADDRESSES.items()}, "login.test": ADDRESSES["slurm"]},
)


@dataclass(frozen=True)
class Run:
    """How a playbook ended: its output, how long it took, and for each host what its summary counts."""

    status: int
    output: str
    seconds: float
    summary: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class Fleet:
    """The machines by name, and what Ansible reaches them with."""

    folder: Path
    """Files of this run on this host: keys, certificates, the inventory."""
    checkout: Path
    """A copy of this repository, which is what is deployed."""
    homes: Path
    """What stands for the file system of the homes."""
    network: Network
    machines: dict[str, Machine] = field(default_factory=dict)
    """Those that run; one that was booted again is another."""
    _places: dict[str, tuple[Place, ExitStack]] = field(default_factory=dict)
    _power: dict[str, ExitStack] = field(default_factory=dict)

    def add(self, name: str) -> None:
        """Boot a fresh machine with the address and the keys of that name."""
        undo = ExitStack()
        place = undo.enter_context(fresh(name=f"hpchub-{name}", packages=GOLDEN_PACKAGES))
        self._places[name] = place, undo
        self._boot(name)
        _prepare(self.machines[name], self.folder / "key.pub", self.network)

    def reboot(self, name: str) -> None:
        """Cut a machine's power and boot it again with the files that it has; return when it has booted."""
        self._cut(name)
        self._boot(name)

    def lose(self, name: str) -> None:
        """Cut a machine's power, lose its files, and boot a fresh one in its place."""
        self._cut(name)
        self._places.pop(name)[1].close()
        self.add(name)

    def close(self) -> None:
        """End all machines; nothing of them stays."""
        for name in list(self._places):
            if name in self._power:
                self._cut(name)
            self._places.pop(name)[1].close()

    def _boot(self, name: str) -> None:
        self._power[name] = ExitStack()
        machine = running(
            self._places[name][0],
            options=_options(self.homes),
            network=lambda leader: _linked(name, leader, self.network),
        )
        self.machines[name] = self._power[name].enter_context(machine)

    def _cut(self, name: str) -> None:
        self._power.pop(name).close()
        # what ssh has open to it leads nowhere, and nobody says so
        shutil.rmtree(self.folder / "connections", ignore_errors=True)

    def play(self, playbook: str, *options: str, good: bool = True, checkout: Path | None = None) -> Run:
        """Run a playbook of the copy, or of another checkout, by its path there, on the machines of this fleet."""
        source = checkout or self.checkout
        environment = {
            **os.environ,
            "PATH": f"{VENV / 'bin'}:{os.environ['PATH']}",
            "ANSIBLE_CONFIG": str(source / "ansible" / "ansible.cfg"),
            "ANSIBLE_HOME": str(self.folder / "ansible-home"),
            # the connections that stay open: another run's machines have the same addresses
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(self.folder / "connections"),
            "ANSIBLE_SSH_ARGS": (
                f"-o ControlMaster=auto -o ControlPersist=120s -o ServerAliveInterval=5 "
                f"-o UserKnownHostsFile={self.folder / 'known_hosts'} "
                f"-o IdentityFile={self.folder / 'key'} -o IdentitiesOnly=yes -F /dev/null"
            ),
            "ANSIBLE_NOCOLOR": "1",
            "SSH_AUTH_SOCK": "",
        }
        began = time.monotonic()
        done = subprocess.run(
            [VENV / "bin" / "ansible-playbook", "-i", self.folder / "inventory", source / playbook, *options],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        seconds = time.monotonic() - began
        print(f"{playbook}: exit status {done.returncode}, {seconds:.1f} s")
        tail = "\n".join(done.stdout.splitlines()[-LINES_OF_A_FAILURE:])
        assert done.returncode == 0 or not good, tail
        return Run(done.returncode, done.stdout, seconds, summary_of(done.stdout))


def summary_of(output: str) -> dict[str, dict[str, int]]:
    """Read the lines after ``PLAY RECAP``: ``hub : ok=72 changed=0 unreachable=0 …``."""
    _, _, recap = output.rpartition("PLAY RECAP")
    lines = [line.partition(":") for line in recap.splitlines() if "ok=" in line]
    return {
        name.strip(): {key: int(value) for key, value in (word.split("=") for word in counts.split())}
        for name, _, counts in lines
    }


@contextmanager
def fleet(folder: Path, shared: Path, network: Network = USUAL) -> Iterator[Fleet]:
    """Boot the machines; they and their network are gone at the end.

    Args:
        folder: where this run keeps its files.
        shared: what stands for the parallel file system: the homes lie there.
        network: which machines, and where they are.
    """
    if not all(name.startswith(OURS) for _, name in socket.if_nameindex()):
        raise RuntimeError("These tests need a network namespace of their own: `./run test deploy` gives them one.")
    homes = shared / "home"
    homes.mkdir(parents=True, exist_ok=True)
    host("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "key")
    with ExitStack() as undo:
        host("ip", "link", "set", "lo", "up")
        host("ip", "link", "add", network.bridge, "type", "bridge")
        undo.callback(host, "ip", "link", "delete", network.bridge, check=False)
        host("ip", "address", "add", f"{network.host}/24", "dev", network.bridge)
        host("ip", "link", "set", network.bridge, "up")
        checkout = folder / "checkout"
        copy_repository(checkout)
        found = Fleet(folder, checkout, homes, network)
        undo.callback(found.close)
        for name in network.addresses:
            found.add(name)
        keys = [(machine.root / "etc/ssh/ssh_host_ed25519_key.pub").read_text() for machine in found.machines.values()]
        known = [f"{address} {key}" for address, key in zip(network.addresses.values(), keys, strict=True)]
        (folder / "known_hosts").write_text("".join(known))
        yield found


def _options(homes: Path) -> list[str]:
    """What systemd-nspawn puts into each machine."""
    folders = {
        "--bind-ro": {
            DEBIAN: "/srv/debian",
            WHEELS: "/srv/wheels",
            DEMO_CACHE / "environments": "/srv/environments",
            # the provider's software, and Node
            DEMO_CACHE / "fetched": "/srv/fetched",
        },
        "--bind": {homes: "/home"},
        # what is written there stays in the machine
        "--overlay": {DEMO_CACHE / "uv": "/srv/uv", DEMO_CACHE / "npm": "/srv/npm"},
    }
    return [
        f"{option}={source}::{target}" if option == "--overlay" else f"{option}={source}:{target}"
        for option, pairs in folders.items()
        for source, target in pairs.items()
    ]


@contextmanager
def _linked(name: str, leader: int, network: Network) -> Iterator[None]:
    """Put a machine on the bridge; the link ends with the machine's namespace."""
    # after a power failure the kernel may not yet have taken the last one away
    host("ip", "link", "delete", f"ve-{name}", check=False)
    # the same after each boot, as a machine has it: its neighbours remember it
    ether = ":".join(["02", "00", *(f"{int(part):02x}" for part in network.addresses[name].split("."))])
    inner = ("peer", "name", "host0", "address", ether, "netns", str(leader))
    host("ip", "link", "add", f"ve-{name}", "type", "veth", *inner)
    host("ip", "link", "set", f"ve-{name}", "master", network.bridge, "up")
    inside = ("nsenter", "--target", str(leader), "--net", "ip")
    host(*inside, "link", "set", "lo", "up")
    host(*inside, "address", "add", f"{network.addresses[name]}/24", "dev", "host0")
    host(*inside, "link", "set", "host0", "up")
    yield


def _prepare(machine: Machine, key: Path, network: Network) -> None:
    """Give a machine its neighbours' names, its packages' place and the key of who administers it."""
    etc = machine.root / "etc"
    with (etc / "hosts").open("a") as file:
        file.writelines(f"{address} hpchub-{name}\n" for name, address in network.addresses.items())
        file.writelines(f"{address} {name}\n" for name, address in network.names.items())
    (etc / "apt" / "sources.list").write_text(SOURCES)
    ssh = machine.root / "root" / ".ssh"
    ssh.mkdir(mode=0o700, exist_ok=True)
    (ssh / "authorized_keys").write_text(key.read_text())
