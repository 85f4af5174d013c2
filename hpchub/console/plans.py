"""What a trainer plans, the event that comes of it, and what the hub is told of it.  Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from hpchub.catalogue.event import MINUTE_SECONDS, Epoch
from hpchub.catalogue.event import Event as HubEvent
from hpchub.catalogue.fields import ClusterName, Model, ProfilePattern, Slug, SlurmName, Wrong
from hpchub.catalogue.model import Catalogue
from hpchub.text import Sentence, listed

LONGEST_SETUP_MINUTES = 7 * 24 * 60
LONGEST_DAYS = 60
_DAY_SECONDS = 24 * 3600
_MARGIN_SECONDS = 60
"""So long a request may take to the hub, which refuses a session that would last longer than the event."""
_POSIX_NAME = re.compile(r"[a-z_][a-z0-9_-]{0,31}\Z")

ProfileSlug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+/[a-z0-9-]+$", max_length=130)]
Name = Annotated[
    str, StringConstraints(pattern=r"^[^\s,\x00-\x1f\x7f](?:[^,\x00-\x1f\x7f]*[^\s,\x00-\x1f\x7f])?$", max_length=255)
]
"""Of a user or a group of the hub's."""
Names = Annotated[tuple[Name, ...], Field(max_length=2000), AfterValidator(lambda names: tuple(dict.fromkeys(names)))]


class Plan(Model):
    """What a trainer says about an event."""

    title: Annotated[
        str, StringConstraints(min_length=1, max_length=120, strip_whitespace=True, pattern=r"^[^\x00-\x1f]+$")
    ]
    """What people call it."""
    description: Annotated[str, StringConstraints(max_length=4000, strip_whitespace=True, pattern=r"^[^\x00]*$")] = ""
    """For those who join; plain text."""
    starts_epoch: Epoch
    """When people come, in seconds since 1970."""
    ends_epoch: Epoch
    """When it is over: nobody gets in any more, and its servers are stopped."""
    setup_minutes: Annotated[int, Field(strict=True, ge=0, le=LONGEST_SETUP_MINUTES)] = 30
    """How long before its start it opens."""
    seats: Annotated[int, Field(strict=True, ge=1, le=10_000)]
    """How many people may join; its trainers need no seat."""
    trainers: Names = ()
    """Who may do everything with it, beside whoever creates it."""
    cluster: ClusterName
    """Where its sessions run."""
    allocation: Annotated[SlurmName, AfterValidator(str.lower)]
    """The Slurm account that pays; its members must be associated with it."""
    reservation: SlurmName | None = None
    """Slurm's reservation that its sessions run in, by its name."""
    profile: ProfileSlug
    """What one click starts."""
    more_profiles: Annotated[tuple[ProfilePattern, ...], Field(max_length=100)] = ()
    """What else its members may start in it: slugs of profiles or patterns."""
    size: Slug | None = None
    """The only size of its sessions; null for any, and for the profile's default on one click."""
    minutes: Annotated[int, Field(strict=True, ge=1, le=525_600)] | None = None
    """How long a session lasts that one click starts; null for the default of the size."""
    people: Names = ()
    """Names of users who may join without a code."""
    groups: Names = ()
    """Whoever is in one of these groups may, too."""
    by_code: bool = True
    """Whether it has a code by which everybody else can join."""

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> Self:
        if self.ends_epoch <= self.starts_epoch:
            raise Wrong(("ends_epoch",), "is not after starts_epoch", "a later time")
        if self.ends_epoch - self.starts_epoch > LONGEST_DAYS * _DAY_SECONDS:
            raise Wrong(("ends_epoch",), f"is more than {LONGEST_DAYS} days after starts_epoch", "several events")
        return self

    @model_validator(mode="after")
    def _can_be_joined(self) -> Self:
        if not (self.by_code or self.people or self.groups):
            raise Wrong(("by_code",), "is false, and neither people nor groups are named", "true, or who may join")
        return self

    @property
    def opens_epoch(self) -> int:
        """When its set-up begins: from then on people can join and start."""
        return max(self.starts_epoch - self.setup_minutes * MINUTE_SECONDS, 0)

    def for_capacity(self, name: str, people: Iterable[str]) -> dict[str, Any]:
        """Give what the hub's check of room, limits and budget reads (:class:`hpchub.console.capacity.plan.Plan`)."""
        return {
            "name": name,
            "cluster": self.cluster,
            "allocation": self.allocation,
            "opens": _moment(self.starts_epoch),
            "closes": _moment(self.ends_epoch),
            "setup_minutes": self.setup_minutes,
            "seats": self.seats,
            "profiles": [self.profile],
            "size": self.size,
            "minutes": self.minutes,
            "reservation": self.reservation,
            "people": [person for person in dict.fromkeys(people) if _POSIX_NAME.match(person)],
        }


class State(StrEnum):
    """Where an event is."""

    REQUESTED = "requested"
    REFUSED = "refused"
    PLANNED = "planned"
    OPEN = "open"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Participant:
    """Somebody who has a seat."""

    name: str
    joined_epoch: int
    by: str
    """``code``, ``list`` or ``group``."""


@dataclass(frozen=True, slots=True)
class Event:
    """An event with all that has become of it."""

    slug: str
    plan: Plan
    created_by: str
    created_epoch: int
    trainers: tuple[str, ...]
    """With whoever created it."""
    code: str | None
    """The one by which people join now, as :func:`hpchub.console.joins.new_code` made it; None where there is none."""
    participants: tuple[Participant, ...] = ()
    """In the order in which they came."""
    approved_epoch: int | None = None
    refused_epoch: int | None = None
    refusal: str = ""
    """Why it was refused, in an administrator's words."""
    closed_epoch: int | None = None
    """When somebody closed it before its end."""
    cleared_epoch: int | None = None
    """When it was over and no server of it was left."""

    def state(self, now_epoch: float) -> State:
        """Tell where it is at a time."""
        if self.refused_epoch is not None:
            return State.REFUSED
        if self.closed_epoch is not None or now_epoch >= self.plan.ends_epoch:
            return State.OVER
        if self.approved_epoch is None:
            return State.REQUESTED
        return State.OPEN if now_epoch >= self.plan.opens_epoch else State.PLANNED

    @property
    def seats_left(self) -> int:
        return max(self.plan.seats - len(self.participants), 0)

    @property
    def members(self) -> tuple[str, ...]:
        """Who may start servers in it: trainers and those with a seat."""
        return tuple(dict.fromkeys((*self.trainers, *(each.name for each in self.participants))))

    def has_seat(self, name: str) -> bool:
        """Tell whether a person has joined."""
        return any(each.name == name for each in self.participants)

    def for_the_hub(self) -> HubEvent:
        """Give what the hub decides by."""
        return HubEvent(
            slug=self.slug,
            title=self.plan.title,
            opens_epoch=self.plan.opens_epoch,
            closes_epoch=self.plan.ends_epoch,
            members=self.members,
            cluster=self.plan.cluster,
            allocation=self.plan.allocation,
            reservation=self.plan.reservation,
            profiles=(self.plan.profile, *self.plan.more_profiles),
            size=self.plan.size,
        )

    def for_capacity(self) -> dict[str, Any]:
        """Give the same of an event, with all people who are known."""
        return self.plan.for_capacity(self.slug, (*self.plan.people, *(each.name for each in self.participants)))

    def choice(self, now_epoch: float) -> dict[str, str | int]:
        """Give the ``user_options`` of the server that one click starts, to be sent at once."""
        choice: dict[str, str | int] = {"profile": self.plan.profile, "event": self.slug}
        if self.plan.size is not None:
            choice["size"] = self.plan.size
        if self.plan.minutes is not None:
            left = max(int(self.plan.ends_epoch - now_epoch - _MARGIN_SECONDS) // MINUTE_SECONDS, 1)
            choice["minutes"] = min(self.plan.minutes, left)
        return choice


def _moment(epoch: int) -> str:
    return datetime.fromtimestamp(epoch, UTC).isoformat()


def told_to_the_hub(events: Iterable[Event], now_epoch: float) -> list[HubEvent]:
    """Give those that take place or will, as the hub takes them, in a fixed order."""
    live = (State.PLANNED, State.OPEN)
    return [
        event.for_the_hub() for event in sorted(events, key=lambda each: each.slug) if event.state(now_epoch) in live
    ]


def mistakes(plan: Plan, catalogue: Catalogue, now_epoch: float) -> Iterator[Sentence]:
    """Say what of a plan cannot be, as far as the site's own files tell."""
    site = catalogue.site
    if plan.ends_epoch <= now_epoch:
        yield Sentence("The event would be over already: its end is past.")
    if site.console is not None and plan.seats > site.console.most_seats:
        yield Sentence("An event has at most {n} seats here.", n=site.console.most_seats)
    open_clusters = [name for name, cluster in site.clusters.items() if cluster.state == "open"]
    if plan.cluster not in open_clusters:
        yield Sentence("There is no cluster {name}. Possible: {names}.", name=plan.cluster, names=listed(open_clusters))
        return
    there = [
        slug
        for slug, profile in catalogue.profiles.items()
        if any(run.cluster == plan.cluster for run in profile.runs_on)
    ]
    if plan.profile not in there:
        yield Sentence(
            "There is no profile {name} on {cluster}. Possible: {names}.",
            name=plan.profile,
            cluster=plan.cluster,
            names=listed(there),
        )
    elif plan.size is not None and plan.size not in catalogue.profiles[plan.profile].sizes:
        yield Sentence(
            "Profile {profile} has no size {name}. Possible: {names}.",
            profile=plan.profile,
            name=plan.size,
            names=listed(catalogue.profiles[plan.profile].sizes),
        )
