"""An event as the API tells it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from hpchub.catalogue.event import Epoch
from hpchub.console.hub import Finding
from hpchub.console.plans import Event, Plan, State
from hpchub.console.rehearsal import Rehearsal
from hpchub.console.report import Report
from hpchub.console.room import Seat, SeatState
from hpchub.console.signin import BASE
from hpchub.console.store import Act


class Told(BaseModel):
    """Base of what the API answers."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


class ParticipantTold(Told):
    """Somebody with a seat."""

    name: str
    joined_epoch: int
    by: str
    """``code``, ``list``, ``group`` or ``seat``."""
    team: str
    """The team that they are in; empty where they are in none."""


class EventTold(Told):
    """An event, for those who manage it."""

    slug: str
    """Its name in addresses, and as `event` of a choice."""
    state: State
    """``requested``, ``refused``, ``planned``, ``open`` or ``over``."""
    plan: Plan
    """What its trainer planned."""
    plan_digest: str
    """Names the plan by what it says."""
    trainers: list[str]
    """Who manages it."""
    created_by: str
    created_epoch: int
    opens_epoch: int
    """When people can join and start."""
    approved_epoch: int | None
    refused_epoch: int | None
    refusal: str
    """Why it was refused."""
    closed_epoch: int | None
    """When somebody closed it before its end."""
    cleared_epoch: int | None
    """When it was over and no server of it was left."""
    rehearsal: Rehearsal | None
    """How a seat was tried before the event, the last time; null where nobody has."""
    code: str | None
    """By which people join now; null where there is none."""
    join_path: str | None
    """The address of the same, on the hub's own host."""
    seats_left: int
    participants: list[ParticipantTold]

    @classmethod
    def of(cls, event: Event, now_epoch: float) -> Self:
        """Tell an event."""
        return cls(
            slug=event.slug,
            state=event.state(now_epoch),
            plan=event.plan,
            plan_digest=event.plan.digest,
            trainers=list(event.trainers),
            created_by=event.created_by,
            created_epoch=event.created_epoch,
            opens_epoch=event.plan.opens_epoch,
            approved_epoch=event.approved_epoch,
            refused_epoch=event.refused_epoch,
            refusal=event.refusal,
            closed_epoch=event.closed_epoch,
            cleared_epoch=event.cleared_epoch,
            rehearsal=event.rehearsal,
            code=event.code,
            join_path=f"{BASE}join/{event.code}" if event.code else None,
            seats_left=event.seats_left,
            participants=[
                ParticipantTold(name=each.name, joined_epoch=each.joined_epoch, by=each.by, team=each.team)
                for each in event.participants
            ],
        )


class JoinedTold(Told):
    """An event, for those who joined it."""

    slug: str
    state: State
    title: str
    description: str
    starts_epoch: int
    ends_epoch: int
    team: str
    """The team that the caller is in; empty for none."""
    teams: list[str]
    """Those that the caller may choose from; none where the trainer says who is in which."""

    @classmethod
    def of(cls, event: Event, now_epoch: float, person: str) -> Self:
        """Tell an event to one person."""
        plan = event.plan
        return cls(
            slug=event.slug,
            state=event.state(now_epoch),
            title=plan.title,
            description=plan.description,
            starts_epoch=plan.starts_epoch,
            ends_epoch=plan.ends_epoch,
            team=event.team_of(person),
            teams=[team.name for team in plan.teams] if plan.choose_team else [],
        )


class StartedTold(Told):
    """Where a server that was asked for can be waited for."""

    path: str


class FindingTold(Told):
    """What is to be known about an event's room in Slurm."""

    about: str
    """``dates``, ``reservation``, ``budget`` …"""
    severity: str
    """``missing``, ``warning`` or ``fine``."""
    says: str
    """In the language of the request."""
    command: str
    """What an administrator of Slurm would run to mend it; empty where no command does."""

    @classmethod
    def of(cls, finding: Finding) -> Self:
        """Tell a finding."""
        return cls(about=finding.about, severity=finding.severity, says=finding.says, command=finding.command)


class SeatTold(Told):
    """A tile of the room."""

    name: str
    """Whose seat it is."""
    state: SeatState
    """``away``, ``queued``, ``starting``, ``working``, ``idle``, ``ending``, ``ended`` or ``failed``."""
    says: str
    """Why it waits, failed or was not started; in the language of the request."""
    session_id: str
    ends_epoch: float | None
    """When its time is over, while it runs."""
    node: str
    team: str
    """The team that they are in; empty where they are in none."""
    idle_minutes: int
    """For how long its notebook has done nothing, where it is idle."""
    gpu_percent: int | None
    """How busy its GPUs are; null where that is not known."""

    @classmethod
    def of(cls, seat: Seat) -> Self:
        """Tell a seat."""
        return cls(
            name=seat.name,
            state=seat.state,
            says=seat.says,
            session_id=seat.session_id,
            ends_epoch=seat.ends_epoch,
            node=seat.node,
            team=seat.team,
            idle_minutes=seat.idle_minutes,
            gpu_percent=seat.gpu_percent,
        )


class LineTold(Told):
    """What one person did in an event."""

    name: str
    joined: str
    """When they took their seat, in UTC; empty for a trainer."""
    by: str
    """``code``, ``list``, ``group``, ``seat`` or ``trainer``."""
    sessions: int
    failures: int
    """Sessions that ended as nobody wanted it."""
    waited_minutes: float
    """The longest time between a click and a running job."""
    hours: float
    gpu_hours: float
    core_hours: float | None
    """What the site charges; null while that is not known of each session."""
    accounted: bool
    """Whether the hours are those of Slurm's accounting; else they are as the hub saw them."""


class FailureTold(Told):
    """A session that ended as nobody wanted it."""

    name: str
    ended_epoch: float
    ending: str
    """Why, in a word, as `ending` of a session."""
    cluster: str
    job_id: str


class ReportTold(Told):
    """An event in numbers; hours by Slurm's accounting as soon as it has them."""

    seats: int
    came: int
    """People with a seat who had a running job."""
    sessions: int
    failures: int
    hours: float
    gpu_hours: float
    core_hours: float | None
    """What the site charges; null while that is not known of each session."""
    accounted: bool
    """Whether all hours are those of Slurm's accounting."""
    failed: list[FailureTold]
    lines: list[LineTold]

    @classmethod
    def of(cls, report: Report) -> Self:
        """Tell a report."""
        return cls.model_validate(asdict(report))


class StartingTold(Told):
    """How many notebooks are being started."""

    starting: int


class ActTold(Told):
    """A line of an event's record."""

    epoch: int
    who: str
    verb: str
    detail: str

    @classmethod
    def of(cls, act: Act) -> Self:
        """Tell a line."""
        return cls(epoch=act.epoch, who=act.who, verb=act.verb, detail=act.detail)


class Problem(Told):
    """What is answered where something was not done."""

    status: int
    message: str


class Why(BaseModel):
    """The body of a refusal."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    reason: str = Field(default="", max_length=1000, pattern=r"^[^\x00]*$")
    """For the trainer."""


class Approving(BaseModel):
    """The body of an approval."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    plan_digest: str | None = Field(default=None, max_length=64)
    """The one of the plan that was looked at: another plan is not approved; null for whatever it is by now."""


class Extending(BaseModel):
    """The body of an extension."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    ends_epoch: Epoch
    """When it is over, in seconds since 1970."""


class Joining(BaseModel):
    """The body of a join: a code, or the name of an event that one is invited to."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    code: str = Field(default="", max_length=100)
    """As it was read; case, spaces and hyphens do not count."""
    event: str = Field(default="", max_length=63, pattern=r"^[a-z0-9-]*$")
    """Its slug."""
    team: str = Field(default="", max_length=40)
    """The team to join, where people choose theirs; empty for none."""


class InTeam(BaseModel):
    """The body of a change of team."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    team: str = Field(max_length=40)
    """By its name; empty for none."""
