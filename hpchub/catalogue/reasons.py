"""Why a person has no offer, or not this one: sentences that are true, name what was asked and what is possible."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

from hpchub.catalogue.model import Catalogue, Profile, Run, Size
from hpchub.catalogue.offers import Offer, offers
from hpchub.catalogue.rules import (
    Person,
    accounts_of,
    admits,
    carries,
    in_groups,
    matches,
    patterns_of,
    place_obstacle,
    qos_obstacle,
)
from hpchub.slurm.model import ClusterView

LONGEST_ECHO = 80
LONGEST_LIST = 12


def silence(view: ClusterView) -> str:
    """Say that a cluster does not answer and what that means; an empty text while it does."""
    if view.silent_since_epoch is None:
        return ""
    since = time.strftime("%H:%M", time.localtime(view.silent_since_epoch))
    return (
        f"Slurm on {view.cluster} has not answered since {since}, so nothing can be started there now. "
        "Sessions that run go on. Try again in a few minutes."
    )


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
    if not in_groups(profile.access, person):
        return f"Profile {profile.slug} is for members of {listed(profile.access.groups)}, and you are not one."
    obstacle = place_obstacle(catalogue, profile, run, view)
    if obstacle or view is None:
        return obstacle or f"Slurm on {run.cluster} has not answered yet."
    accounts = accounts_of(person, view)
    patterns = patterns_of(catalogue, profile)
    paying = [account for account in accounts if matches(patterns, account)]
    if not accounts:
        return f"You have no allocation on {run.cluster}."
    if not paying:
        return f"Profile {profile.slug} is for the allocations {listed(patterns)}; yours: {listed(accounts)}."
    partition = view.partitions[run.partition]
    admitted = [account for account in paying if admits(partition, account)]
    if not admitted:
        return f"Partition {run.partition} of {run.cluster} does not admit your allocations: {listed(paying)}."
    if not any(carries(view, run, size) for size in profile.sizes.values()):
        return f"No node of {run.partition} on {run.cluster} is large enough for {profile.slug}."
    reasons = _qos_reasons(view, profile, run, [accounts[account] for account in admitted])
    return f"No QOS of {profile.slug} on {run.cluster} can be used: {listed(reasons)}."


def _qos_reasons(
    view: ClusterView, profile: Profile, run: Run, qos_of_accounts: Iterable[frozenset[str]]
) -> Iterable[str]:
    sizes = [size for size in profile.sizes.values() if carries(view, run, size)]
    for allowed in qos_of_accounts:
        for qos in run.qos:
            for size in sizes:
                yield f"{qos} {_qos_reason(view, run, qos, allowed, size)}"


def _qos_reason(view: ClusterView, run: Run, qos: str, allowed: frozenset[str], size: Size) -> str | None:
    if qos not in allowed:
        return f"is not allowed for this allocation, which has: {listed(sorted(allowed))}"
    return qos_obstacle(view.partitions[run.partition], qos, view.qos.get(qos), size)


def why_not_allocation(view: ClusterView, person: Person, run: Run, here: Iterable[Offer], asked: str) -> str:
    """Say why an allocation is in none of the offers ``here`` of one profile in one place."""
    here = tuple(here)
    yours = f"Yours: {listed(offer.allocation for offer in here)}."
    if asked.lower() in accounts_of(person, view) and not admits(view.partitions[run.partition], asked.lower()):
        return f"Partition {run.partition} of {run.cluster} does not admit allocation {echo(asked)}. {yours}"
    return f"Allocation {echo(asked)} is not one of yours for {here[0].profile} on {run.cluster}. {yours}"


def why_not_size(view: ClusterView, profile: Profile, run: Run, here: Iterable[Offer], asked: str) -> str:
    """Say why a size of the profile is in none of the offers ``here``."""
    possible = f"Possible there: {listed(offer.size for offer in here)}."
    if not carries(view, run, profile.sizes[asked]):
        return f"No node of {run.partition} on {run.cluster} is large enough for size {echo(asked)}. {possible}"
    return f"Size {echo(asked)} is more than the QOS of your allocation on {run.cluster} allow. {possible}"


def why_not_qos(
    view: ClusterView, person: Person, profile: Profile, run: Run, here: tuple[Offer, ...], asked: str
) -> str:
    """Say why a QOS is in none of the offers ``here``, which are of one size."""
    possible = f"Possible: {listed(offer.qos for offer in here)}."
    if asked not in run.qos:
        return f"QOS {echo(asked)} is not one of {profile.slug} on {run.cluster}. {possible}"
    allowed = accounts_of(person, view)[here[0].allocation]
    size = profile.sizes[here[0].size]
    reason = _qos_reason(view, run, asked, allowed, size)
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
            if run.cluster in clusters and paying and in_groups(profile.access, person):
                return why_not_here(catalogue, person, views[run.cluster], profile, run)
    return f"No profile of this site is for your allocations ({listed(accounts)}) and groups."


def profiles_of(catalogue: Catalogue, person: Person, views: Mapping[str, ClusterView]) -> str:
    """Name the profiles that a person may start, or say why there is none."""
    found = listed(offer.profile for offer in offers(catalogue, person, views))
    return f"Yours: {found}." if found != "none" else why_no_offers(catalogue, person, views)
