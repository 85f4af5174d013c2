"""Why somebody sees a profile or does not: every rule that makes an offer, with what was found.  Pure.

The rules are those of :mod:`hpchub.catalogue.rules`, which the offers are made of; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hpchub.catalogue.budget import left_in_words
from hpchub.catalogue.model import Catalogue, Profile, Run, Size
from hpchub.catalogue.reasons import why_not_for, why_not_under
from hpchub.catalogue.rules import (
    Person,
    admits,
    associations_of,
    budget_obstacle,
    in_events,
    in_groups,
    in_window,
    matches,
    most_minutes,
    patterns_of,
    place_rules,
    size_obstacle,
)
from hpchub.slurm.model import Association, ClusterView
from hpchub.text import When, listed


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule: whether it holds, and what was found."""

    rule: str
    holds: bool
    found: str


@dataclass(frozen=True, slots=True)
class Payer:
    """What the rules say of one allocation in one place; the first rule that does not hold is the last one here."""

    account: str
    findings: tuple[Finding, ...]
    sizes: tuple[Finding, ...] = ()
    """One for each size of the profile; one that holds is enough."""

    @property
    def offered(self) -> bool:
        return all(finding.holds for finding in self.findings) and any(size.holds for size in self.sizes)


@dataclass(frozen=True, slots=True)
class Place:
    """What the rules say of one place of a profile; no allocation is looked at where the place itself does not do."""

    cluster: str
    partition: str
    findings: tuple[Finding, ...]
    payers: tuple[Payer, ...] = ()

    @property
    def offered(self) -> bool:
        return all(finding.holds for finding in self.findings) and any(payer.offered for payer in self.payers)


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a person sees one profile or does not."""

    profile: str
    findings: tuple[Finding, ...]
    """Who may use it and when, whoever pays and wherever it runs."""
    places: tuple[Place, ...]

    @property
    def offered(self) -> bool:
        """True if and only if the person has an offer of this profile."""
        return all(finding.holds for finding in self.findings) and any(place.offered for place in self.places)


def explain(catalogue: Catalogue, person: Person, profile: Profile, views: Mapping[str, ClusterView]) -> Explanation:
    """Go through all rules for one person and one profile; every place is looked at, also after one that does."""
    places = tuple(_place(catalogue, person, profile, run, views.get(run.cluster)) for run in profile.runs_on)
    return Explanation(profile.slug, tuple(_access(catalogue, person, profile)), places)


def _access(catalogue: Catalogue, person: Person, profile: Profile) -> Iterator[Finding]:
    access = profile.access
    obstacle = why_not_for(catalogue, profile, person) or ""
    inside = in_groups(access, person)
    asked = f"for {listed(access.groups)}" if access.groups else "for everybody"
    yield Finding("groups", inside, f"{asked}; {person.name} is in: {listed(sorted(person.groups))}")
    now = in_window(access, catalogue.site, person.now_epoch)
    since, until = (When(moment) if moment else "" for moment in (access.from_, access.until))
    window = " ".join([*([f"from {since}"] if since else []), *([f"until {until}"] if until else [])])
    yield Finding("dates", now, window or "at any time")
    open_now = in_events(access, person)
    events = f"for the events {listed(access.events)}" if access.events else "needs no event"
    yield Finding("events", open_now, events if open_now or not inside or not now else obstacle)


def _place(catalogue: Catalogue, person: Person, profile: Profile, run: Run, view: ClusterView | None) -> Place:
    findings = tuple(
        Finding(rule, obstacle is None, obstacle or found)
        for rule, found, obstacle in place_rules(catalogue, profile, run, view)
    )
    if view is None or not all(finding.holds for finding in findings):
        return Place(run.cluster, run.partition, findings)
    everywhere = dict.fromkeys(each.account.lower() for each in view.associations.get(person.name, ()))
    if not everywhere:
        none = Finding("allocations", False, f"{person.name} has no allocation on {run.cluster}")
        return Place(run.cluster, run.partition, (*findings, none))
    payers = tuple(_payer(catalogue, person, profile, run, view, account) for account in everywhere)
    return Place(run.cluster, run.partition, findings, payers)


def _payer(catalogue: Catalogue, person: Person, profile: Profile, run: Run, view: ClusterView, account: str) -> Payer:
    findings: list[Finding] = []
    association = associations_of(person, view, run.partition).get(account)
    for finding in _account(catalogue, person, profile, run, view, account, association):
        findings.append(finding)
        if not finding.holds:
            return Payer(account, tuple(findings))
    if association is None:
        return Payer(account, tuple(findings))
    sizes = tuple(_size(person, run, view, association, name, size) for name, size in profile.sizes.items())
    return Payer(account, tuple(findings), sizes)


def _account(
    catalogue: Catalogue,
    person: Person,
    profile: Profile,
    run: Run,
    view: ClusterView,
    account: str,
    association: Association | None,
) -> Iterator[Finding]:
    patterns = patterns_of(catalogue, profile)
    source = "this profile" if profile.access.allocations is not None else f"the sector {profile.sector}"
    yield Finding("account", matches(patterns, account), f"{source} is for {listed(patterns)}")
    yield Finding("association", association is not None, f"for partition {run.partition}")
    partition = view.partitions[run.partition]
    allowed = "all" if partition.allow_accounts is None else listed(sorted(partition.allow_accounts))
    denied = f", but not {listed(sorted(partition.deny_accounts))}" if partition.deny_accounts else ""
    yield Finding("partition's accounts", admits(partition, account), f"{partition.name} admits {allowed}{denied}")
    spent = budget_obstacle(catalogue.site, person, run.cluster, run.partition, account)
    budget = person.budgets.get(run.cluster, {}).get(account)
    yield Finding("budget", spent is None, spent or (left_in_words(budget) if budget else "none is known"))


def _size(person: Person, run: Run, view: ClusterView, association: Association, name: str, size: Size) -> Finding:
    obstacle = size_obstacle(view, run, size)
    if obstacle:
        return Finding(f"size {name}", False, obstacle)
    under = {qos: why_not_under(person, view, run, qos, association, size) for qos in run.qos}
    words = [
        f"{qos} {reason}" if reason else f"{qos} up to {most_minutes(view, run, qos, size, association.limits)} minutes"
        for qos, reason in under.items()
    ]
    return Finding(f"size {name}", None in under.values(), "; ".join(words))
