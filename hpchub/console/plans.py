"""What a trainer plans, the event that comes of it, and what the hub is told of it.  Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from hpchub.catalogue.event import MINUTE_SECONDS, Epoch, SeatCard
from hpchub.catalogue.event import Event as HubEvent
from hpchub.catalogue.fields import ClusterName, Model, ProfilePattern, Slug, SlurmName, Wrong
from hpchub.catalogue.material import Material
from hpchub.catalogue.model import Catalogue
from hpchub.catalogue.seats import pool_of
from hpchub.console.names import Names, ProfileSlug
from hpchub.console.rehearsal import Rehearsal
from hpchub.console.teams import Teams, distinct, for_the_hub, named, team_of, with_members_invited
from hpchub.text import Sentence, listed

LONGEST_SETUP_MINUTES = 7 * 24 * 60
LONGEST_DAYS = 60
MOST_TRAINERS = 50
_DAY_SECONDS = 24 * 3600
_MARGIN_SECONDS = 60
"""So long a request may take to the hub, which refuses a session that would last longer than the event."""
_POSIX_NAME = re.compile(r"[a-z_][a-z0-9_-]{0,31}\Z")


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
    temporary_seats: Annotated[int, Field(strict=True, ge=0, le=10_000)] = 0
    """How many of them are accounts of the site's pool, for people who have none; each is opened by a card."""
    seat_files_days: Annotated[int, Field(strict=True, ge=0, le=365)] | None = None
    """For how many days after the event the files of its temporary seats stay; null for the site's."""
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
    teams: Annotated[Teams, AfterValidator(distinct)] = ()
    """Its teams; their members may join without a code."""
    choose_team: bool = False
    """Whether people who join choose their team themselves."""
    material: Material | None = None
    """The git repository that everybody finds in their home; null for none."""
    folders: bool = False
    """Whether it has a shared folder and one for each team, beside the data of its allocation."""

    @model_validator(mode="before")
    @classmethod
    def _members_of_teams_are_invited(cls, raw: Any) -> Any:
        return with_members_invited(raw)

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> Self:
        if self.ends_epoch <= self.starts_epoch:
            raise Wrong(("ends_epoch",), "is not after starts_epoch", "a later time")
        if self.ends_epoch - self.starts_epoch > LONGEST_DAYS * _DAY_SECONDS:
            raise Wrong(("ends_epoch",), f"is more than {LONGEST_DAYS} days after starts_epoch", "several events")
        return self

    @model_validator(mode="after")
    def _can_be_joined(self) -> Self:
        if not (self.by_code or self.people or self.groups or self.temporary_seats):
            raise Wrong(("by_code",), "is false, and neither people nor groups are named", "true, or who may join")
        return self

    @model_validator(mode="after")
    def _seats_for_all_temporary_ones(self) -> Self:
        if self.temporary_seats > self.seats:
            raise Wrong(("temporary_seats",), f"is more than the {self.seats} seats that there are", "at most as many")
        return self

    @model_validator(mode="after")
    def _has_teams_to_choose_from(self) -> Self:
        if self.choose_team and not self.teams:
            raise Wrong(("choose_team",), "is true, and there are no teams", "some teams, or false")
        return self

    @property
    def digest(self) -> str:
        """Name it by what it says, so that nobody approves another one than they have seen."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:32]

    @property
    def opens_epoch(self) -> int:
        """When its set-up begins: from then on people can join and start."""
        return max(self.starts_epoch - self.setup_minutes * MINUTE_SECONDS, 0)

    @property
    def profiles(self) -> tuple[str, ...]:
        """What may be started in it: slugs of profiles and patterns, each once."""
        own = (team.profile for team in self.teams if team.profile is not None)
        return tuple(dict.fromkeys((self.profile, *own, *self.more_profiles)))

    @property
    def starts(self) -> tuple[tuple[str, str | None], ...]:
        """What one click starts, by profile and size, for those without a team and for each team; each once."""
        own = ((team.profile or self.profile, team.size or self.size) for team in self.teams)
        return tuple(dict.fromkeys(((self.profile, self.size), *own)))

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
            "starts": [f"{profile}:{size}" if size else profile for profile, size in self.starts[1:]],
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
    """``code``, ``list``, ``group`` or ``seat``."""
    team: str = ""
    """The team that they are in, by its name; empty where they are in none."""


@dataclass(frozen=True, slots=True)
class Lent:
    """A temporary seat: an account of the site's pool that was lent to the event."""

    account: str
    digest: str | None
    """Of the card that opens it now (:func:`hpchub.console.cards.digest_of`)."""
    used_epoch: int | None = None
    """When somebody took it by a card for the first time."""
    returned_epoch: int | None = None
    """When it was free for another event again."""
    trouble: str = ""
    """Why it could not be handed over when that was tried last."""


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
    lent: tuple[Lent, ...] = ()
    """Its temporary seats, in the order of the pool; those too that were given back."""
    approved_epoch: int | None = None
    refused_epoch: int | None = None
    refusal: str = ""
    """Why it was refused, in an administrator's words."""
    closed_epoch: int | None = None
    """When somebody closed it before its end."""
    cleared_epoch: int | None = None
    """When it was over and no server of it was left."""
    rehearsal: Rehearsal | None = None
    """The last time that a seat of it was tried before."""

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

    def team_of(self, name: str) -> str:
        """Give the team of a person; empty where they are in none."""
        joined = next((each.team for each in self.participants if each.name == name), None)
        return team_of(self.plan.teams, name, joined)

    @property
    def ends_epoch(self) -> int:
        """When it ended or will end."""
        return self.closed_epoch or self.plan.ends_epoch

    def kept_until_epoch(self, files_days: int) -> int:
        """Give when its temporary seats may become somebody else's: their files stay until then.

        Args:
            files_days: the site's, where the plan says nothing else.
        """
        days = files_days if self.plan.seat_files_days is None else self.plan.seat_files_days
        return self.ends_epoch + days * _DAY_SECONDS

    def seat_of(self, name: str) -> Lent | None:
        """Give the temporary seat whose account this is, as long as it was not given back."""
        return next((each for each in self.lent if each.account == name and each.returned_epoch is None), None)

    def never_came(self, name: str) -> bool:
        """Tell whether this is a temporary seat whose card nobody has used."""
        return any(each.account == name and each.used_epoch is None for each in self.lent)

    def for_the_hub(self, files_days: int) -> HubEvent:
        """Give what the hub decides by; ``files_days`` as in :meth:`kept_until_epoch`."""
        return HubEvent(
            slug=self.slug,
            title=self.plan.title,
            opens_epoch=self.plan.opens_epoch,
            closes_epoch=self.plan.ends_epoch,
            members=self.members,
            cluster=self.plan.cluster,
            allocation=self.plan.allocation,
            reservation=self.plan.reservation,
            profiles=self.plan.profiles,
            size=self.plan.size,
            trainers=self.trainers,
            teams=for_the_hub(self.plan.teams, ((each.name, each.team) for each in self.participants)),
            material=self.plan.material,
            folders=self.plan.folders,
            seats=self.cards_for_the_hub(files_days),
            rehearsal=self.rehearsal.for_the_hub() if self.rehearsal else None,
        )

    def cards_for_the_hub(self, files_days: int) -> tuple[SeatCard, ...]:
        """Give its temporary seats as the hub takes them; ``files_days`` as in :meth:`kept_until_epoch`."""
        until_epoch = self.kept_until_epoch(files_days)
        return tuple(
            SeatCard(account=each.account, card=each.digest, until_epoch=until_epoch)
            for each in self.lent
            if each.returned_epoch is None
        )

    def for_capacity(self) -> dict[str, Any]:
        """Give the same of an event, with all people who are known."""
        return self.plan.for_capacity(self.slug, (*self.plan.people, *(each.name for each in self.participants)))

    def choice(self, now_epoch: float, person: str = "") -> dict[str, str | int]:
        """Give the ``user_options`` of the server that one click of a person starts, to be sent at once."""
        team = named(self.plan.teams, self.team_of(person))
        profile, size = self.plan.profile, self.plan.size
        if team is not None:
            profile, size = team.profile or profile, team.size or size
        choice: dict[str, str | int] = {"profile": profile, "event": self.slug}
        if size is not None:
            choice["size"] = size
        if self.plan.minutes is not None:
            left = max(int(self.plan.ends_epoch - now_epoch - _MARGIN_SECONDS) // MINUTE_SECONDS, 1)
            choice["minutes"] = min(self.plan.minutes, left)
        return choice


def _moment(epoch: int) -> str:
    return datetime.fromtimestamp(epoch, UTC).isoformat()


def live(events: Iterable[Event], now_epoch: float) -> list[Event]:
    """Give those that take place or will, of which the hub is told, in a fixed order."""
    states = (State.PLANNED, State.OPEN)
    return sorted((event for event in events if event.state(now_epoch) in states), key=lambda each: each.slug)


def mistakes(plan: Plan, catalogue: Catalogue, now_epoch: float) -> Iterator[Sentence]:
    """Say what of a plan cannot be, as far as the site's own files tell."""
    site = catalogue.site
    if plan.ends_epoch <= now_epoch:
        yield Sentence("The event would be over already: its end is past.")
    if site.console is not None and plan.seats > site.console.most_seats:
        yield Sentence("An event has at most {n} seats here.", n=site.console.most_seats)
    if len(plan.trainers) > MOST_TRAINERS:
        yield Sentence("An event has at most {n} trainers beside whoever creates it.", n=MOST_TRAINERS)
    there_are = len(pool_of(site))
    if plan.temporary_seats > there_are:
        yield Sentence("This site has {n} temporary seats in all.", n=there_are)
    open_clusters = [name for name, cluster in site.clusters.items() if cluster.state == "open"]
    if plan.cluster not in open_clusters:
        yield Sentence("There is no cluster {name}. Possible: {names}.", name=plan.cluster, names=listed(open_clusters))
        return
    if plan.folders and site.clusters[plan.cluster].work_folder is None:
        yield Sentence("On {cluster} there is no place for folders that an event shares.", cluster=plan.cluster)
    there = {
        slug: profile
        for slug, profile in catalogue.profiles.items()
        if any(run.cluster == plan.cluster for run in profile.runs_on)
    }
    for profile, size in plan.starts:
        if profile not in there:
            yield Sentence(
                "There is no profile {name} on {cluster}. Possible: {names}.",
                name=profile,
                cluster=plan.cluster,
                names=listed(there),
            )
        elif size is not None and size not in there[profile].sizes:
            yield Sentence(
                "Profile {profile} has no size {name}. Possible: {names}.",
                profile=profile,
                name=size,
                names=listed(there[profile].sizes),
            )
