"""The reservation of an event: which one it needs, and Slurm's commands for it.  Pure.

Whole nodes of one partition, for one account: Slurm 22.05 cannot reserve a share of a node's GPUs, and who
comes late needs no change.  No flags: Slurm itself replaces a node that breaks as long as the reservation names a
number of nodes and not the nodes (https://slurm.schedmd.com/reservations.html).
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from hpchub.catalogue.site import Site
from hpchub.slurm.model import ClusterView, Reservation

Argv = tuple[str, ...]

PREFIX = "hpchub_"
"""What the names of reservations for events begin with, where the site does not say."""
LONGEST_NAME = 64
"""As an event's ``reservation`` may be."""
_UTC = "UTC"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A reservation as an event needs it."""

    name: str
    cluster: str
    partition: str
    starts_epoch: int | None
    """None: at once, since Slurm refuses a beginning that is past."""
    ends_epoch: int
    nodes: int
    """Whole ones."""
    account: str
    """Whose jobs may use it; everybody who is associated with it may."""


def name_of(slug: str, prefix: str = PREFIX) -> str:
    """Name the reservation of an event; of two events never the same."""
    name = f"{prefix}{slug}"
    if len(name) <= LONGEST_NAME:
        return name
    mark = hashlib.sha256(slug.encode()).hexdigest()[:8]
    return f"{name[: LONGEST_NAME - len(mark) - 1]}_{mark}"


def nodes_for(sessions: int, a_node: int) -> int:
    """Tell how many whole nodes so many sessions take, of which ``a_node`` fit on one."""
    return math.ceil(sessions / a_node)


def can_be_made(site: Site, cluster: str, name: str | None) -> bool:
    """Tell whether the hub itself may make a reservation: ``hpchub-reserve`` is there, and the name is one of its own.

    ``hpchub-reserve`` runs beside the hub, so that a cluster behind ``ssh`` is out of its reach.
    """
    reserver, there = site.reservations, site.clusters.get(cluster)
    if reserver is None or there is None or there.ssh is not None:
        return False
    return name is None or name.startswith(reserver.prefix)


def has_own_reservation(site: Site, cluster: str, name: str | None) -> bool:
    """Tell whether an event names a reservation that the hub may make and change itself."""
    return name is not None and can_be_made(site, cluster, name)


def prefix_of(site: Site) -> str:
    """Give what the names of the site's reservations for events begin with."""
    return site.reservations.prefix if site.reservations else PREFIX


def alike(there: Reservation, wanted: Wanted, view: ClusterView, now_epoch: float) -> bool:
    """Tell whether a reservation can be the one that was wanted: its account, partition and times are those."""
    elsewhere = {node.name for node in view.nodes if wanted.partition not in node.partitions}
    begins = wanted.starts_epoch
    return (
        there.accounts == {wanted.account.lower()}
        and not there.users | there.groups
        and there.end_epoch == wanted.ends_epoch
        and (there.start_epoch <= now_epoch if begins is None else there.start_epoch == begins)
        and there.nodes.isdisjoint(elsewhere)
    )


def create(wanted: Wanted, zone: str) -> Argv:
    """Give the command that makes a reservation; its times are said in a zone, by its IANA name, or in UTC."""
    return (
        *_scontrol(wanted.cluster, zone),
        "create",
        "reservation",
        f"ReservationName={wanted.name}",
        f"PartitionName={wanted.partition}",
        f"NodeCnt={wanted.nodes}",
        f"StartTime={_local(wanted.starts_epoch, zone)}",
        f"EndTime={_local(wanted.ends_epoch, zone)}",
        f"Accounts={wanted.account}",
    )


def update(cluster: str, name: str, zone: str, **changes: str | int | None) -> Argv:
    """Give the command that changes a reservation.

    ``changes`` has Slurm's own names, ``NodeCnt=4``; ``StartTime`` and ``EndTime`` are in seconds since 1970, or None
    for now, and what ends in ``_add`` is added to a list: ``Accounts_add="tra26_hack"``.
    """
    words, program = [], _scontrol(cluster)
    for field, value in changes.items():
        if field in ("StartTime", "EndTime"):
            words.append(f"{field}={_local(None if value is None else int(value), zone)}")
            program = _scontrol(cluster, zone)
        else:
            words.append(f"{field.removesuffix('_add')}{'+' if field.endswith('_add') else ''}={value}")
    return (*program, "update", f"ReservationName={name}", *words)


def delete(cluster: str, name: str) -> Argv:
    """Give the command that removes a reservation; Slurm refuses as long as jobs run in it."""
    return (*_scontrol(cluster), "delete", f"ReservationName={name}")


def _scontrol(cluster: str, zone: str | None = None) -> Argv:
    # It reads times in the zone of whoever runs it, and nobody knows where that will be.
    in_zone = () if zone is None else ("env", f"TZ={zone or _UTC}")
    return (*in_zone, "scontrol", f"--cluster={cluster}")


def _local(epoch: int | None, zone: str) -> str:
    if epoch is None:
        return "now"
    return datetime.fromtimestamp(epoch, ZoneInfo(zone or _UTC)).strftime("%Y-%m-%dT%H:%M:%S")
