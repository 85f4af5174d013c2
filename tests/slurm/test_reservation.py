"""``hpchub-reserve`` behind its real door: reservations are made, used, extended and removed, and nothing else is."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator

import pytest

from hpchub.catalogue.load import load_site
from hpchub.console.reservation import Wanted
from hpchub.console.reserver import Made, Reserver
from hpchub.errors import ReservationRefused, ReserverError
from tests.support.site import Site
from tests.support.wait import until

HUB = "hpchub-demo-hub"
NAME = "hpchub_capacity"
HOUR = 3600
ON_LEONARDO = ("leonardo", "boost_usr_prod")


@pytest.fixture
def reserver(started_site: Site) -> Iterator[Reserver]:
    """The door as the site file names it, opened by the hub's user; no reservation is left."""
    settings = load_site(started_site.folder / "site" / "site.yaml").reservations
    assert settings is not None
    yield Reserver(settings.model_copy(update={"door": ("runuser", "-u", HUB, "--", *settings.door)}))
    for cluster in ("leonardo", "it4lia"):
        started_site.slurm(f"scontrol -M {cluster} delete reservationname={NAME} 2>/dev/null || true")


def wanted(cluster: str = "leonardo", partition: str = "boost_usr_prod", nodes: int = 2) -> Wanted:
    """An hour from now on."""
    return Wanted(NAME, cluster, partition, None, int(time.time()) + HOUR, nodes, "tra26_hack")


def shown(site: Site, cluster: str = "leonardo") -> dict[str, str]:
    """What Slurm says of the reservation; empty where it has none."""
    text = site.slurm(f"SLURM_TIME_FORMAT=%s scontrol -M {cluster} -o show reservation")
    lines = [line for line in text.splitlines() if line.startswith(f"ReservationName={NAME} ")]
    return dict(item.partition("=")[::2] for line in lines for item in line.split())


def state(site: Site, job_id: str) -> str:
    return site.slurm(f"squeue -h -M leonardo --states=all -j {job_id} -O State:20").split()[-1]


async def test_the_event_s_account_works_in_a_reservation_that_the_hub_made(
    started_site: Site, reserver: Reserver
) -> None:
    site = started_site
    made = await reserver.create(wanted())
    found = shown(site)
    assert (found["NodeCnt"], found["Accounts"], found["PartitionName"]) == ("2", "tra26_hack", "boost_usr_prod")
    assert made == Made(NAME, 2, int(found["StartTime"]), int(found["EndTime"]))
    assert not {"MAINT", "IGNORE_JOBS", "OVERLAP", "FLEX"} & set(found["Flags"].split(","))

    options = "-M leonardo --parsable --partition=boost_usr_prod --gres=gpu:a100:1 --mem=1000M --time=30"
    submit = f"sbatch {options} --reservation={NAME} --output=/dev/null --wrap 'sleep 600'"
    job_id = site.slurm(f"{submit} --account=tra26_hack", as_user="seat01").split(";")[0].strip()
    until(lambda: state(site, job_id) == "RUNNING", "the job to run in the reservation")
    with pytest.raises(AssertionError, match="Access denied to requested reservation"):
        site.slurm(f"{submit} --account=aifac_agri01", as_user="ada")

    later = made.ends_epoch + HOUR
    assert (await reserver.extend("leonardo", NAME, later)).ends_epoch == later == int(shown(site)["EndTime"])
    assert (await reserver.resize("leonardo", NAME, 3)).nodes == 3
    with pytest.raises(ReservationRefused, match="in use"):
        await reserver.delete("leonardo", NAME)
    site.slurm(f"scancel -M leonardo {job_id}")
    until(lambda: state(site, job_id) == "CANCELLED", "the job to be gone")
    await reserver.delete("leonardo", NAME)
    assert shown(site) == {}
    await reserver.delete("leonardo", NAME)


async def test_a_cluster_is_reached_through_slurmdbd_too(started_site: Site, reserver: Reserver) -> None:
    assert (await reserver.create(wanted("it4lia", "gb200_usr_prod", 1))).nodes == 1
    assert shown(started_site, "it4lia")["Nodes"].startswith("gb")
    assert shown(started_site) == {}
    await reserver.delete("it4lia", NAME)
    assert shown(started_site, "it4lia") == {}


async def test_what_others_reserved_stays_theirs(started_site: Site, reserver: Reserver) -> None:
    site = started_site
    window = "partitionname=boost_usr_prod nodecnt=9 starttime=now duration=60 accounts=aifac_agri01"
    site.slurm(f"scontrol -M leonardo create reservation reservationname=s_agri {window}")
    try:
        with pytest.raises(ReserverError, match="the name s_agri does not begin with hpchub_"):
            await reserver.delete("leonardo", "s_agri")
        # Slurm 22.05 makes it all the same, with what it has.
        with pytest.raises(ReservationRefused, match=r"busy|only 1 of 2 nodes"):
            await reserver.create(wanted())
        assert shown(site) == {}
        assert (await reserver.create(wanted(nodes=1))).nodes == 1
        with pytest.raises(ReservationRefused, match=r"busy|of 5 nodes"):
            await reserver.resize("leonardo", NAME, 5)
        assert shown(site)["NodeCnt"] == "1"
        assert "NodeCnt=9 " in site.slurm("scontrol -M leonardo -o show reservation s_agri")
    finally:
        site.slurm("scontrol -M leonardo delete reservationname=s_agri")


@pytest.mark.own_notebooks
async def test_the_policy_of_the_demo_is_in_force(started_site: Site, reserver: Reserver) -> None:
    with pytest.raises(ReserverError, match="the partition lrd_all_serial is not one of boost_usr_prod"):
        await reserver.create(wanted(partition="lrd_all_serial"))
    with pytest.raises(ReserverError, match="may have 10 nodes at a time"):
        await reserver.create(wanted(nodes=11))
    assert shown(started_site) == {}


@pytest.mark.own_notebooks
@pytest.mark.parametrize(
    "words",
    [
        ["-u", "slurm", "scontrol", "show", "config"],
        ["-u", "slurm", "/bin/sh"],
        ["-u", "slurm", "{reserver}", "--help"],
        ["{reserver}"],
        ["-u", "ada", "{reserver}"],
    ],
    ids=" ".join,
)
def test_sudo_opens_this_program_as_slurm_s_user_and_nothing_else(started_site: Site, words: list[str]) -> None:
    reserver = str(started_site.folder / "libexec" / "hpchub-reserve")
    argv = ["runuser", "-u", HUB, "--", "sudo", "-n", *(word.replace("{reserver}", reserver) for word in words)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 1 and done.stdout == ""
    assert "a password is required" in done.stderr or "not allowed" in done.stderr


def test_without_operator_s_rights_the_program_can_do_nothing(started_site: Site) -> None:
    request = {"verb": "delete", "cluster": "leonardo", "name": "hpchub_other"}
    argv = ["runuser", "-u", "ada", "--", str(started_site.folder / "libexec" / "hpchub-reserve")]
    done = subprocess.run(argv, input=json.dumps(request), capture_output=True, text=True, check=False)
    assert json.loads(done.stdout)["ok"] is False
