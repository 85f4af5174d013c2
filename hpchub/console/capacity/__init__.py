"""Whether Slurm carries an event: what is missing, each with its sentence and the command that mends it.  Pure.

Everything is decided from a snapshot of the cluster, so that a check costs Slurm nothing and can be made at every look
at an event.  :func:`findings` is the whole of it; the modules here each judge one thing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from hpchub.catalogue.budget import Budget
from hpchub.catalogue.model import Catalogue
from hpchub.catalogue.site import Site
from hpchub.console.capacity.limits import limit_findings
from hpchub.console.capacity.money import budget_findings
from hpchub.console.capacity.others import other_findings
from hpchub.console.capacity.people import entitled, people_findings
from hpchub.console.capacity.places import place_findings, places_of
from hpchub.console.capacity.planned import About, Finding, Planned, Severity, at, fine, missing, warning
from hpchub.console.capacity.room import reservation_needed, room_findings
from hpchub.console.reservation import Wanted
from hpchub.pages.moments import duration
from hpchub.slurm.model import ClusterView
from hpchub.text import Sentence, listed

__all__ = ["About", "Finding", "Planned", "Severity", "any_missing", "entitled_people", "findings", "reservation_of"]


def findings(
    planned: Planned,
    view: ClusterView,
    catalogue: Catalogue,
    now_epoch: float,
    budgets: Mapping[str, Budget] | None = None,
    others: Iterable[Planned] | None = None,
) -> tuple[Finding, ...]:
    """Judge a planned event, in the order in which a person would ask.

    Args:
        planned: the event.
        view: what its cluster said last.
        catalogue: what the site offers.
        now_epoch: in seconds since 1970.
        budgets: what is known of the budgets of that cluster, by account.
        others: the other events that are planned; those at another time, or this one itself, do not count.  None:
            they are not known, and nothing is said of them.
    """
    site = catalogue.site
    found = [*_dates(planned, site, now_epoch), *_cluster(planned, site, view)]
    if any_missing(found):
        return tuple(found)
    places = places_of(planned, catalogue, view)
    found += place_findings(planned, catalogue, view)
    found += people_findings(planned, view, places)
    found += room_findings(planned, site, view, places, now_epoch)
    found += limit_findings(planned, site, view, places)
    found += budget_findings(planned, site, view, places, (budgets or {}).get(planned.allocation), now_epoch)
    if others is not None:
        found += other_findings(planned, catalogue, view, places, others)
    return tuple(dict.fromkeys(found))


def any_missing(found: Iterable[Finding]) -> bool:
    """Tell whether the event does not work as it is planned."""
    return any(each.severity is Severity.MISSING for each in found)


def entitled_people(planned: Planned, view: ClusterView, catalogue: Catalogue) -> frozenset[str] | None:
    """Give those of the people who are known to take part that are associated with the event's allocation.

    None as long as Slurm has not told who is associated with what.
    """
    if view.taken_epoch is None or (view.accounting_silent_since_epoch is not None and not view.associations):
        return None
    return entitled(planned, view, places_of(planned, catalogue, view))


def reservation_of(planned: Planned, view: ClusterView, catalogue: Catalogue, now_epoch: float) -> Wanted | None:
    """Give the reservation that carries the event, under its own name or the one that the site would give it.

    None where none of its profiles can run, or where they run in several partitions.
    """
    return reservation_needed(planned, catalogue.site, view, places_of(planned, catalogue, view), now_epoch)


def _dates(planned: Planned, site: Site, now_epoch: float) -> Iterator[Finding]:
    facts: dict[str, object] = {"begins": at(planned.begins_epoch, site), "closes": at(planned.closes_epoch, site)}
    if planned.closes_epoch <= planned.opens_epoch:
        says = Sentence("The event closes {closes}, and that is not after it opens.", **facts)
        yield missing(About.DATES, says)
    elif planned.closes_epoch <= now_epoch:
        yield missing(About.DATES, Sentence("The event is past: it closed {closes}.", **facts))
    elif planned.begins_epoch < now_epoch:
        says = Sentence("The event has begun already, {begins}; it closes {closes}.", **facts)
        yield warning(About.DATES, says)
    else:
        says = Sentence(
            "The event takes {time} with its set-up, from {begins} to {closes}.",
            **facts,
            time=duration(planned.window_minutes),
        )
        yield fine(About.DATES, says)


def _cluster(planned: Planned, site: Site, view: ClusterView) -> Iterator[Finding]:
    if planned.cluster not in site.clusters:
        names = listed(site.clusters)
        says = Sentence("There is no cluster {cluster} here, but: {names}.", cluster=planned.cluster, names=names)
        yield missing(About.CLUSTER, says)
    elif site.clusters[planned.cluster].state == "announced":
        says = Sentence("Cluster {cluster} is announced and not open yet.", cluster=planned.cluster)
        yield missing(About.CLUSTER, says)
    elif view.taken_epoch is None:
        says = Sentence(
            "Slurm on {cluster} has not answered yet, so nothing is known about it; try again in a minute.",
            cluster=planned.cluster,
        )
        yield missing(About.CLUSTER, says)
    elif since := view.silent_since_epoch or view.accounting_silent_since_epoch:
        says = Sentence(
            "Slurm on {cluster} has not answered since {since}: this is what it said before.",
            cluster=planned.cluster,
            since=at(since, site),
        )
        yield warning(About.CLUSTER, says)
