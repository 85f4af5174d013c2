"""What a smoke test runs: each environment in each place where a profile uses it, and who can pay for that there."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from hpchub.catalogue.choice import Accepted
from hpchub.catalogue.model import Catalogue, Profile, Run, Size
from hpchub.catalogue.offers import Offer
from hpchub.catalogue.rules import Person, admits, associations_of, most_minutes, qos_obstacle
from hpchub.catalogue.terms import core_hours_an_hour
from hpchub.checks.profiles import place_name
from hpchub.errors import HpchubError
from hpchub.jobs.request import JobRequest
from hpchub.jobs.resolve import job_request
from hpchub.slurm.model import ClusterView, Partition
from hpchub.text import listed


@dataclass(frozen=True, slots=True)
class Payer:
    """As whom a check's jobs run, and which account pays: any that a partition admits where none is named."""

    user: str
    allocation: str | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """One environment in one place."""

    environment: str
    run: Run
    """The place, as the first of the profiles names it."""
    profiles: tuple[Profile, ...]
    """Those that use this environment there."""

    @property
    def place(self) -> str:
        return place_name(self.run)

    @property
    def size(self) -> Size:
        """The smallest size of these profiles, with a GPU where the place has some for them."""
        sizes = [size for profile in self.profiles for size in profile.sizes.values()]
        with_gpus = [size for size in sizes if size.gpus]
        return min(with_gpus or sizes, key=lambda size: (size.gpus, size.cores, size.memory_mb))

    @property
    def qos(self) -> tuple[str, ...]:
        """The QOS of all these profiles there, in order of preference."""
        runs = [run for profile in self.profiles for run in profile.runs_on if place_name(run) == self.place]
        return tuple(dict.fromkeys(qos for run in runs for qos in run.qos))


def targets_of(catalogue: Catalogue, profiles: Iterable[Profile], cluster: str | None = None) -> list[Target]:
    """List what these profiles need on the open clusters, or on one of them; each environment once a place."""
    found: dict[tuple[str, str, str | None], tuple[Run, list[Profile]]] = {}
    for profile in profiles:
        for run in profile.runs_on:
            if catalogue.site.clusters[run.cluster].state == "open" and cluster in (None, run.cluster):
                key = (profile.environment, place_name(run), run.gpu_type)
                found.setdefault(key, (run, []))[1].append(profile)
    return [Target(key[0], run, tuple(users)) for key, (run, users) in found.items()]


def request_for(
    target: Target, catalogue: Catalogue, view: ClusterView | None, payer: Payer, minutes: int
) -> JobRequest:
    """Make the job request of a target, under an allocation of the payer's, whoever the profiles themselves are for.

    Raises :class:`HpchubError` with the reason where nobody can pay, or there is no build.
    """
    run, size = target.run, target.size
    if view is None or view.taken_epoch is None:
        raise HpchubError(f"Slurm on {run.cluster} does not answer.")
    partition = view.partitions.get(run.partition)
    if partition is None:
        raise HpchubError(f"Cluster {run.cluster} has no partition {run.partition}.")
    account, qos = _payment(target, view, partition, payer)
    limit = most_minutes(view, run, qos, size)
    offer = Offer(
        profile=target.profiles[0].slug,
        sector=target.profiles[0].sector,
        cluster=run.cluster,
        partition=run.partition,
        qos=qos,
        allocation=account,
        size="",
        gpus=size.gpus,
        gpu_type=run.gpu_type if size.gpus else None,
        cores=size.cores,
        memory_mb=size.memory_mb,
        default_minutes=min(minutes, limit),
        max_minutes=limit,
        environment=target.environment,
        core_hours_an_hour=core_hours_an_hour(catalogue.site.clusters[run.cluster], run, view, size),
    )
    accepted = Accepted(offer, offer.default_minutes)
    return job_request(accepted, catalogue, payer.user, "", secrets.token_hex(16))


def _payment(target: Target, view: ClusterView, partition: Partition, payer: Payer) -> tuple[str, str]:
    """Find an account and a QOS with which the payer can run a target."""
    cluster, size = target.run.cluster, target.size
    accounts = associations_of(Person(payer.user), view, partition.name)
    if not accounts:
        raise HpchubError(f"{payer.user} has no allocation on {cluster}.")
    asked = payer.allocation.lower() if payer.allocation else None
    mine = {name: association for name, association in accounts.items() if asked in (None, name)}
    if not mine:
        raise HpchubError(f"{payer.allocation} is no allocation of {payer.user} on {cluster}: {listed(accounts)}.")
    for account, association in mine.items():
        for qos in target.qos if admits(partition, account) else ():
            allowed = qos in view.qos and qos in association.qos
            if allowed and qos_obstacle(view, target.run, qos, size, association.limits) is None:
                return account, qos
    where = f"{target.place} with QOS {listed(target.qos)}"
    raise HpchubError(f"No allocation of {payer.user} ({listed(mine)}) can run there: {where}.")
