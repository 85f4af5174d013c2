"""Readers of Slurm's output.  Pure: text in, values out.

A line that cannot be read is an error of the whole answer (:class:`~hpchub.errors.SlurmError`), never a guess: half an
answer would make live jobs look ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from hpchub.errors import SlurmError
from hpchub.slurm import commands
from hpchub.slurm.model import Association, Job, Node, Partition, Qos, QueuedJob
from hpchub.slurm.states import job_state, node_is_usable
from hpchub.slurm.units import gpus_from_gres, minutes_from_slurm, tres_value

_NOTHING = frozenset({"", "(null)", "N/A", "n/a", "NONE", "None", "Unknown", "None assigned"})


def _records(text: str, fields: tuple[tuple[str, int], ...]) -> Iterator[str]:
    """Cut squeue's answer into jobs by their fixed width in bytes.

    Never by lines: squeue prints the line breaks of a comment as they are, and what follows one would be read as a
    job that its author made up.
    """
    width = sum(size + len(commands.SEPARATOR) for _, size in fields)
    raw = text.encode("utf-8", "surrogateescape")
    start = 0
    while start < len(raw):
        if raw.startswith(b"CLUSTER: ", start):
            start = (raw + b"\n").index(b"\n", start) + 1
            continue
        if raw[start + width : start + width + 1] != b"\n":
            raise SlurmError(f"squeue answered a job that is not {width} bytes long: {raw[start : start + 120]!r}")
        yield raw[start : start + width].decode("utf-8", "replace")
        start += width + 1


def _lines(text: str, what: str) -> list[str]:
    """Split an answer into its lines, if it has its end."""
    if text and not text.endswith("\n"):
        raise SlurmError(f"{what} answered only the beginning of a line: {text.splitlines()[-1][:120]!r}")
    return text.splitlines()


def _rows(lines: Iterable[str], names: tuple[str, ...], what: str) -> Iterator[dict[str, str]]:
    """Split delimited lines; the last field keeps separators of its own.

    ``--clusters`` makes squeue and sinfo begin with a line ``CLUSTER: name`` in some versions.
    """
    for line in lines:
        if not line.strip() or line.startswith("CLUSTER: "):
            continue
        fields = [field.strip() for field in line.split(commands.SEPARATOR, len(names) - 1)]
        if len(fields) != len(names):
            raise SlurmError(
                f"{what} answered a line with {len(fields)} fields instead of {len(names)}: {line[:120]!r}"
            )
        yield dict(zip(names, fields, strict=True))


def _text(value: str) -> str:
    return "" if value in _NOTHING else value


def _number(value: str) -> int | None:
    return int(value) if value.isdigit() else None


def _exit_status(value: str) -> int | None:
    """Read the exit status of the batch script from ``squeue`` (``18176``, wait(2)'s form) or ``sacct`` (``71:0``)."""
    status, _, signal = value.partition(":")
    if not status.isdigit():
        return None
    if signal:
        return int(status) if signal == "0" else None
    code = int(status)
    return code >> 8 if code & 0x7F == 0 else None


def jobs(text: str) -> Mapping[str, Job]:
    """Read :func:`hpchub.slurm.commands.jobs`, by job id."""
    names = tuple(name for name, _ in commands.JOB_FIELDS)
    found: dict[str, Job] = {}
    for row in _rows(_records(text, commands.JOB_FIELDS), names, "squeue"):
        found[row["JobID"]] = Job(
            job_id=row["JobID"],
            user=row["UserName"],
            state=job_state(row["State"]),
            slurm_state=row["State"],
            reason=_text(row["Reason"]),
            node=_text(row["BatchHost"]) or None,
            account=row["Account"],
            partition=row["Partition"],
            qos=row["QOS"],
            comment=_text(row["Comment"].removesuffix(commands.SEPARATOR).strip()),
            exit_status=_exit_status(row["exit_code"]),
            start_epoch=_number(row["StartTime"]),
            end_epoch=_number(row["EndTime"]),
        )
    return MappingProxyType(found)


def queue(text: str) -> tuple[QueuedJob, ...]:
    """Read :func:`hpchub.slurm.commands.queue`."""
    names = tuple(name for name, _ in commands.QUEUE_FIELDS)
    found = []
    for row in _rows(_records(text, commands.QUEUE_FIELDS), names, "squeue"):
        if not row["PriorityLong"].isdigit():
            raise SlurmError(f"squeue answered the priority {row['PriorityLong']!r} for job {row['JobID']}")
        found.append(
            QueuedJob(
                job_id=row["JobID"],
                priority=int(row["PriorityLong"]),
                reason=_text(row["Reason"]),
                partitions=frozenset(row["Partition"].removesuffix(commands.SEPARATOR).strip().split(",")),
                start_epoch=_number(row["StartTime"]),
            )
        )
    return tuple(found)


def accounting(text: str) -> Mapping[str, Job]:
    """Read :func:`hpchub.slurm.commands.accounting`, by job id; the newest record of an id wins."""
    found: dict[str, Job] = {}
    for row in _rows(_lines(text, "sacct"), commands.ACCOUNTING_FIELDS, "sacct"):
        found[row["JobIDRaw"]] = Job(
            job_id=row["JobIDRaw"],
            user=row["User"],
            state=job_state(row["State"]),
            slurm_state=row["State"],
            reason="",
            node=_text(row["NodeList"]) or None,
            account=row["Account"],
            partition=row["Partition"],
            qos=row["QOS"],
            comment="",
            exit_status=_exit_status(row["ExitCode"]),
            start_epoch=_number(row["Start"]),
            end_epoch=_number(row["End"]),
            user_id=_number(row["UID"]),
        )
    return MappingProxyType(found)


def nodes(text: str) -> tuple[Node, ...]:
    """Read :func:`hpchub.slurm.commands.nodes`; a node in several partitions becomes one value."""
    names = tuple(name for name, _ in commands.NODE_FIELDS)
    found: dict[str, Node] = {}
    for row in _rows(_lines(text, "sinfo"), names, "sinfo"):
        partition = row["PartitionName"].rstrip("*")
        earlier = found.get(row["NodeList"])
        partitions = (earlier.partitions if earlier else frozenset()) | {partition}
        try:
            # CPUsState is allocated/idle/other/total
            used, _, _, total = (int(count) for count in row["CPUsState"].split("/"))
            memory_mb, memory_used_mb = int(row["Memory"]), int(row["AllocMem"])
        except ValueError as error:
            raise SlurmError(
                f"sinfo answered counts that cannot be read for node {row['NodeList']!r}: {error}"
            ) from error
        found[row["NodeList"]] = Node(
            name=row["NodeList"],
            address=row["NodeAddr"],
            partitions=partitions,
            usable=node_is_usable(row["StateComplete"]),
            cores=total,
            cores_used=used,
            memory_mb=memory_mb,
            memory_used_mb=memory_used_mb,
            gpus=MappingProxyType(gpus_from_gres(row["Gres"].removesuffix(commands.SEPARATOR))),
            gpus_used=MappingProxyType(gpus_from_gres(row["GresUsed"].removesuffix(commands.SEPARATOR))),
        )
    return tuple(found.values())


def _names(value: str) -> frozenset[str] | None:
    """Read a list such as AllowAccounts; None where it says ALL."""
    if value in ("ALL", "(null)", "", "NONE"):
        return None
    return frozenset(name.lower() for name in value.split(","))


def partitions(text: str) -> Mapping[str, Partition]:
    """Read :func:`hpchub.slurm.commands.partitions`, by name."""
    found: dict[str, Partition] = {}
    for line in _lines(text, "scontrol"):
        pairs = dict(item.partition("=")[::2] for item in line.split())
        if not pairs:
            continue
        if "PartitionName" not in pairs:
            raise SlurmError(f"scontrol answered a line without PartitionName: {line[:120]!r}")
        try:
            max_minutes = minutes_from_slurm(pairs.get("MaxTime", ""))
        except ValueError as error:
            raise SlurmError(f"scontrol, partition {pairs['PartitionName']}: {error}") from error
        found[pairs["PartitionName"]] = Partition(
            name=pairs["PartitionName"],
            up=pairs.get("State") == "UP",
            max_minutes=max_minutes,
            allow_accounts=_names(pairs.get("AllowAccounts", "ALL")),
            deny_accounts=_names(pairs.get("DenyAccounts", "")) or frozenset(),
            allow_qos=_names(pairs.get("AllowQos", "ALL")),
            deny_qos=_names(pairs.get("DenyQos", "")) or frozenset(),
        )
    return MappingProxyType(found)


def associations(text: str) -> Mapping[str, tuple[Association, ...]]:
    """Read :func:`hpchub.slurm.commands.associations`, by user; lines of accounts without a user are left out.

    An association that is limited to one partition counts for its account; Slurm itself refuses elsewhere.
    """
    found: dict[str, dict[str, Association]] = {}
    for row in _rows(_lines(text, "sacctmgr"), commands.ASSOCIATION_FIELDS, "sacctmgr"):
        if not row["user"]:
            continue
        account = row["account"].lower()
        names = frozenset(name for name in row["qos"].lower().split(",") if name)
        mine = found.setdefault(row["user"], {})
        earlier = mine.get(account)
        mine[account] = Association(
            user=row["user"],
            account=account,
            qos=names | (earlier.qos if earlier else frozenset()),
            default_qos=row["defaultqos"].lower() or (earlier.default_qos if earlier else None),
        )
    return MappingProxyType({user: tuple(mine.values()) for user, mine in found.items()})


def qos(text: str) -> Mapping[str, Qos]:
    """Read :func:`hpchub.slurm.commands.qos`, by name."""
    found: dict[str, Qos] = {}
    for row in _rows(_lines(text, "sacctmgr"), commands.QOS_FIELDS, "sacctmgr"):
        try:
            max_minutes = minutes_from_slurm(row["maxwall"])
        except ValueError as error:
            raise SlurmError(f"sacctmgr, QOS {row['name']}: {error}") from error
        found[row["name"].lower()] = Qos(
            name=row["name"].lower(),
            max_minutes=max_minutes,
            max_gpus_per_user=tres_value(row["maxtresperuser"], "gres/gpu"),
            max_gpus_per_job=tres_value(row["maxtres"], "gres/gpu"),
        )
    return MappingProxyType(found)
