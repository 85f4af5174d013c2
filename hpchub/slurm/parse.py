"""Readers of Slurm's output.  Pure: text in, values out.

A line that cannot be read is an error of the whole answer (:class:`~hpchub.errors.SlurmError`), never a guess: half an
answer would make live jobs look ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from hpchub.errors import SlurmError
from hpchub.slurm import commands
from hpchub.slurm.model import Job, Node, Partition, QueuedJob, Reservation
from hpchub.slurm.states import job_state, node_is_usable
from hpchub.slurm.units import amounts, gpus_from_gres, minutes_from_slurm, node_names, weights

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


def lines_of(text: str, what: str) -> list[str]:
    """Split an answer into its lines, if it has its end."""
    if text and not text.endswith("\n"):
        raise SlurmError(f"{what} answered only the beginning of a line: {text.splitlines()[-1][:120]!r}")
    return text.splitlines()


def rows_of(lines: Iterable[str], names: tuple[str, ...], what: str) -> Iterator[dict[str, str]]:
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


def number_of(value: str) -> int | None:
    """Read a number; None for whatever else Slurm writes where there is none."""
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
    for row in rows_of(_records(text, commands.JOB_FIELDS), names, "squeue"):
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
            start_epoch=number_of(row["StartTime"]),
            end_epoch=number_of(row["EndTime"]),
        )
    return MappingProxyType(found)


def queue(text: str) -> tuple[QueuedJob, ...]:
    """Read :func:`hpchub.slurm.commands.queue`."""
    names = tuple(name for name, _ in commands.QUEUE_FIELDS)
    found = []
    for row in rows_of(_records(text, commands.QUEUE_FIELDS), names, "squeue"):
        if not row["PriorityLong"].isdigit():
            raise SlurmError(f"squeue answered the priority {row['PriorityLong']!r} for job {row['JobID']}")
        found.append(
            QueuedJob(
                job_id=row["JobID"],
                priority=int(row["PriorityLong"]),
                reason=_text(row["Reason"]),
                partitions=frozenset(row["Partition"].removesuffix(commands.SEPARATOR).strip().split(",")),
                start_epoch=number_of(row["StartTime"]),
            )
        )
    return tuple(found)


def accounting(text: str) -> Mapping[str, Job]:
    """Read :func:`hpchub.slurm.commands.accounting`, by job id; the newest record of an id wins."""
    found: dict[str, Job] = {}
    for row in rows_of(lines_of(text, "sacct"), commands.ACCOUNTING_FIELDS, "sacct"):
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
            start_epoch=number_of(row["Start"]),
            end_epoch=number_of(row["End"]),
            # 0 for a moment, until slurmdbd has heard of the start, too; root's own jobs are none of ours
            user_id=number_of(row["UID"]) or None,
        )
    return MappingProxyType(found)


def nodes(text: str) -> tuple[Node, ...]:
    """Read :func:`hpchub.slurm.commands.nodes`; a node in several partitions becomes one value."""
    names = tuple(name for name, _ in commands.NODE_FIELDS)
    found: dict[str, Node] = {}
    for row in rows_of(lines_of(text, "sinfo"), names, "sinfo"):
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
    for line in lines_of(text, "scontrol"):
        pairs = _pairs(line, "PartitionName")
        if not pairs:
            continue
        try:
            max_minutes = minutes_from_slurm(pairs.get("MaxTime", ""))
            billing_weights = weights(_text(pairs.get("TRESBillingWeights", "")))
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
            qos=_text(pairs.get("QoS", "")).lower() or None,
            max_cores_per_node=number_of(pairs.get("MaxCPUsPerNode", "")),
            max_memory_mb_per_node=number_of(pairs.get("MaxMemPerNode", "")),
            min_nodes=number_of(pairs.get("MinNodes", "")) or 0,
            reservation_only=pairs.get("ReqResv") == "YES",
            root_only=pairs.get("RootOnly") == "YES",
            billing_weights=billing_weights,
        )
    return MappingProxyType(found)


def _pairs(line: str, key: str) -> dict[str, str]:
    """Read one of scontrol's lines, which begins with ``key``; an empty one has nothing."""
    pairs = dict(item.partition("=")[::2] for item in line.split())
    if pairs and key not in pairs:
        raise SlurmError(f"scontrol answered a line without {key}: {line[:120]!r}")
    return pairs


def reservations(text: str) -> tuple[Reservation, ...]:
    """Read :func:`hpchub.slurm.commands.reservations`; one without nodes (of licences) is left out."""
    found = []
    for line in lines_of(text, "scontrol"):
        pairs = {} if line == "No reservations in the system" else _pairs(line, "ReservationName")
        if not pairs or not _text(pairs.get("Nodes", "")):
            continue
        try:
            found.append(
                Reservation(
                    name=pairs["ReservationName"],
                    start_epoch=int(pairs["StartTime"]),
                    end_epoch=int(pairs["EndTime"]),
                    nodes=node_names(pairs["Nodes"]),
                    cores=int(dict(amounts(_text(pairs.get("TRES", "")))).get("cpu", 0)),
                    users=frozenset(filter(None, _text(pairs.get("Users", "")).split(","))),
                    accounts=_names(pairs.get("Accounts", "")) or frozenset(),
                    groups=frozenset(filter(None, _text(pairs.get("Groups", "")).split(","))),
                    flags=frozenset(filter(None, _text(pairs.get("Flags", "")).split(","))),
                )
            )
        except (KeyError, ValueError) as error:
            raise SlurmError(f"scontrol, reservation {pairs['ReservationName']}: {error} cannot be read") from error
    return tuple(found)
