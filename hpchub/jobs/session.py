"""A session: one notebook server and its job, from submission to end.

The session is a value with a few transitions and no I/O: :class:`~hpchub.slurm.watch.Watcher`'s views and the job's
own reports go in, a phase and sentences come out.  Whoever owns it stores it at every change.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from hpchub.jobs.endings import Ending, ending_of, sentence
from hpchub.jobs.request import JobRequest, read_comment
from hpchub.slurm.model import ClusterView, Job, JobState


class Phase(StrEnum):
    """Where a session is; it only goes forward."""

    SUBMITTED = "submitted"
    """Being handed to Slurm; the job id may still be unknown."""
    QUEUED = "queued"
    STARTING = "starting"
    """The job runs, the notebook server does not listen yet."""
    READY = "ready"
    ENDING = "ending"
    """Slurm is ending its processes: the server is gone, the reason is not known yet."""
    ENDED = "ended"


ORDER = {phase: position for position, phase in enumerate(Phase)}


class Report(BaseModel):
    """What a job may tell the hub: these fields and no others.

    ``failed`` is the end with an error, ``ended`` any other; ``message`` is the end of the server's log, shown to its
    own user as plain text.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    phase: Literal["starting", "ready", "failed", "ended"]
    port: Annotated[int, Field(ge=1024, le=65535)] | None = None
    message: Annotated[str, Field(max_length=8000)] | None = None

    @model_validator(mode="after")
    def _each_field_has_its_phase(self) -> Report:
        if (self.port is not None) != (self.phase == "ready"):
            raise ValueError("port belongs to the phase ready, and is needed there")
        if self.message is not None and self.phase != "failed":
            raise ValueError("message belongs to the phase failed")
        return self


class ReportConflict(Exception):
    """A report that contradicts what is known: a second port, or news of a session that is over."""


@dataclass(slots=True)
class Session:
    """One session; every field goes into the hub's database."""

    request: JobRequest
    token_id: int
    """The database id of the server's token (no secret): only that token may report."""
    begun_epoch: float
    phase: Phase = Phase.SUBMITTED
    job_id: str = ""
    reason: str = ""
    """Slurm's reason code while it waits."""
    node: str = ""
    address: str = ""
    port: int = 0
    runs_since_epoch: float = 0
    contacted: bool = False
    """Whether the job has spoken to the hub."""
    failed: bool = False
    """Whether the job has said that its server ended with an error."""
    ending_since_epoch: float = 0
    ending: Ending | None = None
    says: str = ""
    """What a person reads about the end."""
    log_tail: str = ""
    ended_epoch: float = 0

    @property
    def id(self) -> str:
        return self.request.session_id

    @property
    def over(self) -> bool:
        return self.phase is Phase.ENDED

    def as_dict(self) -> dict[str, Any]:
        """Give the session as JSON-ready values."""
        return {**asdict(self), "request": self.request.model_dump()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Session:
        """Take a stored session up again; fields that another version had are left out.

        A field that is added later needs a default: sessions outlive upgrades.

        Raises:
            ValueError, TypeError, KeyError: it was stored by something else.
        """
        ending = values.get("ending")
        known = {field.name for field in fields(cls)}
        request = {key: value for key, value in dict(values["request"]).items() if key in JobRequest.model_fields}
        return cls(
            **{
                **{key: value for key, value in values.items() if key in known},
                "request": JobRequest.model_validate(request),
                "phase": Phase(values["phase"]),
                "ending": Ending(ending) if ending else None,
            }
        )

    def mine_among(self, view: ClusterView) -> Job | None:
        """Find this session's job: by its id, else by the session id in a comment of the same Slurm user's job."""
        if self.job_id:
            return view.jobs.get(self.job_id)
        for job in view.jobs.values():
            if job.user == self.request.user:
                identity = read_comment(job.comment)
                if identity and identity["session"] == self.id:
                    return job
        return None

    def observe(self, job: Job, view: ClusterView, hub_url: str) -> bool:
        """Take in what Slurm says of the job; return whether anything changed."""
        if self.over:
            return False
        before = (self.phase, self.reason, self.node, self.job_id)
        self.job_id = job.job_id
        if job.state is JobState.PENDING:
            self._advance(Phase.QUEUED)
            self.reason = job.reason
        elif job.state is JobState.RUNNING:
            self._run(job, view)
        elif job.state is JobState.ENDING:
            self._begin_to_end()
        elif job.state is JobState.ENDED:
            self.end(ending_of(job), node=job.node or self.node, hub_url=hub_url, slurm_state=job.slurm_state)
        return before != (self.phase, self.reason, self.node, self.job_id)

    def accept(self, report: Report) -> bool:
        """Take in what the job says; return whether anything changed.

        Raises:
            ReportConflict: the session is over, or has another port already.
        """
        if self.over:
            if report.phase == "ended":
                return False
            raise ReportConflict("this session is over")
        if report.phase == "ready" and self.port not in (0, report.port):
            raise ReportConflict("this session has reported another port already")
        before = (self.phase, self.port, self.contacted)
        self.contacted = True
        if report.phase in ("failed", "ended"):
            # The server is gone for certain; why, Slurm will say: it may have been killed for its memory.
            self.log_tail = report.message or ""
            self.failed = report.phase == "failed"
            self._begin_to_end()
        elif report.phase == "ready":
            self.port = report.port or 0
        else:
            self._advance(Phase.STARTING)
        return before != (self.phase, self.port, self.contacted)

    def end_without_a_reason(self) -> None:
        """End a session of which Slurm does not say why, with what is known."""
        self.end(Ending.SERVER_EXITED if self.failed else Ending.JOB_FAILED, slurm_state="COMPLETING")

    def become_ready(self) -> None:
        """Note that the hub has reached the server."""
        self._advance(Phase.READY)

    def end(self, ending: Ending, **facts: object) -> None:
        """End the session for a reason; the first reason stays."""
        if self.over:
            return
        self.phase = Phase.ENDED
        self.ending = ending
        self.ended_epoch = time.time()
        known = {"node": self.node, "address": self.address, "port": self.port}
        self.says = sentence(ending, self.request, **{**known, **facts})

    def _begin_to_end(self) -> None:
        self._advance(Phase.ENDING)
        self.ending_since_epoch = self.ending_since_epoch or time.time()

    def _run(self, job: Job, view: ClusterView) -> None:
        self._advance(Phase.STARTING)
        self.reason = ""
        self.runs_since_epoch = self.runs_since_epoch or _seen(job.start_epoch)
        if job.node and self.phase is not Phase.READY:
            self.node = job.node
            self.address = next((node.address for node in view.nodes if node.name == job.node), job.node)

    def _advance(self, phase: Phase) -> None:
        if ORDER[phase] > ORDER[self.phase]:
            self.phase = phase


def _seen(start_epoch: int | None) -> float:
    """When a job that was just seen to run began: by Slurm's clock, as far as that can be the same as ours."""
    now = time.time()
    return now if start_epoch is None else min(now, max(start_epoch, now - _SEEN_LATE_SECONDS))


_SEEN_LATE_SECONDS = 3
"""The most by which we see late that a job runs; what is older comes from clocks that differ, or from an outage."""
