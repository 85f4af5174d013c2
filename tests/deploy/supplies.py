"""What the machines of this ring install, fetched once: they have no network but their own.

``python -m tests.deploy.supplies`` fetches: Debian's packages into a repository of files, the wheels that the hub's
lock names into uv's cache (which the demo's cache has already), and the proxy's packages into npm's.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

from tests.machine.machine import REPOSITORY, golden_root
from tests.machine.network import host

CACHE = REPOSITORY / ".cache" / "deploy"
DEMO_CACHE = REPOSITORY / ".cache" / "demo"
VENV = CACHE / "venv"
DEBIAN = CACHE / "debian"
WHEELS = CACHE / "wheels"
GOLDEN_PACKAGES = (
    "systemd,systemd-sysv,dbus,libpam-systemd,python3,python3-apt,sudo,ca-certificates,iproute2,openssh-server,procps"
)
"""A server as one gets it: systemd, ssh and the Python that Ansible works with."""
INSTALLED = (
    "python3-venv",
    "nginx",
    "openssl",
    "postgresql",
    "munge",
    "slurm-client",
    "slurmctld",
    "slurmd",
    "slurmdbd",
    "mariadb-server",
)
"""What the playbooks ask apt for."""


def fetch() -> None:
    """Bring everything into the cache; does nothing where it is there."""
    golden = golden_root(GOLDEN_PACKAGES)
    _when_changed("debian", f"{golden.name} {INSTALLED}", lambda: _fetch_packages(golden))
    bootstrap = REPOSITORY / "requirements" / "bootstrap.txt"
    _when_changed("wheels", bootstrap.read_text(), lambda: _fetch_bootstrap(bootstrap))
    locks = [REPOSITORY / "requirements" / f"{name}.txt" for name in ("hub", "postgresql", "traefik")]
    _when_changed("uv", "".join(lock.read_text() for lock in locks), lambda: _fetch_wheels(locks))


def _when_changed(name: str, recipe: str, make: Callable[[], None]) -> None:
    mark = CACHE / f"{name}.made-from"
    wanted = hashlib.sha256(recipe.encode()).hexdigest()
    if mark.is_file() and mark.read_text() == wanted:
        return
    make()
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.write_text(wanted)


def _fetch_packages(golden: Path) -> None:
    """Download what apt would install on such a machine, and write the index of a repository of it."""
    shutil.rmtree(DEBIAN, ignore_errors=True)
    lists = CACHE / "lists"
    for folder in (DEBIAN / "partial", lists / "partial"):
        folder.mkdir(parents=True, exist_ok=True)
    options: dict[str, str | Path] = {
        "Dir::State::status": golden / "var/lib/dpkg/status",
        "Dir::State::lists": lists,
        "Dir::Cache::archives": DEBIAN,
        "Dir::Cache::pkgcache": "",
        "Dir::Cache::srcpkgcache": "",
        "Dir::Etc::SourceList": golden / "etc/apt/sources.list",
        "Dir::Etc::SourceParts": "/dev/null",
        "Acquire::Check-Valid-Until": "false",
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "root",
    }
    settings = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    host("apt-get", *settings, "-q", "update")
    host("apt-get", *settings, "-q", "-y", "--download-only", "install", *INSTALLED)
    shutil.rmtree(DEBIAN / "partial")
    (DEBIAN / "lock").unlink(missing_ok=True)
    entries = []
    for package in sorted(DEBIAN.glob("*.deb")):
        content = package.read_bytes()
        facts = f"Filename: ./{package.name}\nSize: {len(content)}\nSHA256: {hashlib.sha256(content).hexdigest()}\n"
        entries.append(host("dpkg-deb", "--field", package).rstrip() + "\n" + facts)
    (DEBIAN / "Packages").write_text("\n".join(entries))


def _fetch_bootstrap(bootstrap: Path) -> None:
    shutil.rmtree(WHEELS, ignore_errors=True)
    pip = DEMO_CACHE / "tools" / "bin" / "pip"
    host(pip, "download", "--quiet", "--require-hashes", "--no-deps", "--dest", WHEELS, "-r", bootstrap)


def _fetch_wheels(locks: list[Path]) -> None:
    """Have uv's cache hold all that the locks name."""
    trial = CACHE / "trial"
    uv = DEMO_CACHE / "tools" / "bin" / "uv"
    cache: list[str | Path] = ["--cache-dir", DEMO_CACHE / "uv"]
    host(uv, "venv", "--quiet", "--clear", "--python", "/usr/bin/python3", *cache, trial)
    host(uv, "pip", "sync", "--quiet", "--require-hashes", *cache, "--python", trial / "bin" / "python", *locks)
    shutil.rmtree(trial)


if __name__ == "__main__":
    fetch()
