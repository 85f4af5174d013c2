"""Captures what Slurm's commands really answer, for the tests of the readers: see README.md beside this file."""

from __future__ import annotations

import json
import os
import pwd
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from devcluster import lifecycle
from devcluster.layout import layout_for
from devcluster.spec import load_clusters, load_people
from hpchub.slurm import commands

REPOSITORY = Path(__file__).parents[4]
PLACE = Path("/run/hpchub-capture")
CONF = str(layout_for(str(PLACE)).slurm_conf("leonardo"))
SESSION = "0123456789abcdef0123456789abcdef"
MINE = f"hpchub=1&hub=demo&user=ada&server=&session={SESSION}"
GPU = "--partition=boost_usr_prod --account=aifac_agri01 --qos=normal --cpus-per-task=8 --mem=8000M --time=60"
# what a job would say that wants to end another's session
NEWS = "1|bruno|COMPLETED|None|lrdn0001|x|y|z|0|0|0|hpchub=1"
SERIAL = "--partition=lrd_all_serial --account=aifac_agri01 --cpus-per-task=1 --mem=500M --time=60"


def slurm(command: str, user: str = "root") -> str:
    """Run one of Slurm's commands as a user."""
    entry = pwd.getpwnam(user)
    environment = {"SLURM_CONF": CONF, "PATH": os.environ["PATH"]}
    argv = ["setpriv", f"--reuid={user}", f"--regid={entry.pw_gid}", "--init-groups", "--", *shlex.split(command)]
    return subprocess.run(argv, env=environment, cwd="/", check=True, capture_output=True, text=True).stdout


def submit(options: str, body: str = "sleep 600", user: str = "ada", comment: str = MINE) -> str:
    """Submit a job of the hub's name; return its id."""
    argv = f"sbatch --parsable --job-name=hpchub --output=/dev/null {options} --wrap {shlex.quote(body)}"
    return slurm(f"{argv} --comment={shlex.quote(comment)}", user).strip()


def until(condition: Callable[[], bool], what: str, seconds: float = 240) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"waited {seconds} s for {what}")
        time.sleep(0.5)


def state(job_id: str) -> str:
    """Give the state of a job."""
    return slurm(f"squeue -h --states=all -j {job_id} -O State:20").strip()


def make_ended_jobs() -> dict[str, str]:
    """Bring about every kind of end; return the job ids by what they are."""
    greedy = "python3 -c 'b = bytearray(400 * 2**20); import time; time.sleep(120)'"
    jobs = {
        "timeout": submit(f"{SERIAL} --time=1"),
        "completed": submit(SERIAL, "true"),
        "failed-71": submit(SERIAL, "exit 71"),
        "killed-9": submit(SERIAL, "kill -9 $$"),
        "over-memory": submit(f"{SERIAL} --mem=50M", greedy),
        "node-fail": submit(f"{GPU} --gres=gpu:a100:4 --no-requeue --nodelist=lrdn0010"),
        "cancelled": submit(SERIAL),
        "cancelled-pending": submit(f"{SERIAL} --begin=now+1hour"),
    }
    until(lambda: state(jobs["cancelled"]) == "RUNNING" == state(jobs["node-fail"]), "jobs to run")
    for job_id in (jobs["cancelled"], jobs["cancelled-pending"]):
        slurm(f"scancel {job_id}", "ada")
    slurm("scontrol update nodename=lrdn0010 state=down reason=test")
    until(lambda: state(jobs["timeout"]) == "TIMEOUT", "the time limit")
    until(lambda: state(jobs["over-memory"]) not in ("RUNNING", "COMPLETING"), "the end of the greedy job")
    return jobs


def make_live_jobs() -> dict[str, str]:
    """Bring about jobs that run and wait, and nodes of every state."""
    jobs = {
        "gpu-0": submit(f"{GPU} --gres=gpu:a100:1 --nodelist=lrdn0001"),
        "cancelled-gpu": submit(f"{GPU} --gres=gpu:a100:1 --nodelist=lrdn0001"),
        "gpu-2": submit(f"{GPU} --gres=gpu:a100:1 --nodelist=lrdn0001", comment="it's mine | 100 % <é>"),
        "whole-node": submit(f"{GPU} --gres=gpu:a100:4 --cpus-per-task=32 --nodelist=lrdn0002", comment=""),
        "on-a-draining-node": submit(f"{GPU} --gres=gpu:a100:1 --nodelist=lrdn0003"),
    }
    until(lambda: all(state(job_id) == "RUNNING" for job_id in jobs.values()), "jobs to run")
    slurm(f"scancel {jobs['cancelled-gpu']}", "ada")
    slurm("scontrol update nodename=lrdn0003,lrdn0004 state=drain reason=test")
    window = "flags=maint starttime=now duration=60 users=root"
    slurm(f"scontrol create reservation reservationname=m nodes=lrdn0005 {window}")
    os.kill(int(slurm("pgrep --full --oldest 'slurmd.* lrdn0006'")), signal.SIGKILL)
    jobs |= {
        "held": submit(f"{SERIAL} --hold"),
        "begin-time": submit(f"{SERIAL} --begin=now+1hour"),
        "node-not-available": submit(f"{GPU} --gres=gpu:a100:1 --nodelist=lrdn0004"),
        "resources": submit(f"{GPU} --gres=gpu:a100:4 --nodelist=lrdn0002"),
        "two-lines": submit(f"{SERIAL} --hold", comment=f"first\n{NEWS}"),
    }
    until(lambda: "not_responding" in slurm("sinfo -h -N -n lrdn0006 -O StateComplete:40"), "a silent node")
    until(lambda: state(jobs["gpu-0"]) == "RUNNING", "jobs to run")
    return jobs


def capture(target: Path, job_ids: dict[str, str]) -> None:
    """Write the answers of all commands that the hub runs, and which job is which."""
    target.mkdir(parents=True, exist_ok=True)
    answers = {
        "jobs": commands.jobs("leonardo"),
        "nodes": commands.nodes("leonardo"),
        "partitions": commands.partitions("leonardo"),
        "associations": commands.associations("leonardo"),
        "qos": commands.qos(),
        "accounting": commands.accounting("leonardo", job_ids.values()),
    }
    environment = {**commands.ENVIRONMENT, "SLURM_CONF": CONF}
    for name, argv in answers.items():
        done = subprocess.run(argv, env=environment, check=True, capture_output=True)
        (target / f"{name}.txt").write_bytes(done.stdout)
    (target / "job-ids.json").write_text(json.dumps(job_ids, indent=1) + "\n")
    (target / "version.txt").write_text(slurm("sinfo --version"))


def main(target: Path) -> None:
    """Start a site, make jobs and nodes of every kind, write the answers."""
    layout = layout_for(str(PLACE))
    lifecycle.up(
        layout,
        load_clusters(REPOSITORY / "demo" / "clusters.toml"),
        load_people(REPOSITORY / "demo" / "people.toml"),
    )
    try:
        slurm("sacctmgr -i modify qos boost_qos_dbg set MaxTRESPerUser=gres/gpu=8,node=2 MaxTRES=gres/gpu=4")
        capture(target, {**make_ended_jobs(), **make_live_jobs()})
    finally:
        lifecycle.down(layout)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
