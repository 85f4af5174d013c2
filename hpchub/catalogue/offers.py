"""Who may start what now: the offers of a person, from snapshots alone.

A choice is valid if and only if it is one of these; the spawn page shows nothing else.

Profiles, places, sizes and QOS times allocations make tens of thousands of offers on a large site.  What does not
depend on who pays (the *terms*) is worked out once a catalogue and a snapshot, for everybody; a person adds which of
their allocations go with it, and single offers are made only where somebody looks at them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

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
    shapes_of,
)
from hpchub.slurm.model import ClusterView, Partition

__all__ = ["Group", "Offer", "Offers", "Person", "offers"]


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


@dataclass(frozen=True, slots=True)
class Term:
    """A size under a QOS in one place, whoever pays."""

    size: str
    qos: str
    gpus: int
    cores: int
    memory_mb: int
    default_minutes: int
    max_minutes: int


@dataclass(frozen=True, slots=True)
class Group:
    """The offers of one profile in one place: every term with every allocation that has its QOS."""

    profile: Profile
    run: Run
    terms: tuple[Term, ...]
    accounts: Mapping[str, frozenset[str]]
    """The QOS of each of the person's allocations that may pay here."""

    def __iter__(self) -> Iterator[Offer]:
        for account, allowed in self.accounts.items():
            for term in self.terms:
                if term.qos in allowed:
                    yield Offer(
                        profile=self.profile.slug,
                        sector=self.profile.sector,
                        cluster=self.run.cluster,
                        partition=self.run.partition,
                        qos=term.qos,
                        allocation=account,
                        size=term.size,
                        gpus=term.gpus,
                        gpu_type=self.run.gpu_type if term.gpus else None,
                        cores=term.cores,
                        memory_mb=term.memory_mb,
                        default_minutes=term.default_minutes,
                        max_minutes=term.max_minutes,
                        environment=self.profile.environment,
                    )


@dataclass(frozen=True, slots=True)
class Offers:
    """What a person may start now, in the order of preference; iterating gives single offers."""

    groups: tuple[Group, ...]
    """None of them is empty."""

    def __iter__(self) -> Iterator[Offer]:
        return chain.from_iterable(self.groups)

    def __bool__(self) -> bool:
        return bool(self.groups)


def offers(catalogue: Catalogue, person: Person, views: Mapping[str, ClusterView]) -> Offers:
    """List what a person may start now.

    The order is the order of preference: profiles as the catalogue has them, then the places, QOS and sizes as the
    profile has them.  A busy or drained node still makes an offer, since a job may wait for it; a partition that is
    down, or a cluster that has never answered, makes none.
    """
    purse = _Purse(person, views)
    return Offers(
        tuple(group for profile in catalogue.profiles.values() for group in _groups(catalogue, purse, profile, views))
    )


def profile_offers(
    catalogue: Catalogue, person: Person, profile: Profile, views: Mapping[str, ClusterView]
) -> tuple[Offer, ...]:
    """List the offers of one profile, in the order of :func:`offers`."""
    return tuple(chain.from_iterable(_groups(catalogue, _Purse(person, views), profile, views)))


class _Purse:
    """A person's allocations, sorted out once for all profiles of the same patterns in the same partition."""

    def __init__(self, person: Person, views: Mapping[str, ClusterView]) -> None:
        self.person = person
        self._accounts = {name: accounts_of(person, view) for name, view in views.items()}
        self._paying: dict[object, Mapping[str, frozenset[str]]] = {}

    def paying(
        self, cluster: str, partition: Partition, patterns: tuple[str, ...], terms: tuple[Term, ...]
    ) -> Mapping[str, frozenset[str]]:
        wanted = frozenset(term.qos for term in terms)
        key = (cluster, partition.name, patterns, wanted)
        if key not in self._paying:
            self._paying[key] = {
                account: qos
                for account, qos in self._accounts[cluster].items()
                if matches(patterns, account) and admits(partition, account) and not wanted.isdisjoint(qos)
            }
        return self._paying[key]


def _groups(catalogue: Catalogue, purse: _Purse, profile: Profile, views: Mapping[str, ClusterView]) -> Iterator[Group]:
    if not in_groups(profile.access, purse.person):
        return
    patterns = patterns_of(catalogue, profile)
    for run in profile.runs_on:
        view = views.get(run.cluster)
        terms = _terms(catalogue, profile, run, view) if view else ()
        if view is None or not terms:
            continue
        accounts = purse.paying(run.cluster, view.partitions[run.partition], patterns, terms)
        if accounts:
            yield Group(profile, run, terms, accounts)


# Values of frozen models and snapshots cannot be hashed (they hold mappings), so identity decides; an entry keeps what
# it was made from alive, so that nothing else gets that identity.
_known_terms: dict[str, tuple[tuple[object, ...], dict[tuple[str, str], tuple[Term, ...]]]] = {}


def _terms(catalogue: Catalogue, profile: Profile, run: Run, view: ClusterView) -> tuple[Term, ...]:
    """Give the terms of a profile in one place; none where nobody can start it there now."""
    made_from = (catalogue, view.partitions, view.qos, shapes_of(view), view.taken_epoch is None)
    known = _known_terms.get(view.cluster)
    if known is None or any(now is not then for now, then in zip(made_from, known[0], strict=True)):
        known = _known_terms[view.cluster] = (made_from, {})
    key = (profile.slug, run.partition)
    if key not in known[1]:
        known[1][key] = tuple(_new_terms(catalogue, profile, run, view))
    return known[1][key]


def _new_terms(catalogue: Catalogue, profile: Profile, run: Run, view: ClusterView) -> Iterator[Term]:
    if place_obstacle(catalogue, profile, run, view):
        return
    partition = view.partitions[run.partition]
    for name, size in profile.sizes.items():
        for qos in run.qos if carries(view, run, size) else ():
            limits = view.qos.get(qos)
            if not qos_obstacle(partition, qos, limits, size):
                longest = most_minutes(size, partition, limits)
                least = min(size.default_minutes, longest)
                yield Term(name, qos, size.gpus, size.cores, size.memory_mb, least, longest)
