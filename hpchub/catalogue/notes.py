"""What a person should know of a place before they start there, although it is an offer.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from hpchub.catalogue.budget import enough_minutes
from hpchub.catalogue.limits import Held, layers_of, waits
from hpchub.catalogue.maintenance import Closing, closing
from hpchub.catalogue.model import Run
from hpchub.catalogue.moments import told, zone_of
from hpchub.catalogue.offers import Group
from hpchub.catalogue.reasons import listed
from hpchub.catalogue.rules import Person, associations_of
from hpchub.catalogue.site import Site
from hpchub.slurm.model import ClusterView


def closing_note(site: Site, view: ClusterView, run: Run, now_epoch: float, longest_minutes: int) -> str | None:
    """Say what takes the nodes of a partition before the longest of the sessions could end; None where nothing does."""
    known = closing(view, run.partition, now_epoch)
    if known is None or known.fits_minutes >= longest_minutes:
        return None
    zone = zone_of(site.timezone)
    begins, ends = (
        told(datetime.fromtimestamp(at, zone).astimezone(zone)) for at in (known.begins_epoch, known.ends_epoch)
    )
    return _sentence(known, f"partition {run.partition} of {run.cluster}", begins, ends, now_epoch)


def _sentence(known: Closing, where: str, begins: str, ends: str, now_epoch: float) -> str:
    if known.begins_epoch <= now_epoch:
        state = "is in maintenance" if known.maintenance else "is reserved for others"
        return f"{where[0].upper()}{where[1:]} {state} until {ends}: what is started now waits until then."
    what = f"Maintenance of {where}" if known.maintenance else f"A reservation of all nodes of {where}"
    return (
        f"{what} begins {begins} and ends {ends}: "
        f"a session of more than {known.fits_minutes} minutes waits until after it."
    )


def notes_of(site: Site, person: Person, views: Mapping[str, ClusterView], groups: Iterable[Group]) -> tuple[str, ...]:
    """Give the sentences about the places of these offers, each once."""
    places: dict[tuple[str, str], list[Group]] = {}
    for group in groups:
        places.setdefault((group.run.cluster, group.run.partition), []).append(group)
    said = (note for (cluster, _), same in places.items() for note in _notes(site, person, views[cluster], same))
    return tuple(dict.fromkeys(said))


def _notes(site: Site, person: Person, view: ClusterView, groups: list[Group]) -> Iterator[str]:
    """Give the sentences about one partition."""
    run = groups[0].run
    longest_minutes = max(term.max_minutes for group in groups for term in group.terms)
    if note := closing_note(site, view, run, person.now_epoch, longest_minutes):
        yield note
    if not person.held:
        return
    counting = associations_of(person, view, run.partition)
    for account, qos in dict.fromkeys(_payments(groups)):
        layers = layers_of(view, view.partitions[run.partition], qos, counting[account].limits)
        if note := waits(layers, person.held, Held("", run.cluster, run.partition, account, qos)):
            yield f"QOS {qos} {note} (allocation {account})."


def budget_notes(person: Person, groups: Iterable[Group]) -> Iterator[str]:
    """Say for how long what is left of each allocation is enough, where that is less than what is offered."""
    enough: dict[tuple[str, str], dict[str, int]] = {}
    for group in groups:
        for account, allowed in group.accounts.items():
            budget = person.budgets.get(group.run.cluster, {}).get(account)
            if budget is None:
                continue
            for term in group.terms:
                minutes = enough_minutes(budget, term.core_hours_an_hour)
                if term.qos in allowed and minutes is not None and minutes < term.max_minutes:
                    sizes = enough.setdefault((account, group.run.cluster), {})
                    sizes[term.size] = min(minutes, sizes.get(term.size, minutes))
    for (account, cluster), sizes in enough.items():
        each = listed(f"{minutes} minutes of size {size}" for size, minutes in sizes.items())
        yield f"What is left of {account} on {cluster} is enough for {each}."


def _payments(groups: list[Group]) -> Iterator[tuple[str, str]]:
    for group in groups:
        offered = {term.qos for term in group.terms}
        for account, allowed in group.accounts.items():
            yield from ((account, qos) for qos in group.run.qos if qos in offered and qos in allowed)
