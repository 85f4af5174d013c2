"""The truth table's rows about access and places."""

from __future__ import annotations

from dataclasses import replace

from hpchub.catalogue.offers import Person
from tests.unit.data.truth import (
    DATA,
    DENIED,
    EVENTS,
    GROUPS,
    LARGE,
    NOON,
    NORMAL,
    PYTORCH,
    SILENT,
    Row,
    access,
    ada,
    event,
    on,
)
from tests.unit.data.world import BOOST_NODE, LEONARDO, boost, boost_node, leonardo, with_cluster

ACCESS = [
    Row("own allocation of the sector", 720),
    Row("group that the person is in", 720, catalogue=GROUPS, person=ada(groups=frozenset({"staff"}))),
    Row(
        "group that the person is not in",
        "Profile agrifood/remote-sensing is for members of course, staff, and you are not one.",
        catalogue=GROUPS,
        person=ada(groups=frozenset({"other"})),
    ),
    Row(
        "no group at all",
        "Profile agrifood/remote-sensing is for members of course, staff, and you are not one.",
        catalogue=GROUPS,
    ),
    Row(
        "own allocation of another sector",
        (
            "Allocation 'aifac_clima01' is not one of yours for agrifood/remote-sensing on leonardo. Yours: "
            "aifac_agri01."
        ),
        changes=on(allocation="aifac_clima01"),
    ),
    Row(
        "somebody else's allocation",
        (
            "Allocation 'aifac_cyber01' is not one of yours for agrifood/remote-sensing on leonardo. Yours: "
            "aifac_agri01."
        ),
        changes=on(allocation="aifac_cyber01"),
    ),
    Row("allocation asked for in mixed case", 720, changes=on(allocation="AIFAC_Agri01")),
    Row(
        "profile of another sector",
        ("Profile cybersecurity/log-analysis is for the allocations aifac_cyber*; yours: aifac_agri01, aifac_clima01."),
        changes=on(profile="cybersecurity/log-analysis"),
    ),
    Row("general is for every allocation", 720, changes=on(profile=PYTORCH, allocation="aifac_clima01")),
    Row("pattern in capitals", 720, catalogue=access(allocations=["AIFAC_AGRI*"])),
    Row("pattern with a question mark", 720, catalogue=access(allocations=["aifac_agri0?"])),
    Row(
        "pattern that nearly matches",
        (
            "Profile agrifood/remote-sensing is for the allocations aifac_agri0, agri*; yours: aifac_agri01, "
            "aifac_clima01."
        ),
        catalogue=access(allocations=["aifac_agri0", "agri*"]),
    ),
    Row(
        "own patterns replace the sector's",
        ("Profile agrifood/remote-sensing is for the allocations aifac_food*; yours: aifac_agri01, aifac_clima01."),
        catalogue=access(allocations=["aifac_food*"]),
    ),
    Row("person without any allocation", "You have no allocation on leonardo.", person=Person("admin")),
    Row(
        "before the window",
        "Profile agrifood/remote-sensing can be started from 2026-11-23 only.",
        catalogue=access(**{"from": "2026-11-23"}),
    ),
    Row("first day of the window", 720, catalogue=access(**{"from": "2026-11-22"})),
    Row("last day of the window", 720, catalogue=access(until="2026-11-22")),
    Row(
        "after the window",
        "Profile agrifood/remote-sensing can be started until 2026-11-21 only.",
        catalogue=access(until="2026-11-21"),
    ),
    Row(
        "window that ended this morning",
        "Profile agrifood/remote-sensing can be started until 2026-11-22 12:00 +0100 only.",
        catalogue=access(until="2026-11-22T12:00:00+01:00"),
    ),
    Row("window that ends tonight", 720, catalogue=access(until="2026-11-22T23:00:00+01:00")),
    Row("member of an open event", 720, catalogue=EVENTS, person=ada(events=(event(),))),
    Row(
        "member of no event",
        "Profile agrifood/remote-sensing is for the events gpu-*; yours that are open now: none.",
        catalogue=EVENTS,
    ),
    Row(
        "event that is not open yet",
        "Profile agrifood/remote-sensing is for the events gpu-*; yours that are open now: none.",
        catalogue=EVENTS,
        person=ada(events=(event(opens=NOON + 1),)),
    ),
    Row(
        "event that is over",
        "Profile agrifood/remote-sensing is for the events gpu-*; yours that are open now: none.",
        catalogue=EVENTS,
        person=ada(events=(event(closes=NOON),)),
    ),
    Row(
        "another event",
        ("Profile agrifood/remote-sensing is for the events gpu-*; yours that are open now: winter-school."),
        catalogue=EVENTS,
        person=ada(events=(event("winter-school"),)),
    ),
]

PLACES = [
    Row("second cluster", 720, changes=on(cluster="it4lia")),
    Row(
        "cluster without the profile",
        "Cluster 'it4lia' is not one for general/data-preparation. Possible: leonardo.",
        changes=on(profile=DATA, cluster="it4lia"),
    ),
    Row(
        "unknown cluster", "Cluster 'marconi' is not known. Possible: leonardo, it4lia.", changes=on(cluster="marconi")
    ),
    Row(
        "announced cluster",
        "Cluster leonardo is announced and not open yet.",
        catalogue=with_cluster("leonardo", state="announced"),
    ),
    Row(
        "no build for the cluster",
        "The environment agrifood of agrifood/remote-sensing has no build for leonardo (x86_64-none) yet.",
        catalogue=with_cluster("leonardo", software_target="x86_64-none"),
    ),
    Row(
        "cluster that never answered",
        "Slurm on leonardo has not answered yet, so nothing is known about it; try again in a minute.",
        {"leonardo": replace(LEONARDO, taken_epoch=None)},
    ),
    Row(
        "cluster without a view",
        "Slurm on leonardo has not answered yet, so nothing is known about it; try again in a minute.",
        {},
    ),
    Row("cluster that is silent now", 720, {"leonardo": SILENT}),
    Row("partition is down", "Partition boost_usr_prod of leonardo is down.", boost(up=False)),
    Row("partition is gone", "Cluster leonardo has no partition boost_usr_prod now.", leonardo(partitions={})),
    Row(
        "partition for root only",
        "Partition boost_usr_prod of leonardo is for administrators only.",
        boost(root_only=True),
    ),
    Row(
        "partition with reservations only",
        "Partition boost_usr_prod of leonardo is for jobs with a reservation only.",
        boost(reservation_only=True),
    ),
    Row(
        "partition for many nodes",
        ("Partition boost_usr_prod of leonardo takes only jobs of at least 2 nodes, and a notebook runs on one."),
        boost(min_nodes=2),
    ),
    Row("partition with a shorter time", 60, boost(max_minutes=60)),
    Row("partition without a longest time", 720, boost(max_minutes=None)),
    Row(
        "partition admits other accounts",
        "Partition boost_usr_prod of leonardo does not admit your allocations: aifac_agri01.",
        boost(allow_accounts=frozenset({"eufus"})),
    ),
    Row("partition admits the account, in mixed case", 720, boost(allow_accounts=DENIED)),
    Row(
        "partition denies the account, in mixed case",
        "Partition boost_usr_prod of leonardo does not admit your allocations: aifac_agri01.",
        boost(deny_accounts=DENIED),
    ),
    Row(
        "partition admits other QOS",
        (
            "QOS 'normal' cannot be used with allocation aifac_agri01 on leonardo: it is not allowed in "
            "partition boost_usr_prod. Possible: boost_qos_dbg."
        ),
        boost(allow_qos=frozenset({"boost_qos_dbg"})),
    ),
    Row(
        "partition denies the QOS",
        (
            "QOS 'normal' cannot be used with allocation aifac_agri01 on leonardo: it is not allowed in "
            "partition boost_usr_prod. Possible: boost_qos_dbg."
        ),
        boost(deny_qos=NORMAL),
    ),
    Row(
        "few cores of a node for a job",
        "A job may have 4 cores in boost_usr_prod on leonardo, too few for agrifood/remote-sensing.",
        boost(max_cores_per_node=4),
    ),
    Row(
        "little memory of a node for a job",
        ("A job may have 64000 MB of memory in boost_usr_prod on leonardo, too little for agrifood/remote-sensing."),
        boost(max_memory_mb_per_node=64_000),
    ),
    Row("node is full", 720, boost_node(cores_used=32, memory_used_mb=494_000, gpus_used={"a100": 4})),
    Row("node is down", 720, boost_node(usable=False)),
    Row(
        "node with another kind of GPU",
        "No node of boost_usr_prod on leonardo is large enough for agrifood/remote-sensing.",
        boost_node(gpus={"v100": 4}),
    ),
    Row(
        "node with too few GPUs",
        ("No node of boost_usr_prod on leonardo is large enough for size 'large'. Possible there: small, medium."),
        boost_node(gpus={"a100": 2}),
        changes=LARGE,
    ),
    Row(
        "node with too few cores",
        "No node of boost_usr_prod on leonardo is large enough for agrifood/remote-sensing.",
        boost_node(cores=4),
    ),
    Row(
        "node with too little memory",
        "No node of boost_usr_prod on leonardo is large enough for agrifood/remote-sensing.",
        boost_node(memory_mb=64_000),
    ),
    Row(
        "two nodes do not add up",
        ("No node of boost_usr_prod on leonardo is large enough for size 'large'. Possible there: small, medium."),
        leonardo(nodes=(replace(BOOST_NODE, gpus={"a100": 2}),) * 2),
        changes=LARGE,
    ),
    Row("no GPU is needed without GPUs", 240, changes=on(profile=DATA)),
]
