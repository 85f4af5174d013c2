"""Readers of what the accounting says of people: accounts, QOS, their limits, and what was used.  Pure.

As in :mod:`hpchub.slurm.parse`, what cannot be read is an error of the whole answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from hpchub.errors import SlurmError
from hpchub.slurm import commands
from hpchub.slurm.model import NO_LIMITS, Association, GroupLimit, Limits, Qos
from hpchub.slurm.parse import lines_of, number_of, rows_of
from hpchub.slurm.units import amounts, minutes_from_slurm, tres_value


def associations(text: str) -> Mapping[str, tuple[Association, ...]]:
    """Read :func:`hpchub.slurm.commands.associations`, by user.

    The lines of accounts, without a user, give what a user's limits take from above.
    """
    rows = list(rows_of(lines_of(text, "sacctmgr"), commands.ASSOCIATION_FIELDS, "sacctmgr"))
    above = {row["account"].lower(): row for row in rows if not row["user"]}
    known: dict[tuple[str, ...], Limits] = {}
    found: dict[str, list[Association]] = {}
    for row in rows:
        if not row["user"]:
            continue
        account = row["account"].lower()
        found.setdefault(row["user"], []).append(
            Association(
                user=row["user"],
                account=account,
                qos=frozenset(name for name in row["qos"].lower().split(",") if name),
                default_qos=row["defaultqos"].lower() or None,
                partition=row["partition"] or None,
                limits=_association_limits(row, above, known),
            )
        )
    return MappingProxyType({user: tuple(mine) for user, mine in found.items()})


_OWN = ("maxwall", "maxtres", "maxjobs", "maxsubmitjobs")
_GROUP = ("grptres", "grpjobs", "grpsubmitjobs")


def _association_limits(
    row: Mapping[str, str], above: Mapping[str, Mapping[str, str]], known: dict[tuple[str, ...], Limits]
) -> Limits:
    """Give the limits of a user's line; tens of thousands of lines have a handful of them, so each is made once."""
    lines = [row]
    name = row["account"].lower()
    while name in above and len(lines) <= len(above):
        lines.append(above[name])
        name = above[name]["parentname"].lower()
    key = (*(row[field] for field in _OWN), *(line[field] for line in lines for field in _GROUP))
    if not any(key):
        return NO_LIMITS
    if key not in known:
        what = f"association of {row['user']} with {row['account']}"
        groups = [_amounts(line["grptres"], what) for line in lines]
        least = {
            tres: min(dict(each)[tres] for each in groups if tres in dict(each)) for each in groups for tres, _ in each
        }
        known[key] = Limits(
            max_minutes=_minutes(row["maxwall"], what),
            job=_amounts(row["maxtres"], what),
            group=tuple(least.items()),
            running=number_of(row["maxjobs"]),
            submitted=number_of(row["maxsubmitjobs"]),
            group_running=_least(line["grpjobs"] for line in lines),
            group_submitted=_least(line["grpsubmitjobs"] for line in lines),
        )
    return known[key]


def _least(values: Iterable[str]) -> int | None:
    return min((number for value in values if (number := number_of(value)) is not None), default=None)


def _minutes(text: str, what: str) -> int | None:
    try:
        return minutes_from_slurm(text)
    except ValueError as error:
        raise SlurmError(f"sacctmgr, {what}: {error}") from error


def _amounts(text: str, what: str) -> tuple[tuple[str, float], ...]:
    try:
        return amounts(text)
    except ValueError as error:
        raise SlurmError(f"sacctmgr, {what}: {text!r} is not a list of resources: {error}") from error


def qos(text: str) -> Mapping[str, Qos]:
    """Read :func:`hpchub.slurm.commands.qos`, by name."""
    found: dict[str, Qos] = {}
    for row in rows_of(lines_of(text, "sacctmgr"), commands.QOS_FIELDS, "sacctmgr"):
        what = f"QOS {row['name']}"
        found[row["name"].lower()] = Qos(
            name=row["name"].lower(),
            flags=frozenset(filter(None, row["flags"].split(","))),
            limits=Limits(
                max_minutes=_minutes(row["maxwall"], what),
                job=_amounts(row["maxtres"], what),
                least=_amounts(row["mintres"], what),
                user=_amounts(row["maxtresperuser"], what),
                account=_amounts(row["maxtresperaccount"], what),
                group=_amounts(row["grptres"], what),
                running=number_of(row["maxjobsperuser"]),
                submitted=number_of(row["maxsubmitjobsperuser"]),
                account_running=number_of(row["maxjobsperaccount"]),
                account_submitted=number_of(row["maxsubmitjobsperaccount"]),
                group_running=number_of(row["grpjobs"]),
                group_submitted=number_of(row["grpsubmitjobs"]),
            ),
        )
    return MappingProxyType(found)


_BUDGET_TRES = ("billing", "cpu", "gres/gpu")


def budgets(text: str) -> Mapping[str, tuple[GroupLimit, ...]]:
    """Read :func:`hpchub.slurm.commands.budgets`, by account: its own limits, then those of the accounts above it.

    sshare shows what stands below what by one more blank in front of each name.  The minutes of a limit and the
    minutes used are in the same unit.
    """
    found: dict[str, tuple[GroupLimit, ...]] = {}
    above: list[tuple[int, tuple[GroupLimit, ...]]] = []
    lines = [line for line in lines_of(text, "sshare") if not line.startswith("CLUSTER: ")]
    rows = rows_of(lines, commands.BUDGET_FIELDS, "sshare")
    for line, row in zip([line for line in lines if line.strip()], rows, strict=True):
        depth = len(line) - len(line.lstrip(" "))
        while above and above[-1][0] >= depth:
            above.pop()
        inherited = above[-1][1] if above else ()
        own = tuple(
            GroupLimit(tres, limit, tres_value(row["GrpTRESRaw"], tres) or 0, row["Account"].lower())
            for tres in _BUDGET_TRES
            if (limit := tres_value(row["GrpTRESMins"], tres)) is not None
        )
        if not row["User"]:
            above.append((depth, own + inherited))
            found[row["Account"].lower()] = own + inherited
    return MappingProxyType(found)
