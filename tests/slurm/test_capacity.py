"""What the capacity check says of a real cluster, and that its commands mend it: as they are shown, run by root."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from hpchub.catalogue.load import load_catalogue, load_site
from hpchub.catalogue.model import Catalogue
from hpchub.console.capacity import Finding, Planned, Severity
from hpchub.console.capacity.now import findings_now
from tests.support.admin import hpchub
from tests.support.site import Site
from tests.support.wait import until

pytestmark = pytest.mark.usefixtures("limits_change")

HOUR = 3600
RESERVATION = "s_tra_capacity"
ASSOCIATION = "cluster=leonardo account=tra26_hack"
UPDATE = f"scontrol -M leonardo update reservationname={RESERVATION}"


@pytest.fixture(scope="module")
def catalogue(started_site: Site) -> Catalogue:
    return load_catalogue(load_site(started_site.folder / "site" / "site.yaml"))


@pytest.fixture
def plan() -> Planned:
    """Six seats, tomorrow."""
    opens = int(time.time()) // HOUR * HOUR + 24 * HOUR
    return Planned(
        slug="capacity",
        cluster="leonardo",
        allocation="tra26_hack",
        opens_epoch=opens,
        closes_epoch=opens + 4 * HOUR,
        seats=6,
        profiles=("general/pytorch",),
        setup_minutes=30,
        size="small",
        members=("seat01", "seat02"),
        qos="normal",
        minutes=240,
    )


@contextmanager
def changed(site: Site, change: str, back: str) -> Iterator[None]:
    """Change something of Slurm's, and take it back at the end."""
    try:
        site.slurm(change)
        yield
    finally:
        site.slurm(back)


def lacking(planned: Planned, catalogue: Catalogue) -> list[Finding]:
    """What the event lacks, and what the trainer should know."""
    return [each for each in findings_now(planned, catalogue) if each.severity is not Severity.FINE]


def mended(site: Site, found: list[Finding]) -> None:
    """Do what the findings say, as an administrator of Slurm would."""
    assert found and all(each.command for each in found), found
    for command in dict.fromkeys(each.shown_command for each in found):
        site.slurm(command)


def test_a_reservation_is_made_and_put_right(started_site: Site, catalogue: Catalogue, plan: Planned) -> None:
    planned, slurm = replace(plan, reservation=RESERVATION), started_site.slurm
    try:
        found = lacking(planned, catalogue)
        assert [str(each.says).split(",")[0] for each in found] == [
            f"There is no reservation {RESERVATION} on leonardo yet"
        ]
        mended(started_site, found)
        assert lacking(planned, catalogue) == []

        start = f"StartTime=uts{planned.begins_epoch + HOUR} EndTime=uts{planned.closes_epoch - HOUR}"
        slurm(f"{UPDATE} {start} && {UPDATE} NodeCnt=1 && {UPDATE} Accounts=aifac_agri01")
        found = lacking(planned, catalogue)
        assert [each.about for each in found] == ["reservation"] * 4
        mended(started_site, found)
        assert lacking(planned, catalogue) == []

        slurm(f"{UPDATE} Accounts=tra26_hack Users=carla")
        found = lacking(planned, catalogue)
        assert [str(each.says) for each in found] == [
            f"Reservation {RESERVATION} is for certain users, and not for: seat01, seat02."
        ]
        mended(started_site, found)
        assert lacking(planned, catalogue) == []
    finally:
        slurm(f"scontrol -M leonardo delete reservationname={RESERVATION} || true")


def test_limits_of_a_qos_are_raised(started_site: Site, catalogue: Catalogue, plan: Planned) -> None:
    limits = {
        "MaxTRESPerJob": "cpu=4",
        "MaxTRESPerUser": "gres/gpu=1",
        "MaxTRESPerAccount": "mem=1000M",
        "GrpTRES": "gres/gpu=3",
        "MinTRESPerJob": "node=2",
        "MaxJobsPerUser": "1",
        "MaxSubmitJobsPerUser": "1",
        "MaxJobsPerAccount": "2",
        "MaxSubmitJobsPerAccount": "3",
        "GrpJobs": "4",
        "GrpSubmitJobs": "5",
        "MaxWall": "60",
    }
    none = " ".join(
        f"{name}={value.partition('=')[0] + '=' if '=' in value else ''}-1" for name, value in limits.items()
    )
    some = " ".join(f"{name}={value}" for name, value in limits.items())
    modify = "sacctmgr -i modify qos where name=normal set"
    planned = replace(plan, sessions_a_person=2)
    with changed(started_site, f"{modify} {some}", f"{modify} {none}"):
        found = [each for each in lacking(planned, catalogue) if each.severity is Severity.MISSING]
        assert sorted(each.command[-1].partition("=")[0] for each in found) == sorted(limits)
        mended(started_site, found)
        assert [each.says for each in lacking(planned, catalogue) if each.severity is Severity.MISSING] == []


def test_people_and_limits_of_their_associations(started_site: Site, catalogue: Catalogue, plan: Planned) -> None:
    slurm, modify = started_site.slurm, "sacctmgr -i modify"
    seats = f"{modify} user where name=seat01,seat02 {ASSOCIATION} set"
    account = f"{modify} account where name=tra26_hack cluster=leonardo set"
    some = "MaxJobs=1 MaxSubmitJobs=1 MaxTRESPerJob=cpu=4 MaxWall=60 QosLevel-=boost_qos_dbg"
    none = "MaxJobs=-1 MaxSubmitJobs=-1 MaxTRESPerJob=cpu=-1 MaxWall=-1 QosLevel+=boost_qos_dbg"
    together = "GrpTRES=gres/gpu=3 GrpJobs=2 GrpSubmitJobs=2"
    back = f"GrpTRES=gres/gpu=-1 GrpJobs=-1 GrpSubmitJobs=-1 GrpTRESMins=billing={80_000 * 60}"
    budget = f"{account} {together} GrpTRESMins=billing=60"
    planned = replace(plan, sessions_a_person=2, members=("seat01", "seat02", "dario"))
    with changed(started_site, f"{seats} {some} && {budget}", f"{seats} {none} && {account} {back}"):
        found = [each for each in lacking(planned, catalogue) if each.severity is Severity.MISSING]
        assert {each.command[-1].partition("=")[0] for each in found} == {
            "account",  # of the one who has no association
            *("MaxJobs", "MaxSubmitJobs", "MaxTRESPerJob", "MaxWall", "GrpTRES", "GrpJobs", "GrpSubmitJobs"),
            "GrpTRESMins",
        }
        try:
            mended(started_site, found)
            assert [each.says for each in lacking(planned, catalogue) if each.severity is Severity.MISSING] == []
            short = replace(plan, qos="boost_qos_dbg", minutes=20)
            denied = [each for each in lacking(short, catalogue) if each.about == "people"]
            assert [str(each.says) for each in denied] == [
                "With allocation tra26_hack these people may not use QOS boost_qos_dbg: seat01, seat02."
            ]
            mended(started_site, denied)
            assert not [each for each in lacking(short, catalogue) if each.about == "people"]
        finally:
            slurm(f"sacctmgr -i delete user where name=dario {ASSOCIATION}")


@pytest.mark.parametrize(
    ("closed", "opened"),
    [
        (
            "AllowAccounts=aifac_agri01 AllowQos=boost_qos_dbg MaxTime=60",
            "AllowAccounts=ALL AllowQos=ALL MaxTime=1-00:00:00",
        ),
        ("DenyAccounts=tra26_hack DenyQos=normal", "DenyAccounts= DenyQos="),
    ],
)
def test_a_partition_is_opened_for_the_event(
    started_site: Site, catalogue: Catalogue, plan: Planned, closed: str, opened: str
) -> None:
    update = "scontrol -M leonardo update partitionname=boost_usr_prod"
    with changed(started_site, f"{update} {closed}", f"{update} {opened}"):
        found = [each for each in lacking(plan, catalogue) if each.severity is Severity.MISSING]
        settings = [each.command[-1].partition("=")[0] for each in found]
        assert sorted(settings) == [word.partition("=")[0] for word in closed.split()]
        mended(started_site, found)
        assert [each.says for each in lacking(plan, catalogue) if each.severity is Severity.MISSING] == []


@pytest.mark.own_notebooks
def test_the_command_says_the_same(started_site: Site) -> None:
    check = partial(hpchub, started_site, "events", "check", "--cluster=leonardo", "--allocation=tra26_hack")
    words = ("--opens=2100-03-01", "--closes=2100-03-01", "--profile=general/pytorch", "--size=small", "--minutes=60")
    done = check(*words, "--seats=40", "--json")
    assert done.status == 0, done
    assert {each["about"]: each["severity"] for each in done.json}["reservation"] == "warning"
    done = check(*words, "--seats=41")
    assert done.status == 1, done
    assert "41 GPUs of the type a100" in done.out
    assert "For an administrator of Slurm:\n  env TZ=UTC scontrol --cluster=leonardo create reservation" in done.out


@pytest.mark.own_notebooks
def test_the_hub_says_the_same_from_what_it_knows(started_site: Site) -> None:
    asked = {
        "name": "capacity",
        "cluster": "leonardo",
        "allocation": "tra26_hack",
        "opens": "2100-03-01",
        "closes": "2100-03-01",
        "seats": 41,
        "profiles": ["general/pytorch"],
        "size": "small",
        "minutes": 60,
        "people": ["seat01", "dario"],
    }

    def missing() -> list[dict[str, Any]]:
        told = started_site.api("POST", "/hpchub/capacity", {"plan": asked}).json["findings"]
        return [each for each in told if each["severity"] == "missing"]

    # what tests before this one have changed and changed back is asked for every minute
    until(lambda: [each["about"] for each in missing()] == ["people", "room"], "the hub to know what is so now", 150, 1)
    answer = started_site.api("POST", "/hpchub/capacity", {"plan": asked})
    assert answer.status == 200 and answer.json["missing"]
    assert missing()[0]["command"] == "sacctmgr -i add user name=dario cluster=leonardo account=tra26_hack"
    assert answer.json["reservation"]["nodes"] == 11
    assert answer.json["associated"] == ["seat01"]
    assert "other events" not in {each["about"] for each in answer.json["findings"]}

    beside = {**asked, "name": "other", "people": ["seat01"], "seats": 1}
    told = started_site.api("POST", "/hpchub/capacity", {"plan": asked, "others": [beside]}).json["findings"]
    assert "At the same time these people are in event other, too: seat01." in [each["says"] for each in told]

    wrong = started_site.api("POST", "/hpchub/capacity", {"plan": {**asked, "seats": 0, "flags": "MAINT"}})
    assert wrong.status == 400 and "plan.seats" in wrong.message and "plan.flags" in wrong.message
    token = started_site.token_of("carla")
    assert started_site.api("POST", "/hpchub/capacity", {"plan": asked}, token=token).status == 403
