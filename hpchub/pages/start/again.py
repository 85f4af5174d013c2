"""What a person had before, to be started again by one press; for somebody who had nothing, where to begin.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from hpchub.catalogue.choice import Accepted, default_offer
from hpchub.catalogue.model import in_language
from hpchub.errors import ChoiceRefused
from hpchub.pages.moments import duration
from hpchub.pages.start.panel import Scene
from hpchub.pages.start.wanted import FIELDS
from hpchub.pages.start.words import cluster_name, cost_words, gpus_words
from hpchub.text import in_words

MOST_KEPT = 4
"""The last choice, and three before it."""


def remembered(earlier: Sequence[Mapping[str, Any]], choice: Mapping[str, Any], epoch: float) -> list[dict[str, Any]]:
    """Give what a server keeps of its accepted choices, the newest first: each is there once, with its last time."""
    others = [dict(each) for each in earlier if each.get("choice") != choice]
    return [{"choice": dict(choice), "epoch": epoch}, *others][:MOST_KEPT]


def recent(
    of_servers: Iterable[Sequence[Mapping[str, Any]]], first: Mapping[str, Any] | None
) -> list[Mapping[str, Any]]:
    """Give the choices that all servers of a person remember, the newest first, each once.

    Args:
        of_servers: what each of them keeps (:func:`remembered`).
        first: the choice that comes before all others: the last one of the server that the page is for.
    """
    kept = sorted((each for server in of_servers for each in server), key=lambda each: -float(each["epoch"]))
    found = [first] if first else []
    for each in kept:
        if each["choice"] not in found:
            found.append(each["choice"])
    return found[:MOST_KEPT]


@dataclass(frozen=True, slots=True)
class Again:
    """One choice in a line, with a button."""

    title: str
    facts: tuple[str, ...]
    """What it is, who pays, where."""
    choice: Mapping[str, object]
    """What its button sends, and its link shows."""
    cost: str = ""
    starts: str | Markup = ""
    obstacle: str = ""
    """Why it cannot be started now; empty where it can."""


def agains(scene: Scene, choices: Iterable[Mapping[str, Any]]) -> tuple[Again, ...]:
    """Describe earlier choices; one whose profile is gone, or not for the person any more, is left out."""
    return tuple(each for each in (_again(scene, choice) for choice in choices) if each is not None)


def beginning(scene: Scene) -> Again | None:
    """Describe what the site proposes to somebody new; None where they have no offer."""
    try:
        return _possible(scene, default_offer(scene.catalogue, scene.person, scene.views))
    except ChoiceRefused:
        return None


def _again(scene: Scene, choice: Mapping[str, Any]) -> Again | None:
    profile = scene.catalogue.profiles.get(str(choice.get("profile")))
    if profile is None:
        return None
    asked = {name: choice[name] for name in FIELDS if choice.get(name) is not None}
    try:
        return _possible(scene, scene.accepted(asked))
    except ChoiceRefused as refused:
        minutes = asked.get("minutes")
        facts = (duration(minutes) if isinstance(minutes, int) else "", str(asked.get("allocation", "")))
        title = in_language(profile.title, scene.speech.language)
        return Again(title, tuple(filter(None, facts)), asked, obstacle=in_words(refused, scene.speech))


def _possible(scene: Scene, accepted: Accepted) -> Again:
    offer, speech = accepted.offer, scene.speech
    starts, obstacle = scene.outlook(accepted)
    facts = [
        gpus_words(scene.catalogue, offer.cluster, offer.gpus, offer.gpu_type, speech),
        duration(accepted.minutes),
        offer.allocation,
        cluster_name(scene.catalogue, offer.cluster, speech),
    ]
    if accepted.event:
        facts.append(accepted.event.title)
    choice = {name: value for name, value in accepted.as_user_options().items() if value is not None}
    title = in_language(scene.catalogue.profiles[offer.profile].title, speech.language)
    return Again(title, tuple(facts), choice, cost_words(offer, accepted.minutes, speech), starts, obstacle)
