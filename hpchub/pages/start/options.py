"""One entry of each thing to choose, in the reader's words.  Pure."""

from __future__ import annotations

from dataclasses import dataclass

from hpchub.catalogue.budget import Level, enough_minutes, left_in_words, level_of
from hpchub.catalogue.maintenance import Closing
from hpchub.catalogue.model import Catalogue, Run, Size
from hpchub.catalogue.moments import day_of, zone_of
from hpchub.catalogue.offers import Offer
from hpchub.catalogue.rules import Person
from hpchub.pages.moments import duration
from hpchub.pages.start.figures import free_gpus
from hpchub.pages.start.words import budget_of, cluster_name, gpu_name
from hpchub.slurm.model import ClusterView
from hpchub.text import Speech, in_words


@dataclass(frozen=True, slots=True)
class Option:
    """One entry: what is sent, and what a person reads."""

    value: str
    title: str
    detail: str = ""
    warning: str = ""
    """What to know before one picks it; it is possible all the same."""
    obstacle: str = ""
    """Why it cannot be picked; empty where it can."""
    selected: bool = False


def allocation(catalogue: Catalogue, person: Person, offer: Offer, selected: bool, speech: Speech) -> Option:
    """Describe the allocation of an offer: what is left of it, and for how long that is enough."""
    budget = budget_of(catalogue, person, offer)
    if budget is None:
        free = offer.core_hours_an_hour <= 0
        return Option(
            offer.allocation, offer.allocation, speech.say("Free of charge") if free else "", selected=selected
        )
    today = day_of(person.now_epoch, zone_of(catalogue.site.timezone))
    level = level_of(budget, catalogue.site.clusters[offer.cluster].budget, today)
    enough = enough_minutes(budget, offer.core_hours_an_hour)
    warning = ""
    if enough is not None and enough < offer.max_minutes:
        warning = speech.say("enough for {time} of size {size}", time=duration(enough), size=offer.size)
    elif level is Level.MONTH_SPENT:
        warning = speech.say("this month’s share is used up: jobs start later")
    elif level in (Level.LOW, Level.NEARLY_SPENT):
        warning = speech.say("running low")
    return Option(
        offer.allocation, offer.allocation, in_words(left_in_words(budget), speech), warning, selected=selected
    )


def cluster(
    catalogue: Catalogue, view: ClusterView | None, run: Run, obstacle: str, selected: bool, speech: Speech
) -> Option:
    """Describe a place: its GPUs, and how many are free now."""
    detail = ""
    if run.gpu_type and view is not None and run.partition in view.partitions:
        free = free_gpus(view, run.partition, run.gpu_type)
        kind = gpu_name(catalogue, run.cluster, run.gpu_type)
        silent = view.silent_since_epoch is not None
        detail = kind if silent else speech.say("{gpu}, {n} free now", gpu=kind, n=free)
    title = cluster_name(catalogue, run.cluster, speech)
    return Option(run.cluster, title, detail, obstacle=obstacle, selected=selected)


def size(name: str, amounts: Size, obstacle: str, selected: bool, speech: Speech) -> Option:
    """Describe a size in words, its name small beside it."""
    cores = speech.say_number("{n} core", "{n} cores", amounts.cores)
    memory = f"{amounts.memory_mb // 1024} GB"
    gpus = speech.say_number("{n} GPU", "{n} GPUs", amounts.gpus) if amounts.gpus else ""
    title, detail = (gpus, f"{cores}, {memory}") if gpus else (cores, memory)
    return Option(name, title, f"{detail} · {name}", obstacle=obstacle, selected=selected)


def closing_words(closing: Closing | None, speech: Speech) -> str:
    """Say what takes the nodes: a maintenance or somebody's reservation."""
    if closing is not None and closing.maintenance:
        return speech.say("the maintenance")
    return speech.say("the reservation")
