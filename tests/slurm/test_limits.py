"""What the hub says of a limit is what Slurm does with such a job: it can never run, or it runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest

from hpchub.catalogue.load import load_site
from hpchub.catalogue.model import Run, Size
from hpchub.catalogue.rules import Person, associations_of, most_minutes, qos_obstacle
from hpchub.clusters import look_once
from hpchub.slurm.model import ClusterView
from tests.support.site import Site
from tests.support.wait import until

pytestmark = pytest.mark.usefixtures("small_servers")

FITS, NEVER = True, False
SERIAL = "lrd_all_serial"
WAITS_FOR_ROOM = frozenset({"Resources", "Priority", "None"})
REFUSALS = ("Job violates accounting/QOS policy", "Requested time limit is invalid")
TRAINING = "tra26_hack"
CHANGES = {
    # a setting of the accounting, and what takes it back
    "user seat02 where cluster=leonardo set MaxTRESPerJob=cpu=4": "MaxTRESPerJob=cpu=-1",
    "user seat03 where cluster=leonardo set MaxWall=60": "MaxWall=-1",
    "account aifac_agri01 where cluster=leonardo set GrpTRES=gres/gpu=2": "GrpTRES=gres/gpu=-1",
    "account aifac_cyber01 where cluster=leonardo set GrpSubmitJobs=0": "GrpSubmitJobs=-1",
}


@dataclass(frozen=True)
class Row:
    """Limits, a job, and whether it fits."""

    name: str
    fits: bool
    qos: str = ""
    """What the QOS of the job is made with."""
    user: str = "seat01"
    account: str = TRAINING
    partition: str = "boost_usr_prod"
    gpus: int = 0
    cores: int = 1
    minutes: int = 10


ROWS = [
    Row("within all limits", FITS, "MaxTRESPerJob=gres/gpu=2", gpus=2),
    Row("QOS, one job", NEVER, "MaxTRESPerJob=gres/gpu=1", gpus=2),
    Row("QOS, a type of GPU", NEVER, "MaxTRESPerUser=gres/gpu:a100=1", gpus=2),
    Row("QOS, one account", NEVER, "MaxTRESPerAccount=cpu=4", cores=6),
    Row("QOS, all jobs", NEVER, "GrpTRES=cpu=4", cores=6),
    Row("QOS, the least", NEVER, "MinTRES=cpu=2"),
    Row("QOS, no job", NEVER, "GrpJobs=0"),
    Row("association, one job", NEVER, user="seat02", cores=6),
    Row("association behind its QOS", FITS, "MaxTRESPerJob=cpu=8", user="seat02", cores=6),
    Row("association, time", NEVER, user="seat03", minutes=100),
    Row("association behind the time of its QOS", FITS, "MaxWall=200", user="seat03", minutes=100),
    Row("account, all jobs", NEVER, user="ada", account="aifac_agri01", gpus=3),
    Row("account behind the QOS", FITS, "GrpTRES=gres/gpu=8", user="ada", account="aifac_agri01", gpus=3),
    Row("account that is locked", NEVER, user="bruno", account="aifac_cyber01"),
    Row("partition, time", NEVER, "MaxWall=2000", minutes=1600),
    Row("partition's time, overridden", FITS, "MaxWall=2000 Flags=PartitionTimeLimit", minutes=1600),
    Row("partition's QOS", NEVER, "MaxTRESPerJob=cpu=8", partition=SERIAL, cores=6),
    Row("partition's QOS before the job's", FITS, "MaxTRESPerJob=cpu=2", partition=SERIAL, cores=3),
    Row("partition's QOS behind the job's", FITS, "MaxTRESPerJob=cpu=8 Flags=OverPartQOS", partition=SERIAL, cores=6),
]
QOS = {row.name: f"limits{number:02}" for number, row in enumerate(ROWS)}
"""Each row's job has a QOS of its own."""


@dataclass(frozen=True)
class Found:
    """What the hub knows of the cluster, and what Slurm did with each row's job."""

    view: ClusterView
    ran: Mapping[str, bool]


@pytest.fixture(scope="module")
def found(started_site: Site) -> Found:
    """All limits in force at once, and all jobs submitted: one after the other would take minutes.

    Nothing of it is left when the tests begin.
    """
    site = started_site
    people = sorted({row.user for row in ROWS})
    set_limits(site, people)
    try:
        view = look_once(load_site(site.folder / "site" / "site.yaml"))["leonardo"]
        jobs = {row.name: submit(site, row) for row in ROWS}
        return Found(view, {name: job_id is not None and runs(site, job_id) for name, job_id in jobs.items()})
    finally:
        site.slurm("scancel -M leonardo --name=limits")
        until(lambda: not any(job.endswith(" limits") for job in site.live_jobs()), "the jobs to be gone")
        take_limits_back(site, people)


def set_limits(site: Site, people: list[str]) -> None:
    made = [f"sacctmgr -i add qos {QOS[row.name]} set priority=1 {row.qos}" for row in ROWS]
    changed = [f"sacctmgr -i modify {change}" for change in CHANGES]
    site.slurm(" && ".join([*made, *for_all(people, "+="), *changed]))


def take_limits_back(site: Site, people: list[str]) -> None:
    back = [f"sacctmgr -i modify {change.partition(' set ')[0]} set {setting}" for change, setting in CHANGES.items()]
    gone = f"sacctmgr -i delete qos {','.join(QOS.values())}"
    site.slurm(" && ".join([*back, *for_all(people, "-="), gone]))


def for_all(people: list[str], sign: str) -> list[str]:
    """Give the commands that let people use the QOS, or not any more."""
    names = ",".join(QOS.values())
    return [f"sacctmgr -i modify user {person} where cluster=leonardo set qos{sign}{names}" for person in people]


def submit(site: Site, row: Row) -> str | None:
    """Submit a row's job; give its id, or None where Slurm refuses it for a limit."""
    gpus = f"--gres=gpu:a100:{row.gpus}" if row.gpus else ""
    place = f"-M leonardo --account={row.account} --partition={row.partition} --qos={QOS[row.name]}"
    size = f"{gpus} --cpus-per-task={row.cores} --mem=1000M --time={row.minutes}"
    command = f"sbatch --parsable --job-name=limits --output=/dev/null {place} {size} --wrap 'sleep 120'"
    try:
        return site.slurm(command, as_user=row.user).split(";")[0].strip()
    except AssertionError as refused:
        assert any(words in str(refused) for words in REFUSALS), refused
        return None


def runs(site: Site, job_id: str) -> bool:
    """Wait until Slurm lets a job run, or says what it waits for."""
    look = f"squeue -h --clusters=leonardo --states=all -j {job_id} -O State:20,Reason:60"

    def decided() -> str:
        state, reason = site.slurm(look).splitlines()[-1].split()[:2]
        return state if state == "RUNNING" else "" if reason in WAITS_FOR_ROOM else reason

    return until(decided, f"Slurm to decide about job {job_id}") == "RUNNING"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_hub_knows_what_slurm_does(found: Found, row: Row) -> None:
    assert (fits(found.view, row), found.ran[row.name]) == (row.fits, row.fits)


def fits(view: ClusterView, row: Row) -> bool:
    """What the hub says."""
    qos = QOS[row.name]
    run = Run(cluster="leonardo", partition=row.partition, gpu_type="a100", qos=(qos,))
    size = Size(gpus=row.gpus, cores=row.cores, memory_mb=1000, default_minutes=row.minutes, max_minutes=row.minutes)
    limits = associations_of(Person(row.user), view, row.partition)[row.account].limits
    never = qos_obstacle(view, run, qos, size, limits)
    return never is None and most_minutes(view, run, qos, size, limits) >= row.minutes


@pytest.fixture
def one_job_at_a_time(site: Site) -> Iterator[None]:
    """Slurm takes one job of bruno's, and the hub has heard of that."""
    modify = "sacctmgr -i modify user bruno where cluster=leonardo account=aifac_cyber01 set MaxSubmitJobs={}"
    site.slurm(modify.format(1))
    site.restart_hub()
    yield
    site.stop_servers()
    site.slurm(modify.format(-1))
    site.restart_hub()


@pytest.mark.usefixtures("one_job_at_a_time")
def test_a_session_that_slurm_would_refuse_is_no_offer_until_another_has_ended(site: Site) -> None:
    choice = {"profile": "general/data-preparation", "allocation": "aifac_cyber01", "minutes": 10}
    site.run("bruno", choice, "first")
    refused = site.start("bruno", choice, "second")
    assert (refused.status, refused.message) == (
        400,
        "No QOS of general/data-preparation on leonardo can be used: normal allows at most 1 job at a time with this "
        "allocation (yours, waiting ones included: first).",
    )
    assert site.api("DELETE", site.server_path("bruno", "first")).status in (202, 204)
    # at once: the snapshot may not have heard of the end yet
    until(lambda: site.start("bruno", choice, "second").status in (201, 202), "the limit to be free again", 10)
