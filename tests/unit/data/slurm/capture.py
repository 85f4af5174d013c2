"""Captures what Slurm's commands really answer, for the tests of the readers: see README.md beside this file."""

from __future__ import annotations

import json
import os
import pwd
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from devcluster import lifecycle
from devcluster.daemons import living_pid
from devcluster.fleet import slurm_version
from devcluster.layout import layout_for
from devcluster.spec import load_clusters, load_people
from hpchub.slurm import commands

REPOSITORY = Path(__file__).parents[4]
PLACE = Path("/run/hpchub-capture")
LAYOUT = layout_for(str(PLACE))
CONF = LAYOUT.slurm_conf("leonardo")
SESSION = "0123456789abcdef0123456789abcdef"
MINE = f"hpchub=1&hub=demo&user=ada&server=&session={SESSION}"
GPU = "--partition=boost_usr_prod --account=aifac_agri01 --qos=normal --cpus-per-task=8 --mem=8000M --time=60"
# what a job would say that wants to end another's session
NEWS = "1|bruno|COMPLETED|None|lrdn0001|x|y|z|0|0|0|hpchub=1"
GREEDY = "python3 -c 'b = bytearray(400 * 2**20); import time; time.sleep(120)'"
SERIAL = "--partition=lrd_all_serial --account=aifac_agri01 --cpus-per-task=1 --mem=500M --time=60"


def slurm(command: str, user: str = "root") -> str:
    """Run one of Slurm's commands as a user."""
    entry = pwd.getpwnam(user)
    environment = {"SLURM_CONF": str(CONF), "PATH": os.environ["PATH"]}
    argv = ["setpriv", f"--reuid={user}", f"--regid={entry.pw_gid}", "--init-groups", "--", *shlex.split(command)]
    return subprocess.run(argv, env=environment, cwd="/", check=True, capture_output=True, text=True).stdout


def submit(options: str, body: str = "sleep 600", user: str = "ada", comment: str = MINE, name: str = "hpchub") -> str:
    """Submit a job; return its id."""
    argv = f"sbatch --parsable --job-name={name} --output=/dev/null {options} --wrap {shlex.quote(body)}"
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


def reason(job_id: str) -> str:
    """Give the reason why a job waits."""
    return slurm(f"squeue -h -j {job_id} -O Reason:64").strip()


@contextmanager
def control_groups_on(node: str) -> Iterator[None]:
    """Let a node use control groups of version 1, as a real one does, by a configuration of its own."""
    pid = living_pid(LAYOUT, f"slurmd-{node}")
    assert pid is not None
    os.kill(pid, signal.SIGTERM)
    folder = PLACE / "etc" / "control-groups"
    folder.mkdir()
    lines = [line for line in CONF.read_text().splitlines() if not line.startswith(("Proctrack", "Task", "JobAcct"))]
    lines += ["ProctrackType=proctrack/cgroup", "TaskPlugin=task/cgroup"]
    (folder / "slurm.conf").write_text("\n".join(lines) + "\n")
    (folder / "gres.conf").write_text(CONF.with_name("gres.conf").read_text())
    (folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\nConstrainRAMSpace=yes\n")
    until(lambda: living_pid(LAYOUT, f"slurmd-{node}") is None, "the node to be gone")
    command = f"hostname localhost && exec slurmd -D -N {node} -f {folder}/slurm.conf"
    slurmd = subprocess.Popen(["unshare", "--uts", "sh", "-c", command], cwd="/")
    try:
        yield
    finally:
        slurmd.terminate()
        slurmd.wait()
        # they are the machine's, whatever namespaces this runs in
        for group in Path("/sys/fs/cgroup").glob(f"*/slurm_{node}"):
            for path in [*sorted(group.rglob("*/"), reverse=True), group]:
                path.rmdir()


def run_out_of_memory() -> str:
    """Let the kernel end a job whose processes need more memory than it has; return its id."""
    with control_groups_on("serial0002"):
        job_id = submit(f"{SERIAL} --mem=100M --nodelist=serial0002", GREEDY)
        until(lambda: state(job_id) == "OUT_OF_MEMORY", "the end for want of memory")
    return job_id


def be_preempted() -> str:
    """Let a job of another QOS take a job's node; return the id of the latter."""
    slurm("sacctmgr -i modify qos boost_qos_dbg set preempt=normal")
    job_id = submit(f"{GPU} --gres=gpu:a100:4 --no-requeue --nodelist=lrdn0009")
    until(lambda: state(job_id) == "RUNNING", "a job to preempt")
    other = "--account=aifac_manif01 --partition=boost_usr_prod --qos=boost_qos_dbg --gres=gpu:a100:4 --time=10"
    stronger = submit(f"{other} --nodelist=lrdn0009", user="dario", name="other")
    until(lambda: state(job_id) == "PREEMPTED", "the preemption")
    slurm(f"scancel {stronger}")
    slurm("sacctmgr -i modify qos boost_qos_dbg set preempt=")
    return job_id


def make_ended_jobs() -> dict[str, str]:
    """Bring about every kind of end; return the job ids by what they are."""
    jobs = {
        "timeout": submit(f"{SERIAL} --time=1"),
        "completed": submit(SERIAL, "true"),
        "failed-71": submit(SERIAL, "exit 71"),
        "killed-9": submit(SERIAL, "kill -9 $$"),
        "over-memory": submit(f"{SERIAL} --mem=50M", GREEDY),
        "node-fail": submit(f"{GPU} --gres=gpu:a100:4 --no-requeue --nodelist=lrdn0010"),
        "cancelled": submit(SERIAL),
        "cancelled-by-admin": submit(SERIAL),
        "cancelled-pending": submit(f"{SERIAL} --begin=now+1hour"),
    }
    running = ("cancelled", "cancelled-by-admin", "node-fail")
    until(lambda: all(state(jobs[kind]) == "RUNNING" for kind in running), "jobs to run")
    for kind in ("cancelled", "cancelled-pending"):
        slurm(f"scancel {jobs[kind]}", "ada")
    slurm(f"scancel {jobs['cancelled-by-admin']}")
    slurm("scontrol update nodename=lrdn0010 state=down reason=test")
    jobs["preempted"] = be_preempted()
    jobs["out-of-memory"] = run_out_of_memory()
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
    make_reservations()
    silent = living_pid(LAYOUT, "slurmd-lrdn0006")
    assert silent is not None
    os.kill(silent, signal.SIGKILL)
    jobs |= {
        "held": submit(f"{SERIAL} --hold"),
        "begin-time": submit(f"{SERIAL} --begin=now+1hour"),
        "node-not-available": submit(f"{GPU} --gres=gpu:a100:1 --nodelist=lrdn0004"),
        "resources": submit(f"{GPU} --gres=gpu:a100:4 --nodelist=lrdn0002"),
        "two-lines": submit(f"{SERIAL} --hold", comment=f"first\n{NEWS}"),
        "budget": submit(f"{GPU} --gres=gpu:a100:4 --account=aifac_clima01 --time=180"),
        "qos-time": submit(f"{GPU} --gres=gpu:a100:1 --qos=boost_qos_dbg --time=60"),
    }
    other = "--account=aifac_cyber01 --partition=boost_usr_prod --cpus-per-task=1 --mem=500M --time=10"
    submit(f"{other} --nodelist=lrdn0002 --array=0-3", user="bruno", name="other")
    until(lambda: "not_responding" in slurm("sinfo -h -N -n lrdn0006 -O StateComplete:40"), "a silent node")
    until(lambda: state(jobs["gpu-0"]) == "RUNNING", "jobs to run")
    until(lambda: reason(jobs["budget"]) == "AssocGrpBillingMinutes", "the scheduler to know the budget")
    return jobs


def set_limits() -> None:
    """Set limits of every kind, which stop none of the jobs here."""
    modify = "sacctmgr -i modify"
    most = "MaxTRESPerUser=gres/gpu=8,node=2 MaxTRES=gres/gpu=4 MaxTRESPA=gres/gpu:a100=16 GrpTRES=cpu=320,mem=1T"
    least = "MinTRES=cpu=1 MaxJobsPU=7 MaxSubmitJobsPU=8 MaxJobsPA=50 MaxSubmitJobsPA=60 GrpJobs=70 GrpSubmitJobs=80"
    slurm(f"{modify} qos boost_qos_dbg set {most} {least} Flags=PartitionTimeLimit,OverPartQOS")
    slurm(f"{modify} account root where cluster=leonardo set GrpTRES=gres/gpu=32,mem=512G GrpSubmitJobs=90")
    own = "MaxTRES=gres/gpu=2 MaxWall=06:00:00 MaxJobs=8 MaxSubmitJobs=9"
    slurm(f"{modify} account aifac_cyber01 set {own} GrpTRES=cpu=64,gres/gpu=40 GrpJobs=60")
    slurm("sacctmgr -i add user bruno account=aifac_manif01 partition=lrd_all_serial")


def make_reservations() -> None:
    """Keep nodes for maintenance, now and later, and for people."""
    window = "flags=maint starttime=now duration=60 users=root"
    slurm(f"scontrol create reservation reservationname=m nodes=lrdn0005 {window}")
    later = "starttime=now+5days duration=02:00:00"
    slurm(f"scontrol create reservation reservationname=later nodes=ALL flags=maint,ignore_jobs {later} users=root")
    place = "partitionname=boost_usr_prod nodecnt=2 starttime=now+7days duration=01:00:00"
    slurm(f"scontrol create reservation reservationname=s_tra_hack {place} accounts=tra26_hack")
    part = "partitionname=lrd_all_serial nodecnt=1 corecnt=4 starttime=now+7days duration=01:00:00"
    slurm(f"scontrol create reservation reservationname=part {part} users=ada,bruno")


def requeue() -> str:
    """Let an admin put a running job back into the queue; it stays there for two minutes."""
    job_id = submit(SERIAL)
    until(lambda: state(job_id) == "RUNNING", "a job to requeue")
    slurm(f"scontrol requeue {job_id}")
    until(lambda: state(job_id) == "PENDING", "the job to wait again")
    twice = f"sacct -n -X --duplicates -j {job_id} -o State"
    until(lambda: "PENDING" in slurm(twice), "the accounting to know that it waits again")
    return job_id


def start() -> None:
    """Start the demo's clusters."""
    lifecycle.up(
        LAYOUT,
        load_clusters(REPOSITORY / "demo" / "clusters.toml"),
        load_people(REPOSITORY / "demo" / "people.toml"),
    )


def capture(target: Path, job_ids: dict[str, str]) -> None:
    """Write the answers of all commands that the hub runs, and which job is which."""
    target.mkdir(parents=True, exist_ok=True)
    answers = {
        "jobs": commands.jobs("leonardo"),
        "queue": commands.queue("leonardo"),
        "nodes": commands.nodes("leonardo"),
        "partitions": commands.partitions("leonardo"),
        "associations": commands.associations("leonardo"),
        "qos": commands.qos(),
        "reservations": commands.reservations("leonardo"),
        "accounting": commands.accounting("leonardo", job_ids.values()),
    }
    environment = {**commands.ENVIRONMENT, "SLURM_CONF": str(CONF)}
    for name, argv in answers.items():
        done = subprocess.run(argv, env=environment, check=True, capture_output=True)
        (target / f"{name}.txt").write_bytes(done.stdout)
    (target / "job-ids.json").write_text(json.dumps(job_ids, indent=1) + "\n")
    (target / "version.txt").write_text(slurm("sinfo --version"))


def capture_budgets(target: Path) -> None:
    """Write what Slurm says of budgets: with one resource and with several, inherited, and with something used."""
    several = "GrpTRESMins=cpu=6000,gres/gpu=1000,billing=300"
    slurm(f"sacctmgr -i modify account aifac_cyber01 where cluster=leonardo set {several}")
    slurm("sacctmgr -i add account aifac_manif01b parent=aifac_manif01 cluster=leonardo")
    slurm("sacctmgr -i add user dario account=aifac_manif01b cluster=leonardo")
    node = "--partition=boost_usr_prod --qos=normal --mem=8000M --time=20"
    submit(f"{node} --cpus-per-task=32 --gres=gpu:a100:4 --account=aifac_clima01")
    submit(f"{node} --cpus-per-task=8 --gres=gpu:a100:2 --account=aifac_manif01b", user="dario")
    used = "sshare -h -P -M leonardo -A aifac_clima01 -o GrpTRESRaw"
    until(lambda: "billing=0," not in slurm(used), "Slurm to count what is used")
    environment = {**commands.ENVIRONMENT, "SLURM_CONF": str(CONF)}
    done = subprocess.run(commands.budgets("leonardo"), env=environment, check=True, capture_output=True)
    (target / "budgets.txt").write_bytes(done.stdout)


def main() -> None:
    """Start a site, make jobs and nodes of every kind, write the answers into the folder of the version that runs."""
    year, month = slurm_version()
    target = Path(__file__).parent / f"{year}.{month:02}"
    start()
    try:
        set_limits()
        capture(target, {**make_ended_jobs(), **make_live_jobs(), "requeued": requeue()})
        # On a cluster that is as new: nodes and associations of the others would be different ones.
        lifecycle.clean(LAYOUT)
        start()
        capture_budgets(target)
    finally:
        lifecycle.down(LAYOUT)


if __name__ == "__main__":
    main()
