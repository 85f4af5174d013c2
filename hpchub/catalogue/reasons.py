"""Why a person has no offer, or not this one: sentences that are true, name what was asked and what is possible."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from hpchub.catalogue.budget import left_in_words, warnings_of
from hpchub.catalogue.model import Catalogue, Profile, Run, Size
from hpchub.catalogue.moments import day_of, zone_of
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
from hpchub.text import NONE, Joined, Sentence, When, listed

LONGEST_ECHO = 80
LONGEST_REASONS = 3


def silence(site: Site, view: ClusterView) -> Sentence | None:
    """Say that a cluster does not answer and what that means; None while it does."""
    if view.silent_since_epoch is None:
        return None
    return Sentence(
        "Slurm on {cluster} has not answered since {time}, so nothing can be started there now. Sessions that run go "
        "on. Try again in a few minutes.",
        cluster=view.cluster,
        time=datetime.fromtimestamp(view.silent_since_epoch, zone_of(site.timezone)).strftime("%H:%M"),
    )


def budget_lines(site: Site, person: Person, paid: Iterable[tuple[str, str]]) -> tuple[list[Sentence], list[Sentence]]:
    """Say what is left of allocations, each a pair of cluster and account, with its age; and what to be warned of."""
    zone = zone_of(site.timezone)
    today = day_of(person.now_epoch, zone)
    lines: list[Sentence] = []
    warnings: list[Sentence] = []
    for cluster, account in dict.fromkeys(paid):
        budget = person.budgets.get(cluster, {}).get(account)
        if budget is not None:
            asked = datetime.fromtimestamp(budget.taken_epoch, zone).strftime("%H:%M")
            lines.append(
                Sentence(
                    "{account} on {cluster}: {left} (asked at {time})",
                    account=account,
                    cluster=cluster,
                    left=left_in_words(budget),
                    time=asked,
                )
            )
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
            return Sentence("a number of more than 20 digits")
        case int() | float():
            return repr(value)
        case list() | tuple():
            return Sentence("a list")
        case Mapping():
            return Sentence("an object")
    return Sentence("something that is no JSON value")


def why_not_here(
    catalogue: Catalogue, person: Person, view: ClusterView | None, profile: Profile, run: Run
) -> Sentence:
    """Say why a profile has no offer for a person in one of its places."""
    if obstacle := why_not_for(catalogue, profile, person):
        return obstacle
    obstacle = place_obstacle(catalogue, profile, run, view)
    if obstacle or view is None:
        return obstacle or Sentence("Slurm on {cluster} has not answered yet.", cluster=run.cluster)
    accounts, partition = accounts_of(person, view), view.partitions[run.partition]
    paying = [account for account in accounts if matches(patterns_of(catalogue, profile), account)]
    counting = associations_of(person, view, run.partition)
    admitted = [account for account in paying if account in counting and admits(partition, account)]
    if not admitted:
        return _why_nobody_pays(catalogue, profile, run, accounts, paying, counting)
    spent = {
        account: spent_budget
        for account in admitted
        if (spent_budget := budget_obstacle(catalogue.site, person, run.cluster, partition.name, account))
    }
    if len(spent) == len(admitted):
        return Joined([*spent.values(), _others(account for account in accounts if account not in admitted)])
    obstacles = [size_obstacle(view, run, size) for size in profile.sizes.values()]
    if all(obstacles):
        return Sentence("{obstacle} for {profile}.", obstacle=obstacles[0], profile=profile.slug)
    able = [counting[account] for account in admitted if account not in spent]
    none = Sentence(
        "No QOS of {profile} on {cluster} can be used: {reasons}.",
        profile=profile.slug,
        cluster=run.cluster,
        reasons=_all_of(_qos_reasons(person, view, profile, run, able)),
    )
    return Joined([none, *spent.values()])


def _why_nobody_pays(
    catalogue: Catalogue,
    profile: Profile,
    run: Run,
    accounts: Iterable[str],
    paying: Sequence[str],
    counting: Mapping[str, Association],
) -> Sentence:
    """Say why no allocation can pay in a place: there is none, none of this profile's, or none that gets in."""
    if not accounts:
        return Sentence("You have no allocation on {cluster}.", cluster=run.cluster)
    if not paying:
        return Sentence(
            "Profile {profile} is for the allocations {allocations}; yours: {yours}.",
            profile=profile.slug,
            allocations=listed(patterns_of(catalogue, profile)),
            yours=listed(accounts),
        )
    facts: dict[str, object] = {"partition": run.partition, "cluster": run.cluster, "yours": listed(paying)}
    if not any(account in counting for account in paying):
        return Sentence("Your allocations {yours} are not for partition {partition} of {cluster}.", **facts)
    return Sentence("Partition {partition} of {cluster} does not admit your allocations: {yours}.", **facts)


def _others(accounts: Iterable[str]) -> Sentence:
    others = listed(accounts)
    if others == NONE:
        return Sentence("Other allocations of yours there, for other profiles: none.")
    return Sentence("Other allocations of yours there, for other profiles: {allocations}.", allocations=others)


def why_not_for(catalogue: Catalogue, profile: Profile, person: Person) -> Sentence | None:
    """Say why a profile is not for a person now, whoever pays; None where it is."""
    access = profile.access
    if not in_groups(access, person):
        return Sentence(
            "Profile {profile} is for members of {groups}, and you are not one.",
            profile=profile.slug,
            groups=listed(access.groups),
        )
    if not in_window(access, catalogue.site, person.now_epoch):
        return _closed(profile)
    if not in_events(access, person):
        return Sentence(
            "Profile {profile} is for the events {events}; yours that are open now: {yours}.",
            profile=profile.slug,
            events=listed(access.events),
            yours=listed(event.slug for event in person.open_events),
        )
    return None


def _closed(profile: Profile) -> Sentence:
    begins, ends = (When(moment) if moment else None for moment in (profile.access.from_, profile.access.until))
    if begins is None:
        return Sentence("Profile {profile} can be started until {ends} only.", profile=profile.slug, ends=ends)
    if ends is None:
        return Sentence("Profile {profile} can be started from {begins} only.", profile=profile.slug, begins=begins)
    return Sentence(
        "Profile {profile} can be started from {begins} until {ends} only.",
        profile=profile.slug,
        begins=begins,
        ends=ends,
    )


def _all_of(reasons: Iterable[str]) -> Sentence:
    """Join distinct reasons, which have commas of their own; a long list is cut."""
    distinct = list(dict.fromkeys(reasons))
    rest = len(distinct) - LONGEST_REASONS
    more = [Sentence("and {n} more", n=rest)] if rest > 0 else []
    return Joined([*distinct[:LONGEST_REASONS], *more], "; ")


def _qos_reasons(
    person: Person, view: ClusterView, profile: Profile, run: Run, associations: Iterable[Association]
) -> Iterable[Sentence]:
    sizes = [size for size in profile.sizes.values() if not size_obstacle(view, run, size)]
    for association in associations:
        for qos in run.qos:
            for size in sizes:
                if reason := why_not_under(person, view, run, qos, association, size):
                    yield Joined([qos, reason])


def why_not_under(
    person: Person, view: ClusterView, run: Run, qos: str, association: Association, size: Size
) -> Sentence | None:
    """Say why an allocation cannot pay for a size under a QOS, as a verb and what follows; None where it can."""
    if not association.qos:
        return Sentence("is not allowed for this allocation, which has: none")
    if qos not in association.qos:
        has = listed(sorted(association.qos))
        return Sentence("is not allowed for this allocation, which has: {qos}", qos=has)
    limits = association.limits
    return qos_obstacle(view, run, qos, size, limits) or crowd_obstacle(
        person, view, run, association.account.lower(), qos, limits
    )


def why_not_allocation(
    catalogue: Catalogue, view: ClusterView, person: Person, run: Run, here: Iterable[Offer], asked: str
) -> Sentence:
    """Say why an allocation is in none of the offers ``here`` of one profile in one place."""
    here = tuple(here)
    profile = catalogue.profiles[here[0].profile]
    yours = Sentence("Yours: {names}.", names=listed(offer.allocation for offer in here))
    return Joined([_why_not_paid_by(catalogue, view, person, profile, run, asked), yours])


def _why_not_paid_by(
    catalogue: Catalogue, view: ClusterView, person: Person, profile: Profile, run: Run, asked: str
) -> Sentence:
    facts: dict[str, object] = {"allocation": echo(asked), "partition": run.partition, "cluster": run.cluster}
    if asked.lower() in accounts_of(person, view):
        counting = associations_of(person, view, run.partition).get(asked.lower())
        if counting is None:
            return Sentence("Allocation {allocation} is not for partition {partition} of {cluster}.", **facts)
        if not admits(view.partitions[run.partition], asked.lower()):
            return Sentence("Partition {partition} of {cluster} does not admit allocation {allocation}.", **facts)
        if matches(patterns_of(catalogue, profile), asked):
            spent = budget_obstacle(catalogue.site, person, run.cluster, run.partition, asked.lower())
            reasons = _all_of(_qos_reasons(person, view, profile, run, [counting]))
            return spent or Sentence(
                "No QOS can be used with allocation {allocation}: {reasons}.", allocation=echo(asked), reasons=reasons
            )
    return Sentence(
        "Allocation {allocation} is not one of yours for {profile} on {cluster}.", **facts, profile=profile.slug
    )


def why_not_size(
    view: ClusterView, person: Person, profile: Profile, run: Run, here: tuple[Offer, ...], asked: str
) -> Sentence:
    """Say why a size of the profile is in none of the offers ``here``."""
    possible = Sentence("Possible there: {names}.", names=listed(offer.size for offer in here))
    size = profile.sizes[asked]
    if obstacle := size_obstacle(view, run, size):
        return Joined([Sentence("{obstacle} for size {size}.", obstacle=obstacle, size=echo(asked)), possible])
    counting = associations_of(person, view, run.partition)
    paying = dict.fromkeys(offer.allocation for offer in here)
    reasons = (
        Joined([qos, reason])
        for account in paying
        for qos in run.qos
        if (reason := why_not_under(person, view, run, qos, counting[account], size))
    )
    too_much = Sentence(
        "Size {size} is more than the QOS of your allocation on {cluster} allow: {reasons}.",
        size=echo(asked),
        cluster=run.cluster,
        reasons=_all_of(reasons),
    )
    return Joined([too_much, possible])


def why_not_qos(
    view: ClusterView, person: Person, profile: Profile, run: Run, here: tuple[Offer, ...], asked: str
) -> Sentence:
    """Say why a QOS is in none of the offers ``here``, which are of one size."""
    possible = Sentence("Possible: {names}.", names=listed(offer.qos for offer in here))
    facts: dict[str, object] = {"qos": echo(asked), "cluster": run.cluster}
    if asked not in run.qos:
        unknown = Sentence("QOS {qos} is not one of {profile} on {cluster}.", **facts, profile=profile.slug)
        return Joined([unknown, possible])
    association = associations_of(person, view, run.partition)[here[0].allocation]
    no_use = Sentence(
        "QOS {qos} cannot be used with allocation {allocation} on {cluster}: it {reason}.",
        **facts,
        allocation=here[0].allocation,
        reason=why_not_under(person, view, run, asked, association, profile.sizes[here[0].size]),
    )
    return Joined([no_use, possible])


def why_no_offers(catalogue: Catalogue, person: Person, views: Mapping[str, ClusterView]) -> Sentence:
    """Say why a person has no offer at all."""
    clusters = [name for name, cluster in catalogue.site.clusters.items() if cluster.state == "open"]
    if not clusters:
        return Sentence("No cluster of this site is open yet.")
    silent = [name for name in clusters if name not in views or views[name].taken_epoch is None]
    if silent:
        return Sentence(
            "Slurm on {clusters} has not answered yet, so your allocations there are not known; try again in a minute.",
            clusters=listed(silent),
        )
    accounts = [account for name in clusters for account in accounts_of(person, views[name])]
    if not accounts:
        return Sentence(
            "You ({name}) have no allocation on {clusters}, and every start needs one that pays.",
            name=person.name,
            clusters=Joined(clusters, Sentence(" or ")),
        )
    for profile in catalogue.profiles.values():
        patterns = patterns_of(catalogue, profile)
        for run in profile.runs_on:
            paying = any(matches(patterns, account) for account in accounts)
            if run.cluster in clusters and paying and is_for(catalogue, profile.access, person):
                return why_not_here(catalogue, person, views[run.cluster], profile, run)
    return Sentence(
        "No profile of this site is for your allocations ({allocations}) and groups.", allocations=listed(accounts)
    )


def profiles_of(catalogue: Catalogue, person: Person, views: Mapping[str, ClusterView]) -> Sentence:
    """Name the profiles that a person may start, or say why there is none."""
    found = listed(group.profile.slug for group in offers(catalogue, person, views).groups)
    return why_no_offers(catalogue, person, views) if found == NONE else Sentence("Yours: {names}.", names=found)
