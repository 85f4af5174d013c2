"""The truth table's rows about limits, sizes and budgets."""

from __future__ import annotations

from datetime import date

from hpchub.slurm.model import Association, Limits
from tests.unit.data.truth import (
    DATA,
    DEBUG,
    LARGE,
    NORMAL,
    PYTORCH,
    Row,
    associated,
    at_most,
    budget,
    held,
    limited,
    on,
)
from tests.unit.data.world import associations, leonardo, with_cluster

LIMITS = [
    Row("QOS cuts the time", 30, changes=DEBUG),
    Row(
        "QOS that the profile does not name",
        ("QOS 'boost_qos_bprod' is not one of agrifood/remote-sensing on leonardo. Possible: normal, boost_qos_dbg."),
        changes=on(qos="boost_qos_bprod"),
    ),
    Row(
        "QOS that the allocation lacks",
        (
            "QOS 'boost_qos_dbg' cannot be used with allocation aifac_agri01 on leonardo: it is not allowed "
            "for this allocation, which has: normal. Possible: normal."
        ),
        leonardo(associations=associations(NORMAL)),
        changes=DEBUG,
    ),
    Row(
        "allocation without a QOS",
        (
            "No QOS of agrifood/remote-sensing on leonardo can be used: normal is not allowed for this "
            "allocation, which has: none; boost_qos_dbg is not allowed for this allocation, which has: none."
        ),
        leonardo(associations=associations(frozenset())),
    ),
    Row("QOS of which nothing is known", 720, leonardo(qos={})),
    Row(
        "QOS with fewer GPUs in a job",
        (
            "QOS 'normal' cannot be used with allocation aifac_agri01 on leonardo: it allows at most 2 GPUs "
            "in a job. Possible: boost_qos_dbg."
        ),
        limited(job=at_most(2)),
        changes=LARGE,
    ),
    Row("QOS with exactly as many GPUs in a job", 720, limited(job=at_most(4)), changes=LARGE),
    Row(
        "QOS with fewer GPUs of the type",
        (
            "QOS 'normal' cannot be used with allocation aifac_agri01 on leonardo: it allows at most 0 GPUs "
            "of the type a100 in a job. Possible: boost_qos_dbg."
        ),
        limited(job=at_most(0, "gres/gpu:a100")),
    ),
    Row("QOS with fewer GPUs of another type", 720, limited(job=at_most(0, "gres/gpu:v100"))),
    Row(
        "QOS with fewer cores in a job",
        (
            "QOS 'normal' cannot be used with allocation aifac_agri01 on leonardo: it allows at most 4 cores "
            "in a job. Possible: boost_qos_dbg."
        ),
        limited(job=at_most(4, "cpu")),
    ),
    Row(
        "QOS with less memory in a job",
        (
            "QOS 'normal' cannot be used with allocation aifac_agri01 on leonardo: it allows at most 64000 "
            "MB of memory in a job. Possible: boost_qos_dbg."
        ),
        limited(job=at_most(64_000, "mem")),
    ),
    Row(
        "QOS with fewer GPUs of a user",
        (
            "QOS 'normal' cannot be used with allocation aifac_agri01 on leonardo: it allows at most 2 GPUs "
            "for all jobs of a user. Possible: boost_qos_dbg."
        ),
        limited(user=at_most(2)),
        changes=LARGE,
    ),
    Row(
        "QOS with fewer GPUs of an account",
        (
            "QOS 'normal' cannot be used with allocation aifac_agri01 on leonardo: it allows at most 1 GPU "
            "for all jobs of an allocation. Possible: boost_qos_dbg."
        ),
        limited(account=at_most(1)),
        changes=LARGE,
    ),
    Row(
        "QOS with fewer GPUs for all",
        (
            "QOS 'normal' cannot be used with allocation aifac_agri01 on leonardo: it allows at most 3 GPUs "
            "for all jobs together. Possible: boost_qos_dbg."
        ),
        limited(group=at_most(3)),
        changes=LARGE,
    ),
    Row(
        "QOS for large jobs",
        (
            "QOS 'normal' cannot be used with allocation aifac_agri01 on leonardo: it needs at least 65 "
            "nodes in a job. Possible: boost_qos_dbg."
        ),
        limited(least=at_most(65, "node")),
    ),
    Row(
        "QOS that lets nothing run",
        (
            "QOS 'normal' cannot be used with allocation aifac_agri01 on leonardo: it allows no job. "
            "Possible: boost_qos_dbg."
        ),
        limited(running=0),
    ),
    Row("QOS with a longer time than the partition", 60, limited(maximum=60, max_minutes=5760)),
    Row(
        "QOS that overrides the partition's time",
        720,
        limited(maximum=60, max_minutes=5760, flags="PartitionTimeLimit"),
    ),
    Row(
        "QOS of the partition",
        (
            "No QOS of agrifood/remote-sensing on leonardo can be used: normal allows at most 4 cores in a "
            "job in partition boost_usr_prod; boost_qos_dbg allows at most 4 cores in a job in partition "
            "boost_usr_prod."
        ),
        limited(Limits(job=at_most(4, "cpu"))),
    ),
    Row("QOS of the partition comes first", 720, limited(Limits(job=at_most(9, "cpu")), job=at_most(4, "cpu"))),
    Row(
        "QOS that comes before the partition's",
        (
            "QOS 'normal' cannot be used with allocation aifac_agri01 on leonardo: it allows at most 4 cores "
            "in a job. Possible: boost_qos_dbg."
        ),
        limited(Limits(job=at_most(9, "cpu")), "OverPartQOS", job=at_most(4, "cpu")),
    ),
    Row(
        "QOS and its partition limit different things",
        (
            "QOS 'normal' cannot be used with allocation aifac_agri01 on leonardo: it allows at most 1 MB of "
            "memory in a job. Possible: boost_qos_dbg."
        ),
        limited(Limits(job=at_most(9, "cpu")), job=at_most(1, "mem")),
    ),
    Row(
        "association with fewer GPUs in a job",
        (
            "Size 'large' is more than the QOS of your allocation on leonardo allow: normal allows at most 2 "
            "GPUs in a job with this allocation; boost_qos_dbg allows at most 2 GPUs in a job with this "
            "allocation. Possible there: small, medium."
        ),
        associated(job=at_most(2)),
        changes=LARGE,
    ),
    Row(
        "association behind a QOS that sets the same limit",
        720,
        associated(job=at_most(2), qos=Limits(job=at_most(4))),
        changes=LARGE,
    ),
    Row(
        "association with fewer GPUs for all",
        (
            "Size 'large' is more than the QOS of your allocation on leonardo allow: normal allows at most 1 "
            "GPU for all jobs together with this allocation; boost_qos_dbg allows at most 1 GPU for all jobs "
            "together with this allocation. Possible there: small."
        ),
        associated(group=at_most(1)),
        changes=LARGE,
    ),
    Row("association with a shorter time", 45, associated(max_minutes=45)),
    Row("association with a longer time than the QOS", 30, associated(max_minutes=45, qos=Limits(max_minutes=30))),
    Row("association behind the time of a QOS", 50, associated(max_minutes=45, qos=Limits(max_minutes=50))),
    Row(
        "association that is locked",
        (
            "No QOS of agrifood/remote-sensing on leonardo can be used: normal allows no job with this "
            "allocation; boost_qos_dbg allows no job with this allocation."
        ),
        associated(group_submitted=0),
    ),
    Row("association for this partition", 720, associated("boost_usr_prod")),
    Row(
        "association for another partition",
        "Your allocations aifac_agri01 are not for partition boost_usr_prod of leonardo.",
        associated("lrd_all_serial"),
    ),
    Row(
        "as many sessions as may wait",
        (
            "No QOS of agrifood/remote-sensing on leonardo can be used: normal allows at most 2 jobs at a time with "
            "this allocation (yours, waiting ones included: thesis, maps); boost_qos_dbg allows at most 2 jobs at a "
            "time with this allocation (yours, waiting ones included: thesis, maps)."
        ),
        associated(submitted=2),
        person=held(2),
    ),
    Row("fewer sessions than may wait", 720, associated(submitted=2), person=held(1)),
    Row("sessions on the other cluster do not count", 720, associated(submitted=2), person=held(2, cluster="it4lia")),
    Row(
        "sessions of another allocation do not count",
        720,
        associated(submitted=2),
        person=held(2, account="aifac_clima01"),
    ),
    Row("as many sessions as may run only wait", 720, associated(running=2), person=held(2)),
    Row(
        "as many sessions as the QOS lets wait",
        (
            "QOS 'normal' cannot be used with allocation aifac_agri01 on leonardo: it allows at most 3 jobs at a time "
            "(yours, waiting ones included: thesis, maps, course and 1 more). Possible: boost_qos_dbg."
        ),
        limited(submitted=3),
        person=held(4),
    ),
    Row("sessions of another QOS do not count", 720, limited(submitted=3), person=held(4, "boost_qos_dbg")),
    Row("budget with something left", 720, person=budget(100, 99)),
    Row(
        "budget that is used up",
        (
            "The budget of aifac_agri01 on leonardo is used up: 0 of 100 core-hours left. Other allocations "
            "of yours there, for other profiles: aifac_clima01."
        ),
        person=budget(100, 100),
    ),
    Row(
        "budget that has ended",
        (
            "Allocation aifac_agri01 on leonardo ended on 2026-11-21; 100 of 100 core-hours were left. Other "
            "allocations of yours there, for other profiles: aifac_clima01."
        ),
        person=budget(100, 0, end_date=date(2026, 11, 21)),
    ),
    Row("budget on its last day", 720, person=budget(100, 0, end_date=date(2026, 11, 22))),
    Row(
        "month's share is used up", 720, person=budget(100, 50, month_total_core_hours=10.0, month_used_core_hours=10.0)
    ),
    Row(
        "budget that is used up, where nothing is charged",
        240,
        catalogue=with_cluster("leonardo", free_partitions=["lrd_all_serial"]),
        person=budget(1, 1),
        changes=on(profile=DATA),
    ),
    Row("budget of a cluster that charges elsewhere", 720, person=budget(1, 1), changes=on(cluster="it4lia")),
    Row(
        "one allocation is used up, the other lacks the QOS",
        (
            "No QOS of general/pytorch on leonardo can be used: normal is not allowed for this allocation, which has: "
            "none; boost_qos_dbg is not allowed for this allocation, which has: none. "
            "The budget of aifac_agri01 on leonardo is used up: 0 of 100 core-hours left."
        ),
        leonardo(
            associations={
                "ada": (
                    Association("ada", "aifac_agri01", NORMAL),
                    Association("ada", "aifac_clima01", frozenset()),
                )
            }
        ),
        person=budget(100, 100),
        changes=on(profile=PYTORCH),
    ),
    Row(
        "unknown size",
        "Size 'huge' is not one of agrifood/remote-sensing. Possible: small, medium, large.",
        changes=on(size="huge"),
    ),
    Row(
        "too long",
        (
            "721 minutes are too many for size small of agrifood/remote-sensing on leonardo: at most 720 "
            "with QOS normal."
        ),
        changes=on(minutes=721),
    ),
    Row(
        "too long for the QOS",
        (
            "31 minutes are too many for size small of agrifood/remote-sensing on leonardo: at most 30 with "
            "QOS boost_qos_dbg."
        ),
        changes=on(minutes=31, qos="boost_qos_dbg"),
    ),
]
