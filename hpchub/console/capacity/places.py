"""Where the sessions of a planned event would run: its profiles in its cluster, and what is in the way there.  Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from hpchub.catalogue.limits import Amounts
from hpchub.catalogue.model import Access, Catalogue, Profile, Run, Size
from hpchub.catalogue.rules import (
    admits,
    in_window,
    matches,
    most_minutes,
    patterns_of,
    place_obstacle,
    qos_obstacle,
    size_obstacle,
)
from hpchub.console.capacity import commands
from hpchub.console.capacity.planned import About, Finding, Planned, fine, missing, sessions, warning
from hpchub.slurm.model import ClusterView, Node, Partition
from hpchub.text import Counted, Sentence, listed


@dataclass(frozen=True, slots=True)
class Place:
    """One profile in the event's cluster, with the size and the QOS that its sessions would have."""

    profile: Profile
    run: Run
    size_name: str
    size: Size
    qos: str
    partition: Partition

    def held_by(self, node: Node) -> int:
        """Tell how many sessions fit on a node that is empty."""
        if self.run.partition not in node.partitions:
            return 0
        cores = min(node.cores, self.partition.max_cores_per_node or node.cores)
        counts = [cores // self.size.cores, node.memory_mb // self.size.memory_mb]
        if self.size.gpus:
            counts.append(node.gpus.get(self.run.gpu_type or "", 0) // self.size.gpus)
        return min(counts)

    def amount(self, number: int) -> Sentence:
        """Say what so many sessions hold: their GPUs, or their cores where they have none."""
        if self.size.gpus:
            total, kind = number * self.size.gpus, self.run.gpu_type
            return Counted("{n} GPU of the type {type}", "{n} GPUs of the type {type}", total, type=kind)
        return Counted("{n} core", "{n} cores", number * self.size.cores)

    @property
    def needs(self) -> tuple[object, ...]:
        """What decides how much room a session takes: places that are alike in it are looked at once."""
        size = self.size
        return (self.run.partition, self.run.gpu_type, self.qos, size.gpus, size.cores, size.memory_mb)


def profiles_of(planned: Planned, catalogue: Catalogue) -> list[Profile]:
    """Give the profiles that the event names."""
    return [
        profile
        for slug, profile in catalogue.profiles.items()
        if any(fnmatchcase(slug, pattern) for pattern in planned.profiles)
    ]


def starts_of(planned: Planned, catalogue: Catalogue) -> list[tuple[Profile, str]]:
    """Give what its people start: the event's profiles, then those of its teams, with the size of each; each once."""
    found = {
        (profile.slug, size_name or profile.default_size): profile
        for pattern, size_name in [*((pattern, planned.size) for pattern in planned.profiles), *planned.starts]
        for profile in catalogue.profiles.values()
        if fnmatchcase(profile.slug, pattern)
    }
    return [(profile, size_name) for (_, size_name), profile in found.items()]


def run_of(planned: Planned, profile: Profile) -> Run | None:
    """Give where a profile runs on the event's cluster; None where it does not."""
    return next((run for run in profile.runs_on if run.cluster == planned.cluster), None)


def places_of(planned: Planned, catalogue: Catalogue, view: ClusterView) -> list[Place]:
    """Give the places whose profile, size and partition are there, whatever else is in the way."""
    found = []
    for profile, size_name in starts_of(planned, catalogue):
        run = run_of(planned, profile)
        if run is not None and run.partition in view.partitions and size_name in profile.sizes:
            size = profile.sizes[size_name]
            qos = _qos_of(planned, run, size, view)
            found.append(Place(profile, run, size_name, size, qos, view.partitions[run.partition]))
    return found


def _qos_of(planned: Planned, run: Run, size: Amounts, view: ClusterView) -> str:
    """Choose as the hub would: the first that the allocation has and that gives enough time."""
    if planned.qos is not None:
        return planned.qos
    had = {
        qos
        for of_user in view.associations.values()
        for association in of_user
        if association.account == planned.allocation
        for qos in association.qos
    }
    usable = [qos for qos in run.qos if qos in had and not qos_obstacle(view, run, qos, size)]
    enough = (qos for qos in usable if most_minutes(view, run, qos, size) >= planned.session_minutes)
    return next(enough, next(iter(usable), run.qos[0]))


def place_findings(planned: Planned, catalogue: Catalogue, view: ClusterView) -> Iterator[Finding]:
    """Judge the profiles and where they run, before anybody counts."""
    starts = starts_of(planned, catalogue)
    if not starts:
        says = Sentence("No profile is called {patterns}.", patterns=listed(planned.profiles))
        yield missing(About.PROFILES, says)
    able = [profile for profile in profiles_of(planned, catalogue) if run_of(planned, profile)]
    judge = warning if able else missing
    for profile, size_name in starts:
        run = run_of(planned, profile)
        if run is None:
            facts = {"profile": profile.slug, "cluster": planned.cluster}
            says = Sentence("Profile {profile} does not run on {cluster}: nobody can start it in this event.", **facts)
            yield judge(About.PROFILES, says)
        else:
            yield from _of_profile(planned, catalogue, view, profile, size_name, run)
    if planned.size is None and able:
        sizes = listed(f"{profile.slug}: {profile.default_size}" for profile in able)
        says = Sentence(
            "People choose the size themselves; counted is the default of each profile: {sizes}.", sizes=sizes
        )
        yield warning(About.PROFILES, says)


def _of_profile(
    planned: Planned, catalogue: Catalogue, view: ClusterView, profile: Profile, size_name: str, run: Run
) -> Iterator[Finding]:
    found = [*_access(planned, catalogue, profile), *_place(planned, catalogue, view, profile, size_name, run)]
    yield from found
    if not any(finding.severity == "missing" for finding in found):
        says = Sentence(
            "Profile {profile} runs in partition {partition} of {cluster}: {sessions} of size {size}.",
            sessions=sessions(planned.sessions),
            size=size_name,
            profile=profile.slug,
            partition=run.partition,
            cluster=run.cluster,
        )
        yield fine(About.PROFILES, says)


def _access(planned: Planned, catalogue: Catalogue, profile: Profile) -> Iterator[Finding]:
    """Judge whether the profile's own rules let the event's people in."""
    patterns, access = patterns_of(catalogue, profile), profile.access
    facts: dict[str, object] = {"profile": profile.slug}
    if not matches(patterns, planned.allocation):
        says = Sentence(
            "Profile {profile} is not for allocation {allocation}, but for: {patterns}.",
            **facts,
            allocation=planned.allocation,
            patterns=listed(patterns),
        )
        yield missing(About.PROFILES, says)
    if not _open_all_the_time(planned, catalogue, access):
        says = Sentence("Profile {profile} cannot be started all through the event: see its from and until.", **facts)
        yield missing(About.PROFILES, says)
    if access.events and not any(fnmatchcase(planned.slug, pattern) for pattern in access.events):
        names = listed(access.events)
        says = Sentence("Profile {profile} is for other events only: {names}.", **facts, names=names)
        yield missing(About.PROFILES, says)
    if access.groups:
        names = listed(access.groups)
        says = Sentence("Profile {profile} is only for people in one of these groups: {names}.", **facts, names=names)
        yield warning(About.PROFILES, says)


def _open_all_the_time(planned: Planned, catalogue: Catalogue, access: Access) -> bool:
    moments = (planned.begins_epoch, planned.closes_epoch - 1)
    return all(in_window(access, catalogue.site, moment) for moment in moments)


def _place(
    planned: Planned, catalogue: Catalogue, view: ClusterView, profile: Profile, size_name: str, run: Run
) -> Iterator[Finding]:
    """Judge whether a session of that size can run there at all."""
    if obstacle := place_obstacle(catalogue, profile, run, view):
        yield missing(About.PROFILES, obstacle)
        return
    partition = view.partitions[run.partition]
    if not admits(partition, planned.allocation):
        says = Sentence(
            "Partition {partition} of {cluster} does not admit allocation {allocation}.",
            partition=run.partition,
            cluster=run.cluster,
            allocation=planned.allocation,
        )
        yield missing(About.PEOPLE, says, admitting(planned, partition))
    if size_name not in profile.sizes:
        says = Sentence(
            "Profile {profile} has no size {size}; it has: {names}.",
            profile=profile.slug,
            size=size_name,
            names=listed(profile.sizes),
        )
        yield missing(About.PROFILES, says)
    elif obstacle := size_obstacle(view, run, profile.sizes[size_name]):
        yield missing(About.ROOM, Sentence("{obstacle} for size {size}.", obstacle=obstacle, size=size_name))
    if planned.qos is not None and planned.qos not in run.qos:
        says = Sentence(
            "QOS {qos} is not one of {profile} on {cluster}.",
            qos=planned.qos,
            profile=profile.slug,
            cluster=run.cluster,
        )
        yield missing(About.LIMITS, says)


def admitting(planned: Planned, partition: Partition) -> commands.Argv:
    """Give the command that lets the event's allocation into a partition."""
    if partition.allow_accounts is not None and planned.allocation not in partition.allow_accounts:
        names = sorted({*partition.allow_accounts, planned.allocation})
        return commands.update_partition(planned.cluster, partition.name, "AllowAccounts", ",".join(names))
    names = sorted(partition.deny_accounts - {planned.allocation})
    return commands.update_partition(planned.cluster, partition.name, "DenyAccounts", ",".join(names))


def alike(places: list[Place]) -> list[Place]:
    """Give one place of each kind: profiles of the same size in the same partition need the same."""
    return list({place.needs: place for place in reversed(places)}.values())[::-1]
