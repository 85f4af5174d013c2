"""What a size costs, what is left and where it runs, in the reader's words.  Pure."""

from __future__ import annotations

from hpchub.catalogue.budget import Budget, enough_minutes
from hpchub.catalogue.model import Catalogue, in_language
from hpchub.catalogue.offers import Offer
from hpchub.catalogue.rules import Person
from hpchub.pages.moments import duration
from hpchub.text import Number, Speech


def budget_of(catalogue: Catalogue, person: Person, offer: Offer) -> Budget | None:
    """Give what an offer would be paid from; None where nothing is charged, or nothing is known."""
    if offer.partition in catalogue.site.clusters[offer.cluster].free_partitions:
        return None
    return person.budgets.get(offer.cluster, {}).get(offer.allocation)


def hours(amount: float) -> Number:
    """Give an amount of hours with as many digits as mean something."""
    return Number(amount, 0 if amount >= 10 or amount == round(amount) else 1 if amount >= 1 else 2)


def cost_words(offer: Offer, minutes: int, speech: Speech) -> str:
    """Say what holding an offer for so long costs: ``2 h × 1 GPU = 16 core-hours``."""
    if offer.core_hours_an_hour <= 0:
        return speech.say("Free of charge")
    amount = offer.cost(minutes).core_hours
    held = (
        speech.say_number("{n} GPU", "{n} GPUs", offer.gpus)
        if offer.gpus
        else speech.say_number("{n} core", "{n} cores", offer.cores)
    )
    total = speech.say_number(
        "{amount} core-hour", "{amount} core-hours", 1 if amount == 1 else 2, amount=hours(amount)
    )
    return f"{duration(minutes)} × {held} = {total}"


def share_words(offer: Offer, minutes: int, budget: Budget | None, speech: Speech) -> str:
    """Say which part of what is left that is; an empty text where nothing is charged or nothing is known."""
    enough = enough_minutes(budget, offer.core_hours_an_hour) if budget else None
    if budget is None or enough is None:
        return ""
    if enough < minutes:
        return speech.say("more than what is left, which is enough for {time}", time=duration(enough))
    percent = 100 * offer.cost(minutes).core_hours / budget.left_core_hours
    if percent < 0.1:
        return speech.say("less than {percent} % of what is left", percent=Number(0.1, 1))
    return speech.say("{percent} % of what is left", percent=Number(percent, 1 if percent < 10 else 0))


def gpus_words(catalogue: Catalogue, cluster: str, gpus: int, gpu_type: str | None, speech: Speech) -> str:
    """Say which GPUs: ``2 × NVIDIA A100 64 GB``, or that there are none."""
    if not gpus or gpu_type is None:
        return speech.say("no GPU")
    return f"{gpus} × {gpu_name(catalogue, cluster, gpu_type)}"


def gpu_name(catalogue: Catalogue, cluster: str, gpu_type: str) -> str:
    """Give what people call a type of GPU."""
    return catalogue.site.clusters[cluster].gpus.get(gpu_type, gpu_type)


def cluster_name(catalogue: Catalogue, cluster: str, speech: Speech) -> str:
    """Give what people call a cluster."""
    return in_language(catalogue.site.clusters[cluster].title, speech.language)
