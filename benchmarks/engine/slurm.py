"""What the benchmark asks Slurm itself: its counters of requests, and its jobs."""

from __future__ import annotations

import subprocess

from tests.support.sdiag import Counting
from tests.support.wait import until

FLOOR = "hpchub-floor"
"""The notebook that no hub has started."""
JOB_NAMES = ("hpchub", "spawner-jupyterhub", FLOOR)
"""Ours, and those of batchspawner and MOSS; the job that fills a partition (:func:`fill`) is none of them."""
ENVIRONMENT = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "SLURM_CONF": "/etc/slurm/slurm.conf"}


def run(*argv: str, user: str = "") -> str:
    """Run a command of Slurm's as root or as a user, and return its output."""
    command = ["runuser", "-u", user, "--", *argv] if user else list(argv)
    done = subprocess.run(command, env=ENVIRONMENT, cwd="/", capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(argv)} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def counting() -> Counting:
    """Count from now on what leonardo's controller is asked."""
    return Counting(lambda: run("sdiag", "-M", "leonardo"))


def jobs(state: str = "all") -> int:
    """Count the notebooks on leonardo in a state (squeue's word)."""
    lines = run("squeue", "-h", "-M", "leonardo", f"--states={state}", "-o", "%j").splitlines()
    return sum(line.strip() in JOB_NAMES for line in lines)


def cancel_waiting() -> None:
    """Cancel the hubs' jobs that wait, as an administrator: batchspawner cannot stop a server that waits."""
    for name in JOB_NAMES:
        run("scancel", "-M", "leonardo", "-n", name, "-t", "PENDING")
    until(lambda: not jobs("pending"), "no job to wait any more", 60, 1)


def cancel_all() -> None:
    """Cancel all jobs of hubs, as an administrator, and wait until they are gone."""
    for name in JOB_NAMES:
        run("scancel", "-M", "leonardo", "-n", name)
    until(lambda: not jobs("pending,running,completing"), "no job of a hub to be left", 300, 1)


def answers(cluster: str) -> bool:
    """Tell whether a cluster's controller answers."""
    said = subprocess.run(["scontrol", "-M", cluster, "ping"], env=ENVIRONMENT, capture_output=True, text=True)
    return " is UP" in said.stdout


def version() -> str:
    """Give Slurm's version; the controller's, since only a daemon says it where no cluster runs."""
    said = subprocess.run(["slurmctld", "-V"], capture_output=True, text=True, check=True).stdout
    return said.strip().removeprefix("slurm").removeprefix("-wlm").strip()


def fill() -> None:
    """Take the one node of the partition that shall be full."""
    options = ["-A", "aifac_manif01", "-p", "boost_usr_prod", "-N", "1", "--exclusive", "-t", "240", "-J", "filler"]
    run("sbatch", "-M", "leonardo", "-D", "/", *options, "-o", "/dev/null", "--wrap=sleep 14400", user="dario")
    until(
        lambda: "R" in run("squeue", "-M", "leonardo", "-h", "-n", "filler", "-o", "%t").split(), "the node to be full"
    )
