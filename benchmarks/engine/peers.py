"""The peers' hubs as processes: the same Python, proxy, clusters and people as ours, with their own spawner."""

from __future__ import annotations

import json
import os
import pwd
import secrets
import shutil
import subprocess
from pathlib import Path
from typing import Any

from benchmarks.engine.api import Hub
from benchmarks.engine.place import OurSite
from demo.steps import SYSTEM_PATH, put_before_jobs, system_environment
from tests.support.cheap import program
from tests.support.wait import until

PORTS = {"batchspawner": 9000, "moss": 9200}
MOSS_PACKAGES = Path(__file__).parents[2] / ".cache" / "bench" / "packages"
"""Where `./run bench` put what benchmarks/requirements.txt locks."""
SUDOERS = "{user} ALL=(ALL) NOPASSWD:SETENV: /usr/bin/sbatch, /usr/bin/squeue, /usr/bin/scancel, /usr/bin/sinfo\n"


class Peer:
    """One peer's hub.

    Args:
        site: ours, whose software, clusters and people it shares.
        name: ``batchspawner`` or ``moss``.
        cheap: the responder's folder, where its jobs shall only sleep.
    """

    def __init__(self, site: OurSite, name: str, cheap: Path | None = None) -> None:
        self._site = site
        self.name = name
        self._cheap = cheap
        self._token = secrets.token_hex(32)
        self._process: subprocess.Popen[bytes] | None = None
        self.folder = site.place.folder / name
        self.hub = Hub(PORTS[name], self._token, secrets.token_hex(32))

    @property
    def hub_port(self) -> int:
        """Where the hub itself listens, behind its proxy (peer_config.py)."""
        return PORTS[self.name] + 81

    @property
    def choice(self) -> dict[str, Any] | None:
        """The options of a start: MOSS's are what its form would give."""
        if self.name != "moss":
            return None
        environment = f"{self._bin}/"
        return {
            "partition": "lrd_all_serial",
            "runtime": "4:00:00",
            "nprocs": 1,
            "memory": "7700M",
            "reservation": "",
            "ngpus": 0,
            "options": "",
            "output": "/dev/null",
            "environment_id": "base",
            "environment_path": environment,
            "environment_modules": "",
            "default_url": "/lab",
            "root_dir": "",
            "gres": "",
            "prologue": f"export PATH={environment}:$PATH",
        }

    @property
    def pid(self) -> int:
        """The hub's process."""
        if self._process is None or self._process.poll() is not None:
            raise RuntimeError(f"the hub of {self.name} does not run; see {self.folder}/hub.log")
        return self._process.pid

    @property
    def _bin(self) -> Path:
        return (self._site.builds / "current").resolve() / "bin"

    def start(self) -> None:
        """Start the hub with an empty database, and wait until it answers."""
        place = self._site.place
        entry = pwd.getpwnam(place.people.hub_user)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(mode=0o755)
        os.chown(self.folder, entry.pw_uid, entry.pw_gid)
        self._write_nodes_and_sudoers()
        # The hub's user may not be able to read the clone.
        shutil.copy(Path(__file__).with_name("peer_config.py"), self.folder)
        if self.name == "moss":
            shutil.copytree(MOSS_PACKAGES, self.folder / "packages")
        settings = self.folder / "peer.json"
        settings.write_text(json.dumps(self._settings()))
        os.chown(settings, entry.pw_uid, entry.pw_gid)
        settings.chmod(0o600)
        with open(self.folder / "hub.log", "wb") as log:
            self._process = subprocess.Popen(
                [place.venv / "bin/python", place.venv / "bin/jupyterhub", "-f", "peer_config.py"],
                cwd=self.folder,
                env=system_environment(
                    PATH=f"{place.venv / 'bin'}:{place.proxy / 'node_modules' / '.bin'}:{SYSTEM_PATH}",
                    HOME=str(self.folder),
                    HPCHUB_BENCH_PEER=str(settings),
                    PYTHONPATH=str(self.folder / "packages"),
                    PYTHONDONTWRITEBYTECODE="1",
                ),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=entry.pw_uid,
                group=entry.pw_gid,
                extra_groups=[],
                start_new_session=True,
            )
        until(lambda: self.pid and self.hub.answers("/hub/api/users"), f"the hub of {self.name} to answer", 60)
        for pid in (self.pid, int((self.folder / "proxy.pid").read_text())):
            put_before_jobs(pid)
        for person in self._site.people:
            self.hub.api("POST", f"/users/{person}")

    def _write_nodes_and_sudoers(self) -> None:
        """Do what a site has: names of nodes that resolve, and the rule by which batchspawner acts as a user."""
        hosts = Path("/etc/hosts")
        if "serial0001" not in hosts.read_text():
            names = " ".join(f"serial{number:04d}" for number in range(1, 5))
            hosts.write_text(f"{hosts.read_text()}\n127.0.0.1 {names} lrdn0001\n")
        rule = Path("/etc/sudoers.d/hpchub-bench")
        rule.write_text(SUDOERS.format(user=self._site.place.people.hub_user))
        rule.chmod(0o440)

    def _settings(self) -> dict[str, Any]:
        cheap = None
        if self._cheap is not None:
            cheap = self._cheap / "batchspawner-singleuser"
            cheap.write_text(program("batchspawner", self._cheap))
            cheap.chmod(0o755)
        return {
            "spawner": self.name,
            "port": PORTS[self.name],
            "token": self._token,
            "proxy_token": self.hub.proxy_token,
            "people": self._site.people,
            "folder": str(self.folder),
            "bin": str(self._bin),
            "cheap": str(cheap) if cheap else None,
        }

    def stop(self) -> None:
        """End the hub and its proxy; JupyterHub's default, a clean-up, would stop each server by itself."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            proxy = self.folder / "proxy.pid"
            if proxy.exists():
                subprocess.run(["kill", proxy.read_text()], check=False, capture_output=True)
            self._process = None
