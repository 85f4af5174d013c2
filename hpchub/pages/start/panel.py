"""One profile chosen: who pays, how much, how long and where; what of it is possible, and what it costs.  Pure.

What is picked is resolved in this order: allocation, cluster, size, QOS, time.  Of each, what goes with those before
it is possible, and the rest is shown with the reason that a start would be refused with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from markupsafe import Markup

from hpchub.catalogue.choice import Accepted, accept
from hpchub.catalogue.event import Event
from hpchub.catalogue.maintenance import closing
from hpchub.catalogue.model import Catalogue, Profile, in_language
from hpchub.catalogue.notes import notes_of
from hpchub.catalogue.offers import Group, Offer
from hpchub.catalogue.reasons import silence
from hpchub.catalogue.rules import Person, accounts_of, matches, patterns_of
from hpchub.errors import ChoiceRefused
from hpchub.pages.moments import duration
from hpchub.pages.start import options
from hpchub.pages.start.inside import Inside, inside_of
from hpchub.pages.start.options import Option
from hpchub.pages.start.times import steps, whole
from hpchub.pages.start.words import budget_of, cost_words, share_words
from hpchub.slurm.model import ClusterView
from hpchub.text import Speech, in_words

LEVELS = ("allocation", "cluster", "size", "qos")
Starts = Callable[[Accepted], str | Markup]
"""Says in the reader's words when an accepted choice would start.

Raises :class:`ChoiceRefused` if it could not be submitted at all.
"""


@dataclass(frozen=True, slots=True)
class Scene:
    """Who looks at what, and how it is said: what all parts of the page have in common."""

    catalogue: Catalogue
    person: Person
    views: Mapping[str, ClusterView]
    speech: Speech
    starts: Starts

    def accepted(self, choice: Mapping[str, object]) -> Accepted:
        """Judge a choice as a start would; raises :class:`ChoiceRefused`."""
        return accept(dict(choice), self.catalogue, self.person, self.views)

    def refusal(self, choice: Mapping[str, object]) -> str:
        """Say why a choice is no offer; an empty text where it is one."""
        try:
            self.accepted(choice)
        except ChoiceRefused as refused:
            return in_words(refused, self.speech)
        return ""

    def outlook(self, accepted: Accepted) -> tuple[str | Markup, str]:
        """Say when an accepted choice would start, or why it cannot be submitted now."""
        silent = silence(self.catalogue.site, self.views[accepted.offer.cluster])
        try:
            return ("", in_words(silent, self.speech)) if silent else (self.starts(accepted), "")
        except ChoiceRefused as refused:
            return "", in_words(refused, self.speech)


@dataclass(frozen=True, slots=True)
class Summary:
    """What would be started, at which price and when."""

    cost: str
    share: str
    """Which part of what is left that is; empty where nothing is charged or nothing is known."""
    starts: str | Markup
    """When it would start; empty where it cannot be submitted now."""
    obstacle: str
    """Why it cannot be submitted now although it is an offer; empty where it can."""
    as_of_epoch: float | None
    """How old what is said here is."""
    notes: tuple[str, ...]
    """What else a person should know of this place."""


@dataclass(frozen=True, slots=True)
class Panel:
    """Everything about one profile."""

    profile: str
    title: str
    description: str
    inside: Inside
    """Of the cluster that is selected, or of the first that could run it."""
    obstacle: str
    """Why nothing of it can be started; everything below is empty then."""
    notice: str = ""
    """What of a link is not possible now, and why; what is nearest to it is selected."""
    allocations: tuple[Option, ...] = ()
    sizes: tuple[Option, ...] = ()
    times: tuple[Option, ...] = ()
    clusters: tuple[Option, ...] = ()
    qos: tuple[Option, ...] = ()
    """The first leaves it open."""
    choice: Mapping[str, str | int] | None = None
    """What the form says as it stands: fields of ``user_options``."""
    event: str = ""
    """What an event is called that it belongs to."""
    summary: Summary | None = None


def panel(scene: Scene, profile: Profile, groups: Iterable[Group], wanted: Mapping[str, str]) -> Panel:
    """Resolve what is wanted of one profile to what is nearest and possible.

    Args:
        scene: who looks at what.
        profile: one that the person may see.
        groups: the person's offers of it.
        wanted: fields of a choice as an address brought them.
    """
    groups = tuple(groups)
    empty = Panel(
        profile=profile.slug,
        title=in_language(profile.title, scene.speech.language),
        description=in_language(profile.description, scene.speech.language),
        inside=_inside(scene, profile, profile.runs_on[0].cluster),
        obstacle="" if groups else scene.refusal({"profile": profile.slug}),
    )
    return _resolved(empty, scene, profile, groups, wanted) if groups else empty


def _resolved(
    empty: Panel, scene: Scene, profile: Profile, groups: tuple[Group, ...], wanted: Mapping[str, str]
) -> Panel:
    left = tuple(offer for group in groups for offer in group)
    event, notice = _event(scene, profile, wanted)
    base: dict[str, str | int] = {"profile": profile.slug}
    if event is not None:
        base["event"] = event.slug
        left = tuple(offer for offer in left if _is_of(offer, event))
    picked, levels = dict(base), dict[str, tuple[Offer, ...]]()
    for name in LEVELS:
        levels[name] = left
        value, refused = _pick(scene, profile, left, name, picked, wanted)
        notice = notice or refused
        if value:
            picked[name] = value
            left = tuple(offer for offer in left if getattr(offer, name) == value)
    longest = max(offer.max_minutes for offer in left)
    if event is not None:
        longest = min(longest, max(event.minutes_left(scene.person.now_epoch), 1))
    minutes, refused = _minutes(scene, profile, longest, picked, wanted)
    accepted = scene.accepted({**picked, "minutes": minutes})
    picked["minutes"] = minutes
    return replace(
        empty,
        inside=_inside(scene, profile, accepted.offer.cluster),
        notice=notice or refused,
        allocations=tuple(_allocations(scene, profile, levels, accepted, base)),
        clusters=tuple(_clusters(scene, profile, levels, accepted, base)),
        sizes=tuple(_sizes(scene, profile, levels, accepted, base)),
        qos=tuple(_qos(scene, profile, levels, picked, accepted, base)),
        times=_times(scene, profile, longest, accepted),
        choice=picked,
        event=event.title if event else "",
        summary=_summary(scene, groups, accepted),
    )


def _inside(scene: Scene, profile: Profile, cluster: str) -> Inside:
    return inside_of(scene.catalogue, scene.catalogue.environments[profile.environment], cluster)


def _event(scene: Scene, profile: Profile, wanted: Mapping[str, str]) -> tuple[Event | None, str]:
    """Give the event that is wanted, or why it is not possible."""
    slug = wanted.get("event")
    if not slug:
        return None, ""
    refused = scene.refusal({"profile": profile.slug, "event": slug})
    return (None, refused) if refused else (next(each for each in scene.person.events if each.slug == slug), "")


def _is_of(offer: Offer, event: Event) -> bool:
    decided = (event.cluster, event.allocation, event.size or offer.size)
    return (offer.cluster, offer.allocation, offer.size) == decided


def _pick(
    scene: Scene,
    profile: Profile,
    left: tuple[Offer, ...],
    name: str,
    picked: Mapping[str, str | int],
    wanted: Mapping[str, str],
) -> tuple[str, str]:
    """Give what one field is, and why it is not what was wanted; an empty QOS is left open."""
    value = wanted.get(name, "")
    value = value.lower() if name == "allocation" else value
    if value and any(getattr(offer, name) == value for offer in left):
        return value, ""
    refused = scene.refusal({**picked, name: value}) if value else ""
    if name == "qos":
        return "", refused
    return str(getattr(max(left, key=lambda offer: _likeness(offer, profile, wanted)), name)), refused


def _likeness(offer: Offer, profile: Profile, wanted: Mapping[str, str]) -> tuple[bool, ...]:
    """Tell how near an offer is to what is wanted; of equals, the one that the person would get anyway comes first."""
    asked = {**wanted, "allocation": wanted.get("allocation", "").lower(), "size": wanted.get("size", "")}
    same = tuple(asked.get(name) == getattr(offer, name) for name in LEVELS)
    minutes = _number(wanted.get("minutes", "")) or 0
    return (*same, offer.size == profile.default_size, offer.max_minutes >= minutes)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else None


def _minutes(
    scene: Scene, profile: Profile, longest: int, picked: Mapping[str, str | int], wanted: Mapping[str, str]
) -> tuple[int, str]:
    """Give the time, and why it is not what was wanted."""
    usual = min(profile.sizes[str(picked["size"])].default_minutes, longest)
    asked = wanted.get("minutes", "")
    if not asked:
        return usual, ""
    minutes = _number(asked)
    if minutes and minutes <= longest:
        return minutes, ""
    refused = scene.refusal({**picked, "minutes": asked if minutes is None else minutes})
    return (longest if minutes else usual), refused


# What there is to choose from


def _allocations(
    scene: Scene,
    profile: Profile,
    levels: Mapping[str, tuple[Offer, ...]],
    accepted: Accepted,
    base: Mapping[str, object],
) -> Iterator[Option]:
    patterns = patterns_of(scene.catalogue, profile)
    views = [scene.views[run.cluster] for run in profile.runs_on if run.cluster in scene.views]
    accounts = dict.fromkeys(account for view in views for account in accounts_of(scene.person, view))
    size, cluster = accepted.offer.size, accepted.offer.cluster
    of_account: dict[str, list[Offer]] = {}
    for offer in levels["allocation"]:
        of_account.setdefault(offer.allocation, []).append(offer)
    for account in accounts:
        if not matches(patterns, account):
            continue
        possible = of_account.get(account)
        if possible is None:
            yield Option(account, account, obstacle=scene.refusal({**base, "allocation": account}))
            continue
        offer = max(possible, key=lambda each: (each.cluster == cluster, each.size == size))
        yield options.allocation(
            scene.catalogue, scene.person, offer, account == accepted.offer.allocation, scene.speech
        )


def _clusters(
    scene: Scene,
    profile: Profile,
    levels: Mapping[str, tuple[Offer, ...]],
    accepted: Accepted,
    base: Mapping[str, object],
) -> Iterator[Option]:
    possible = {offer.cluster for offer in levels["cluster"]}
    for run in profile.runs_on:
        choice = {**base, "allocation": accepted.offer.allocation, "cluster": run.cluster}
        obstacle = "" if run.cluster in possible else scene.refusal(choice)
        selected = run.cluster == accepted.offer.cluster
        yield options.cluster(scene.catalogue, scene.views.get(run.cluster), run, obstacle, selected, scene.speech)


def _sizes(
    scene: Scene,
    profile: Profile,
    levels: Mapping[str, tuple[Offer, ...]],
    accepted: Accepted,
    base: Mapping[str, object],
) -> Iterator[Option]:
    offer = accepted.offer
    possible = {each.size for each in levels["size"]}
    for name, size in profile.sizes.items():
        choice = {**base, "allocation": offer.allocation, "cluster": offer.cluster, "size": name}
        obstacle = "" if name in possible else scene.refusal(choice)
        yield options.size(name, size, obstacle, name == offer.size, scene.speech)


def _qos(
    scene: Scene,
    profile: Profile,
    levels: Mapping[str, tuple[Offer, ...]],
    picked: Mapping[str, str | int],
    accepted: Accepted,
    base: Mapping[str, object],
) -> Iterator[Option]:
    offer = accepted.offer
    longest = {each.qos: each.max_minutes for each in levels["qos"]}
    yield Option("", scene.speech.say("The first that allows the time"), selected="qos" not in picked)
    for name in next(run.qos for run in profile.runs_on if run.cluster == offer.cluster):
        choice = {**base, "allocation": offer.allocation, "cluster": offer.cluster, "size": offer.size, "qos": name}
        if name in longest:
            detail = scene.speech.say("up to {time}", time=duration(longest[name]))
            yield Option(name, name, detail, selected=picked.get("qos") == name)
        else:
            yield Option(name, name, obstacle=scene.refusal(choice))


def _times(scene: Scene, profile: Profile, longest: int, accepted: Accepted) -> tuple[Option, ...]:
    offer = accepted.offer
    usual = profile.sizes[offer.size].default_minutes
    known = closing(scene.views[offer.cluster], offer.partition, scene.person.now_epoch)
    fits = whole(known.fits_minutes) if known and known.fits_minutes < longest else None
    return tuple(
        Option(
            str(minutes),
            duration(minutes),
            scene.speech.say("the longest that ends before {what}", what=options.closing_words(known, scene.speech))
            if known and minutes == fits
            else "",
            selected=minutes == accepted.minutes,
        )
        for minutes in steps(longest, usual, fits, accepted.minutes)
    )


def _summary(scene: Scene, groups: Iterable[Group], accepted: Accepted) -> Summary:
    offer, minutes = accepted.offer, accepted.minutes
    view = scene.views[offer.cluster]
    starts, obstacle = scene.outlook(accepted)
    here = [
        replace(group, accounts={offer.allocation: frozenset({offer.qos})})
        for group in groups
        if group.run.cluster == offer.cluster and offer.qos in group.accounts.get(offer.allocation, ())
    ]
    notes = notes_of(scene.catalogue.site, scene.person, scene.views, here)
    return Summary(
        cost=cost_words(offer, minutes, scene.speech),
        share=share_words(offer, minutes, budget_of(scene.catalogue, scene.person, offer), scene.speech),
        starts=starts,
        obstacle=obstacle,
        as_of_epoch=view.taken_epoch,
        notes=tuple(in_words(note, scene.speech) for note in notes),
    )
