"""Who may start what now: the offers of a person, from snapshots alone.

A choice is valid if and only if it is one of these; the spawn page shows nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hpchub.catalogue.model import Catalogue, Profile, Run
from hpchub.catalogue.rules import (
    Person,
    accounts_of,
    admits,
    carries,
    in_groups,
    matches,
    most_minutes,
    patterns_of,
    place_obstacle,
    qos_obstacle,
)
from hpchub.slurm.model import ClusterView

__all__ = ["Offer", "Person", "offers"]


@dataclass(frozen=True, slots=True)
class Offer:
    """One thing that a person may start now: a profile, where, under which QOS, who pays, and how large."""

    profile: str
    """The slug, ``<sector>/<name>``."""
    sector: str
    cluster: str
    partition: str
    qos: str
    allocation: str
    """The Slurm account that pays, in lower case."""
    size: str
    gpus: int
    gpu_type: str | None
    """None if and only if ``gpus`` is 0."""
    cores: int
    memory_mb: int
    default_minutes: int
    max_minutes: int
    """What size, partition and QOS together allow; ``default_minutes`` is never more."""
    environment: str


def offers(catalogue: Catalogue, person: Person, views: Mapping[str, ClusterView]) -> tuple[Offer, ...]:
    """List what a person may start now.

    The order is the order of preference: profiles as the catalogue has them, then the places, QOS and sizes as the
    profile has them.  A busy or drained node still makes an offer, since a job may wait for it; a partition that is
    down, or a cluster that has never answered, makes none.
    """
    return tuple(
        offer for profile in catalogue.profiles.values() for offer in profile_offers(catalogue, person, profile, views)
    )


def profile_offers(
    catalogue: Catalogue, person: Person, profile: Profile, views: Mapping[str, ClusterView]
) -> tuple[Offer, ...]:
    """List the offers of one profile, in the order of :func:`offers`."""
    if not in_groups(profile.access, person):
        return ()
    return tuple(
        offer
        for run in profile.runs_on
        for offer in _offers_at(catalogue, person, profile, run, views.get(run.cluster))
    )


def _offers_at(
    catalogue: Catalogue, person: Person, profile: Profile, run: Run, view: ClusterView | None
) -> Iterator[Offer]:
    if view is None or place_obstacle(catalogue, profile, run, view):
        return
    partition = view.partitions[run.partition]
    patterns = patterns_of(catalogue, profile)
    # What does not depend on who pays is decided once: an account only picks among these.
    terms = [
        (name, size, qos, most_minutes(size, partition, view.qos.get(qos)))
        for name, size in profile.sizes.items()
        if carries(view, run, size)
        for qos in run.qos
        if not qos_obstacle(partition, qos, view.qos.get(qos), size)
    ]
    for account, allowed in accounts_of(person, view).items():
        if not (matches(patterns, account) and admits(partition, account)):
            continue
        for name, size, qos, longest in terms:
            if qos in allowed:
                yield Offer(
                    profile=profile.slug,
                    sector=profile.sector,
                    cluster=run.cluster,
                    partition=run.partition,
                    qos=qos,
                    allocation=account,
                    size=name,
                    gpus=size.gpus,
                    gpu_type=run.gpu_type if size.gpus else None,
                    cores=size.cores,
                    memory_mb=size.memory_mb,
                    default_minutes=min(size.default_minutes, longest),
                    max_minutes=longest,
                    environment=profile.environment,
                )
