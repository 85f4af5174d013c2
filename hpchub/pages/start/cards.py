"""What else there is: a card for each profile that a person may see, by sector, found by words.

Pure but for what it keeps: most of a card is the same for everybody who reads the same language, and is drawn once a
catalogue.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from hpchub.catalogue.model import Catalogue, Profile, Run, in_language
from hpchub.catalogue.offers import Group
from hpchub.catalogue.reasons import why_not_here
from hpchub.catalogue.rules import may_see
from hpchub.pages.start.figures import free_gpus
from hpchub.pages.start.inside import MOST_SHOWN, Content, contents_of, found_in, has_package, packages_text
from hpchub.pages.start.panel import Scene
from hpchub.pages.start.wanted import Wanted
from hpchub.pages.start.words import gpu_name
from hpchub.text import Speech, in_words

MOST_CARDS = 12
"""Of a sector, while all sectors are shown and nothing is searched for; the rest is one click away."""
PORTION = 24
"""Of a sector that is shown alone, and of what was found; each click shows so many more."""

_templates = Environment(
    loader=PackageLoader("hpchub"), autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a profile runs: its GPUs there, and how many of them are free."""

    gpu: str
    """What people call them; empty where it has none."""
    free: int | None
    """None where there is no GPU, or nothing is known."""
    as_of_epoch: float | None
    """Of what time the figure is; None for now, while the cluster answers."""
    charged: bool


@dataclass(frozen=True, slots=True)
class Card:
    """One profile."""

    slug: str
    title: str
    description: str
    contents: Markup
    """Entries of a list."""
    found: tuple[Content, ...]
    """What was searched for and does not show otherwise."""
    places: tuple[Place, ...]
    obstacle: str
    """Why it cannot be started now; empty where it can."""


@dataclass(frozen=True, slots=True)
class Section:
    """One sector with what is shown of it."""

    name: str
    title: str
    cards: tuple[Card, ...]
    count: int
    """How many there are, shown or not."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """All sections, and the sectors that can be chosen."""

    sections: tuple[Section, ...]
    sectors: tuple[tuple[str, str], ...]
    """Name and title of those in which the person may see anything."""
    found: int


def shelf(scene: Scene, groups: Mapping[str, tuple[Group, ...]], wanted: Wanted) -> Shelf:
    """Sort out what a person may see.

    Args:
        scene: who looks at what.
        groups: their offers, by profile.
        wanted: the words and the sector that they look for.
    """
    catalogue, speech = scene.catalogue, scene.speech
    visible: dict[str, list[Profile]] = {}
    for slug, profile in catalogue.profiles.items():
        if slug in groups or may_see(catalogue, scene.person, scene.views, profile):
            visible.setdefault(profile.sector, []).append(profile)
    words = folded(wanted.search).split()
    sector = wanted.sector if wanted.sector in visible else ""
    finder = _Finder(catalogue, words)
    sections = []
    for name, profiles in visible.items():
        if sector in ("", name):
            matching = [each for each in profiles if _has(catalogue, each, words, speech)]
            most = PORTION * wanted.more if sector or words else MOST_CARDS
            cards = tuple(_card(scene, each, groups.get(each.slug, ()), finder) for each in matching[:most])
            sections.append(Section(name, _title(catalogue, name, speech), cards, len(matching)))
    return Shelf(
        sections=tuple(each for each in sections if each.count),
        sectors=tuple((name, _title(catalogue, name, speech)) for name in visible),
        found=sum(each.count for each in sections),
    )


def _title(catalogue: Catalogue, sector: str, speech: Speech) -> str:
    return in_language(catalogue.sectors[sector].title, speech.language)


class _Finder:
    """Says what of an environment was searched for; profiles that share one are many."""

    def __init__(self, catalogue: Catalogue, words: list[str]) -> None:
        self._catalogue = catalogue
        self._words = words
        self._known: dict[tuple[str, tuple[str, ...], tuple[str, ...]], tuple[Content, ...]] = {}

    def found(self, profile: Profile, fixed: _Fixed, places: Iterable[str]) -> tuple[Content, ...]:
        """Give what a card would not show.

        Args:
            profile: whose card it is.
            fixed: what the card shows anyway.
            places: the clusters whose versions are of interest, in this order.
        """
        words = tuple(dict.fromkeys(word for word in self._words if word not in fixed.visible))
        if not words:
            return ()
        targets = tuple(self._catalogue.site.clusters[cluster].software_target for cluster in places)
        key = (profile.environment, targets, words)
        if key not in self._known:
            found = found_in(self._catalogue.environments[profile.environment], targets, words)
            self._known[key] = tuple(dict.fromkeys(found))
        return self._known[key]


def _card(scene: Scene, profile: Profile, groups: tuple[Group, ...], finder: _Finder) -> Card:
    obstacle = ""
    if not groups:
        run = next((each for each in profile.runs_on if each.cluster in scene.views), profile.runs_on[0])
        view = scene.views.get(run.cluster)
        obstacle = in_words(why_not_here(scene.catalogue, scene.person, view, profile, run), scene.speech)
    fixed = _fixed(scene.catalogue, profile, scene.speech)
    clusters = [group.run.cluster for group in groups] or [run.cluster for run in profile.runs_on]
    return Card(
        slug=profile.slug,
        title=fixed.title,
        description=fixed.description,
        contents=fixed.contents,
        found=finder.found(profile, fixed, clusters),
        places=tuple(_places(scene, profile, groups)),
        obstacle=obstacle,
    )


def _places(scene: Scene, profile: Profile, groups: tuple[Group, ...]) -> Iterator[Place]:
    charged: dict[str, bool] = {}
    for group in groups:
        dear = any(term.core_hours_an_hour > 0 for term in group.terms)
        charged[group.run.cluster] = charged.get(group.run.cluster, False) or dear
    for run in profile.runs_on:
        if run.cluster in charged or not groups:
            yield _place(scene, profile, run, charged.get(run.cluster, True))


def _place(scene: Scene, profile: Profile, run: Run, charged: bool) -> Place:
    view = scene.views.get(run.cluster)
    with_gpu = run.gpu_type is not None and any(size.gpus for size in profile.sizes.values())
    known = view is not None and run.partition in view.partitions
    return Place(
        gpu=gpu_name(scene.catalogue, run.cluster, run.gpu_type) if run.gpu_type and with_gpu else "",
        free=free_gpus(view, run.partition, run.gpu_type) if view and known and run.gpu_type and with_gpu else None,
        as_of_epoch=view.taken_epoch if view and view.silent_since_epoch is not None else None,
        charged=charged,
    )


# What is the same for everybody


@dataclass(frozen=True, slots=True)
class _Fixed:
    title: str
    description: str
    contents: Markup
    visible: str
    """What the card shows, as it is compared."""
    haystack: str
    """That, and what else a search looks through."""
    packages: str
    """For :func:`has_package`."""


# By language: the catalogue that it was drawn from, which is thereby kept alive, and what was drawn of it.
_drawn: dict[str, tuple[Catalogue, dict[str, _Fixed]]] = {}


def _fixed(catalogue: Catalogue, profile: Profile, speech: Speech) -> _Fixed:
    shared = catalogue.shared
    if profile.slug not in shared.profiles:
        # Of one person's own: too many to keep.
        return _draw(catalogue, profile, speech)
    kept = _drawn.get(speech.language)
    if kept is None or kept[0] is not shared:
        kept = _drawn[speech.language] = (shared, {})
    found = kept[1].get(profile.slug)
    if found is None:
        found = kept[1][profile.slug] = _draw(shared, profile, speech)
    return found


def _draw(catalogue: Catalogue, profile: Profile, speech: Speech) -> _Fixed:
    environment = catalogue.environments[profile.environment]
    title = in_language(profile.title, speech.language)
    description = in_language(profile.description, speech.language)
    names = [name for name, _ in contents_of(environment)]
    drawn = _templates.get_template("hpchub_start_card.html").render(contents=names, most=MOST_SHOWN)
    visible = (title, description, *names[:MOST_SHOWN])
    sector = _title(catalogue, profile.sector, speech)
    others = (profile.slug, sector, environment.name, *environment.contents)
    others += (in_language(environment.title, speech.language), in_language(environment.description, speech.language))
    return _Fixed(
        title=title,
        description=description,
        contents=Markup(drawn),  # noqa: S704 - the template escapes what it prints
        visible=folded(" ".join(visible)),
        haystack=folded(" ".join((*visible, *others))),
        packages=packages_text(environment),
    )


def _has(catalogue: Catalogue, profile: Profile, words: list[str], speech: Speech) -> bool:
    if not words:
        return True
    fixed = _fixed(catalogue, profile, speech)
    return all(word in fixed.haystack or has_package(fixed.packages, word) for word in words)


def folded(text: str) -> str:
    """Give a text as it is compared: without case and accents."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(character for character in decomposed if not unicodedata.combining(character))
