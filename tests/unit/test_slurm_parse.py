"""The readers of Slurm's answers, on what Slurm really answered: see data/slurm/README.md."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hpchub.errors import SlurmError
from hpchub.jobs.endings import Ending, cancelled_by, ending_of
from hpchub.jobs.request import read_comment
from hpchub.slurm import commands, parse, parse_accounts
from hpchub.slurm.model import Association, Job, JobState, Limits, Node, Qos, QueuedJob
from hpchub.slurm.reasons import UNHEARD_OF, why_it_waits

DATA = Path(__file__).parent / "data" / "slurm"
VERSIONS = ("22.05", "24.11", "26.05")
SESSION_ID = "0123456789abcdef0123456789abcdef"
READERS: dict[str, Callable[[str], Any]] = {
    "jobs": parse.jobs,
    "queue": parse.queue,
    "accounting": parse.accounting,
    "nodes": parse.nodes,
    "partitions": parse.partitions,
    "associations": parse_accounts.associations,
    "qos": parse_accounts.qos,
    "reservations": parse.reservations,
}
pytestmark = pytest.mark.parametrize("version", VERSIONS)


def answer(version: str, name: str) -> str:
    return (DATA / version / f"{name}.txt").read_text(encoding="utf-8")


def by_kind(version: str, name: str) -> dict[str, Job]:
    """The jobs of an answer by what they are, as data/slurm/capture.py named them."""
    ids: dict[str, str] = json.loads((DATA / version / "job-ids.json").read_text())
    found = READERS[name](answer(version, name))
    return {kind: found[job_id] for kind, job_id in ids.items() if job_id in found}


def nodes(version: str) -> dict[str, Node]:
    return {node.name: node for node in parse.nodes(answer(version, "nodes"))}


CONTROLLER = {
    # kind: state, Slurm's word, reason, node, exit status
    "timeout": (JobState.ENDED, "TIMEOUT", "TimeLimit", "serial0001", None),
    "completed": (JobState.ENDED, "COMPLETED", "", "serial0001", 0),
    "failed-71": (JobState.ENDED, "FAILED", "NonZeroExitCode", "serial0001", 71),
    "killed-9": (JobState.ENDED, "FAILED", "RaisedSignal:9(Killed)", "serial0001", None),
    "out-of-memory": (JobState.ENDED, "OUT_OF_MEMORY", "OutOfMemory", "serial0002", None),
    "node-fail": (JobState.ENDED, "NODE_FAIL", "NodeDown", "lrdn0010", None),
    "preempted": (JobState.ENDED, "PREEMPTED", "", "lrdn0009", None),
    "cancelled": (JobState.ENDED, "CANCELLED", "", "serial0001", None),
    "cancelled-by-admin": (JobState.ENDED, "CANCELLED", "", "serial0001", None),
    "requeued": (JobState.PENDING, "PENDING", "BeginTime", None, 0),
    "gpu-0": (JobState.RUNNING, "RUNNING", "", "lrdn0001", 0),
    "held": (JobState.PENDING, "PENDING", "JobHeldUser", None, 0),
    "begin-time": (JobState.PENDING, "PENDING", "BeginTime", None, 0),
    "node-not-available": (JobState.PENDING, "PENDING", "ReqNodeNotAvail, May be reserved for other job", None, 0),
    "resources": (JobState.PENDING, "PENDING", "Resources", None, 0),
    "budget": (JobState.PENDING, "PENDING", "AssocGrpBillingMinutes", None, 0),
    "qos-time": (JobState.PENDING, "PENDING", "QOSMaxWallDurationPerJobLimit", None, 0),
}
CONTROLLER_22_05 = {
    **CONTROLLER,
    "killed-9": (JobState.ENDED, "FAILED", "JobLaunchFailure", "serial0001", None),
    "node-fail": (JobState.ENDED, "NODE_FAIL", "NodeDown", "lrdn0010", 0),
    "node-not-available": (JobState.PENDING, "PENDING", "ReqNodeNotAvail, UnavailableNodes:lrdn0004", None, 0),
}


@pytest.mark.parametrize("kind", CONTROLLER)
def test_what_the_controller_says_of_a_job(version: str, kind: str) -> None:
    job = by_kind(version, "jobs")[kind]
    expected = CONTROLLER_22_05 if version == "22.05" else CONTROLLER
    assert (job.state, job.slurm_state, job.reason, job.node, job.exit_status) == expected[kind]
    assert job.user == "ada"


def test_a_running_job_has_a_start_and_an_expected_end(version: str) -> None:
    job = by_kind(version, "jobs")["gpu-0"]
    assert job.partition == "boost_usr_prod"
    assert job.start_epoch is not None and job.end_epoch == job.start_epoch + 3600
    assert (job.account, job.qos) == ("aifac_agri01", "normal")
    held = by_kind(version, "jobs")["held"]
    assert (held.start_epoch, held.end_epoch) == (None, None)


def test_a_job_is_known_by_its_comment(version: str) -> None:
    identity = read_comment(by_kind(version, "jobs")["gpu-0"].comment)
    assert identity == {"hpchub": "1", "hub": "demo", "user": "ada", "server": "", "session": SESSION_ID}


def test_a_foreign_comment_keeps_its_separators(version: str) -> None:
    jobs = by_kind(version, "jobs")
    assert jobs["gpu-2"].comment == "it's mine | 100 % <é>"
    assert jobs["whole-node"].comment == ""


def test_a_line_break_in_a_comment_makes_up_no_job(version: str) -> None:
    jobs = by_kind(version, "jobs")
    assert "first\n1|bruno|COMPLETED|None|" in answer(version, "jobs")
    assert jobs["two-lines"].comment == "first\n1|bruno|COMPLETED|None|lrdn0001|x|y|z|0|0|0|hpchub=1"
    assert {job.user for job in parse.jobs(answer(version, "jobs")).values()} == {"ada"}
    assert jobs["timeout"].slurm_state == "TIMEOUT"  # the job that the comment speaks of


def test_bytes_that_are_not_utf8_cost_nobody_else_their_job(version: str) -> None:
    whole = answer(version, "jobs")
    broken = whole.replace("<é>", "<\udcc3\udcff>").encode("utf-8", "surrogateescape")
    assert len(broken) != len(whole)
    jobs = parse.jobs(broken.decode("utf-8", "surrogateescape"))
    assert len(jobs) == len(parse.jobs(whole))
    assert [job.comment for job in jobs.values() if "mine" in job.comment] == ["it's mine | 100 % <\ufffd\ufffd>"]


def test_the_queue_holds_everybodys_waiting_jobs(version: str) -> None:
    ids: dict[str, str] = json.loads((DATA / version / "job-ids.json").read_text())
    queue = {job.job_id: job for job in parse.queue(answer(version, "queue"))}
    waiting = {kind for kind, job in by_kind(version, "jobs").items() if job.state is JobState.PENDING}
    (foreign,) = set(queue) - {ids[kind] for kind in waiting}
    assert len(queue) == len(waiting) + 1
    boost = frozenset({"boost_usr_prod"})
    assert queue[ids["budget"]] == QueuedJob(ids["budget"], 1, "AssocGrpBillingMinutes", boost)
    # of a QOS with a priority of its own
    assert queue[ids["qos-time"]].priority == 1000
    # an array of four tasks is one
    assert queue[foreign].start_epoch is not None


def test_the_queue_says_when_a_job_is_expected_to_start(version: str) -> None:
    jobs = by_kind(version, "jobs")
    (resources,) = [job for job in parse.queue(answer(version, "queue")) if job.reason == "Resources"]
    assert resources.start_epoch == jobs["resources"].start_epoch == jobs["whole-node"].end_epoch


ACCOUNTED = {
    "timeout": ("TIMEOUT", 0, "serial0001", Ending.TIME_LIMIT),
    "completed": ("COMPLETED", 0, "serial0001", Ending.FINISHED),
    "failed-71": ("FAILED", 71, "serial0001", Ending.NO_ENVIRONMENT),
    "killed-9": ("FAILED", None, "serial0001", Ending.JOB_FAILED),
    "out-of-memory": ("OUT_OF_MEMORY", None, "serial0002", Ending.OUT_OF_MEMORY),
    "node-fail": ("NODE_FAIL", 1, "lrdn0010", Ending.NODE_FAILURE),
    "preempted": ("PREEMPTED", 0, "lrdn0009", Ending.PREEMPTED),
    "cancelled": ("CANCELLED by", 0, "serial0001", Ending.CANCELLED),
    "cancelled-by-admin": ("CANCELLED by", 0, "serial0001", Ending.CANCELLED),
    "cancelled-pending": ("CANCELLED by", 0, None, Ending.CANCELLED),
}
ACCOUNTED_22_05 = {**ACCOUNTED, "node-fail": ("NODE_FAIL", 0, "lrdn0010", Ending.NODE_FAILURE)}


@pytest.mark.parametrize("kind", ACCOUNTED)
def test_what_the_accounting_says_of_an_ended_job(version: str, kind: str) -> None:
    job = by_kind(version, "accounting")[kind]
    assert job.state is JobState.ENDED
    word = job.slurm_state.rstrip("0123456789 ")  # sacct adds who cancelled it
    expected = ACCOUNTED_22_05 if version == "22.05" else ACCOUNTED
    assert (word, job.exit_status, job.node, ending_of(job)) == expected[kind]
    assert job.user == "ada" and job.end_epoch is not None


@pytest.mark.parametrize(("kind", "who"), [("cancelled", "owner"), ("cancelled-by-admin", "other"), ("timeout", "")])
def test_the_accounting_says_who_cancelled_a_job(version: str, kind: str, who: str) -> None:
    assert cancelled_by(by_kind(version, "accounting")[kind]) == who


def test_a_record_that_is_roots_for_a_moment_does_not_say_who_cancelled_a_job(version: str) -> None:
    # seen with 22.05 for jobs of a second, before slurmdbd has heard of their start
    cancelled = by_kind(version, "accounting")["cancelled"]
    text = answer(version, "accounting").replace(f"|{cancelled.user_id}\n", "|0\n")
    job = parse.accounting(text)[cancelled.job_id]
    assert (job.user_id, cancelled_by(job)) == (None, "")


def test_a_job_that_was_requeued_has_two_records_and_waits_by_the_newer_one(version: str) -> None:
    job = by_kind(version, "accounting")["requeued"]
    records = [line for line in answer(version, "accounting").splitlines() if line.startswith(f"{job.job_id}|")]
    assert [record.split("|")[2] for record in records] == ["REQUEUED", "PENDING"]
    assert (job.state, job.start_epoch) == (JobState.PENDING, None)


@pytest.mark.parametrize("kind", [kind for kind in ACCOUNTED if kind != "cancelled-pending"])
def test_the_controller_and_the_accounting_agree_why_a_job_ended(version: str, kind: str) -> None:
    assert ending_of(by_kind(version, "jobs")[kind]) is ending_of(by_kind(version, "accounting")[kind])


@pytest.mark.parametrize("kind", ["gpu-0", "held", "resources"])
def test_the_accounting_of_a_live_job_is_no_end(version: str, kind: str) -> None:
    job = by_kind(version, "accounting")[kind]
    assert job.state in (JobState.PENDING, JobState.RUNNING)
    assert job.end_epoch is None


NODES = {
    # name: usable, cores used, GPUs used
    "lrdn0001": (True, 16, 2),
    "lrdn0002": (True, 32, 4),
    "lrdn0003": (False, 8, 1),
    "lrdn0004": (False, 0, 0),
    "lrdn0005": (False, 0, 0),
    "lrdn0006": (False, 0, 0),
    "lrdn0007": (True, 0, 0),
}


@pytest.mark.parametrize("name", NODES)
def test_what_is_taken_of_a_node(version: str, name: str) -> None:
    node = nodes(version)[name]
    usable, cores_used, gpus_used = NODES[name]
    assert (node.usable, node.cores_used, node.gpus_used) == (usable, cores_used, {"a100": gpus_used})
    assert (node.cores, node.memory_mb, node.gpus) == (32, 494_000, {"a100": 4})
    assert (node.address, node.partitions) == ("127.0.0.1", frozenset({"boost_usr_prod"}))


def test_memory_in_use_is_what_jobs_asked_for(version: str) -> None:
    assert nodes(version)["lrdn0001"].memory_used_mb == 16_000


def test_a_node_without_gpus_has_none(version: str) -> None:
    node = nodes(version)["serial0001"]
    assert not node.gpus and node.partitions == {"lrd_all_serial"}
    assert sum(node.gpus_used.values()) == 0


def test_a_node_of_two_partitions_is_one_node(version: str) -> None:
    text = answer(version, "nodes")
    both = parse.nodes(text + text.replace("boost_usr_prod ", "boost_fua_prod*"))
    assert len(both) == len(parse.nodes(text))
    assert both[0].partitions == {"boost_usr_prod", "boost_fua_prod"}


def test_partitions_and_their_limits(version: str) -> None:
    partitions = parse.partitions(answer(version, "partitions"))
    assert {name: partition.max_minutes for name, partition in partitions.items()} == {
        "boost_usr_prod": 1440,
        "lrd_all_serial": 240,
    }
    boost = partitions["boost_usr_prod"]
    assert (boost.up, boost.allow_accounts, boost.deny_accounts) == (True, None, frozenset())
    assert (boost.allow_qos, boost.deny_qos) == (None, frozenset())
    assert {name: partition.qos for name, partition in partitions.items()} == {
        "boost_usr_prod": None,
        "lrd_all_serial": "lrd_all_serial",
    }
    assert (boost.max_cores_per_node, boost.max_memory_mb_per_node, boost.min_nodes) == (None, None, 0)
    assert not boost.reservation_only and not boost.root_only


def test_a_partition_says_what_its_resources_cost(version: str) -> None:
    partitions = parse.partitions(answer(version, "partitions"))
    boost = dict(partitions["boost_usr_prod"].billing_weights)
    assert (boost["cpu"], boost["gres/gpu"]) == (1, 8)
    assert boost["mem"] * 1024 == pytest.approx(0.066332)
    assert set(dict(partitions["lrd_all_serial"].billing_weights).values()) == {0}


@pytest.mark.parametrize(
    ("field", "new", "attribute", "value"),
    [
        ("State=UP", "State=DRAIN", "up", False),
        ("State=UP", "State=INACTIVE", "up", False),
        ("MaxTime=1-00:00:00", "MaxTime=UNLIMITED", "max_minutes", None),
        ("AllowAccounts=ALL", "AllowAccounts=AIFAC_a,b", "allow_accounts", {"aifac_a", "b"}),
        ("AllowAccounts=ALL", "DenyAccounts=a,b", "deny_accounts", {"a", "b"}),
        ("AllowQos=ALL", "AllowQos=normal", "allow_qos", {"normal"}),
        ("AllowQos=ALL", "DenyQos=boost_qos_dbg", "deny_qos", {"boost_qos_dbg"}),
        ("QoS=N/A", "QoS=Limits", "qos", "limits"),
        ("MaxCPUsPerNode=UNLIMITED", "MaxCPUsPerNode=4", "max_cores_per_node", 4),
        ("MaxMemPerNode=UNLIMITED", "MaxMemPerNode=2000", "max_memory_mb_per_node", 2000),
        ("MinNodes=0", "MinNodes=2", "min_nodes", 2),
        ("ReqResv=NO", "ReqResv=YES", "reservation_only", True),
        ("RootOnly=NO", "RootOnly=YES", "root_only", True),
        (" TRESBillingWeights=CPU=1,Mem=0.066332G,GRES/gpu=8", "", "billing_weights", ()),
    ],
)
def test_what_a_partition_may_say_instead(version: str, field: str, new: str, attribute: str, value: object) -> None:
    partitions = parse.partitions(answer(version, "partitions").replace(field, new, 1))
    assert getattr(partitions["boost_usr_prod"], attribute) == value


def test_who_may_use_which_account(version: str) -> None:
    associations = parse_accounts.associations(answer(version, "associations"))
    both = frozenset({"normal", "boost_qos_dbg"})
    of_the_cluster = Limits(group=(("gres/gpu", 32), ("mem", 512 * 1024)), group_submitted=90)
    assert associations["ada"] == (
        Association("ada", "aifac_agri01", both, "normal", limits=of_the_cluster),
        Association("ada", "aifac_clima01", both, "normal", limits=of_the_cluster),
    )
    assert "" not in associations and "admin" not in associations


def test_an_association_has_its_own_limits_and_the_least_of_those_above(version: str) -> None:
    cyber, manif = parse_accounts.associations(answer(version, "associations"))["bruno"]
    assert cyber.account == "aifac_cyber01"
    assert cyber.limits == Limits(
        max_minutes=360,
        job=(("gres/gpu", 2),),
        # 40 of the account, 32 of all
        group=(("cpu", 64), ("gres/gpu", 32), ("mem", 512 * 1024)),
        running=8,
        submitted=9,
        group_running=60,
        group_submitted=90,
    )
    assert (manif.account, manif.partition, cyber.partition) == ("aifac_manif01", "lrd_all_serial", None)


def test_associations_of_the_same_limits_share_them(version: str) -> None:
    associations = parse_accounts.associations(answer(version, "associations"))
    assert associations["seat01"][0].limits is associations["seat40"][0].limits


def test_qos_and_their_limits(version: str) -> None:
    found = parse_accounts.qos(answer(version, "qos"))
    assert found["normal"] == Qos("normal")
    assert found["boost_qos_dbg"] == Qos(
        "boost_qos_dbg",
        Limits(
            max_minutes=30,
            job=(("gres/gpu", 4), ("node", 2)),
            least=(("cpu", 1),),
            user=(("gres/gpu", 8), ("node", 2)),
            account=(("gres/gpu:a100", 16),),
            group=(("cpu", 320), ("mem", 1024 * 1024)),
            running=7,
            submitted=8,
            account_running=50,
            account_submitted=60,
            group_running=70,
            group_submitted=80,
        ),
        frozenset({"OverPartQOS", "PartitionTimeLimit"}),
    )
    serial = Limits(job=(("cpu", 4), ("mem", 30_800)))
    assert found["lrd_all_serial"] == Qos("lrd_all_serial", serial, frozenset({"DenyOnLimit"}))


def test_reservations(version: str) -> None:
    found = {each.name: each for each in parse.reservations(answer(version, "reservations"))}
    assert {name: (each.maintenance, each.end_epoch - each.start_epoch) for name, each in found.items()} == {
        "m": (True, 3600),
        "later": (True, 7200),
        "s_tra_hack": (False, 3600),
        "part": (False, 3600),
    }
    assert found["m"].nodes == {"lrdn0005"} and found["m"].users == {"root"}
    assert found["later"].nodes == {each.name for each in parse.nodes(answer(version, "nodes"))}
    assert found["s_tra_hack"].accounts == {"tra26_hack"} and found["s_tra_hack"].cores == 64
    assert found["part"].users == {"ada", "bruno"} and found["part"].cores == 4
    assert not any(each.groups for each in found.values())
    text = answer(version, "reservations").replace("Groups=(null)", "Groups=school,hack")
    assert all(each.groups == {"school", "hack"} for each in parse.reservations(text))


def test_a_cluster_without_reservations_says_so_in_words(version: str) -> None:
    assert parse.reservations("No reservations in the system\n") == ()
    assert parse.reservations(answer(version, "reservations").replace("Nodes=lrdn0005", "Nodes=(null)", 1))


@pytest.mark.parametrize("kind", ["held", "begin-time", "node-not-available", "resources", "budget", "qos-time"])
def test_every_reason_that_was_seen_has_a_sentence(version: str, kind: str) -> None:
    reason = by_kind(version, "jobs")[kind].reason
    assert why_it_waits(reason) != UNHEARD_OF.format(code=reason)


@pytest.mark.parametrize("name", READERS)
def test_no_answer_is_nothing(version: str, name: str) -> None:
    for text in ("", "\n", "\n\n"):
        if name not in ("jobs", "queue") or not text:
            assert not READERS[name](text)


def test_a_heading_of_the_cluster_is_no_job_and_no_node(version: str) -> None:
    heading = "CLUSTER: leonardo\n"
    assert parse.jobs(heading) == {}
    assert parse.jobs(heading + answer(version, "jobs")) == parse.jobs(answer(version, "jobs"))
    assert parse.nodes(heading + answer(version, "nodes")) == parse.nodes(answer(version, "nodes"))


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize(
    "garbage",
    ["Segmentation fault\n", "slurm_load_jobs error: Unable to contact slurm controller\n", "a|b\n", "{}\n", "\0\n"],
)
def test_what_is_no_answer_is_an_error_of_slurm(version: str, name: str, garbage: str) -> None:
    with pytest.raises(SlurmError):
        READERS[name](garbage)
    with pytest.raises(SlurmError):
        READERS[name](answer(version, name) + garbage)


@pytest.mark.parametrize("name", READERS)
def test_half_a_line_is_an_error_wherever_it_ends(version: str, name: str) -> None:
    whole = answer(version, name)
    first, last = whole.index("\n") + 1, whole.rindex("\n", 0, -1) + 1
    for start, length in ((0, first - 1), (last, len(whole) - 1 - last)):
        for end in range(start + 1, start + length + 1):
            with pytest.raises(SlurmError):
                READERS[name](whole[:end])


def test_counts_that_are_no_numbers_are_an_error_that_names_the_node(version: str) -> None:
    with pytest.raises(SlurmError, match="cannot be read for node 'lrdn0001'"):
        parse.nodes(answer(version, "nodes").replace("16/16/0/32", "16/16/0/x ", 1))


def test_a_time_that_is_none_is_an_error_that_names_its_place(version: str) -> None:
    with pytest.raises(SlurmError, match="partition boost_usr_prod: 'soon' is not a time"):
        parse.partitions(answer(version, "partitions").replace("MaxTime=1-00:00:00", "MaxTime=soon"))
    with pytest.raises(SlurmError, match="QOS boost_qos_dbg: 'soon' is not a time"):
        parse_accounts.qos(answer(version, "qos").replace("00:30:00", "soon"))
    with pytest.raises(SlurmError, match="association of bruno with aifac_cyber01: 'soon' is not a time"):
        parse_accounts.associations(answer(version, "associations").replace("06:00:00", "soon"))
    with pytest.raises(SlurmError, match=r"reservation m: .* cannot be read"):
        parse.reservations(answer(version, "reservations").replace("StartTime=", "StartTime=soon", 1))


def test_an_amount_that_is_none_is_an_error_that_names_its_place(version: str) -> None:
    with pytest.raises(SlurmError, match="QOS boost_qos_dbg: 'gres/gpu=many,node=2' is not a list of resources"):
        parse_accounts.qos(answer(version, "qos").replace("gres/gpu=8", "gres/gpu=many"))
    with pytest.raises(SlurmError, match="partition boost_usr_prod: "):
        parse.partitions(answer(version, "partitions").replace("CPU=1", "CPU=one"))


def test_the_answers_are_those_of_our_commands(version: str) -> None:
    for name, fields in (("jobs", commands.JOB_FIELDS), ("queue", commands.QUEUE_FIELDS)):
        record = sum(size + 1 for _, size in fields) + 1
        assert len(answer(version, name).encode()) % record == 0
    assert answer(version, "version").startswith(f"slurm-wlm {version}.")
