"""What a profile's sizes come to in one place, whoever pays: worked out once for everybody and kept.  Pure.

On a large site there are thousands of these, and nothing in them depends on a person but the limits of their
allocations, of which a site has a handful.  They are kept as long as neither the catalogue nor what Slurm says of
partitions, QOS and kinds of nodes changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from hpchub.catalogue.cost import billed, shared
from hpchub.catalogue.model import Catalogue, Profile, Run, Size
from hpchub.catalogue.rules import most_minutes, place_obstacle, qos_obstacle, shapes_of, size_obstacle
from hpchub.catalogue.site import Cluster
from hpchub.slurm.model import NO_LIMITS, ClusterView, Limits


@dataclass(frozen=True, slots=True)
class Term:
    """A size under a QOS in one place, for all allocations of the same limits."""

    size: str
    qos: str
    gpus: int
    cores: int
    memory_mb: int
    default_minutes: int
    max_minutes: int
    core_hours_an_hour: float


@dataclass(frozen=True, slots=True)
class Terms:
    """All of one profile in one place; none where nobody can start it there."""

    terms: tuple[Term, ...]
    qos: frozenset[str]
    """Those of the terms."""


def _terms(terms: Iterator[Term]) -> Terms:
    found = tuple(terms)
    return Terms(found, frozenset(term.qos for term in found))


@dataclass(slots=True)
class Book:
    """What is known of one cluster, for allocations of the same limits."""

    limits: Limits
    pages: dict[tuple[str, str], Terms] = field(default_factory=dict)
    """By profile and partition."""
    longest: dict[tuple[object, ...], int] = field(default_factory=dict)
    """Longest times in minutes by what is asked for, 0 for never: profiles have sizes in common."""


_MOST_BOOKS = 256
"""Kept a cluster: a site whose allocations all have limits of their own must not fill the memory with them."""

# Values of frozen models and snapshots cannot be hashed (they hold mappings); a shelf keeps what it was made from alive
# and so no other catalogue gets that identity.
_shelves: dict[str, tuple[tuple[object, ...], dict[Limits, Book]]] = {}


def book_of(catalogue: Catalogue, view: ClusterView, limits: Limits) -> Book:
    """Give what is known of a cluster for allocations of these limits."""
    made_from = (catalogue.shared, view.taken_epoch is None, shapes_of(view), view.partitions, view.qos)
    shelf = _shelves.get(view.cluster)
    if shelf is None or not _same(made_from, shelf[0]):
        shelf = (made_from, {})
    elif len(shelf[1]) > _MOST_BOOKS:
        shelf[1].clear()
    # Each answer of Slurm's is a new object, and nearly always the same answer: the newest is compared soonest.
    _shelves[view.cluster] = (made_from, shelf[1])
    return shelf[1].setdefault(limits, Book(limits))


def _same(now: tuple[object, ...], then: tuple[object, ...]) -> bool:
    """Compare what books are made from; the catalogue by identity, since it is large and changes seldom."""
    return now[0] is then[0] and all(mine is old or mine == old for mine, old in zip(now[1:], then[1:], strict=True))


def terms_of(book: Book, open_book: Book, catalogue: Catalogue, profile: Profile, run: Run, view: ClusterView) -> Terms:
    """Give the terms of a profile in one place for allocations of the limits of ``book``.

    ``open_book`` is that of no limits: an allocation's own can only take away from what it has.
    """
    key = (profile.slug, run.partition)
    found = book.pages.get(key)
    if found is None:
        if book.limits is NO_LIMITS:
            found = _terms(_new_terms(catalogue, profile, run, view))
        else:
            found = _limited(book, terms_of(open_book, open_book, catalogue, profile, run, view), run, view)
        if profile.slug in catalogue.shared.profiles:
            # Those of people's own environments are too many to keep.
            book.pages[key] = found
    return found


def _new_terms(catalogue: Catalogue, profile: Profile, run: Run, view: ClusterView) -> Iterator[Term]:
    if place_obstacle(catalogue, profile, run, view):
        return
    for name, size in profile.sizes.items():
        if size_obstacle(view, run, size):
            continue
        charged = core_hours_an_hour(catalogue.site.clusters[run.cluster], run, view, size)
        for qos in run.qos:
            if not qos_obstacle(view, run, qos, size):
                longest = most_minutes(view, run, qos, size)
                least = min(size.default_minutes, longest)
                yield Term(name, qos, size.gpus, size.cores, size.memory_mb, least, longest, charged)


def _limited(book: Book, open_terms: Terms, run: Run, view: ClusterView) -> Terms:
    """Take away what the limits of a book do not allow; the same object where that is nothing."""
    found = _terms(filter(None, (_cut(book, term, run, view) for term in open_terms.terms)))
    return open_terms if found == open_terms else found


def _cut(book: Book, term: Term, run: Run, view: ClusterView) -> Term | None:
    key = (run.partition, run.gpu_type, term.qos, term.gpus, term.cores, term.memory_mb, term.max_minutes)
    longest = book.longest.get(key)
    if longest is None:
        never = qos_obstacle(view, run, term.qos, term, book.limits)
        longest = book.longest[key] = 0 if never else most_minutes(view, run, term.qos, term, book.limits)
    if longest == term.max_minutes:
        return term
    return replace(term, max_minutes=longest, default_minutes=min(term.default_minutes, longest)) if longest else None


def core_hours_an_hour(cluster: Cluster, run: Run, view: ClusterView, size: Size) -> float:
    """Give what an hour of a size in a place costs, in the site's core-hours."""
    partition = view.partitions[run.partition]
    if run.partition in cluster.free_partitions:
        return 0.0
    if partition.billing_weights:
        return billed(size, run.gpu_type, partition.billing_weights, cluster.charge)
    return shared(size, shapes_of(view).get(run.partition, ()))
