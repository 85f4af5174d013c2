"""Whether a planned event and others at the same time get in each other's way.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hpchub.catalogue.model import Catalogue
from hpchub.console.capacity.people import MOST_NAMES
from hpchub.console.capacity.places import Place, alike, places_of
from hpchub.console.capacity.planned import About, Finding, Planned, fine, missing, sessions, warning
from hpchub.console.capacity.room import room_in
from hpchub.slurm.model import ClusterView
from hpchub.text import Sentence, listed


def other_findings(
    planned: Planned, catalogue: Catalogue, view: ClusterView, places: list[Place], others: Iterable[Planned]
) -> Iterator[Finding]:
    """Judge people, reservation and partition that other events use at the same time."""
    beside = [each for each in others if each.slug != planned.slug and planned.is_beside(each)]
    for other in beside:
        common = [name for name in planned.members if name in other.members]
        if common:
            says = Sentence(
                "At the same time these people are in event {event}, too: {names}.",
                event=other.slug,
                names=listed(common, MOST_NAMES),
            )
            yield missing(About.OTHER_EVENTS, says)
    here = [each for each in beside if each.cluster == planned.cluster and each.reservation == planned.reservation]
    for place in alike(places):
        crowded = [each for each in here if _shares(place, places_of(each, catalogue, view))]
        if crowded:
            yield from _together(planned, view, place, crowded)
    if not beside:
        yield fine(About.OTHER_EVENTS, Sentence("There is no other event at that time."))


def _shares(place: Place, others: list[Place]) -> bool:
    return any(other.run.partition == place.run.partition for other in others)


def _together(planned: Planned, view: ClusterView, place: Place, crowded: list[Planned]) -> Iterator[Finding]:
    """Judge a reservation, or a partition, that several events count on.

    Their sessions are counted as if all had the size of this event's.
    """
    held = next((each for each in view.reservations if each.name == planned.reservation), None)
    if planned.reservation is not None and held is None:
        return
    nodes = [node for node in view.nodes if held is None or node.name in held.nodes]
    room = room_in(place, nodes, held)
    all_of_them = planned.sessions + sum(each.sessions for each in crowded)
    if room >= all_of_them:
        return
    facts: dict[str, object] = {
        "events": listed(each.slug for each in crowded),
        "sessions": sessions(all_of_them),
        "room": room,
        "partition": place.run.partition,
        "name": planned.reservation,
    }
    if held is None:
        says = Sentence(
            "At the same time there is {events}: partition {partition} has room for {room} of {sessions}.", **facts
        )
        yield warning(About.OTHER_EVENTS, says)
        return
    says = Sentence(
        "At the same time reservation {name} is used by {events}, too: it has room for {room} of {sessions}.", **facts
    )
    yield missing(About.OTHER_EVENTS, says)
