"""The spawn page: offers as HTML that works without JavaScript, and what the browser sends back as a choice.

The page can only say what is an offer.  A card (one profile) is divided into *lanes*: all clusters, allocations and
sizes of a lane go together and allow the same longest time, so that its independent selects cannot make an invalid
choice.  Usually a card has one lane.  Each lane has its own submit button; the fields of the others are ignored.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, groupby

from jinja2 import Environment, PackageLoader, StrictUndefined

from hpchub.catalogue.model import Catalogue, Profile, Size, in_language
from hpchub.catalogue.offers import Offer
from hpchub.errors import ChoiceRefused
from hpchub.pages.words import amount
from hpchub.text import Speech

BUTTON = "start"
"""The field that says which lane was submitted."""
LAST = "last"
"""The name of the lane that repeats the last choice."""
FIELDS = ("profile", "cluster", "allocation", "size", "minutes", "qos")
TIMES = (15, 30, 60, 120, 240, 480, 720, 1440, 2880, 5760)

_templates = Environment(
    loader=PackageLoader("hpchub"), autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
)


@dataclass(frozen=True, slots=True)
class Lane:
    """Clusters, allocations and sizes of one profile of which every combination is an offer for up to a time."""

    clusters: tuple[str, ...]
    allocations: tuple[str, ...]
    sizes: tuple[str, ...]
    max_minutes: int


@dataclass(frozen=True, slots=True)
class Option:
    """One entry of a select: what is sent, and what a person reads."""

    value: str
    text: str


@dataclass(frozen=True, slots=True)
class Select:
    """One field of a lane; where there is only one cluster to choose from, it is not shown."""

    field: str
    label: str
    options: tuple[Option, ...]
    selected: str
    shown: bool = True


def lanes(offers: Iterable[Offer]) -> tuple[Lane, ...]:
    """Divide the offers of one profile into lanes; together they hold every cluster, allocation, size and time."""
    longest: dict[tuple[str, str, str], int] = {}
    for offer in offers:
        key = (offer.cluster, offer.allocation, offer.size)
        longest[key] = max(longest.get(key, 0), offer.max_minutes)
    sizes: dict[tuple[str, str, int], tuple[str, ...]] = {}
    for (cluster, allocation, size), most in longest.items():
        row = (cluster, allocation, most)
        sizes[row] = (*sizes.get(row, ()), size)
    allocations: dict[tuple[str, int, tuple[str, ...]], tuple[str, ...]] = {}
    for (cluster, allocation, most), names in sizes.items():
        column = (cluster, most, names)
        allocations[column] = (*allocations.get(column, ()), allocation)
    clusters: dict[tuple[int, tuple[str, ...], tuple[str, ...]], tuple[str, ...]] = {}
    for (cluster, most, names), accounts in allocations.items():
        block = (most, names, accounts)
        clusters[block] = (*clusters.get(block, ()), cluster)
    return tuple(Lane(where, accounts, names, most) for (most, names, accounts), where in clusters.items())


def form_html(
    catalogue: Catalogue,
    offers: Iterable[Offer],
    language: str,
    last: Mapping[str, object] | None = None,
    message: str = "",
    preset: Mapping[str, str] | None = None,
    notices: Sequence[str] = (),
    budgets: Sequence[str] = (),
    warnings: Sequence[str] = (),
) -> str:
    """Draw the spawn page's form, below what everybody has to know now (``notices``) and what is left to spend.

    That is open where there are ``warnings`` about it.

    ``last`` is the last accepted choice; it is offered again only while it still is an offer.  ``message`` says why
    there is nothing to choose, and is shown only then.  ``preset`` is a part of a choice that a link brought: it opens
    a card and selects in it, and what is not in the person's offers has no effect.
    """
    names = map(str, count(1))
    speech = Speech(language)
    sections = [
        (
            in_language(catalogue.sectors[sector].title, language),
            [
                _card(catalogue, catalogue.profiles[slug], tuple(group), names, speech, preset or {})
                for slug, group in groupby(of_sector, key=lambda offer: offer.profile)
            ],
        )
        for sector, of_sector in groupby(offers, key=lambda offer: offer.sector)
    ]
    again = next((offer for offer in offers if last and _is(offer, last)), None)
    return _templates.get_template("hpchub_form.html").render(
        _=speech.gettext,
        button=BUTTON,
        last_name=LAST,
        last={field: last[field] for field in FIELDS} if last and again else None,
        last_words=_in_words(catalogue, again, last, speech) if last and again else "",
        sections=sections,
        message=message,
        notices=notices,
        budgets=budgets,
        warnings=warnings,
    )


def choice_from_form(formdata: Mapping[str, Sequence[str]]) -> dict[str, str | int]:
    """Take the choice of the lane whose button was pressed; the fields of all others, and unknown ones, are ignored.

    Nothing is judged here: the result is for :func:`hpchub.catalogue.choice.accept`.  Raises :class:`ChoiceRefused`
    if no lane was submitted, since an empty choice would start the last one again.
    """
    lane = _only(formdata, BUTTON)
    values = {field: value for field in FIELDS if (value := _only(formdata, f"{lane}.{field}")) is not None}
    if lane is None or "profile" not in values:
        raise ChoiceRefused("Nothing was picked: press the button of one of the profiles.")
    choice: dict[str, str | int] = dict(values)
    minutes = values.get("minutes", "")
    # Longer or other text stays text and is refused as such.
    if minutes.isascii() and minutes.isdigit() and len(minutes) <= 9:
        choice["minutes"] = int(minutes)
    return choice


def _only(formdata: Mapping[str, Sequence[str]], field: str) -> str | None:
    values = formdata.get(field, ())
    if len(values) > 1:
        raise ChoiceRefused("The form has a field twice; load the page again.")
    return values[0] if values else None


def _card(
    catalogue: Catalogue,
    profile: Profile,
    offers: tuple[Offer, ...],
    names: Iterator[str],
    speech: Speech,
    preset: Mapping[str, str],
) -> dict[str, object]:
    chosen = preset if preset.get("profile") == profile.slug else {}
    return {
        "profile": profile.slug,
        "title": in_language(profile.title, speech.language),
        "description": in_language(profile.description, speech.language),
        "open": bool(chosen),
        "lanes": [{"name": next(names), **_lane(catalogue, profile, lane, speech, chosen)} for lane in lanes(offers)],
    }


def _lane(
    catalogue: Catalogue, profile: Profile, lane: Lane, speech: Speech, chosen: Mapping[str, str]
) -> dict[str, object]:
    size = profile.default_size if profile.default_size in lane.sizes else lane.sizes[0]
    usual = min(profile.sizes[size].default_minutes, lane.max_minutes)
    times = sorted({minutes for minutes in TIMES if minutes < lane.max_minutes} | {usual, lane.max_minutes})
    clusters = {name: _cluster_text(catalogue, profile, name, speech.language) for name in lane.clusters}
    say = speech.say
    sizes = {name: f"{name}: {_size_text(profile.sizes[name], speech)}" for name in lane.sizes}
    allocations = {name: name for name in lane.allocations}
    selects = [
        _select("cluster", say("Cluster"), clusters, lane.clusters[0], chosen, shown=len(clusters) > 1),
        _select("allocation", say("Allocation"), allocations, lane.allocations[0], chosen),
        _select("size", say("Size"), sizes, size, chosen),
        _select("minutes", say("Time"), {str(m): time_text(m) for m in times}, str(usual), chosen),
    ]
    places = say(" or ").join(clusters.values())
    legend = say("{places}, up to {time}", places=places, time=time_text(lane.max_minutes))
    return {"legend": legend, "selects": selects}


def _select(
    field: str, label: str, texts: Mapping[str, str], usual: str, chosen: Mapping[str, str], shown: bool = True
) -> Select:
    selected = chosen.get(field, usual)
    options = tuple(Option(value, text) for value, text in texts.items())
    return Select(field, label, options, selected if selected in texts else usual, shown)


def _cluster_text(catalogue: Catalogue, profile: Profile, cluster: str, language: str) -> str:
    title = in_language(catalogue.site.clusters[cluster].title, language)
    types = [run.gpu_type for run in profile.runs_on if run.cluster == cluster and run.gpu_type]
    return ", ".join([title, *(catalogue.site.clusters[cluster].gpus[kind] for kind in types)])


def _size_text(size: Size, speech: Speech) -> str:
    return amount(size.gpus, size.cores, size.memory_mb, speech)


def time_text(minutes: int) -> str:
    """Write minutes as people do: ``30 min``, ``2 h``, ``1 h 30 min``."""
    hours, rest = divmod(minutes, 60)
    return " ".join([*([f"{hours} h"] if hours else []), *([f"{rest} min"] if rest or not hours else [])])


def _is(offer: Offer, choice: Mapping[str, object]) -> bool:
    minutes = choice.get("minutes")
    same = all(choice.get(field) == getattr(offer, field) for field in FIELDS if field != "minutes")
    return same and isinstance(minutes, int) and 1 <= minutes <= offer.max_minutes


def _in_words(catalogue: Catalogue, offer: Offer, last: Mapping[str, object], speech: Speech) -> str:
    profile = catalogue.profiles[offer.profile]
    parts = [
        in_language(profile.title, speech.language),
        in_language(catalogue.site.clusters[offer.cluster].title, speech.language),
        offer.allocation,
        f"{offer.size} ({_size_text(profile.sizes[offer.size], speech)})",
        time_text(int(str(last["minutes"]))),
    ]
    return ", ".join(parts)
