"""Events as the hub knows them: who may use what, when, and who pays.  Pure.

The console owns them and pushes those that matter now; the hub only decides by them.
"""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from hpchub.catalogue.fields import ClusterName, Line, Model, ProfilePattern, Slug, SlurmName, Wrong

MINUTE_SECONDS = 60
Epoch = Annotated[int, Field(strict=True, ge=0, le=10**11)]


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

    @model_validator(mode="after")
    def _opens_before_it_closes(self) -> Self:
        if self.closes_epoch <= self.opens_epoch:
            raise Wrong(("closes_epoch",), f"{self.closes_epoch} is not after opens_epoch", "a later time")
        return self

    def is_open(self, now_epoch: float) -> bool:
        return self.opens_epoch <= now_epoch < self.closes_epoch

    def has(self, user: str, groups: Iterable[str]) -> bool:
        """Tell whether a person is one of its members."""
        return user in self.members or not set(groups).isdisjoint(self.groups)

    def shows(self, profile: str) -> bool:
        """Tell whether a profile, by its slug, is one of the event's."""
        return any(fnmatchcase(profile, pattern) for pattern in self.profiles)

    def minutes_left(self, now_epoch: float) -> int:
        """Give the longest time of a session that begins now; at least 1 while the event is open."""
        return max(int(self.closes_epoch - now_epoch) // MINUTE_SECONDS, 1)
