"""What a change of the files means: what is new, gone or changed, and whose offers appear or disappear.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydantic import BaseModel

from hpchub.catalogue.model import Catalogue
from hpchub.catalogue.offers import Offer, Person, offers
from hpchub.slurm.model import ClusterView

NOT_THERE = ""
"""What stands for a thing or field that is not there."""
LONGEST_VALUE = 120


@dataclass(frozen=True, slots=True)
class Change:
    """One field that is not what it was, or a thing that came or went."""

    what: str
    """``profile climate/forecasts``, ``sector climate``, ``environment base``, ``cluster leonardo``, ``site``."""
    field: str
    """Keys joined by dots; empty where the whole thing came or went."""
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class OfferChange:
    """What changes for one person in one profile; each offer is described by cluster, allocation, QOS and size."""

    user: str
    profile: str
    offered_before: bool
    offered_after: bool
    gained: tuple[str, ...]
    lost: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """What changed, and for whom."""

    files: tuple[Change, ...]
    offers: tuple[OfferChange, ...]


def difference(
    before: Catalogue, after: Catalogue, people: Sequence[Person], views: Mapping[str, ClusterView]
) -> Difference:
    """Compare two catalogues, and what each of these people is offered by them on the same clusters."""
    changes = tuple(_changes(before, after))
    if not changes:
        return Difference((), ())
    return Difference(changes, tuple(_offer_changes(before, after, people, views)))


def offers_in_words(change: OfferChange) -> str:
    """Say in a few words what changes for a person in a profile."""
    if not change.offered_before:
        return f"appears: {_counted(change.gained)}"
    if not change.offered_after:
        return f"disappears: {_counted(change.lost)}"
    signed = [*(f"+ {each}" for each in change.gained), *(f"- {each}" for each in change.lost)]
    return "; ".join(signed)


def _counted(offers: tuple[str, ...]) -> str:
    return f"{len(offers)} offers, such as {offers[0]}" if len(offers) > 1 else offers[0]


def _changes(before: Catalogue, after: Catalogue) -> Iterator[Change]:
    old, new = dict(_things(before)), dict(_things(after))
    for what in dict.fromkeys((*new, *old)):
        if what not in old:
            yield Change(what, "", NOT_THERE, "is new")
        elif what not in new:
            yield Change(what, "", "was there", NOT_THERE)
        else:
            for field in dict.fromkeys((*new[what], *old[what])):
                was, is_now = old[what].get(field, NOT_THERE), new[what].get(field, NOT_THERE)
                if was != is_now:
                    yield Change(what, field, was, is_now)


def _things(catalogue: Catalogue) -> Iterator[tuple[str, dict[str, str]]]:
    apart = {"clusters", "profiles", "file", "sign_in"}
    yield "site", _fields(catalogue.site.model_dump(mode="json", exclude=apart))
    groups: tuple[tuple[str, Mapping[str, BaseModel]], ...] = (
        ("cluster", catalogue.site.clusters),
        ("sector", catalogue.sectors),
        ("environment", catalogue.environments),
        ("profile", catalogue.profiles),
    )
    for kind, things in groups:
        for name, thing in things.items():
            yield f"{kind} {name}", _fields(thing.model_dump(mode="json"))


def _fields(value: object, place: str = "") -> dict[str, str]:
    """Flatten a value to its leaves; what a list of plain values says is one leaf."""
    if isinstance(value, dict):
        inner: Iterable[tuple[object, object]] = value.items()
    elif isinstance(value, list) and any(isinstance(each, dict) for each in value):
        inner = enumerate(value)
    else:
        words = ", ".join(sorted(map(str, value))) if place == "targets" and isinstance(value, list) else str(value)
        return {place: words if len(words) <= LONGEST_VALUE else f"{words[:LONGEST_VALUE]}…"}
    found: dict[str, str] = {}
    for key, each in inner:
        found |= _fields(each, f"{place}.{key}" if place else str(key))
    return found


def _offer_changes(
    before: Catalogue, after: Catalogue, people: Sequence[Person], views: Mapping[str, ClusterView]
) -> Iterator[OfferChange]:
    # One catalogue after the other: what does not depend on the person is worked out once for each.
    old = [_by_profile(before, person, views) for person in people]
    new = [_by_profile(after, person, views) for person in people]
    for person, were, are in zip(people, old, new, strict=True):
        for profile in dict.fromkeys((*after.profiles, *before.profiles)):
            was, now = were.get(profile, {}), are.get(profile, {})
            if was != now:
                gained = tuple(each for each in now if each not in was)
                lost = tuple(each for each in was if each not in now)
                yield OfferChange(person.name, profile, bool(was), bool(now), gained, lost)


def _by_profile(catalogue: Catalogue, person: Person, views: Mapping[str, ClusterView]) -> dict[str, dict[str, None]]:
    found: dict[str, dict[str, None]] = {}
    for offer in offers(catalogue, person, views):
        found.setdefault(offer.profile, {})[_in_words(offer)] = None
    return found


def _in_words(offer: Offer) -> str:
    amount = f"{offer.gpus} GPUs, {offer.cores} cores, {offer.memory_mb} MB, {offer.max_minutes} minutes"
    where = f"{offer.cluster} {offer.partition}, {offer.allocation}, {offer.qos}"
    return f"{where}, {offer.size} ({amount}, {offer.environment})"
