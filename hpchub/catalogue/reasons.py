"""Why a person has no offer, or not this one: sentences that are true, name what was asked and what is possible."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from datetime import datetime

from hpchub.catalogue.budget import left_in_words, warnings_of
from hpchub.catalogue.model import Catalogue, Profile, Run, Size
from hpchub.catalogue.moments import day_of, told, zone_of
from hpchub.catalogue.offers import Offer, offers
from hpchub.catalogue.rules import (
    Person,
    accounts_of,
    admits,
    associations_of,
    budget_obstacle,
    crowd_obstacle,
    in_events,
    in_groups,
    in_window,
    is_for,
    matches,
    patterns_of,
    place_obstacle,
    qos_obstacle,
    size_obstacle,
)
from hpchub.catalogue.site import Site
from hpchub.slurm.model import Association, ClusterView

LONGEST_ECHO = 80
LONGEST_LIST = 12
LONGEST_REASONS = 3


def silence(view: ClusterView) -> str:
    """Say that a cluster does not answer and what that means; an empty text while it does."""
    if view.silent_since_epoch is None:
        return ""
    since = time.strftime("%H:%M", time.localtime(view.silent_since_epoch))
    return (
        f"Slurm on {view.cluster} has not answered since {since}, so nothing can be started there now. "
        "Sessions that run go on. Try again in a few minutes."
    )


def budget_lines(site: Site, person: Person, paid: Iterable[tuple[str, str]]) -> tuple[list[str], list[str]]:
    """Say what is left of allocations, each a pair of cluster and account, with its age; and what to be warned of."""
    zone = zone_of(site.timezone)
    today = day_of(person.now_epoch, zone)
    lines, warnings = [], []
    for cluster, account in dict.fromkeys(paid):
        budget = person.budgets.get(cluster, {}).get(account)
        if budget is not None:
            asked = datetime.fromtimestamp(budget.taken_epoch, zone).strftime("%H:%M")
            lines.append(f"{account} on {cluster}: {left_in_words(budget)} (asked at {asked})")
            warnings += warnings_of(budget, cluster, site.clusters[cluster].budget, today)
    return lines, warnings


def echo(value: object) -> str:
    """Repeat what somebody sent, short and without control characters; an array or object only by its kind."""
    match value:
        case str():
            return repr(value) if len(value) <= LONGEST_ECHO else f"{value[:LONGEST_ECHO]!r}…"
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case int() if abs(value) >= 10**20:
            return "a number of more than 20 digits"
        case int() | float():
            return repr(value)
        case list() | tuple():
            return "a list"
        case Mapping():
            return "an object"
    return "something that is no JSON value"


def listed(names: Iterable[str]) -> str:
    """Join distinct names in their order; a long list is cut and says so."""
    distinct = list(dict.fromkeys(names))
    rest = len(distinct) - LONGEST_LIST
    return ", ".join(distinct[:LONGEST_LIST]) + (f" and {rest} more" if rest > 0 else "") if distinct else "none"


def why_not_here(catalogue: Catalogue, person: Person, view: ClusterView | None, profile: Profile, run: Run) -> str:
    """Say why a profile has no offer for a person in one of its places."""
    if obstacle := why_not_for(catalogue, profile, person):
        return obstacle
    obstacle = place_obstacle(catalogue, profile, run, view)
    if obstacle or view is None:
        return obstacle or f"Slurm on {run.cluster} has not answered yet."
    accounts = accounts_of(person, view)
    patterns = patterns_of(catalogue, profile)
    paying = [account for account in accounts if matches(patterns, account)]
    counting = associations_of(person, view, run.partition)
    if not accounts:
        return f"You have no allocation on {run.cluster}."
    if not paying:
        return f"Profile {profile.slug} is for the allocations {listed(patterns)}; yours: {listed(accounts)}."
    partition = view.partitions[run.partition]
    if not any(account in counting for account in paying):
        return f"Your allocations {listed(paying)} are not for partition {run.partition} of {run.cluster}."
    admitted = [account for account in paying if account in counting and admits(partition, account)]
    if not admitted:
        return f"Partition {run.partition} of {run.cluster} does not admit your allocations: {listed(paying)}."
    spent = {
        account: spent_budget
        for account in admitted
        if (spent_budget := budget_obstacle(catalogue.site, person, run.cluster, partition.name, account))
    }
    if len(spent) == len(admitted):
        others = listed(account for account in accounts if account not in admitted)
        return f"{' '.join(spent.values())} Other allocations of yours there, for other profiles: {others}."
    obstacles = [size_obstacle(view, run, size) for size in profile.sizes.values()]
    if all(obstacles):
        return f"{obstacles[0]} for {profile.slug}."
    able = [counting[account] for account in admitted if account not in spent]
    reasons = _all_of(_qos_reasons(person, view, profile, run, able))
    return " ".join([f"No QOS of {profile.slug} on {run.cluster} can be used: {reasons}.", *spent.values()])


def why_not_for(catalogue: Catalogue, profile: Profile, person: Person) -> str | None:
    """Say why a profile is not for a person now, whoever pays; None where it is."""
    access = profile.access
    if not in_groups(access, person):
        return f"Profile {profile.slug} is for members of {listed(access.groups)}, and you are not one."
    if not in_window(access, catalogue.site, person.now_epoch):
        begins = f" from {told(access.from_)}" if access.from_ else ""
        ends = f" until {told(access.until)}" if access.until else ""
        return f"Profile {profile.slug} can be started{begins}{ends} only."
    if not in_events(access, person):
        yours = listed(event.slug for event in person.open_events)
        return f"Profile {profile.slug} is for the events {listed(access.events)}; yours that are open now: {yours}."
    return None


def _all_of(reasons: Iterable[str]) -> str:
    """Join distinct reasons, which have commas of their own; a long list is cut."""
    distinct = list(dict.fromkeys(reasons))
    rest = len(distinct) - LONGEST_REASONS
    return "; ".join(distinct[:LONGEST_REASONS]) + (f"; and {rest} more" if rest > 0 else "")


def _qos_reasons(
    person: Person, view: ClusterView, profile: Profile, run: Run, associations: Iterable[Association]
) -> Iterable[str]:
    sizes = [size for size in profile.sizes.values() if not size_obstacle(view, run, size)]
    for association in associations:
        for qos in run.qos:
            for size in sizes:
                yield f"{qos} {why_not_under(person, view, run, qos, association, size)}"


def why_not_under(
    person: Person, view: ClusterView, run: Run, qos: str, association: Association, size: Size
) -> str | None:
    """Say why an allocation cannot pay for a size under a QOS, as a verb and what follows; None where it can."""
    if qos not in association.qos:
        return f"is not allowed for this allocation, which has: {listed(sorted(association.qos))}"
    limits = association.limits
    return qos_obstacle(view, run, qos, size, limits) or crowd_obstacle(
        person, view, run, association.account.lower(), qos, limits
    )


def why_not_allocation(
    catalogue: Catalogue, view: ClusterView, person: Person, run: Run, here: Iterable[Offer], asked: str
) -> str:
    """Say why an allocation is in none of the offers ``here`` of one profile in one place."""
    here = tuple(here)
    yours = f"Yours: {listed(offer.allocation for offer in here)}."
    if asked.lower() in accounts_of(person, view):
        counting = associations_of(person, view, run.partition).get(asked.lower())
        if counting is None:
            return f"Allocation {echo(asked)} is not for partition {run.partition} of {run.cluster}. {yours}"
        if not admits(view.partitions[run.partition], asked.lower()):
            return f"Partition {run.partition} of {run.cluster} does not admit allocation {echo(asked)}. {yours}"
        spent = budget_obstacle(catalogue.site, person, run.cluster, run.partition, asked.lower())
        profile = catalogue.profiles[here[0].profile]
        if matches(patterns_of(catalogue, profile), asked):
            reasons = _all_of(_qos_reasons(person, view, profile, run, [counting]))
            return f"{spent or f'No QOS can be used with allocation {echo(asked)}: {reasons}.'} {yours}"
    return f"Allocation {echo(asked)} is not one of yours for {here[0].profile} on {run.cluster}. {yours}"


def why_not_size(
    view: ClusterView, person: Person, profile: Profile, run: Run, here: tuple[Offer, ...], asked: str
) -> str:
    """Say why a size of the profile is in none of the offers ``here``."""
    possible = f"Possible there: {listed(offer.size for offer in here)}."
    size = profile.sizes[asked]
    if obstacle := size_obstacle(view, run, size):
        return f"{obstacle} for size {echo(asked)}. {possible}"
    counting = associations_of(person, view, run.partition)
    reasons = _all_of(
        f"{qos} {why_not_under(person, view, run, qos, counting[account], size)}"
        for account in dict.fromkeys(offer.allocation for offer in here)
        for qos in run.qos
    )
    return f"Size {echo(asked)} is more than the QOS of your allocation on {run.cluster} allow: {reasons}. {possible}"


def why_not_qos(
    view: ClusterView, person: Person, profile: Profile, run: Run, here: tuple[Offer, ...], asked: str
) -> str:
    """Say why a QOS is in none of the offers ``here``, which are of one size."""
    possible = f"Possible: {listed(offer.qos for offer in here)}."
    if asked not in run.qos:
        return f"QOS {echo(asked)} is not one of {profile.slug} on {run.cluster}. {possible}"
    association = associations_of(person, view, run.partition)[here[0].allocation]
    reason = why_not_under(person, view, run, asked, association, profile.sizes[here[0].size])
    where = f"with allocation {here[0].allocation} on {run.cluster}"
    return f"QOS {echo(asked)} cannot be used {where}: it {reason}. {possible}"


def why_no_offers(catalogue: Catalogue, person: Person, views: Mapping[str, ClusterView]) -> str:
    """Say why a person has no offer at all."""
    clusters = [name for name, cluster in catalogue.site.clusters.items() if cluster.state == "open"]
    if not clusters:
        return "No cluster of this site is open yet."
    silent = [name for name in clusters if name not in views or views[name].taken_epoch is None]
    if silent:
        return (
            f"Slurm on {listed(silent)} has not answered yet, so your allocations there are not known; "
            "try again in a minute."
        )
    accounts = [account for name in clusters for account in accounts_of(person, views[name])]
    if not accounts:
        return (
            f"You ({person.name}) have no allocation on {' or '.join(clusters)}, and every start needs one that pays."
        )
    for profile in catalogue.profiles.values():
        patterns = patterns_of(catalogue, profile)
        for run in profile.runs_on:
            paying = any(matches(patterns, account) for account in accounts)
            if run.cluster in clusters and paying and is_for(catalogue, profile.access, person):
                return why_not_here(catalogue, person, views[run.cluster], profile, run)
    return f"No profile of this site is for your allocations ({listed(accounts)}) and groups."


def profiles_of(catalogue: Catalogue, person: Person, views: Mapping[str, ClusterView]) -> str:
    """Name the profiles that a person may start, or say why there is none."""
    found = listed(offer.profile for offer in offers(catalogue, person, views))
    return f"Yours: {found}." if found != "none" else why_no_offers(catalogue, person, views)
