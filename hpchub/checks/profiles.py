"""Whether the living clusters have what the profiles ask for: every place of every profile, rule by rule.

The rules are those that make offers (:mod:`hpchub.catalogue.rules`).  Where an offer would silently be shorter or not
be made, a finding says so with what the cluster has.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from hpchub.catalogue.model import Catalogue, Profile, Run, Size
from hpchub.catalogue.rules import (
    Person,
    admits,
    associations_of,
    matches,
    most_minutes,
    patterns_of,
    place_rules,
    qos_obstacle,
    shapes_of,
    size_obstacle,
)
from hpchub.checks.builds import check_build
from hpchub.checks.finding import Finding, Verdict, fault, warning
from hpchub.slurm.model import ClusterView, Partition
from hpchub.text import listed


@dataclass(frozen=True, slots=True)
class Place:
    """A profile in one of its places, on a cluster that has answered."""

    catalogue: Catalogue
    profile: Profile
    run: Run
    view: ClusterView
    partition: Partition

    def fault(self, says: str, remedy: str) -> Finding:
        """Find something to be mended here."""
        return fault(self.profile.slug, says, remedy, place_name(self.run))

    def warning(self, says: str, remedy: str) -> Finding:
        """Find something to be known here."""
        return warning(self.profile.slug, says, remedy, place_name(self.run))


def place_name(run: Run) -> str:
    """Name a place as findings do: ``leonardo/boost_usr_prod``."""
    return f"{run.cluster}/{run.partition}"


def check_profiles(
    catalogue: Catalogue, views: Mapping[str, ClusterView], profiles: Iterable[Profile]
) -> Iterator[Finding]:
    """Give everything that is wrong with these profiles on the clusters that are open."""
    profiles = tuple(profiles)
    asked = {run.cluster for profile in profiles for run in profile.runs_on}
    for cluster in sorted(asked & views.keys()):
        if views[cluster].taken_epoch is None:
            says = f"Slurm on {cluster} does not answer, so nothing there can be checked."
            yield fault(cluster, says, "Ask it yourself: `sinfo`; `hpchub doctor` says more.", cluster)
    for profile in profiles:
        for run in profile.runs_on:
            yield from _place_findings(catalogue, profile, run, views.get(run.cluster))


def _place_findings(catalogue: Catalogue, profile: Profile, run: Run, view: ClusterView | None) -> Iterator[Finding]:
    if catalogue.site.clusters[run.cluster].state != "open":
        return
    yield from _build_findings(catalogue, profile, run)
    if view is None or view.taken_epoch is None:
        return
    partition = view.partitions.get(run.partition)
    if partition is None:
        says = f"Cluster {run.cluster} has no partition {run.partition}; it has: {listed(sorted(view.partitions))}."
        yield fault(profile.slug, says, "Name one of these in `runs_on`.", place_name(run))
        return
    place = Place(catalogue, profile, run, view, partition)
    if not partition.up:
        says = f"Partition {run.partition} is down: nothing starts there."
        yield place.fault(says, f"`scontrol update PartitionName={run.partition} State=UP`, when its work is done.")
    else:
        obstacle = {rule: why for rule, _, why in place_rules(catalogue, profile, run, view)}.get("partition")
        if obstacle:
            yield place.fault(obstacle, "Name another partition in `runs_on`.")
    yield from _node_findings(place)
    yield from _qos_findings(place)
    yield from _account_findings(place)
    yield from _time_findings(place)


def _build_findings(catalogue: Catalogue, profile: Profile, run: Run) -> Iterator[Finding]:
    environment = catalogue.environments[profile.environment]
    target = catalogue.site.clusters[run.cluster].software_target
    if target not in environment.targets:
        says = f"environment {environment.name} is not there for {target}; it is for: {listed(environment.targets)}."
        yield fault(profile.slug, says, f"Lock it for {target}, or take the place out.", place_name(run))
        return
    found = check_build(catalogue.site.environments_root, environment, target, profile.slug, place_name(run))
    if found.verdict is Verdict.FAULT:
        yield found


def _node_findings(place: Place) -> Iterator[Finding]:
    """Whether some node of the partition has the GPUs, and is large enough for each size."""
    run, sizes = place.run, place.profile.sizes
    shapes = shapes_of(place.view).get(run.partition, frozenset())
    if not shapes:
        yield place.fault(f"Partition {run.partition} has no nodes.", "Name another partition in `runs_on`.")
        return
    with_gpus = any(size.gpus for size in sizes.values())
    types = sorted({kind for shape in shapes for kind, _ in shape.gpus})
    if with_gpus and run.gpu_type not in types:
        has = f"GPUs of the type {listed(types)}" if types else "no GPUs"
        says = f"No node of {run.partition} has GPUs of the type {run.gpu_type}; the nodes there have {has}."
        yield place.fault(says, "Name one of these types as `gpu_type`, or another partition.")
        return
    for name, size in sizes.items():
        obstacle = size_obstacle(place.view, run, size)
        if obstacle:
            largest = max(shapes, key=lambda shape: (sum(count for _, count in shape.gpus), shape.cores))
            gpus = sum(count for kind, count in largest.gpus if kind == run.gpu_type)
            says = (
                f"{obstacle} for size {name} ({_amount(size)}); "
                f"the largest node has {gpus} GPUs, {largest.cores} cores, {largest.memory_mb} MB."
            )
            yield place.fault(says, f"Make size {name} smaller.")


def _amount(size: Size) -> str:
    return f"{size.gpus} GPUs, {size.cores} cores, {size.memory_mb} MB"


def _qos_findings(place: Place) -> Iterator[Finding]:
    """Whether each QOS exists and can be used in the partition."""
    for qos in place.run.qos:
        if qos not in place.view.qos:
            says = f"QOS {qos} does not exist on {place.run.cluster}; there are: {listed(sorted(place.view.qos))}."
            yield place.fault(says, "Name one of these in `qos`.")
        elif not _allowed(place.partition, qos):
            usable = sorted(name for name in place.view.qos if _allowed(place.partition, name))
            says = f"QOS {qos} is not allowed in partition {place.run.partition}; allowed are: {listed(usable)}."
            yield place.fault(says, "Name one of these in `qos`.")


def _allowed(partition: Partition, qos: str) -> bool:
    return qos not in partition.deny_qos and (partition.allow_qos is None or qos in partition.allow_qos)


def _account_findings(place: Place) -> Iterator[Finding]:
    """Whether somebody's allocation may pay here, and with which QOS."""
    run, patterns = place.run, patterns_of(place.catalogue, place.profile)
    known = _qos_of_accounts(place.view, run.partition)
    qos_of = {account: qos for account, qos in known.items() if matches(patterns, account)}
    if not qos_of:
        says = f"Nobody has an allocation on {run.cluster} that matches {listed(patterns)}."
        yield place.fault(says, "Correct the patterns of the profile or its sector, or wait until somebody has one.")
        return
    admitted = {account: qos for account, qos in qos_of.items() if admits(place.partition, account)}
    if not admitted:
        says = f"Partition {run.partition} admits none of the allocations that may pay: {listed(sorted(qos_of))}."
        yield place.fault(says, "Look at AllowAccounts and DenyAccounts: `scontrol show partition`.")
        return
    for qos in run.qos:
        if qos in place.view.qos and not any(qos in each for each in admitted.values()):
            have = sorted(frozenset[str]().union(*admitted.values()))
            says = f"None of the allocations that may pay ({listed(sorted(admitted))}) may use QOS {qos}."
            yield place.fault(says, f"They may use: {listed(have)}. Name one of these, or have {qos} given to them.")
    without = sorted(account for account, qos in admitted.items() if qos.isdisjoint(run.qos))
    if without and len(without) < len(admitted):
        says = f"These allocations may use none of the QOS {listed(run.qos)}: {listed(without)}."
        yield place.warning(says, "Their people do not see the profile here; add a QOS of theirs if they should.")


def _qos_of_accounts(view: ClusterView, partition: str) -> Mapping[str, frozenset[str]]:
    """Give everybody's accounts in a partition, in lower case, each with all QOS that somebody may use with it."""
    found: dict[str, frozenset[str]] = {}
    for user in view.associations:
        for account, association in associations_of(Person(user), view, partition).items():
            found[account] = found.get(account, frozenset()) | association.qos
    return found


def _time_findings(place: Place) -> Iterator[Finding]:
    """Whether each size can run under some QOS, and for as long as it says."""
    run, view = place.run, place.view
    usable = [qos for qos in run.qos if qos in view.qos and _allowed(place.partition, qos)]
    for name, size in place.profile.sizes.items() if usable else ():
        obstacles = {qos: qos_obstacle(view, run, qos, size) for qos in usable}
        free = [qos for qos, obstacle in obstacles.items() if obstacle is None]
        if not free:
            reasons = "; ".join(f"{qos} {obstacle}" for qos, obstacle in obstacles.items())
            yield place.fault(f"No QOS allows size {name}: {reasons}.", f"Make size {name} smaller, or add a QOS.")
            continue
        longest = max(most_minutes(view, run, qos, size) for qos in free)
        if longest < size.max_minutes:
            says = (
                f"Size {name} says max_minutes {size.max_minutes}, but partition {run.partition} with QOS "
                f"{listed(free)} allows at most {longest}."
            )
            yield place.fault(says, f"Set max_minutes to {longest} or less, or name a QOS that allows more.")
