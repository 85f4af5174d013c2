"""A fresh Debian 12 with systemd, booted on this machine and gone afterwards.

The root is an overlay on a root that mmdebstrap makes once, and systemd-nspawn boots it.  The machine has what Debian
calls minimal, systemd, git and the network: nothing else.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tests.machine.network import host, network_for

REPOSITORY = Path(__file__).resolve().parents[2]
CACHE = REPOSITORY / ".cache" / "machine"
PACKAGES = "systemd,systemd-sysv,git,ca-certificates"
NAME = "hpchub-test"
BOOT_SECONDS = 120.0
GIVEN = "/srv/cache"
"""The folder of a machine for what it need not fetch; not among the traces."""
T = TypeVar("T")
CA_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
SETTINGS = (CA_BUNDLE, Path("/etc/resolv.conf"), Path("/etc/pip.conf"))
"""Files of the host that a machine gets, because only with them it reaches the package registries from here."""
DAILY = ("apt-daily", "apt-daily-upgrade", "dpkg-db-backup", "e2scrub_all", "fstrim", "systemd-tmpfiles-clean")
"""Debian's own timers, which write files when midnight comes in the middle of a test; a machine here has none."""


@dataclass(frozen=True)
class Result:
    """How a command in the machine ended; `output` is what it wrote to both of its outputs."""

    status: int
    output: str
    seconds: float


@dataclass(frozen=True)
class Machine:
    """A booted machine."""

    root: Path
    leader: int
    """Its first process, as the host numbers it."""

    def run(self, *argv: str, folder: str = "/root", seconds: float = 1200, **variables: str) -> Result:
        """Run a command as root in the machine, with the clean environment of a login."""
        environment = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/root",
            "LANG": "C.UTF-8",
            "SSL_CERT_FILE": str(CA_BUNDLE),
            "PIP_CERT": str(CA_BUNDLE),
            "NODE_EXTRA_CA_CERTS": str(CA_BUNDLE),
            **variables,
        }
        enter = ["nsenter", "--target", str(self.leader), "--all", f"--wdns={folder}", "--"]
        began = time.monotonic()
        done = subprocess.run(
            [*enter, *argv],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )
        seconds = time.monotonic() - began
        # pytest shows it with a failure, or when asked by -rP
        print(f"$ {' '.join(argv)[:200]}  # exit status {done.returncode}, {seconds:.1f} s\n{done.stdout[:5000]}")
        return Result(done.returncode, done.stdout, seconds)

    def firewall(self) -> str:
        """Return the rules of the machine's own network."""
        tables = ("iptables-save", "ip6tables-save")
        return "".join(host("nsenter", "--target", str(self.leader), "--net", table) for table in tables)

    def put_repository(self, folder: str) -> None:
        """Copy into the machine what a clone of this working tree would have, with what is not committed yet."""
        copy_repository(self.root / folder.lstrip("/"))


def copy_repository(target: Path) -> None:
    """Copy to another folder what a clone of this working tree would have, with what is not committed yet."""
    listed = host("git", "-C", REPOSITORY, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in filter(None, listed.split("\0")):
        source = REPOSITORY / name
        if source.is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name)


Network = Callable[[int], AbstractContextManager[None]]


@dataclass(frozen=True)
class Place:
    """The files of a machine, whether it runs or not."""

    name: str
    root: Path


@contextmanager
def booted(
    builds: Iterable[Path] = (),
    *,
    name: str = NAME,
    packages: str = PACKAGES,
    options: Sequence[str] = (),
    network: Network = network_for,
) -> Iterator[Machine]:
    """Boot a fresh machine; everything that it needed on this host is gone at the end, also after a failure.

    Args:
        name: the machine's; machines with different names may run at the same time.
        packages: what it has besides what Debian calls minimal.
        options: more of systemd-nspawn's, for example folders of this host.
        network: what gives the network namespace of the machine's first process its addresses.
        builds: builds of environments that the machine is given, as links: their folders in a cache of the demo
            (``environments/agrifood/x86_64-demo/05cce412ec34``), which become those of the cache ``GIVEN``.
    """
    with (
        fresh(builds, name=name, packages=packages) as place,
        running(place, options=options, network=network) as there,
    ):
        yield there


@contextmanager
def fresh(builds: Iterable[Path] = (), *, name: str = NAME, packages: str = PACKAGES) -> Iterator[Place]:
    """Make the files of a fresh machine, which are gone at the end; the arguments are those of :func:`booted`."""
    with ExitStack() as undo:
        # one of a name at a time in this checkout: it has one folder here; the lock goes with this process
        CACHE.mkdir(parents=True, exist_ok=True)
        lock = undo.enter_context((CACHE / f"{name}.lock").open("w"))
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield Place(name, undo.enter_context(_fresh_root(name, packages, builds)))


@contextmanager
def running(place: Place, *, options: Sequence[str] = (), network: Network = network_for) -> Iterator[Machine]:
    """Boot a machine from its files, for the length of the block; its end is that of a power failure."""
    with ExitStack() as undo:
        groups = undo.enter_context(_control_groups(place.name))
        leader = undo.enter_context(_nspawn(place.name, place.root, groups, options))
        undo.enter_context(network(leader))
        yield Machine(place.root, leader)


def golden_root(packages: str = PACKAGES) -> Path:
    """Return the root that machines are laid upon, made at the first call (15 s)."""
    recipe = hashlib.sha256(packages.encode()).hexdigest()[:12]
    golden = CACHE / f"bookworm-{recipe}"
    if not golden.is_dir():
        new = golden.with_suffix(".new")
        shutil.rmtree(new, ignore_errors=True)
        CACHE.mkdir(parents=True, exist_ok=True)
        # a mirror may be older than the ten days that Debian's lists are valid for
        old_lists = '--aptopt=Acquire::Check-Valid-Until "false"'
        host("mmdebstrap", "--quiet", "--variant=minbase", f"--include={packages}", old_lists, "bookworm", new)
        # a machine makes its own identity at its first boot
        (new / "etc" / "machine-id").write_text("")
        new.rename(golden)
    return golden


@contextmanager
def _fresh_root(name: str, packages: str, builds: Iterable[Path]) -> Iterator[Path]:
    golden, folder = golden_root(packages), CACHE / name
    root = folder / "root"
    _discard(folder)
    for layer in ("upper", "work", "root"):
        (folder / layer).mkdir(parents=True)
    # before it is mounted: nothing can be linked into a mount
    for build in builds:
        target = folder / "upper" / GIVEN.lstrip("/") / build.relative_to(build.parents[3])
        target.parent.mkdir(parents=True)
        host("cp", "--archive", "--link", build, target)
    layers = f"lowerdir={golden},upperdir={folder / 'upper'},workdir={folder / 'work'}"
    host("mount", "-t", "overlay", "overlay", "-o", layers, root)
    try:
        for source in filter(Path.is_file, SETTINGS):
            target = root / str(source).lstrip("/")
            target.unlink(missing_ok=True)
            shutil.copyfile(source, target)
        (root / "etc" / "hostname").write_text(f"{name}\n")
        # Debian's installer and its images for containers and clouds write it; mmdebstrap does not
        (root / "etc" / "hosts").write_text(f"127.0.0.1 localhost\n127.0.1.1 {name}\n")
        for timer in DAILY:
            (root / "etc" / "systemd" / "system" / f"{timer}.timer").symlink_to("/dev/null")
        yield root
    finally:
        _discard(folder)


def _discard(folder: Path) -> None:
    root = folder / "root"
    if root.is_mount():
        # lazily: what still has a file open there is ending
        host("umount", "--lazy", root)
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _control_groups(name: str) -> Iterator[list[Path]]:
    """Make a control group for the machine in every hierarchy, so that its systemd touches none of the host's."""
    top = Path("/sys/fs/cgroup")
    hierarchies = [top] if (top / "cgroup.procs").exists() else [path for path in top.iterdir() if path.is_mount()]
    # another checkout's machines may run at the same time
    checkout = hashlib.sha256(str(CACHE).encode()).hexdigest()[:8]
    groups = [hierarchy / f"{name}-{checkout}" for hierarchy in hierarchies]
    try:
        for group in groups:
            group.mkdir(exist_ok=True)
            for setting in ("cpuset.cpus", "cpuset.mems"):
                # a group of version 1 starts without any processor, and takes nobody in
                if (group / setting).exists() and not (group / setting).read_text().strip():
                    (group / setting).write_text((group.parent / setting).read_text())
        yield groups
    finally:
        _until(lambda: all(_remove_group(group) for group in groups), 60, "the control groups of the machine are empty")


def _remove_group(group: Path) -> bool:
    for folder, _, _ in os.walk(group, topdown=False):
        with suppress(OSError):
            os.rmdir(folder)
    return not group.exists()


@contextmanager
def _nspawn(name: str, root: Path, groups: list[Path], more: Sequence[str]) -> Iterator[int]:
    def enter_groups() -> None:
        for group in groups:
            (group / "cgroup.procs").write_text("0")

    # it ends with this process, also when that is killed, and the machine ends with it
    command = ["setpriv", "--pdeathsig", "KILL", "systemd-nspawn", f"--machine={name}", f"--directory={root}"]
    options = ["--quiet", "--boot", "--console=passive", "--register=no", "--keep-unit", "--link-journal=no"]
    log = root.parent / "console.log"
    with log.open("wb") as console:
        process = subprocess.Popen(
            [*command, *options, *more, "--private-network", "--resolv-conf=off"],
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=console,
            preexec_fn=enter_groups,
            start_new_session=True,
        )
    try:
        leader = _until(lambda: _first_process(process.pid), BOOT_SECONDS, "the machine has a first process", log)
        state = ["nsenter", "--target", str(leader), "--all", "systemctl", "is-system-running"]
        up = ("running", "degraded")
        _until(lambda: host(*state, check=False).strip() in up, BOOT_SECONDS, "the machine has booted", log)
        yield leader
    finally:
        # the end of its first process ends everything in the machine
        child = _child_of(process.pid)
        if child is not None:
            os.kill(child, signal.SIGKILL)
        process.terminate()
        process.wait(timeout=30)


def _first_process(nspawn: int) -> int | None:
    """Find the machine's init: before it, nspawn has for a moment another child, which makes it and ends."""
    child = _child_of(nspawn)
    if child is not None:
        with suppress(OSError):
            ids = re.search(r"^NSpid:(.*)$", Path(f"/proc/{child}/status").read_text(), re.MULTILINE)
            if ids and len(ids[1].split()) > 1 and ids[1].split()[-1] == "1":
                return child
    return None


def _child_of(pid: int) -> int | None:
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == pid:
                return int(stat.parent.name)
    return None


def _until(value: Callable[[], T | None], seconds: float, what: str, log: Path | None = None) -> T:
    """Wait until `value` is true and return it; raise an error that says what did not happen."""
    deadline = time.monotonic() + seconds
    while True:
        found = value()
        if found:
            return found
        if time.monotonic() > deadline:
            told = log.read_text(errors="replace")[-3000:] if log else ""
            raise RuntimeError(f"After {seconds:.0f} s it is not so that {what}.\n{told}")
        time.sleep(0.05)
