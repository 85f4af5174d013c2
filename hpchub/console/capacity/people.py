"""Whether those who take part in a planned event may use its allocation and its QOS.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from hpchub.catalogue.rules import Person, associations_of
from hpchub.console.capacity import commands
from hpchub.console.capacity.places import Place
from hpchub.console.capacity.planned import About, Finding, Planned, fine, missing, warning
from hpchub.slurm.model import Association, ClusterView, Limits
from hpchub.text import Counted, Sentence, listed

MOST_NAMES = 8
"""People whom a sentence names."""


def associations_with(planned: Planned, view: ClusterView, partition: str) -> Mapping[str, Association]:
    """Give the associations with the event's allocation that count in a partition, by user.

    Those of the people who are known to take part; where nobody is, everybody's.
    """
    found = {}
    for name in planned.members or view.associations:
        association = associations_of(Person(name), view, partition).get(planned.allocation)
        if association is not None:
            found[name] = association
    return found


def entitled(planned: Planned, view: ClusterView, places: Iterable[Place]) -> frozenset[str]:
    """Give those of the people who are known to take part that may use the allocation wherever the event runs."""
    partitions = {place.run.partition for place in places}
    found = frozenset(planned.members) if partitions else frozenset()
    for partition in partitions:
        found &= associations_with(planned, view, partition).keys()
    return found


def association_limits(planned: Planned, view: ClusterView, partition: str) -> Mapping[Limits, tuple[str, ...]]:
    """Give the limits of these associations, each with the users who have them."""
    found: dict[Limits, tuple[str, ...]] = {}
    for name, association in associations_with(planned, view, partition).items():
        found[association.limits] = (*found.get(association.limits, ()), name)
    return found


def people_findings(planned: Planned, view: ClusterView, places: list[Place]) -> Iterator[Finding]:
    """Judge the associations, once for each partition and QOS."""
    if not planned.members:
        says = Sentence("Nobody who takes part is known yet: only the allocation itself was looked at.")
        yield warning(About.PEOPLE, says)
    for partition, qos in dict.fromkeys((place.run.partition, place.qos) for place in places):
        yield from _in_partition(planned, view, partition, qos)


def _in_partition(planned: Planned, view: ClusterView, partition: str, qos: str) -> Iterator[Finding]:
    associated = associations_with(planned, view, partition)
    facts: dict[str, object] = {
        "allocation": planned.allocation,
        "partition": partition,
        "cluster": planned.cluster,
        "qos": qos,
    }
    without = [name for name in planned.members if name not in associated]
    if without:
        says = Sentence(
            "Not associated with allocation {allocation} in partition {partition} of {cluster}: {names}.",
            **facts,
            names=listed(without, MOST_NAMES),
        )
        yield missing(About.PEOPLE, says, commands.associate(planned.cluster, planned.allocation, without))
    elif not associated:
        says = Sentence(
            "Nobody is associated with allocation {allocation} in partition {partition} of {cluster}.", **facts
        )
        yield missing(About.PEOPLE, says)
    denied = [name for name, association in associated.items() if qos not in association.qos]
    if denied:
        says = Sentence(
            "With allocation {allocation} these people may not use QOS {qos}: {names}.",
            **facts,
            names=listed(denied, MOST_NAMES),
        )
        yield missing(About.PEOPLE, says, commands.allow_qos(planned.cluster, planned.allocation, denied, qos))
    if associated and not without and not denied:
        people = Counted("{n} person", "{n} people", len(associated))
        says = Sentence("{people} may use allocation {allocation} with QOS {qos}.", **facts, people=people)
        yield fine(About.PEOPLE, says)
