"""Whether there are nodes for all sessions of a planned event: its reservation, and what else takes nodes.  Pure.

What is looked at are whole nodes, free or not: until the event comes, jobs come and go.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hpchub.catalogue.site import Site
from hpchub.console import reservation as reservations
from hpchub.console.capacity.places import Place, alike
from hpchub.console.capacity.planned import About, Finding, Planned, at, fine, missing, sessions, warning
from hpchub.slurm.model import ClusterView, Node, Reservation
from hpchub.text import Counted, Joined, Sentence, listed

MOST_NODES = 6
"""Nodes that a sentence names."""


def room_findings(
    planned: Planned, site: Site, view: ClusterView, places: list[Place], now_epoch: float
) -> Iterator[Finding]:
    """Judge the reservation, and whether it or else the partition has room for all sessions."""
    named = next((each for each in view.reservations if each.name == planned.reservation), None)
    if named is not None:
        yield from _window(planned, site, named, now_epoch)
        yield from _admits(planned, site, named)
        for place in alike(places):
            yield from _holds(planned, site, view, place, named, now_epoch)
        return
    for place in alike(places):
        yield from _partition(planned, view, place, now_epoch)
        yield from _maintenance(planned, site, view, place, _nodes(view, place, planned, now_epoch))
    if places and planned.reservation is None:
        yield _unreserved(planned, site, view, places[0], now_epoch)
    elif places:
        yield from _to_be_made(planned, site, view, alike(places), now_epoch)


def room_in(place: Place, nodes: Iterable[Node], held: Reservation | None = None) -> int:
    """Tell how many sessions fit on nodes, empty ones, within a reservation that may have only some of their cores."""
    nodes = list(nodes)
    room = sum(place.held_by(node) for node in nodes)
    if held is not None and held.cores < sum(node.cores for node in nodes):
        room = min(room, held.cores // place.size.cores)
    return room


def _window(planned: Planned, site: Site, named: Reservation, now_epoch: float) -> Iterator[Finding]:
    """Judge when a reservation begins and ends."""
    facts: dict[str, object] = {"name": named.name}
    if named.start_epoch > max(planned.begins_epoch, now_epoch):
        says = Sentence(
            "Reservation {name} begins {starts}, after the event, which begins {begins} with its set-up.",
            **facts,
            starts=at(named.start_epoch, site),
            begins=at(planned.begins_epoch, site),
        )
        start = _start(planned, now_epoch)
        earlier = reservations.update(planned.cluster, named.name, site.timezone, StartTime=start)
        yield missing(About.RESERVATION, says, earlier)
    if named.end_epoch < planned.closes_epoch:
        says = Sentence(
            "Reservation {name} ends {ends}, before the event, which closes {closes}.",
            **facts,
            ends=at(named.end_epoch, site),
            closes=at(planned.closes_epoch, site),
        )
        later = reservations.update(planned.cluster, named.name, site.timezone, EndTime=planned.closes_epoch)
        yield missing(About.RESERVATION, says, later)


def _admits(planned: Planned, site: Site, named: Reservation) -> Iterator[Finding]:
    """Judge whether a reservation lets the event's jobs in; where it names accounts and people, both count."""
    facts: dict[str, object] = {"name": named.name}
    change = (planned.cluster, named.name, site.timezone)
    if named.accounts and planned.allocation not in named.accounts:
        says = Sentence(
            "Reservation {name} is for these allocations, and not for {allocation}: {names}.",
            **facts,
            allocation=planned.allocation,
            names=listed(sorted(named.accounts)),
        )
        yield missing(About.RESERVATION, says, reservations.update(*change, Accounts_add=planned.allocation))
    shut_out = [name for name in planned.members if name not in named.users]
    if named.users and shut_out:
        says = Sentence(
            "Reservation {name} is for certain users, and not for: {names}.", **facts, names=listed(shut_out)
        )
        yield missing(About.RESERVATION, says, reservations.update(*change, Users_add=",".join(shut_out)))
    if named.users and not planned.members:
        names = listed(sorted(named.users))
        says = Sentence("Reservation {name} is for these users only: {names}.", **facts, names=names)
        yield warning(About.RESERVATION, says)
    if named.groups:
        names = listed(sorted(named.groups))
        says = Sentence("Reservation {name} is only for people in these POSIX groups: {names}.", **facts, names=names)
        yield warning(About.RESERVATION, says)


def _holds(
    planned: Planned, site: Site, view: ClusterView, place: Place, named: Reservation, now_epoch: float
) -> Iterator[Finding]:
    """Judge whether a reservation has nodes for all sessions, and whether they will be there."""
    nodes = [node for node in view.nodes if node.name in named.nodes]
    room = room_in(place, nodes, named)
    facts: dict[str, object] = {"name": named.name, "sessions": sessions(planned.sessions)}
    if room < planned.sessions:
        says = Sentence(
            "Reservation {name} holds {has} in partition {partition}; needed for {sessions}: {needs}.",
            **facts,
            has=place.amount(room),
            partition=place.run.partition,
            needs=place.amount(planned.sessions),
        )
        yield missing(About.RESERVATION, says, _more_nodes(planned, site, view, place, named, now_epoch))
        return
    broken = [node for node in nodes if not node.usable and not _in_maintenance(view, node, now_epoch)]
    rest = room_in(place, (node for node in nodes if node not in broken), named)
    if broken and rest < planned.sessions:
        says = Sentence(
            "Nodes of reservation {name} do not work now: {nodes}. Without them it has room for {room} of {sessions}.",
            **facts,
            nodes=listed(sorted(node.name for node in broken), MOST_NODES),
            room=rest,
        )
        yield warning(About.RESERVATION, says)
    yield from _maintenance(planned, site, view, place, [node for node in nodes if node not in broken])
    says = Sentence("Reservation {name} has room for {sessions}: {has}.", **facts, has=place.amount(room))
    yield fine(About.RESERVATION, says)


def _more_nodes(
    planned: Planned, site: Site, view: ClusterView, place: Place, named: Reservation, now_epoch: float
) -> tuple[str, ...]:
    """Give the command that makes a reservation large enough; none where no node of the partition would do."""
    wanted = _needed(planned, site, view, [place], now_epoch)
    if wanted is None:
        return ()
    return reservations.update(planned.cluster, named.name, site.timezone, NodeCnt=wanted.nodes)


def _partition(planned: Planned, view: ClusterView, place: Place, now_epoch: float) -> Iterator[Finding]:
    """Judge whether a partition has nodes for all sessions: those that work and that nobody else has reserved."""
    here = [node for node in view.nodes if place.held_by(node)]
    there = _nodes(view, place, planned, now_epoch)
    room = room_in(place, there)
    if room >= planned.sessions:
        return
    broken = [node for node in here if not node.usable and not _in_maintenance(view, node, now_epoch)]
    others = len(here) - len(there) - len(broken)
    reasons = [
        *([Counted("{n} node does not work", "{n} nodes do not work", len(broken))] if broken else []),
        *([Counted("{n} node is reserved for others", "{n} nodes are reserved for others", others)] if others else []),
    ]
    says = Sentence(
        "Partition {partition} of {cluster} has {has} in that time; needed for {sessions}: {needs}.",
        partition=place.run.partition,
        cluster=planned.cluster,
        has=place.amount(room),
        sessions=sessions(planned.sessions),
        needs=place.amount(planned.sessions),
    )
    if reasons:
        says = Joined([says, Sentence("Not counted: {reasons}.", reasons=Joined(reasons, ", "))])
    yield missing(About.ROOM, says)


def _nodes(view: ClusterView, place: Place, planned: Planned, now_epoch: float) -> list[Node]:
    """Give the nodes of a partition that work, but for those that somebody else has reserved in that time.

    Nodes in maintenance are among them: that is a finding of its own.
    """
    cores = {node.name: node.cores for node in view.nodes}
    taken = {
        name
        for each in _beside(planned, view.reservations)
        if not each.maintenance and each.cores >= sum(cores.get(name, 0) for name in each.nodes)
        for name in each.nodes
    }
    return [
        node
        for node in view.nodes
        if place.held_by(node) and node.name not in taken and (node.usable or _in_maintenance(view, node, now_epoch))
    ]


def _in_maintenance(view: ClusterView, node: Node, now_epoch: float) -> bool:
    """Tell whether maintenance has a node now: Slurm says of it that it is not usable, as of a broken one."""
    return any(
        each.maintenance and node.name in each.nodes and each.start_epoch <= now_epoch < each.end_epoch
        for each in view.reservations
    )


def _beside(planned: Planned, all_of_them: Iterable[Reservation]) -> list[Reservation]:
    """Give the reservations that have a moment in common with the event."""
    return [
        each
        for each in all_of_them
        if each.start_epoch < planned.closes_epoch and each.end_epoch > planned.begins_epoch
    ]


def _maintenance(planned: Planned, site: Site, view: ClusterView, place: Place, nodes: list[Node]) -> Iterator[Finding]:
    """Judge what maintenance takes of the nodes that the event counts on."""
    for each in _beside(planned, view.reservations):
        lost = [node for node in nodes if node.name in each.nodes]
        if not each.maintenance or not lost or each.name == planned.reservation:
            continue
        rest = room_in(place, (node for node in nodes if node not in lost))
        says = Sentence(
            "Maintenance ({name}) from {begins} to {ends} takes {nodes}; the others have room for {room} of "
            "{sessions}.",
            name=each.name,
            begins=at(each.start_epoch, site),
            ends=at(each.end_epoch, site),
            nodes=Counted("{n} node", "{n} nodes", len(lost)),
            room=min(rest, planned.sessions),
            sessions=sessions(planned.sessions),
        )
        yield (missing if rest < planned.sessions else warning)(About.MAINTENANCE, says)


def _start(planned: Planned, now_epoch: float) -> int | None:
    """Give when a reservation has to begin; None for at once."""
    return planned.begins_epoch if planned.begins_epoch > now_epoch else None


def _needed(
    planned: Planned, site: Site, view: ClusterView, places: list[Place], now_epoch: float
) -> reservations.Wanted | None:
    """Give the reservation that carries all sessions; None where no node carries one."""
    partition = places[0].run.partition
    counts = []
    for place in places:
        held = [place.held_by(node) for node in view.nodes if place.held_by(node)]
        if place.run.partition == partition and held:
            # Of several kinds of nodes Slurm may choose the smallest.
            counts.append(reservations.nodes_for(planned.sessions, min(held)))
    if not counts:
        return None
    return reservations.Wanted(
        name=planned.reservation or reservations.name_of(planned.slug, reservations.prefix_of(site)),
        cluster=planned.cluster,
        partition=partition,
        starts_epoch=_start(planned, now_epoch),
        ends_epoch=planned.closes_epoch,
        nodes=max(counts),
        account=planned.allocation,
    )


def reservation_needed(
    planned: Planned, site: Site, view: ClusterView, places: list[Place], now_epoch: float
) -> reservations.Wanted | None:
    """Give the reservation that the event needs; None where nothing of it can run, or one partition will not do."""
    if len({place.run.partition for place in places}) != 1:
        return None
    return _needed(planned, site, view, alike(places), now_epoch)


def _unreserved(planned: Planned, site: Site, view: ClusterView, place: Place, now_epoch: float) -> Finding:
    """Say what it means that nothing keeps the nodes."""
    says = Sentence(
        "No reservation keeps nodes for the event: its sessions wait like all others. Free now: {free}.",
        free=_free(view, place),
    )
    wanted = _needed(planned, site, view, [place], now_epoch)
    return warning(About.RESERVATION, says, reservations.create(wanted, site.timezone) if wanted else ())


def _free(view: ClusterView, place: Place) -> Sentence:
    if place.size.gpus:
        number = view.free_gpus(place.run.partition, place.run.gpu_type or "")
        return Counted("{n} GPU of the type {type}", "{n} GPUs of the type {type}", number, type=place.run.gpu_type)
    there = [node for node in view.nodes if node.usable and place.run.partition in node.partitions]
    return Counted("{n} core", "{n} cores", sum(node.cores - node.cores_used for node in there))


def _to_be_made(
    planned: Planned, site: Site, view: ClusterView, places: list[Place], now_epoch: float
) -> Iterator[Finding]:
    """Judge a reservation that is not there yet."""
    partitions = list(dict.fromkeys(place.run.partition for place in places))
    if len(partitions) > 1:
        says = Sentence(
            "A reservation lies in one partition, and the profiles of the event run in several: {names}.",
            names=listed(partitions),
        )
        yield missing(About.RESERVATION, says)
        return
    wanted = _needed(planned, site, view, places, now_epoch)
    if wanted is None:
        return
    facts: dict[str, object] = {
        "name": wanted.name,
        "cluster": planned.cluster,
        "partition": wanted.partition,
        "nodes": Counted("{n} node", "{n} nodes", wanted.nodes),
        "begins": at(wanted.starts_epoch or now_epoch, site),
        "ends": at(wanted.ends_epoch, site),
    }
    if reservations.can_be_made(site, planned.cluster, wanted.name):
        says = Sentence(
            "The hub makes reservation {name} on {cluster} itself: {nodes} of {partition}, from {begins} to {ends}.",
            **facts,
        )
        yield fine(About.RESERVATION, says)
        return
    says = Sentence(
        "There is no reservation {name} on {cluster} yet, and the hub has no right to make it. An administrator of "
        "Slurm can: {nodes} of {partition}, from {begins} to {ends}.",
        **facts,
    )
    yield missing(About.RESERVATION, says, reservations.create(wanted, site.timezone))
