"""Memory that runs out: on a node with cgroups, as real clusters have them, and on one without."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.endings import jupyter_config, refine, wait_for_end
from tests.support.site import Site
from tests.support.wait import until

FREE = {"profile": "general/data-preparation", "allocation": "aifac_agri01", "size": "small", "minutes": 60}
MEMORY_MB = 7700
CGROUPS = Path("/sys/fs/cgroup")


def eat(megabytes: int) -> str:
    """A configuration of the notebook server that takes memory, and keeps it until it is killed."""
    return f"import time\nfood = [b'x' * 2**20 for _ in range({megabytes})]\ntime.sleep(600)\n"


@pytest.fixture
def only_serial0002(site: Site) -> Iterator[Site]:
    """The other node of the partition takes no jobs."""
    site.slurm("scontrol -M leonardo update nodename=serial0001 state=drain reason=test")
    yield site
    # `up`, which the other fixture calls, may have given it back already.
    if "drain" in state_of(site, "serial0001"):
        site.slurm("scontrol -M leonardo update nodename=serial0001 state=resume")


@pytest.fixture
def node_with_cgroups(only_serial0002: Site, tmp_path: Path) -> Iterator[Site]:
    """serial0002 holds a job to a tenth of its memory by cgroups: so little that the machine can give it."""
    site = only_serial0002
    for file in (site.folder / "etc" / "leonardo").iterdir():
        shutil.copy(file, tmp_path)
    conf = tmp_path / "slurm.conf"
    text = conf.read_text()
    for ours, with_cgroups in (
        ("ProctrackType=proctrack/linuxproc", "ProctrackType=proctrack/cgroup"),
        ("TaskPlugin=task/none", "TaskPlugin=task/cgroup"),
        # The controller's configuration is another; and it would kill before the cgroup does.
        ("JobAcctGatherParams=OverMemoryKill", "DebugFlags=NO_CONF_HASH"),
    ):
        assert ours in text
        text = text.replace(ours, with_cgroups)
    conf.write_text(text)
    plugin = "cgroup/v2\nIgnoreSystemd=yes" if (CGROUPS / "cgroup.controllers").exists() else "cgroup/v1"
    (tmp_path / "cgroup.conf").write_text(f"CgroupPlugin={plugin}\nConstrainRAMSpace=yes\nAllowedRAMSpace=10\n")
    usual = int(pid_file(site).read_text())
    os.kill(usual, signal.SIGTERM)
    until(lambda: not runs_slurmd(usual), "the node's usual slurmd to end")
    with start_slurmd(site, conf) as daemon:
        until(lambda: state_of(site, "serial0002") == "idle", "the node to be idle", 60)
        yield site
        daemon.terminate()
    site.up()
    until(lambda: not cgroups_of_slurm(), "Slurm's cgroups to be removed", 60)


def pid_file(site: Site) -> Path:
    return site.folder / "run" / "slurmd-serial0002.pid"


def runs_slurmd(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text() == "slurmd\n"
    return False


def state_of(site: Site, node: str) -> str:
    return site.slurm(f"sinfo -M leonardo -h -n {node} -o %T").split()[-1]


def start_slurmd(site: Site, conf: Path) -> subprocess.Popen[bytes]:
    """Start the node's daemon as devcluster does, with other settings."""
    inner = f"hostname localhost && exec slurmd -D -N serial0002 -f {conf}"
    with (site.folder / "log" / "slurmd-serial0002.log").open("ab") as log:
        daemon = subprocess.Popen(
            ["unshare", "--uts", "sh", "-c", inner],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HPCHUB_DEVCLUSTER": str(site.folder)},
            start_new_session=True,
        )
    pid_file(site).write_text(f"{daemon.pid}\n")
    return daemon


def cgroups_of_slurm() -> list[Path]:
    """Remove the cgroups that nobody is in any more; give those that are left."""
    left = []
    for top in [*CGROUPS.glob("slurm*"), *CGROUPS.glob("*/slurm*"), *CGROUPS.glob("*/*/slurm*")]:
        for folder in sorted((each for each in top.rglob("*") if each.is_dir()), reverse=True):
            with suppress(OSError):
                folder.rmdir()
        with suppress(OSError):
            top.rmdir()
        if top.exists():
            left.append(top)
    return left


def test_a_server_that_eats_its_memory_under_cgroups(node_with_cgroups: Site) -> None:
    site = node_with_cgroups
    with jupyter_config("ada", eat(1200)):
        assert site.start("ada", FREE).status in (201, 202, 500)
        over = wait_for_end(site, "ada", 60)
    assert site.job(over)["JobState"] == "OUT_OF_MEMORY"
    assert over["ending"] == "out-of-memory"
    assert over["message"].startswith(f"The session needed more than its {MEMORY_MB // 1024 + 1} GB of memory")
    assert "oom" in refine(site, over, "log_tail", "oom-kill event")["log_tail"]


SHARED_FOOD = """
import mmap, os, time
food = mmap.mmap(-1, 600 * 2**20)
for _ in range(14):
    if os.fork() == 0:
        for page in range(0, len(food), 4096):
            food[page] = 1
        time.sleep(600)
time.sleep(600)
"""
"""Slurm adds up what each process has, so that memory that all of them share counts many times, and costs little."""


def test_a_job_that_is_killed_for_its_memory_where_there_are_no_cgroups(site: Site) -> None:
    with jupyter_config("ada", SHARED_FOOD):
        assert site.start("ada", FREE).status in (201, 202, 500)
        over = wait_for_end(site, "ada", 60)
    assert site.job(over)["JobState"] == "FAILED"
    over = refine(site, over, "message", "The session needed more than its")
    assert over["ending"] == "out-of-memory"
    assert "exceeded memory limit" in over["log_tail"]
