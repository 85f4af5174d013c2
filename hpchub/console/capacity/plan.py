"""A plan of an event in a file or on the command line, before there is an event: what ``hpchub events check`` reads."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import tzinfo
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, StringConstraints

from hpchub.catalogue.checked import checked
from hpchub.catalogue.fields import (
    ClusterName,
    Count,
    DayOrTime,
    Model,
    Positive,
    PosixName,
    ProfilePattern,
    Slug,
    SlurmName,
)
from hpchub.catalogue.files import Document, read_document
from hpchub.catalogue.moments import begin_epoch, end_epoch
from hpchub.catalogue.problems import FilesWrong, Problem
from hpchub.console.capacity.planned import Planned

THE_OPTIONS = Path("options")
"""What stands for the file where there is none."""


Start = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+/[a-z0-9-]+(?::[a-z0-9-]+)?$", max_length=200)]


class Plan(Model):
    """An event as far as its room in Slurm is concerned."""

    name: Slug = "event"
    """What the event is called; decides the name of a reservation that the hub makes."""
    cluster: ClusterName
    """Where its sessions run."""
    allocation: Annotated[SlurmName, AfterValidator(str.lower)]
    """The Slurm account that pays."""
    opens: DayOrTime
    """When people come: a day, or a time with its zone."""
    closes: DayOrTime
    """When its sessions end; a day belongs to it to its end."""
    seats: Annotated[int, Field(strict=True, ge=1, le=10_000)]
    """How many people take part."""
    profiles: tuple[ProfilePattern, ...] = Field(min_length=1)
    """What they start: profiles, or patterns."""
    setup_minutes: Count = 0
    """How long before it opens its sessions may start."""
    teams: Positive | None = None
    """How many teams there are, where each has one session; absent: every seat has its own."""
    size: Slug | None = None
    """The only size of its sessions; absent: people choose."""
    starts: tuple[Start, ...] = Field(default=(), max_length=100)
    """What some teams start instead: ``profile`` or ``profile:size``; each is counted as if all took it."""
    minutes: Positive | None = None
    """How long a session runs in all; absent: from the set-up until the event closes."""
    qos: SlurmName | None = None
    """The QOS; absent: the profile's first that the allocation has and that gives enough time."""
    reservation: SlurmName | None = None
    """Slurm's reservation; absent: the sessions wait like all others."""
    people: tuple[PosixName, ...] = Field(default=(), max_length=10_000)
    """The POSIX names of those who take part, as far as they are known."""
    sessions_a_person: Positive = 1
    """How many sessions run under one POSIX name at a time."""

    def planned(self, zone: tzinfo | None) -> Planned:
        """Give the values that the checks take; days are those of a zone, None for the machine's own."""
        return Planned(
            slug=self.name,
            cluster=self.cluster,
            allocation=self.allocation,
            opens_epoch=int(begin_epoch(self.opens, zone)),
            closes_epoch=int(end_epoch(self.closes, zone)),
            seats=self.seats,
            profiles=self.profiles,
            setup_minutes=self.setup_minutes,
            teams=self.teams,
            size=self.size,
            starts=tuple((profile, size or None) for profile, _, size in (each.partition(":") for each in self.starts)),
            minutes=self.minutes,
            qos=self.qos,
            reservation=self.reservation,
            members=self.people,
            sessions_a_person=self.sessions_a_person,
        )


def read_plan(file: Path | None, options: Mapping[str, Any]) -> Plan:
    """Read a plan from a YAML file, from options, or from both: then an option wins.

    Raises :class:`FilesWrong` with one line for each mistake.
    """
    document = read_document(file) if file else Document(THE_OPTIONS, {}, {(): 1})
    data = document.data
    if isinstance(data, dict):
        data = {**data, **options}
    problems: list[Problem] = []
    plan = checked(Document(document.path, data, document.lines), Plan, problems)
    if plan is None:
        raise FilesWrong(problems)
    return plan
