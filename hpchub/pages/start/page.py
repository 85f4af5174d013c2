"""The whole start page, from a catalogue, a person and snapshots; nothing here asks anybody anything.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from hpchub.catalogue.choice import default_offer
from hpchub.catalogue.notes import notes_of
from hpchub.catalogue.offers import Group, offers
from hpchub.catalogue.reasons import budget_lines, silence
from hpchub.catalogue.rules import may_see
from hpchub.errors import ChoiceRefused
from hpchub.pages.start.again import Again, agains, beginning
from hpchub.pages.start.cards import Shelf, shelf
from hpchub.pages.start.panel import Panel, Scene, panel
from hpchub.pages.start.wanted import Wanted
from hpchub.text import in_words


@dataclass(frozen=True, slots=True)
class StartPage:
    """Everything that the page shows."""

    wanted: Wanted
    panel: Panel | None
    """The profile that was chosen; None for the overview."""
    notice: str
    """Why there is no panel although a profile was wanted; empty otherwise."""
    nothing: str
    """Why the person can start nothing at all; empty where they can."""
    blocked: str
    """Why nothing can be started now whatever is chosen; empty where it can."""
    banners: tuple[str, ...]
    """What everybody has to know now: a cluster that is silent, a maintenance."""
    again: tuple[Again, ...]
    """Earlier choices, the last one first; none beside a panel."""
    begin: Again | None
    """What the site proposes to somebody new; None beside earlier choices or a panel."""
    budgets: tuple[str, ...]
    """What is left of each allocation; none beside a panel, which says it where one picks."""
    warnings: tuple[str, ...]
    shelf: Shelf


def start_page(scene: Scene, wanted: Wanted, earlier: Iterable[Mapping[str, Any]], blocked: str = "") -> StartPage:
    """Work out what the page shows.

    Args:
        scene: who looks at what.
        wanted: what the address says, or a form that was refused.
        earlier: accepted choices of the person, the last one first.
        blocked: why nothing can be started now, whatever is chosen.
    """
    mine = offers(scene.catalogue, scene.person, scene.views)
    by_profile: dict[str, tuple[Group, ...]] = {}
    for group in mine.groups:
        by_profile[group.profile.slug] = (*by_profile.get(group.profile.slug, ()), group)
    chosen, notice = _chosen(scene, by_profile, wanted)
    again = () if chosen else agains(scene, earlier)
    budgets, warnings = ((), ()) if chosen else _budgets(scene, mine.groups)
    return StartPage(
        wanted=wanted,
        panel=chosen,
        notice=notice,
        nothing="" if mine else _why_nothing(scene),
        blocked=blocked,
        banners=tuple(_banners(scene, mine.groups, with_notes=chosen is None)),
        again=again,
        begin=None if chosen or again else beginning(scene),
        budgets=budgets,
        warnings=warnings,
        shelf=shelf(scene, by_profile, wanted),
    )


def _chosen(scene: Scene, by_profile: Mapping[str, tuple[Group, ...]], wanted: Wanted) -> tuple[Panel | None, str]:
    slug = wanted.choice.get("profile")
    if not slug:
        return None, ""
    profile = scene.catalogue.profiles.get(slug)
    if profile is None or not (slug in by_profile or may_see(scene.catalogue, scene.person, scene.views, profile)):
        return None, scene.refusal({"profile": slug})
    return panel(scene, profile, by_profile.get(slug, ()), wanted.choice), ""


def _why_nothing(scene: Scene) -> str:
    try:
        default_offer(scene.catalogue, scene.person, scene.views)
    except ChoiceRefused as refused:
        return in_words(refused, scene.speech)
    return ""


def _banners(scene: Scene, groups: tuple[Group, ...], with_notes: bool) -> Iterable[str]:
    clusters = dict.fromkeys(group.run.cluster for group in groups)
    site = scene.catalogue.site
    said = [text for name in clusters if (text := silence(site, scene.views[name]))]
    if with_notes:
        # What counts against a person's own jobs is said where one picks who pays.
        without_jobs = replace(scene.person, held=())
        said += notes_of(site, without_jobs, scene.views, groups)
    return (in_words(text, scene.speech) for text in said)


def _budgets(scene: Scene, groups: tuple[Group, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    # Groups share what is in them: a large site has thousands of groups and a handful of these.
    payers = {(group.run.cluster, id(group.accounts)): group for group in groups}
    paid = [(cluster, account) for (cluster, _), group in payers.items() for account in group.accounts]
    lines, warnings = budget_lines(scene.catalogue.site, scene.person, paid)
    speech = scene.speech
    return tuple(in_words(line, speech) for line in lines), tuple(in_words(each, speech) for each in warnings)
