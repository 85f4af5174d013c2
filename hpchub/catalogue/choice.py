"""``user_options``: what a person asks for, and what the hub makes of it.

The form, the REST API and options that were stored last month all come through :func:`accept`.  It decides from
snapshots alone; a refusal is one sentence or two that name what was asked and what is possible.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_core import ErrorDetails

from hpchub.catalogue.event import Event
from hpchub.catalogue.model import Catalogue, Profile, Run
from hpchub.catalogue.offers import Offer, Person, profile_offers
from hpchub.catalogue.reasons import (
    echo,
    profiles_of,
    why_no_offers,
    why_not_allocation,
    why_not_here,
    why_not_qos,
    why_not_size,
)
from hpchub.errors import ChoiceRefused
from hpchub.slurm.model import ClusterView
from hpchub.text import Joined, Sentence, listed

KINDS = {
    "minutes": Sentence("a whole number of at least 1"),
    "qos": Sentence("text or null"),
    "event": Sentence("text or null"),
}
"""What a value must be; text where the field is not named."""
DECIDED = {
    "cluster": Sentence("the cluster"),
    "allocation": Sentence("the allocation"),
    "size": Sentence("the size"),
}
"""What an event can decide."""


class Choice(BaseModel):
    """The fields of ``user_options``; an absent one is the profile's default, null is for ``qos`` and ``event``."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    profile: str | None = None
    cluster: str | None = None
    allocation: str | None = None
    size: str | None = None
    minutes: Annotated[int, Field(ge=1)] | None = None
    qos: str | None = None
    event: str | None = None

    @field_validator("profile", "cluster", "allocation", "size", "minutes", mode="before")
    @classmethod
    def _not_null(cls, value: object) -> object:
        # Runs for values that were given, not for the defaults: here None is a null that somebody wrote.
        if value is None:
            raise ValueError("null")
        return value


@dataclass(frozen=True, slots=True)
class Accepted:
    """A choice that is one of the person's offers, with everything that was left open decided."""

    offer: Offer
    minutes: int
    event: Event | None = None

    def as_user_options(self) -> dict[str, str | int | None]:
        """Give the complete choice, to be stored; accepting it again gives the same while it is still an offer."""
        return {
            "profile": self.offer.profile,
            "cluster": self.offer.cluster,
            "allocation": self.offer.allocation,
            "size": self.offer.size,
            "minutes": self.minutes,
            "qos": self.offer.qos,
            "event": self.event.slug if self.event else None,
        }


@dataclass(frozen=True, slots=True)
class _Refusal:
    """Why one place does not do; the more steps a place passed, the closer it is to what was asked."""

    passed: int
    sentence: Sentence


def accept(raw: object, catalogue: Catalogue, person: Person, views: Mapping[str, ClusterView]) -> Accepted:
    """Find the offer that a choice means.

    Raises :class:`ChoiceRefused`, whose text may be shown to the person, if it is not one of the person's offers.
    """
    choice = _parsed(raw)
    event = _event(choice, person)
    profile = _profile(choice, catalogue, person, views)
    if event is not None:
        choice = _within(event, choice, profile)
    if choice.size is not None and choice.size not in profile.sizes:
        unknown = Sentence("Size {size} is not one of {profile}.", size=echo(choice.size), profile=profile.slug)
        raise ChoiceRefused(Joined([unknown, _possible(profile.sizes)]))
    mine = profile_offers(catalogue, person, profile, views)
    refusals = []
    for run in _places(choice, profile, catalogue):
        here = tuple(offer for offer in mine if offer.cluster == run.cluster)
        found = _narrowed(choice, catalogue, person, views.get(run.cluster), profile, run, here)
        if isinstance(found, Accepted):
            return found if event is None else _until_its_end(event, found, choice, person)
        refusals.append(found)
    raise ChoiceRefused(max(refusals, key=lambda refusal: refusal.passed).sentence)


def _possible(names: Iterable[str]) -> Sentence:
    return Sentence("Possible: {names}.", names=listed(names))


def default_offer(catalogue: Catalogue, person: Person, views: Mapping[str, ClusterView]) -> Accepted:
    """Give the site's default for a person: the first of its ``default_profiles`` with an offer, else any offer.

    Raises :class:`ChoiceRefused` with the reason if the person has no offer at all.
    """
    for profile in _by_preference(catalogue):
        sizes = [offer.size for offer in profile_offers(catalogue, person, profile, views)]
        if sizes:
            size = profile.default_size if profile.default_size in sizes else sizes[0]
            return accept({"profile": profile.slug, "size": size}, catalogue, person, views)
    raise ChoiceRefused(why_no_offers(catalogue, person, views))


def _by_preference(catalogue: Catalogue) -> Iterator[Profile]:
    for pattern in (*catalogue.site.default_profiles, "*"):
        for slug, profile in catalogue.profiles.items():
            if fnmatchcase(slug, pattern):
                yield profile


def _parsed(raw: object) -> Choice:
    if not isinstance(raw, Mapping):
        raise ChoiceRefused(
            Sentence(
                'A choice is a JSON object such as {{"profile": "sector/name", "size": "small"}}; found {found}.',
                found=echo(raw),
            )
        )
    try:
        return Choice.model_validate(dict(raw))
    except ValidationError as error:
        raise ChoiceRefused(_complaint(error.errors(include_url=False, include_context=False)[0], raw)) from None


def _complaint(error: ErrorDetails, raw: Mapping[object, object]) -> Sentence:
    field = error["loc"][0]
    if field not in Choice.model_fields:
        unknown = next(key for key in raw if key not in Choice.model_fields)
        return Joined(
            [Sentence("{field} is not a field of a choice.", field=echo(unknown)), _possible(Choice.model_fields)]
        )
    kind = KINDS.get(str(field), Sentence("text"))
    return Sentence("The field {field} must be {kind}; found {found}.", field=field, kind=kind, found=echo(raw[field]))


def _profile(choice: Choice, catalogue: Catalogue, person: Person, views: Mapping[str, ClusterView]) -> Profile:
    if choice.profile is None:
        nothing = Sentence("A choice must name a profile.")
        raise ChoiceRefused(Joined([nothing, profiles_of(catalogue, person, views)]))
    if choice.profile not in catalogue.profiles:
        unknown = Sentence("Profile {profile} is not known.", profile=echo(choice.profile))
        raise ChoiceRefused(Joined([unknown, profiles_of(catalogue, person, views)]))
    return catalogue.profiles[choice.profile]


def _event(choice: Choice, person: Person) -> Event | None:
    if choice.event is None:
        return None
    for event in person.open_events:
        if event.slug == choice.event:
            return event
    raise ChoiceRefused(
        Sentence(
            "Event {event} is not one of yours that are open now. Yours: {events}.",
            event=echo(choice.event),
            events=listed(event.slug for event in person.open_events),
        )
    )


def _within(event: Event, choice: Choice, profile: Profile) -> Choice:
    """Give the choice with what the event decides: where, who pays, and the size where it has one."""
    if not event.shows(profile.slug):
        foreign = Sentence("Profile {profile} is not one of event {event}.", profile=profile.slug, event=event.slug)
        raise ChoiceRefused(Joined([foreign, _possible(event.profiles)]))
    decided = {"cluster": event.cluster, "allocation": event.allocation}
    if event.size is not None:
        decided["size"] = event.size
    for field, value in decided.items():
        asked = getattr(choice, field)
        if asked is not None and (asked.lower() if field == "allocation" else asked) != value:
            raise ChoiceRefused(
                Sentence(
                    "Event {event} decides {what}: {value}; asked for: {asked}.",
                    event=event.slug,
                    what=DECIDED[field],
                    value=value,
                    asked=echo(asked),
                )
            )
    if event.size is not None and event.size not in profile.sizes:
        raise ChoiceRefused(
            Sentence(
                "Event {event} is for size {size}, which {profile} does not have. Its sizes: {sizes}. "
                "Tell the trainer.",
                event=event.slug,
                size=event.size,
                profile=profile.slug,
                sizes=listed(profile.sizes),
            )
        )
    return choice.model_copy(update=decided)


def _until_its_end(event: Event, found: Accepted, choice: Choice, person: Person) -> Accepted:
    """Cut the default time so that the session ends with the event; refuse a longer one that was asked for."""
    left = event.minutes_left(person.now_epoch)
    if choice.minutes is not None and choice.minutes > left:
        raise ChoiceRefused(
            Sentence(
                "{minutes} minutes are too many: event {event} closes in {left}.",
                minutes=echo(choice.minutes),
                event=event.slug,
                left=left,
            )
        )
    now_in = event.model_copy(update={"reservation": event.reservation_at(person.now_epoch)})
    return replace(found, minutes=min(found.minutes, left), event=now_in)


def _places(choice: Choice, profile: Profile, catalogue: Catalogue) -> tuple[Run, ...]:
    if choice.cluster is None:
        return profile.runs_on
    places = tuple(run for run in profile.runs_on if run.cluster == choice.cluster)
    if not places:
        if choice.cluster in catalogue.site.clusters:
            facts = {"cluster": echo(choice.cluster), "profile": profile.slug}
            reason = Sentence("Cluster {cluster} is not one for {profile}.", **facts)
        else:
            reason = Sentence("Cluster {cluster} is not known.", cluster=echo(choice.cluster))
        raise ChoiceRefused(Joined([reason, _possible(run.cluster for run in profile.runs_on)]))
    return places


def _narrowed(
    choice: Choice,
    catalogue: Catalogue,
    person: Person,
    view: ClusterView | None,
    profile: Profile,
    run: Run,
    here: tuple[Offer, ...],
) -> Accepted | _Refusal:
    """Narrow the offers of one place to the one that was asked for."""
    if not here or view is None:
        return _Refusal(0, why_not_here(catalogue, person, view, profile, run))
    asked = choice.allocation.lower() if choice.allocation is not None else None
    paid = tuple(offer for offer in here if asked in (None, offer.allocation))
    if not paid:
        return _Refusal(1, why_not_allocation(catalogue, view, person, run, here, str(choice.allocation)))
    size = choice.size or profile.default_size
    sized = tuple(offer for offer in paid if offer.size == size)
    if not sized:
        return _Refusal(2, why_not_size(view, person, profile, run, paid, size))
    queued = tuple(offer for offer in sized if choice.qos in (None, offer.qos))
    if not queued:
        return _Refusal(3, why_not_qos(view, person, profile, run, sized, str(choice.qos)))
    wanted = choice.minutes or profile.sizes[size].default_minutes
    long_enough = tuple(offer for offer in queued if offer.max_minutes >= wanted)
    if choice.minutes is None:
        offer = (long_enough or queued)[0]
        return Accepted(offer, offer.default_minutes)
    if not long_enough:
        return _Refusal(4, _too_long(choice.minutes, queued))
    return Accepted(long_enough[0], choice.minutes)


def _too_long(minutes: int, queued: tuple[Offer, ...]) -> Sentence:
    longest = max(queued, key=lambda offer: offer.max_minutes)
    return Sentence(
        "{minutes} minutes are too many for size {size} of {profile} on {cluster}: at most {most} with QOS {qos}.",
        minutes=echo(minutes),
        size=longest.size,
        profile=longest.profile,
        cluster=longest.cluster,
        most=longest.max_minutes,
        qos=longest.qos,
    )
