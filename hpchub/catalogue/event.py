"""Events as the hub knows them: who may use what, when, and who pays.  Pure.

The console owns them and pushes those that matter now; the hub only decides by them.
"""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Annotated, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from hpchub.catalogue.fields import ClusterName, Line, Model, PosixName, ProfilePattern, Slug, SlurmName, Wrong
from hpchub.catalogue.material import Material

MINUTE_SECONDS = 60
Epoch = Annotated[int, Field(strict=True, ge=0, le=10**11)]


CardDigest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""SHA-256, in hexadecimal, of a card's code: 12 letters and digits in upper case, without hyphens."""


class SeatCard(Model):
    """An account of the site's pool that an event lends, and the card that opens it."""

    account: PosixName
    """The account, on the cluster and at the hub."""
    card: CardDigest | None = None
    """The card that opens it now, as its digest; null where none does."""
    until_epoch: Epoch
    """The account is this seat's until then: the event's end, and the days for which its files stay."""


MOST_MESSAGES = 5
"""Of an event that the hub knows: the last ones."""


class Message(Model):
    """What a trainer said to the room."""

    epoch: Epoch
    who: Line
    says: Annotated[str, StringConstraints(min_length=1, max_length=1000)]
    """Plain text, perhaps of several lines."""
    to: tuple[Line, ...] | None = Field(default=None, max_length=10_000)
    """The names of those whom it is for; null for everybody in the event."""

    def is_for(self, user: str) -> bool:
        """Tell whether a member of the event may read it."""
        return self.to is None or user in self.to


class Helper(Model):
    """A trainer whom somebody lets into their notebook for a while."""

    owner: Line
    """Whose notebook it is."""
    session: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
    """The id of the session that they let them into, and into no other."""
    helper: Line | None
    """Whom they let in; null for every trainer of the event."""
    until_epoch: Epoch


class Team(Model):
    """Some of an event's people, with a folder of their own and perhaps another size."""

    folder: Slug
    """What its folder is called, below the event's."""
    members: tuple[Line, ...] = Field(default=(), max_length=10_000)
    """Names of users."""
    size: Slug | None = None
    """The only size of its sessions; null for that of the event."""


class Rehearsal(Model):
    """One session before the event opens, to see that all of it works."""

    user: Line
    """The trainer who may start it."""
    until_epoch: Epoch
    """When it is over, in seconds since 1970."""
    in_reservation: bool = False
    """Whether the event's reservation has begun already, so that it can run there."""


class Event(Model):
    """A hackathon or course: a window in time, its people, what they start, and who pays."""

    slug: Slug
    """What ``user_options`` name it by."""
    title: Line
    opens_epoch: Epoch
    """When its members may begin to start sessions of it, in seconds since 1970."""
    closes_epoch: Epoch
    """When they may no more; its sessions do not last longer."""
    members: tuple[Line, ...] = Field(default=(), max_length=10_000)
    """Names of users."""
    groups: tuple[Line, ...] = Field(default=(), max_length=1000)
    """Whoever is in one of them is a member too."""
    cluster: ClusterName
    allocation: Annotated[SlurmName, AfterValidator(str.lower)]
    """The account that pays; its members must be associated with it in Slurm."""
    reservation: SlurmName | None = None
    """Slurm's reservation that its sessions run in; null where there is none."""
    profiles: tuple[ProfilePattern, ...] = Field(min_length=1, max_length=1000)
    """Slugs of profiles or patterns."""
    size: Slug | None = None
    """The only size that its sessions may have; null for any."""
    rehearsal: Rehearsal | None = None
    """What a trainer tries before it opens; null while nobody does."""
    messages: tuple[Message, ...] = Field(default=(), max_length=MOST_MESSAGES)
    """The last ones of its trainers, the newest last."""
    hands: tuple[Line, ...] = Field(default=(), max_length=10_000)
    """Names of those who ask for help."""
    helpers: tuple[Helper, ...] = Field(default=(), max_length=10_000)
    """Who is let into whose notebook, by its owner's own will."""
    seats: tuple[SeatCard, ...] = Field(default=(), max_length=10_000)
    """Temporary seats, for people without an account of their own; they are among the members."""
    trainers: tuple[Line, ...] = Field(default=(), max_length=2000)
    """Those of its members who run it."""
    teams: tuple[Team, ...] = Field(default=(), max_length=1000)
    """Its teams, as far as it has some."""
    material: Material | None = None
    """What its sessions find in their homes; null for nothing."""
    folders: bool = False
    """Whether its people share folders, where their cluster has a place for them."""

    @model_validator(mode="after")
    def _opens_before_it_closes(self) -> Self:
        if self.closes_epoch <= self.opens_epoch:
            raise Wrong(("closes_epoch",), f"{self.closes_epoch} is not after opens_epoch", "a later time")
        return self

    def is_open(self, now_epoch: float) -> bool:
        return self.opens_epoch <= now_epoch < self.closes_epoch

    def is_open_to(self, user: str, now_epoch: float) -> bool:
        """Tell whether a member may start a session of it: while it is open, and before that for a rehearsal."""
        rehearsal = self._rehearsed_at(now_epoch)
        return self.is_open(now_epoch) or (rehearsal is not None and rehearsal.user == user)

    def _rehearsed_at(self, now_epoch: float) -> Rehearsal | None:
        tried = self.rehearsal
        return tried if tried is not None and now_epoch < min(self.opens_epoch, tried.until_epoch) else None

    def reservation_at(self, now_epoch: float) -> str | None:
        """Give the reservation that a session runs in which begins now."""
        rehearsal = self._rehearsed_at(now_epoch)
        return self.reservation if rehearsal is None or rehearsal.in_reservation else None

    @property
    def let_in(self) -> tuple[Helper, ...]:
        """Who is let into whose notebook, each trainer by their name."""
        return tuple(
            helper.model_copy(update={"helper": name})
            for helper in self.helpers
            for name in (self.trainers if helper.helper is None else (helper.helper,))
            if name != helper.owner
        )

    def has(self, user: str, groups: Iterable[str]) -> bool:
        """Tell whether a person is one of its members."""
        return user in self.members or not set(groups).isdisjoint(self.groups)

    def shows(self, profile: str) -> bool:
        """Tell whether a profile, by its slug, is one of the event's."""
        return any(fnmatchcase(profile, pattern) for pattern in self.profiles)

    def team_of(self, user: str) -> str:
        """Give the folder of a person's team; empty for a person without one."""
        return next((team.folder for team in self.teams if user in team.members), "")

    def for_person(self, user: str) -> Event:
        """Give the event as it is for one person: with the size of their team, where that has another."""
        sizes = [team.size for team in self.teams if user in team.members and team.size is not None]
        return self.model_copy(update={"size": sizes[0]}) if sizes else self

    def with_hand(self, user: str, up: bool) -> Event:
        """Give the event as it is once somebody has raised or lowered their hand."""
        others = tuple(name for name in self.hands if name != user)
        return self.model_copy(update={"hands": (*others, user) if up else others})

    def minutes_left(self, now_epoch: float) -> int:
        """Give the longest time of a session that begins now; at least 1 while it may begin."""
        rehearsal = self._rehearsed_at(now_epoch)
        until_epoch = self.closes_epoch if rehearsal is None else rehearsal.until_epoch
        return max(int(until_epoch - now_epoch) // MINUTE_SECONDS, 1)
