"""Where the demo lies on this machine: its folder, its ports, its users."""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from demo.steps import DemoError

REPOSITORY = Path(__file__).resolve().parent.parent
PYTHON = "/usr/bin/python3"
"""The interpreter of everything here: every user of the machine can execute it."""

SOFTWARE_TARGET = "x86_64-demo"
PASSWORD = "demo"  # noqa: S105 - printed on the screen at every start


@dataclass(frozen=True)
class People:
    """Who may sign in, as ``demo/people.toml`` lists them."""

    group: str
    """The POSIX group of everybody for whom the hub may start a job."""
    hub_user: str
    """The system user as which the hub runs."""
    names: tuple[str, ...]
    admins: tuple[str, ...]
    trainers: tuple[str, ...]

    @property
    def seats(self) -> tuple[str, ...]:
        """The accounts that events may lend as temporary seats."""
        return tuple(name for name in self.names if re.fullmatch(r"seat\d\d", name))


@dataclass(frozen=True)
class Place:
    """The demo's folder, the folder of what was fetched, and the first of its ports."""

    folder: Path
    cache: Path
    port: int
    auth: str = "simple"
    """How people sign in: ``simple``, by a name and a password at the hub, or ``oidc``, at a provider beside it."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Place:
        """Read ``HPCHUB_DEMO_DIR``, ``_PORT``, ``_CACHE`` and ``_AUTH``; raise :class:`DemoError`."""
        folder = Path(environment.get("HPCHUB_DEMO_DIR") or "/var/lib/hpchub-demo")
        # the path stands in sudoers, in slurm.conf and in job scripts, which quote each in their own way
        if not re.fullmatch(r"(/[A-Za-z0-9_][A-Za-z0-9._-]*){2,}", str(folder)):
            raise DemoError(
                f"HPCHUB_DEMO_DIR is {str(folder)!r}, but must be an absolute path at least two folders deep, "
                "made of letters, digits, '.', '_' and '-'."
            )
        text = environment.get("HPCHUB_DEMO_PORT") or "8000"
        if not re.fullmatch("[0-9]{4,5}", text) or not 1024 <= int(text) <= 65000:
            raise DemoError(f"HPCHUB_DEMO_PORT is {text!r}, but must be a number from 1024 to 65000.")
        cache = Path(environment.get("HPCHUB_DEMO_CACHE") or folder / "cache").absolute()
        auth = environment.get("HPCHUB_DEMO_AUTH") or "simple"
        if auth not in ("simple", "oidc"):
            raise DemoError(f"HPCHUB_DEMO_AUTH is {auth!r}, but must be simple or oidc.")
        return cls(folder, cache, int(text), auth)

    @property
    def hub_port(self) -> int:
        """The hub's own port, behind the proxy."""
        return self.port + 81

    @property
    def proxy_port(self) -> int:
        """The port of the proxy's API."""
        return self.port + 1

    @property
    def provider_port(self) -> int:
        """The port of the provider of identities."""
        return self.port + 82

    @property
    def console_port(self) -> int:
        """The port of the console, behind the proxy."""
        return self.port + 83

    @property
    def provider(self) -> Path:
        """The provider's software."""
        return self.folder / "provider"

    @property
    def url(self) -> str:
        """What a browser opens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def venv(self) -> Path:
        """The hub's software."""
        return self.folder / "venv"

    @property
    def proxy(self) -> Path:
        """The proxy's software."""
        return self.folder / "proxy"

    @property
    def launcher(self) -> Path:
        """The root-owned program, the only one that the hub may run as root."""
        return self.folder / "libexec" / "hpchub-launch"

    @property
    def reserver(self) -> Path:
        """The root-owned program that makes reservations for events."""
        return self.folder / "libexec" / "hpchub-reserve"

    @property
    def sudoers(self) -> Path:
        """The rules that let the hub run the two programs."""
        return Path("/etc/sudoers.d/hpchub-demo")

    @property
    def environments(self) -> Path:
        """The builds of the notebooks' environments."""
        return self.folder / "environments"

    @property
    def work(self) -> Path:
        """The data of the allocations, a folder each."""
        return self.folder / "work"

    @property
    def site(self) -> Path:
        """The site file that the hub reads."""
        return self.folder / "site" / "site.yaml"

    @property
    def hub(self) -> Path:
        """The hub's home: its database, its log and its secrets, closed to everybody else."""
        return self.folder / "hub"

    @cached_property
    def people(self) -> People:
        """Read ``demo/people.toml``."""
        table = tomllib.loads((REPOSITORY / "demo" / "people.toml").read_text())
        people = table["people"]
        return People(
            group=table["group"]["name"],
            hub_user=table["hub"]["user"],
            names=tuple(person["name"] for person in people),
            admins=tuple(person["name"] for person in people if person.get("admin")),
            trainers=tuple(person["name"] for person in people if person.get("trainer")),
        )

    def slurm_conf(self) -> str:
        """Return the path of ``slurm.conf``, as the cluster's own ``env`` file says it."""
        found = re.search(r"^export SLURM_CONF=(\S+)$", (self.folder / "env").read_text(), re.MULTILINE)
        if found is None:
            raise DemoError(f"{self.folder / 'env'} does not say SLURM_CONF; was the cluster started?")
        return found[1].strip("'\"")

    def check_reachable(self) -> None:
        """Raise :class:`DemoError` unless every user can walk to the demo's folder."""
        for parent in self.folder.parents:
            if parent.is_dir() and not parent.stat().st_mode & stat.S_IXOTH:
                raise DemoError(
                    f"HPCHUB_DEMO_DIR is {self.folder}, but other users cannot enter {parent}: "
                    "jobs run as other users. Choose another folder, for example under /var/lib."
                )
