"""The Slurm that was asked for is the one that runs: a ring of another version must not pass on the machine's own."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.support.site import Site

LAID = Path("/run/slurm-root/slurm-version")
"""Written by `devcluster slurm-root`, seen where `isolate --slurm-root` laid that Slurm over the machine's."""


@pytest.fixture(scope="module")
def wanted() -> str:
    """The version that `./run test` asked for; of a run by hand, the one that was laid over, else Debian's."""
    if asked := os.environ.get("HPCHUB_TEST_SLURM"):
        return asked
    if LAID.exists():
        return LAID.read_text().strip()
    query = ["dpkg-query", "--show", "--showformat=${source:Upstream-Version}", "slurmctld"]
    return subprocess.run(query, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("cluster", ["leonardo", "it4lia"])
def test_the_controllers_are_of_the_wanted_version(site: Site, wanted: str, cluster: str) -> None:
    answer = site.slurm(f"scontrol -M {cluster} show config")
    assert re.findall(r"^SLURM_VERSION\s*= (\S+)$", answer, re.MULTILINE) == [wanted]


def test_every_node_is_of_the_wanted_version(site: Site, wanted: str) -> None:
    lines = site.slurm("sinfo -h -N -M leonardo,it4lia -O NodeList:20,Version:20").splitlines()
    nodes = [line.split() for line in lines if not line.startswith("CLUSTER:")]
    assert len(nodes) == 14
    assert {version for _, version in nodes} == {wanted}


def test_the_accounting_is_of_the_wanted_version(site: Site, wanted: str) -> None:
    pid = (site.folder / "run" / "slurmdbd.pid").read_text().strip()
    # what it runs, not what a new one would be
    maps = Path("/proc", pid, "maps").read_text()
    library = re.search(r"(/\S+/libslurmfull\.so)", maps)
    assert library is not None
    assert f"slurm-wlm {wanted}" in site.slurm("sacct --version")
    assert library[1].startswith("/run/slurm-root/") is LAID.exists()


@pytest.mark.parametrize("program", ["squeue", "sinfo", "scontrol", "sacct", "sacctmgr", "sbatch", "scancel"])
def test_what_the_hub_runs_is_of_the_wanted_version(site: Site, wanted: str, program: str) -> None:
    assert site.slurm(f"{program} --version", as_user="hpchub-demo-hub").strip() == f"slurm-wlm {wanted}"


def test_the_hub_sees_the_same_programs(site: Site) -> None:
    assert os.readlink(f"/proc/{site.hub_pid}/ns/mnt") == os.readlink("/proc/self/ns/mnt")
