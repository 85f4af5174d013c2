"""What is said of a planned event: a row for each thing that can be wrong, with its sentence and its command.

The world of each row is one in which nothing is wrong, with one thing changed, and the row has all that is then said.
That the commands mend what they are for is held against every version of Slurm in ``tests/slurm/test_capacity.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import pytest

from hpchub.catalogue.budget import Budget
from hpchub.catalogue.doors import ReserverSettings
from hpchub.catalogue.model import Catalogue, Profile
from hpchub.catalogue.site import Budgets
from hpchub.console.capacity import Finding, Planned, Severity, any_missing, entitled_people, findings, reservation_of
from hpchub.console.reservation import Wanted
from hpchub.slurm.model import (
    Association,
    ClusterView,
    GroupLimit,
    Limits,
    Qos,
    Reservation,
)
from tests.unit.data.truth import NOON
from tests.unit.data.world import BOOST, BOOST_NODE, LEONARDO, SERIAL, SERIAL_NODE, demo_catalogue

NOW = int(NOON)
HOUR = 3600
BEGINS, OPENS, CLOSES = NOW + 24 * HOUR, NOW + 24 * HOUR + 1800, NOW + 32 * HOUR
SEATS = ("seat01", "seat02", "seat03", "seat04")
PLAN = Planned(
    slug="school",
    cluster="leonardo",
    allocation="tra26_hack",
    opens_epoch=OPENS,
    closes_epoch=CLOSES,
    seats=4,
    profiles=("general/pytorch",),
    setup_minutes=30,
    size="small",
    members=SEATS,
    reservation="s_tra_school",
)
OWN = Reservation("s_tra_school", BEGINS, CLOSES, frozenset({"n1"}), 32, accounts=frozenset({"tra26_hack"}))
NODES = tuple(replace(BOOST_NODE, name=f"n{number}") for number in range(1, 11))
BOTH_QOS = frozenset({"normal", "boost_qos_dbg"})
VIEW = replace(
    LEONARDO,
    nodes=(*NODES, SERIAL_NODE),
    associations={name: (Association(name, "tra26_hack", BOTH_QOS, "normal"),) for name in SEATS},
    reservations=(OWN,),
)
BUDGET = Budget("tra26_hack", 80_000, 10_000, NOON)


def in_rome(**changes: Any) -> Catalogue:
    """The demo's catalogue, where days and times are Rome's."""
    catalogue = demo_catalogue()
    return replace(catalogue, site=catalogue.site.model_copy(update={"timezone": "Europe/Rome", **changes}))


def with_profile(**changes: Any) -> Catalogue:
    """The same with the event's profile changed."""
    catalogue = in_rome()
    profile = Profile.model_validate({**dict(catalogue.profiles["general/pytorch"]), **changes})
    return replace(catalogue, profiles={**catalogue.profiles, profile.slug: profile})


def with_cluster(**changes: Any) -> Catalogue:
    """The same with the event's cluster changed."""
    catalogue = in_rome()
    cluster = catalogue.site.clusters["leonardo"].model_copy(update=changes)
    return in_rome(clusters={**catalogue.site.clusters, "leonardo": cluster})


@dataclass(frozen=True)
class Row:
    """One thing that is wrong, and what is said of it: severity, sentence, command."""

    name: str
    said: tuple[tuple[str, str, str], ...]
    plan: Mapping[str, Any] = field(default_factory=dict)
    view: Mapping[str, Any] = field(default_factory=dict)
    catalogue: Catalogue | None = None
    budget: Budget | None = BUDGET
    others: tuple[Planned, ...] = ()

    def findings(self) -> tuple[Finding, ...]:
        budgets = {"tra26_hack": self.budget} if self.budget else {}
        view: ClusterView = replace(VIEW, **self.view)
        return findings(
            replace(PLAN, **self.plan), view, self.catalogue or in_rome(), NOW, budgets=budgets, others=self.others
        )


def missing(says: str, command: str = "") -> tuple[str, str, str]:
    return ("missing", says, command)


def warned(says: str, command: str = "") -> tuple[str, str, str]:
    return ("warning", says, command)


def limited(of: str = "normal", **limits: Any) -> dict[str, Any]:
    """The view with limits on a QOS."""
    return {"qos": {**VIEW.qos, of: Qos(of, Limits(**limits))}}


def associated(**limits: Any) -> dict[str, Any]:
    """The view with limits on the associations of all seats."""
    return {
        "associations": {name: (Association(name, "tra26_hack", BOTH_QOS, limits=Limits(**limits)),) for name in SEATS}
    }


def reserved(**changes: Any) -> dict[str, Any]:
    """The view with the event's reservation changed."""
    return {"reservations": (replace(OWN, **changes),)}


def maintenance(*nodes: str) -> Reservation:
    return Reservation(
        "service", CLOSES - HOUR, CLOSES + HOUR, frozenset(nodes), 32 * len(nodes), flags=frozenset({"MAINT"})
    )


def partition(**changes: Any) -> dict[str, Any]:
    return {"partitions": {"boost_usr_prod": replace(BOOST, **changes), "lrd_all_serial": SERIAL}}


def broken(*names: str) -> dict[str, Any]:
    nodes = (replace(node, usable=node.name not in names) for node in NODES)
    return {"nodes": (*nodes, SERIAL_NODE)}


SCONTROL = "scontrol --cluster=leonardo update"
IN_ROME = "env TZ=Europe/Rome scontrol --cluster=leonardo"
QOS = "sacctmgr -i modify qos where name=normal set"
USERS = f"sacctmgr -i modify user where name={','.join(SEATS)} account=tra26_hack cluster=leonardo set"
ACCOUNT = "sacctmgr -i modify account where name=tra26_hack cluster=leonardo set"
FREE = {"reservation": None}
NO_RESERVATION = warned(
    "No reservation keeps nodes for the event: its sessions wait like all others. Free now: 40 GPUs of the type a100.",
    f"{IN_ROME} create reservation ReservationName=hpchub_school PartitionName=boost_usr_prod NodeCnt=1 "
    "StartTime=2026-11-23T13:00:00 EndTime=2026-11-23T21:00:00 Accounts=tra26_hack",
)

DATES = [
    Row(
        "closes before it opens",
        (missing("The event closes 2026-11-23 13:29 +0100, and that is not after it opens."),),
        {"closes_epoch": OPENS - 60},
    ),
    Row(
        "is past",
        (missing("The event is past: it closed 2026-11-22 12:00 +0100."),),
        {"opens_epoch": NOW - 8 * HOUR, "closes_epoch": NOW - HOUR},
    ),
    Row(
        "has begun",
        (warned("The event has begun already, 2026-11-22 12:00 +0100; it closes 2026-11-23 21:00 +0100."),),
        {"opens_epoch": NOW - 1800, "minutes": 60},
        reserved(start_epoch=NOW - HOUR),
    ),
]
CLUSTER = [
    Row(
        "on a cluster that is not known",
        (missing("There is no cluster galileo here, but: leonardo, it4lia."),),
        {"cluster": "galileo"},
    ),
    Row(
        "on a cluster that is announced",
        (missing("Cluster leonardo is announced and not open yet."),),
        catalogue=with_cluster(state="announced"),
    ),
    Row(
        "on a cluster of which nothing is known",
        (
            missing(
                "Slurm on leonardo has not answered yet, so nothing is known about it; try again in a minute.",
            ),
        ),
        view={"taken_epoch": None},
    ),
    Row(
        "while the accounting is silent",
        (warned("Slurm on leonardo has not answered since 2026-11-22 12:50 +0100: this is what it said before."),),
        view={"accounting_silent_since_epoch": NOW - 600},
    ),
]
PROFILES = [
    Row(
        "with a profile that is not there",
        (missing("No profile is called general/torch."),),
        {"profiles": ("general/torch",)},
    ),
    Row(
        "with a profile of another cluster",
        (missing("Profile general/pytorch does not run on leonardo: nobody can start it in this event."),),
        catalogue=with_profile(
            runs_on=[{"cluster": "it4lia", "partition": "gb200_usr_prod", "gpu_type": "gb200", "qos": ["normal"]}]
        ),
    ),
    Row(
        "with a size that is not there",
        (missing("Profile general/pytorch has no size huge; it has: small, medium, large."),),
        {"size": "huge"},
    ),
    Row(
        "with a profile for other allocations",
        (
            missing(
                "Profile agrifood/remote-sensing is not for allocation tra26_hack, but for: aifac_agri*.",
            ),
        ),
        {"profiles": ("agrifood/remote-sensing",)},
    ),
    Row(
        "with a profile that ends before",
        (missing("Profile general/pytorch cannot be started all through the event: see its from and until."),),
        catalogue=with_profile(access={"until": "2026-11-22"}),
    ),
    Row(
        "with a profile of other events",
        (missing("Profile general/pytorch is for other events only: hackathon-*."),),
        catalogue=with_profile(access={"events": ["hackathon-*"]}),
    ),
    Row(
        "with a profile of a group",
        (warned("Profile general/pytorch is only for people in one of these groups: students."),),
        catalogue=with_profile(access={"groups": ["students"]}),
    ),
    Row(
        "with an open size",
        (
            warned(
                "People choose the size themselves; counted is the default of each profile: general/pytorch: small.",
            ),
        ),
        {"size": None},
    ),
    Row(
        "with a QOS that is not the profile's",
        (
            missing("QOS boost_qos_lprod is not one of general/pytorch on leonardo."),
            missing(
                "With allocation tra26_hack these people may not use QOS boost_qos_lprod: seat01, seat02, seat03, "
                "seat04.",
                f"{USERS} QosLevel+=boost_qos_lprod",
            ),
        ),
        {"qos": "boost_qos_lprod"},
    ),
]
PEOPLE = [
    Row(
        "for an allocation that the partition does not admit",
        (
            missing(
                "Partition boost_usr_prod of leonardo does not admit allocation tra26_hack.",
                f"{SCONTROL} PartitionName=boost_usr_prod AllowAccounts=aifac_agri01,tra26_hack",
            ),
        ),
        view=partition(allow_accounts=frozenset({"aifac_agri01"})),
    ),
    Row(
        "for an allocation that the partition denies",
        (
            missing(
                "Partition boost_usr_prod of leonardo does not admit allocation tra26_hack.",
                f"{SCONTROL} PartitionName=boost_usr_prod DenyAccounts=other",
            ),
        ),
        view=partition(deny_accounts=frozenset({"other", "tra26_hack"})),
    ),
    Row(
        "for somebody without an association",
        (
            missing(
                "Not associated with allocation tra26_hack in partition boost_usr_prod of leonardo: ada, bruno.",
                "sacctmgr -i add user name=ada,bruno cluster=leonardo account=tra26_hack",
            ),
        ),
        {"members": ("seat01", "ada", "bruno")},
    ),
    Row(
        "for an allocation without people",
        (
            warned("Nobody who takes part is known yet: only the allocation itself was looked at."),
            missing("Nobody is associated with allocation tra26_hack in partition boost_usr_prod of leonardo."),
        ),
        {"members": ()},
        {"associations": {}},
    ),
    Row(
        "for people who are not known yet",
        (warned("Nobody who takes part is known yet: only the allocation itself was looked at."),),
        {"members": ()},
    ),
    Row(
        "under a QOS that somebody may not use",
        (
            missing(
                "With allocation tra26_hack these people may not use QOS normal: seat04.",
                "sacctmgr -i modify user where name=seat04 account=tra26_hack cluster=leonardo set QosLevel+=normal",
            ),
        ),
        {"minutes": 60},
        {
            "associations": {
                **VIEW.associations,
                "seat04": (Association("seat04", "tra26_hack", frozenset({"boost_qos_dbg"})),),
            }
        },
    ),
]
RESERVATION = [
    Row(
        "on a reservation that nobody has made",
        (
            missing(
                "There is no reservation s_tra_school on leonardo yet, and the hub has no right to make it. An "
                "administrator of Slurm can: 1 node of boost_usr_prod, from 2026-11-23 13:00 +0100 to "
                "2026-11-23 21:00 +0100.",
                f"{IN_ROME} create reservation ReservationName=s_tra_school PartitionName=boost_usr_prod NodeCnt=1 "
                "StartTime=2026-11-23T13:00:00 EndTime=2026-11-23T21:00:00 Accounts=tra26_hack",
            ),
        ),
        view={"reservations": ()},
        catalogue=in_rome(reservations=None),
    ),
    Row(
        "on a reservation that begins too late",
        (
            missing(
                "Reservation s_tra_school begins 2026-11-23 13:30 +0100, after the event, which begins "
                "2026-11-23 13:00 +0100 with its set-up.",
                f"{IN_ROME} update ReservationName=s_tra_school StartTime=2026-11-23T13:00:00",
            ),
        ),
        view=reserved(start_epoch=OPENS),
    ),
    Row(
        "on a reservation that should have begun",
        (
            warned("The event has begun already, 2026-11-22 12:00 +0100; it closes 2026-11-23 21:00 +0100."),
            missing(
                "Reservation s_tra_school begins 2026-11-22 14:00 +0100, after the event, which begins "
                "2026-11-22 12:00 +0100 with its set-up.",
                f"{IN_ROME} update ReservationName=s_tra_school StartTime=now",
            ),
        ),
        {"opens_epoch": NOW - 1800, "minutes": 60},
        reserved(start_epoch=NOW + HOUR),
    ),
    Row(
        "on a reservation that is too short",
        (
            missing(
                "Reservation s_tra_school ends 2026-11-23 20:00 +0100, before the event, which closes "
                "2026-11-23 21:00 +0100.",
                f"{IN_ROME} update ReservationName=s_tra_school EndTime=2026-11-23T21:00:00",
            ),
        ),
        view=reserved(end_epoch=CLOSES - HOUR),
    ),
    Row(
        "on a reservation with too few GPUs",
        (
            missing(
                "Reservation s_tra_school holds 4 GPUs of the type a100 in partition boost_usr_prod; needed for 10 "
                "sessions: 10 GPUs of the type a100.",
                f"{SCONTROL} ReservationName=s_tra_school NodeCnt=3",
            ),
        ),
        {"seats": 10},
    ),
    Row(
        "on a reservation of a part of the cores",
        (
            missing(
                "Reservation s_tra_school holds 2 GPUs of the type a100 in partition boost_usr_prod; needed for 4 "
                "sessions: 4 GPUs of the type a100.",
                f"{SCONTROL} ReservationName=s_tra_school NodeCnt=1",
            ),
        ),
        view=reserved(cores=16),
    ),
    Row(
        "on a reservation of nodes of another partition",
        (
            missing(
                "Reservation s_tra_school holds 0 GPUs of the type a100 in partition boost_usr_prod; needed for 4 "
                "sessions: 4 GPUs of the type a100.",
                f"{SCONTROL} ReservationName=s_tra_school NodeCnt=1",
            ),
        ),
        view=reserved(nodes=frozenset({"s1"}), cores=4),
    ),
    Row(
        "on a reservation of other accounts",
        (
            missing(
                "Reservation s_tra_school is for these allocations, and not for tra26_hack: tra25_old.",
                f"{SCONTROL} ReservationName=s_tra_school Accounts+=tra26_hack",
            ),
        ),
        view=reserved(accounts=frozenset({"tra25_old"})),
    ),
    Row(
        "on a reservation of other users",
        (
            missing(
                "Reservation s_tra_school is for certain users, and not for: seat03, seat04.",
                f"{SCONTROL} ReservationName=s_tra_school Users+=seat03,seat04",
            ),
        ),
        view=reserved(users=frozenset({"seat01", "seat02"})),
    ),
    Row(
        "on a reservation of certain users, for people who are not known yet",
        (
            warned("Nobody who takes part is known yet: only the allocation itself was looked at."),
            warned("Reservation s_tra_school is for these users only: seat01."),
        ),
        {"members": ()},
        reserved(users=frozenset({"seat01"})),
    ),
    Row(
        "on a reservation of a POSIX group",
        (warned("Reservation s_tra_school is only for people in these POSIX groups: school."),),
        view=reserved(groups=frozenset({"school"})),
    ),
    Row(
        "on a reservation whose node is broken",
        (
            warned(
                "Nodes of reservation s_tra_school do not work now: n1. Without them it has room for 0 of 4 sessions.",
            ),
        ),
        view=broken("n1"),
    ),
]
ROOM = [
    Row(
        "without a reservation",
        (NO_RESERVATION,),
        FREE,
        {"reservations": ()},
    ),
    Row(
        "with too few GPUs in the partition",
        (
            missing(
                "Partition boost_usr_prod of leonardo has 40 GPUs of the type a100 in that time; needed for 41 "
                "sessions: 41 GPUs of the type a100.",
            ),
            (*NO_RESERVATION[:2], NO_RESERVATION[2].replace("NodeCnt=1", "NodeCnt=11")),
        ),
        {**FREE, "seats": 41},
        {"reservations": ()},
    ),
    Row(
        "with too few GPUs that nobody else has",
        (
            missing(
                "Partition boost_usr_prod of leonardo has 24 GPUs of the type a100 in that time; needed for 40 "
                "sessions: 40 GPUs of the type a100. Not counted: 1 node does not work, 3 nodes are reserved for "
                "others.",
            ),
            (
                "warning",
                NO_RESERVATION[1].replace("40 GPUs", "36 GPUs"),
                NO_RESERVATION[2].replace("NodeCnt=1", "NodeCnt=10"),
            ),
        ),
        {**FREE, "seats": 40},
        {**broken("n10"), "reservations": (Reservation("other", NOW, CLOSES, frozenset({"n1", "n2", "n3"}), 96),)},
    ),
    Row(
        "with teams: a session for each is enough",
        (),
        {"seats": 20, "teams": 4},
    ),
    Row(
        "while maintenance takes a node of the reservation",
        (
            missing(
                "Maintenance (service) from 2026-11-23 20:00 +0100 to 2026-11-23 22:00 +0100 takes 1 node; the others "
                "have room for 0 of 4 sessions.",
            ),
        ),
        view={"reservations": (OWN, maintenance("n1", "n2"))},
    ),
    Row(
        "while maintenance has a node of the reservation now, and not then",
        (),
        view={
            **broken("n1"),
            "reservations": (OWN, replace(maintenance("n1"), start_epoch=NOW - HOUR, end_epoch=NOW + HOUR)),
        },
    ),
    Row(
        "while maintenance takes some nodes of the partition",
        (
            warned(
                "Maintenance (service) from 2026-11-23 20:00 +0100 to 2026-11-23 22:00 +0100 takes 2 nodes; the others "
                "have room for 4 of 4 sessions.",
            ),
            NO_RESERVATION,
        ),
        FREE,
        {"reservations": (maintenance("n1", "n2"),)},
    ),
    Row(
        "while maintenance takes all nodes of the partition",
        (
            missing(
                "Maintenance (service) from 2026-11-23 20:00 +0100 to 2026-11-23 22:00 +0100 takes 10 nodes; the "
                "others have room for 0 of 4 sessions.",
            ),
            NO_RESERVATION,
        ),
        FREE,
        {"reservations": (maintenance(*(node.name for node in NODES)),)},
    ),
    Row(
        "on nodes that are too small",
        (
            missing("No node of boost_usr_prod on leonardo is large enough for size small."),
            missing(
                "Reservation s_tra_school holds 0 GPUs of the type a100 in partition boost_usr_prod; needed for 4 "
                "sessions: 4 GPUs of the type a100.",
            ),
        ),
        view={"nodes": (*(replace(node, cores=4) for node in NODES), SERIAL_NODE)},
    ),
]
FOUR = "needed for 4 sessions of size small:"
LIMITS = [
    Row(
        "under MaxTRESPerUser",
        (
            missing(
                "QOS normal allows at most 2 GPUs for all jobs of a user; needed for 3 sessions of size small: 3 GPUs.",
                f"{QOS} MaxTRESPerUser=gres/gpu=3",
            ),
        ),
        {"sessions_a_person": 3},
        limited(user=(("gres/gpu", 2),)),
    ),
    Row(
        "under MaxTRESPerAccount",
        (
            missing(
                f"QOS normal allows at most 30 cores for all jobs of an allocation; {FOUR} 32 cores.",
                f"{QOS} MaxTRESPerAccount=cpu=32",
            ),
        ),
        view=limited(account=(("cpu", 30),)),
    ),
    Row(
        "under GrpTRES",
        (
            missing(
                f"QOS normal allows at most 200000 MB of memory for all jobs together; {FOUR} 480000 MB of memory.",
                f"{QOS} GrpTRES=mem=480000M",
            ),
        ),
        view=limited(group=(("mem", 200_000),)),
    ),
    Row(
        "under MaxTRES",
        (
            missing(
                "QOS normal allows at most 4 cores in a job; needed for 1 session of size small: 8 cores.",
                f"{QOS} MaxTRESPerJob=cpu=8",
            ),
        ),
        {"qos": "normal"},
        limited(job=(("cpu", 4),)),
    ),
    Row(
        "under MaxJobsPerUser",
        (
            missing(
                "QOS normal lets at most 1 job of a user run at a time; the event needs 2.", f"{QOS} MaxJobsPerUser=2"
            ),
        ),
        {"sessions_a_person": 2},
        limited(running=1),
    ),
    Row(
        "under MaxSubmitJobsPerUser",
        (
            missing(
                "QOS normal lets a user have at most 1 job at a time; the event needs 2.",
                f"{QOS} MaxSubmitJobsPerUser=2",
            ),
        ),
        {"sessions_a_person": 2},
        limited(submitted=1),
    ),
    Row(
        "under MaxJobsPerAccount",
        (
            missing(
                "QOS normal lets at most 3 jobs of an allocation run at a time; the event needs 4.",
                f"{QOS} MaxJobsPerAccount=4",
            ),
        ),
        view=limited(account_running=3),
    ),
    Row(
        "under MaxSubmitJobsPerAccount",
        (
            missing(
                "QOS normal lets an allocation have at most 3 jobs at a time; the event needs 4.",
                f"{QOS} MaxSubmitJobsPerAccount=4",
            ),
        ),
        view=limited(account_submitted=3),
    ),
    Row(
        "under GrpJobs",
        (missing("QOS normal lets at most 3 jobs run at a time in all; the event needs 4.", f"{QOS} GrpJobs=4"),),
        view=limited(group_running=3),
    ),
    Row(
        "under GrpSubmitJobs",
        (
            missing(
                "QOS normal lets there be at most 3 jobs at a time in all; the event needs 4.",
                f"{QOS} GrpSubmitJobs=4",
            ),
        ),
        view=limited(group_submitted=3),
    ),
    Row(
        "under the partition's own QOS",
        (
            missing(
                "QOS normal lets at most 3 jobs run at a time in all in partition boost_usr_prod; the event needs 4.",
                "sacctmgr -i modify qos where name=whole set GrpJobs=4",
            ),
        ),
        view={**partition(qos="whole"), **limited("whole", group_running=3)},
    ),
    Row(
        "under MaxJobs of the association",
        (
            missing(
                "QOS normal lets at most 1 job of a user run at a time with this allocation; the event needs 2.",
                f"{USERS} MaxJobs=2",
            ),
        ),
        {"sessions_a_person": 2},
        associated(running=1),
    ),
    Row(
        "under GrpTRES of the association",
        (
            missing(
                f"QOS normal allows at most 2 GPUs for all jobs together with this allocation; {FOUR} 4 GPUs.",
                f"{ACCOUNT} GrpTRES=gres/gpu=4",
            ),
        ),
        view=associated(group=(("gres/gpu", 2),)),
    ),
    Row(
        "under a QOS that the partition does not take",
        (
            missing(
                "QOS normal is not allowed in partition boost_usr_prod.",
                f"{SCONTROL} PartitionName=boost_usr_prod AllowQos=long,normal",
            ),
        ),
        view=partition(allow_qos=frozenset({"long"})),
    ),
    Row(
        "with more sessions for a person than the site has",
        (missing("A person may have at most 3 sessions here at a time; the event needs 4 for each."),),
        {"sessions_a_person": 4},
    ),
]
TIME = [
    Row(
        "longer than the partition's limit",
        (
            missing(
                "Partition boost_usr_prod ends a session after 4 h; the event needs 6 h.",
                f"{SCONTROL} PartitionName=boost_usr_prod MaxTime=360",
            ),
        ),
        {"minutes": 360},
        partition(max_minutes=240),
    ),
    Row(
        "longer than the partition's limit, where people can start again",
        (
            warned(
                "Partition boost_usr_prod ends a session after 4 h; the event needs 8 h. People start again then.",
                f"{SCONTROL} PartitionName=boost_usr_prod MaxTime=480",
            ),
        ),
        view=partition(max_minutes=240),
    ),
    Row(
        "longer than MaxWall",
        (missing("QOS normal ends a session after 4 h; the event needs 6 h.", f"{QOS} MaxWall=0-06:00:00"),),
        {"minutes": 360, "qos": "normal"},
        limited(max_minutes=240),
    ),
    Row(
        "longer than MaxWall of the association",
        (
            missing(
                "QOS normal with this allocation ends a session after 4 h; the event needs 6 h.",
                f"{USERS} MaxWall=0-06:00:00",
            ),
        ),
        {"minutes": 360},
        associated(max_minutes=240),
    ),
    Row(
        "longer than the size's time",
        (missing("Size small of general/pytorch ends a session after 1 h; the event needs 6 h."),),
        {"minutes": 360},
        catalogue=with_profile(
            sizes={"small": {"gpus": 1, "cores": 8, "memory_mb": 120000, "default_minutes": 60, "max_minutes": 60}},
            default_size="small",
        ),
    ),
]
COST = "The event costs 256 core-hours (4 sessions of 8 h)"
MONEY = [
    Row(
        "for more than Slurm lets the account use",
        (
            missing(
                f"{COST}, more than tra26_hack has on leonardo: 100 of 1,000 core-hours left.",
                f"{ACCOUNT} GrpTRESMins=billing=69360",
            ),
        ),
        budget=Budget("tra26_hack", 1000, 900, NOON, set_by=GroupLimit("billing", 60_000, 54_000, "tra26_hack")),
    ),
    Row(
        "for more than Slurm lets the account above use, in GPU-minutes",
        (
            missing(
                f"{COST}, more than tra26_hack has on leonardo: 80 of 800 core-hours left.",
                "sacctmgr -i modify account where name=training cluster=leonardo set GrpTRESMins=gres/gpu=7320",
            ),
        ),
        budget=Budget("tra26_hack", 800, 720, NOON, set_by=GroupLimit("gres/gpu", 6000, 5400, "training")),
    ),
    Row(
        "for more than is left, as a program told",
        (missing(f"{COST}, more than tra26_hack has on leonardo: 100 of 1,000 core-hours left."),),
        budget=Budget("tra26_hack", 1000, 900, NOON),
    ),
    Row(
        "after the end of the allocation",
        (missing("Allocation tra26_hack on leonardo ends on 2026-11-22, before the event is over."),),
        budget=replace(BUDGET, end_date=date(2026, 11, 22)),
    ),
    Row(
        "with an allocation that has ended",
        (
            missing(
                "Allocation tra26_hack on leonardo ended on 2026-11-21; 70,000 of 80,000 core-hours were left.",
            ),
        ),
        budget=replace(BUDGET, end_date=date(2026, 11, 21)),
    ),
    Row(
        "with the month's share used up",
        (
            warned(
                "The share of this month of tra26_hack on leonardo is used up (500 core-hours): its jobs run later "
                "until the month ends.",
            ),
        ),
        budget=replace(BUDGET, month_total_core_hours=500, month_used_core_hours=500),
    ),
    Row(
        "with a budget that nobody has told",
        (warned(f"{COST}; nothing is known of the budget of tra26_hack on leonardo."),),
        budget=None,
    ),
]
LAST_YEAR = replace(PLAN, slug="old", opens_epoch=NOW - 10 * HOUR, closes_epoch=NOW - HOUR)
BESIDE = replace(PLAN, slug="other", members=("ada",), opens_epoch=CLOSES - HOUR, closes_epoch=CLOSES + HOUR)
OTHERS = [
    Row("after another event", (), others=(LAST_YEAR, PLAN)),
    Row("beside an event elsewhere", (), others=(replace(BESIDE, cluster="it4lia"),)),
    Row(
        "beside an event with the same people",
        (missing("At the same time these people are in event other, too: seat02, seat04."),),
        others=(replace(BESIDE, cluster="it4lia", members=("seat04", "seat02", "ada")),),
    ),
    Row(
        "beside an event in the same reservation",
        (
            missing(
                "At the same time reservation s_tra_school is used by other, too: it has room for 4 of 8 sessions.",
            ),
        ),
        others=(BESIDE,),
    ),
    Row(
        "beside an event in the same partition",
        (
            NO_RESERVATION,
            warned("At the same time there is other: partition boost_usr_prod has room for 40 of 44 sessions."),
        ),
        FREE,
        {"reservations": ()},
        others=(replace(BESIDE, reservation=None, seats=40),),
    ),
]
ROWS = [*DATES, *CLUSTER, *PROFILES, *PEOPLE, *RESERVATION, *ROOM, *LIMITS, *TIME, *MONEY, *OTHERS]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_an_event(row: Row) -> None:
    found = [each for each in row.findings() if each.severity is not Severity.FINE]
    order = sorted(row.said)
    assert sorted((each.severity.value, str(each.says), each.shown_command) for each in found) == order


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_an_event_in_italian(row: Row) -> None:
    for each in row.findings():
        assert each.as_dict("it")["says"] != str(each.says)


def test_where_all_is_well_each_check_says_what_it_found() -> None:
    found = Row("", ()).findings()
    assert not any_missing(found)
    assert [(each.severity.value, each.about.value, str(each.says)) for each in found] == [
        (
            "fine",
            "dates",
            "The event takes 8 h with its set-up, from 2026-11-23 13:00 +0100 to 2026-11-23 21:00 +0100.",
        ),
        (
            "fine",
            "profiles",
            "Profile general/pytorch runs in partition boost_usr_prod of leonardo: 4 sessions of size small.",
        ),
        ("fine", "people", "4 people may use allocation tra26_hack with QOS normal."),
        ("fine", "reservation", "Reservation s_tra_school has room for 4 sessions: 4 GPUs of the type a100."),
        ("fine", "limits", "The limits of QOS normal in partition boost_usr_prod let 4 sessions run at a time."),
        ("fine", "time", "A session may run for 8 h."),
        ("fine", "budget", f"{COST}; tra26_hack has enough on leonardo: 70,000 of 80,000 core-hours left."),
        ("fine", "other events", "There is no other event at that time."),
    ]


def test_what_costs_nothing_needs_no_budget() -> None:
    prepared = {"profiles": ("general/data-preparation",), "reservation": None, "size": "small", "minutes": 60}
    found = [each for each in Row("", (), prepared, budget=None).findings() if each.about == "budget"]
    assert [(each.severity, str(each.says)) for each in found] == [("fine", "The event costs nothing there.")]


def test_where_budgets_are_not_kept_an_unknown_one_is_fine() -> None:
    (found,) = (
        each
        for each in Row("", (), catalogue=with_cluster(budget=Budgets()), budget=None).findings()
        if each.about == "budget"
    )
    assert found.severity is Severity.FINE


RESERVER = ReserverSettings(door=("hpchub-reserve",))


def test_a_reservation_that_the_hub_may_make_is_not_missing() -> None:
    site = {"reservations": RESERVER}
    row = Row("", (), {"reservation": "hpchub_school"}, {"reservations": ()}, in_rome(**site))
    assert not any_missing(row.findings())
    assert (
        "The hub makes reservation hpchub_school on leonardo itself: 1 node of boost_usr_prod, from "
        "2026-11-23 13:00 +0100 to 2026-11-23 21:00 +0100."
    ) in [str(each.says) for each in row.findings()]


def test_a_reservation_of_another_name_is_not_the_hub_s_to_make() -> None:
    row = Row("", (), {}, {"reservations": ()}, in_rome(reservations=RESERVER))
    assert any_missing(row.findings())


def test_the_reservation_that_an_event_needs() -> None:
    assert reservation_of(replace(PLAN, seats=6, reservation=None), VIEW, in_rome(), NOW) == Wanted(
        "hpchub_school", "leonardo", "boost_usr_prod", BEGINS, CLOSES, nodes=2, account="tra26_hack"
    )
    both = replace(PLAN, profiles=("general/*",), size=None)
    assert reservation_of(both, VIEW, in_rome(), NOW) is None
    # an event that runs already begins at once: Slurm takes no beginning that is past
    begun = reservation_of(replace(PLAN, opens_epoch=NOW), VIEW, in_rome(), NOW)
    assert begun is not None and begun.starts_epoch is None


def test_profiles_in_several_partitions_have_no_common_reservation() -> None:
    plan = {"profiles": ("general/*",), "size": None, "minutes": 60}
    said = [str(each.says) for each in Row("", (), plan, {"reservations": ()}).findings()]
    assert (
        "A reservation lies in one partition, and the profiles of the event run in several: "
        "boost_usr_prod, lrd_all_serial."
    ) in said or (
        "A reservation lies in one partition, and the profiles of the event run in several: "
        "lrd_all_serial, boost_usr_prod."
    ) in said


@pytest.mark.parametrize("name", ["seats", "teams", "minutes", "sessions_a_person"])
def test_a_number_that_makes_no_sense_is_no_plan(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} is 0, and at least 1 is possible"):
        replace(PLAN, **{name: 0})  # type: ignore[arg-type]  # the rows name fields of the class


@pytest.mark.parametrize(
    ("plan", "view", "found"),
    [
        ({}, {}, SEATS),
        ({"members": ("seat01", "dario")}, {}, ("seat01",)),
        ({"members": ()}, {}, ()),
        ({"allocation": "aifac_cyber01"}, {}, ()),
        ({}, {"associations": {}}, ()),
        ({"profiles": ("general/nothing",)}, {}, ()),
    ],
)
def test_who_may_use_the_allocation_is_only_who_is_known_and_associated(
    plan: dict[str, Any], view: dict[str, Any], found: tuple[str, ...]
) -> None:
    assert entitled_people(replace(PLAN, **plan), replace(VIEW, **view), in_rome()) == frozenset(found)


@pytest.mark.parametrize("view", [{"taken_epoch": None}, {"associations": {}, "accounting_silent_since_epoch": NOON}])
def test_who_may_use_the_allocation_is_not_known_before_slurm_has_told_it(view: dict[str, Any]) -> None:
    assert entitled_people(PLAN, replace(VIEW, **view), in_rome()) is None


def test_a_team_that_starts_something_larger_decides_how_much_room_there_has_to_be() -> None:
    with_team = replace(PLAN, seats=12, starts=(("general/pytorch", "large"),))
    wanted = [reservation_of(plan, VIEW, in_rome(), NOW) for plan in (replace(with_team, starts=()), with_team)]
    assert [each.nodes for each in wanted if each] == [3, 12], "of which this cluster has 10"
    said = [str(each.says) for each in findings(with_team, VIEW, in_rome(), NOW) if each.severity is Severity.MISSING]
    assert any(says.startswith("Reservation s_tra_school holds") for says in said), said


def test_the_size_of_a_team_has_to_be_one_of_its_profile() -> None:
    with_team = replace(PLAN, starts=(("general/pytorch", "huge"),))
    (found,) = [each for each in findings(with_team, VIEW, in_rome(), NOW) if each.severity is Severity.MISSING]
    assert str(found.says).startswith("Profile general/pytorch has no size huge")
