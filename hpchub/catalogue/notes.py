"""What a person should know of a place before they start there, although it is an offer.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from hpchub.catalogue.budget import enough_minutes
from hpchub.catalogue.limits import Held, layers_of, waits
from hpchub.catalogue.maintenance import Closing, closing
from hpchub.catalogue.model import Run
from hpchub.catalogue.moments import zone_of
from hpchub.catalogue.offers import Group
from hpchub.catalogue.rules import Person, associations_of
from hpchub.catalogue.site import Site
from hpchub.slurm.model import ClusterView
from hpchub.text import Counted, Sentence, When, listed


def closing_note(site: Site, view: ClusterView, run: Run, now_epoch: float, longest_minutes: int) -> Sentence | None:
    """Say what takes the nodes of a partition before the longest of the sessions could end; None where nothing does."""
    known = closing(view, run.partition, now_epoch)
    if known is None or known.fits_minutes >= longest_minutes:
        return None
    zone = zone_of(site.timezone)
    begins, ends = (
        When(datetime.fromtimestamp(at, zone).astimezone(zone)) for at in (known.begins_epoch, known.ends_epoch)
    )
    facts: dict[str, object] = {"partition": run.partition, "cluster": run.cluster, "begins": begins, "ends": ends}
    return _closed(known, facts) if known.begins_epoch <= now_epoch else _closes(known, facts)


def _closed(known: Closing, facts: dict[str, object]) -> Sentence:
    if known.maintenance:
        return Sentence(
            "Partition {partition} of {cluster} is in maintenance until {ends}: what is started now waits until then.",
            **facts,
        )
    return Sentence(
        "Partition {partition} of {cluster} is reserved for others until {ends}: what is started now waits until then.",
        **facts,
    )


def _closes(known: Closing, facts: dict[str, object]) -> Sentence:
    fits = Counted("{n} minute", "{n} minutes", known.fits_minutes)
    if known.maintenance:
        return Sentence(
            "Maintenance of partition {partition} of {cluster} begins {begins} and ends {ends}: a session of more than "
            "{fits} waits until after it.",
            **facts,
            fits=fits,
        )
    return Sentence(
        "A reservation of all nodes of partition {partition} of {cluster} begins {begins} and ends {ends}: a session "
        "of more than {fits} waits until after it.",
        **facts,
        fits=fits,
    )


def notes_of(
    site: Site, person: Person, views: Mapping[str, ClusterView], groups: Iterable[Group]
) -> tuple[Sentence, ...]:
    """Give the sentences about the places of these offers, each once."""
    places: dict[tuple[str, str], list[Group]] = {}
    for group in groups:
        places.setdefault((group.run.cluster, group.run.partition), []).append(group)
    said = (note for (cluster, _), same in places.items() for note in _notes(site, person, views[cluster], same))
    return tuple(dict.fromkeys(said))


def _notes(site: Site, person: Person, view: ClusterView, groups: list[Group]) -> Iterator[Sentence]:
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
            yield Sentence("QOS {qos} {reason} (allocation {account}).", qos=qos, reason=note, account=account)


def budget_notes(person: Person, groups: Iterable[Group]) -> Iterator[Sentence]:
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
        each = listed(
            Counted("{n} minute of size {size}", "{n} minutes of size {size}", minutes, size=size)
            for size, minutes in sizes.items()
        )
        yield Sentence(
            "What is left of {account} on {cluster} is enough for {times}.",
            account=account,
            cluster=cluster,
            times=each,
        )


def _payments(groups: list[Group]) -> Iterator[tuple[str, str]]:
    for group in groups:
        offered = {term.qos for term in group.terms}
        for account, allowed in group.accounts.items():
            yield from ((account, qos) for qos in group.run.qos if qos in offered and qos in allowed)
