"""Who may start what now: the offers of a person, from snapshots alone.

A choice is valid if and only if it is one of these; the spawn page shows nothing else.

Profiles, places, sizes and QOS times allocations make tens of thousands of offers on a large site.  What does not
depend on who pays (the *terms*) is worked out once a catalogue and a snapshot, for everybody whose allocations have the
same limits (:mod:`hpchub.catalogue.terms`); a person adds which of their allocations go with it, and single offers are
made only where somebody looks at them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, groupby

from hpchub.catalogue.cost import Cost
from hpchub.catalogue.model import Catalogue, Profile, Run
from hpchub.catalogue.rules import (
    Person,
    admits,
    associations_of,
    budget_obstacle,
    crowd_obstacle,
    is_for,
    matches,
    patterns_of,
)
from hpchub.catalogue.terms import Book, Term, book_of, terms_of
from hpchub.slurm.model import NO_LIMITS, ClusterView, Limits

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
    """What size, partition, QOS and allocation together allow; ``default_minutes`` is never more."""
    environment: str
    core_hours_an_hour: float
    """What the site charges for it, used or idle."""

    def cost(self, minutes: int) -> Cost:
        """Give what holding it for so long costs."""
        return Cost(self.core_hours_an_hour * minutes / 60, self.gpus * minutes / 60)


@dataclass(frozen=True, slots=True)
class Group:
    """Offers of one profile in one place: every term with every allocation that has its QOS."""

    profile: Profile
    run: Run
    terms: tuple[Term, ...]
    accounts: Mapping[str, frozenset[str]]
    """The QOS of each of the person's allocations that may pay here and have these limits."""

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
                        core_hours_an_hour=term.core_hours_an_hour,
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
    down, or a cluster that has never answered, makes none; neither does an allocation whose budget is used up.
    """
    purse = _Purse(catalogue, person, views)
    return Offers(
        tuple(group for profile in catalogue.profiles.values() for group in _groups(catalogue, purse, profile, views))
    )


def profile_offers(
    catalogue: Catalogue, person: Person, profile: Profile, views: Mapping[str, ClusterView]
) -> tuple[Offer, ...]:
    """List the offers of one profile, in the order of :func:`offers`."""
    return tuple(chain.from_iterable(_groups(catalogue, _Purse(catalogue, person, views), profile, views)))


@dataclass(frozen=True, slots=True)
class _Payers:
    """Allocations that follow one another and have the same limits, with the QOS of each."""

    book: Book
    accounts: Mapping[str, frozenset[str]]
    known: dict[frozenset[str], Mapping[str, frozenset[str]]] = field(default_factory=dict)

    def of(self, wanted: frozenset[str]) -> Mapping[str, frozenset[str]]:
        """Give those that have one of the QOS."""
        if wanted not in self.known:
            self.known[wanted] = {name: qos for name, qos in self.accounts.items() if not wanted.isdisjoint(qos)}
        return self.known[wanted]


class _Purse:
    """A person's allocations, sorted out once for all profiles of the same patterns in the same partition."""

    def __init__(self, catalogue: Catalogue, person: Person, views: Mapping[str, ClusterView]) -> None:
        self.catalogue = catalogue
        self.person = person
        self.views = views
        self._payers: dict[tuple[str, str, tuple[str, ...]], tuple[_Payers, ...]] = {}
        self._open_books: dict[str, Book] = {}

    def book(self, view: ClusterView, limits: Limits) -> Book:
        """Give what is known of a cluster for allocations of these limits."""
        if limits != NO_LIMITS:
            return book_of(self.catalogue, view, limits)
        if view.cluster not in self._open_books:
            self._open_books[view.cluster] = book_of(self.catalogue, view, NO_LIMITS)
        return self._open_books[view.cluster]

    def payers(self, run: Run, patterns: tuple[str, ...]) -> tuple[_Payers, ...]:
        """Give the allocations that match, are admitted to the partition and have something left, in their order."""
        key = (run.cluster, run.partition, patterns)
        if key not in self._payers:
            found = list(self._found(run, patterns))
            self._payers[key] = tuple(
                _Payers(self.book(self.views[run.cluster], limits), {account: qos for account, _, qos in same})
                for limits, same in groupby(found, key=lambda each: each[1])
            )
        return self._payers[key]

    def _found(self, run: Run, patterns: tuple[str, ...]) -> Iterator[tuple[str, Limits, frozenset[str]]]:
        view = self.views[run.cluster]
        partition = view.partitions[run.partition]
        for account, association in associations_of(self.person, view, run.partition).items():
            if not matches(patterns, account) or not admits(partition, account):
                continue
            if budget_obstacle(self.catalogue.site, self.person, run.cluster, run.partition, account):
                continue
            limits = association.limits
            crowded = {qos for qos in association.qos if crowd_obstacle(self.person, view, run, account, qos, limits)}
            yield account, limits, association.qos - crowded


def _groups(catalogue: Catalogue, purse: _Purse, profile: Profile, views: Mapping[str, ClusterView]) -> Iterator[Group]:
    if not is_for(catalogue, profile.access, purse.person):
        return
    patterns = patterns_of(catalogue, profile)
    for run in profile.runs_on:
        view = views.get(run.cluster)
        if view is None:
            continue
        anybody = purse.book(view, NO_LIMITS)
        # Whoever pays, the place must do.
        if not terms_of(anybody, anybody, catalogue, profile, run, view).terms:
            continue
        for payers in purse.payers(run, patterns):
            found = terms_of(payers.book, anybody, catalogue, profile, run, view)
            accounts = payers.of(found.qos)
            if accounts:
                yield Group(profile, run, found.terms, accounts)
