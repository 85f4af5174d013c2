"""A session: one notebook server and its job, from submission to end.

The session is a value with a few transitions and no I/O: :class:`~hpchub.slurm.watch.Watcher`'s views and the job's
own reports go in, a phase and sentences come out.  Whoever owns it stores it at every change.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from hpchub.jobs import logs
from hpchub.jobs.endings import Ending, cancelled_by, ending_of, sentence
from hpchub.jobs.request import JobRequest, read_comment
from hpchub.jobs.troubles import Troubles, visible
from hpchub.slurm.model import ClusterView, Job, JobState
from hpchub.slurm.reasons import is_budget, is_qos_limit


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
    own user as plain text.  ``troubles`` are what of an event's files is not there, for the user and the trainers.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    phase: Literal["starting", "ready", "failed", "ended"]
    port: Annotated[int, Field(ge=1024, le=65535)] | None = None
    message: Annotated[str, Field(max_length=8000)] | None = None
    troubles: Troubles = Field(default_factory=dict)

    @model_validator(mode="after")
    def _each_field_has_its_phase(self) -> Report:
        if (self.port is not None) != (self.phase == "ready"):
            raise ValueError("port belongs to the phase ready, and is needed there")
        if self.message is not None and self.phase != "failed":
            raise ValueError("message belongs to the phase failed")
        if self.troubles and self.phase != "ready":
            raise ValueError("troubles belong to the phase ready")
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
    begun_by: str = ""
    """Who asked for it, as the audit record names them; empty where nobody is known."""
    phase: Phase = Phase.SUBMITTED
    reached: dict[str, float] = field(default_factory=dict)
    """When each phase after the first was reached, in seconds since 1970, by the phase's word."""
    handed_over: bool = False
    """Whether the launcher was asked to submit the job: before that there can be none."""
    stop_asked: bool = False
    """Whether somebody has pressed Stop: a hub that comes after this one carries it out."""
    stopped_by: str = ""
    """Who pressed Stop."""
    recorded: bool = False
    """Whether the end is in the audit record."""
    job_id: str = ""
    reason: str = ""
    """Slurm's reason code while it waits."""
    estimate_epoch: int = 0
    """When Slurm would start such a job, for one that the scheduler has not planned; 0 where it was not asked."""
    node: str = ""
    address: str = ""
    port: int = 0
    encrypted: bool = False
    """Whether its server speaks TLS, with a certificate of this session's (hpchub/internal_tls.py)."""
    hopeless_since_epoch: float = 0
    """Since when Slurm gives a reason for which the job can never start; 0 while it gives none."""
    run_epoch: int = 0
    """When the job began to run, by Slurm's clock; a later one is a second run of the same job."""
    runs_since_epoch: float = 0
    contacted: bool = False
    """Whether the job has spoken to the hub."""
    failed: bool = False
    """Whether the job has said that its server ended with an error."""
    troubles: dict[str, str] = field(default_factory=dict)
    """What of the files of its event is not there, as the job said it: :class:`hpchub.jobs.troubles.Trouble`."""
    ending_since_epoch: float = 0
    ending: Ending | None = None
    says: str = ""
    """What a person reads about the end, in English."""
    facts: dict[str, Any] = field(default_factory=dict)
    """What the sentence of the end names, so that it can be said in another language."""
    log_tail: str = ""
    ended_epoch: float = 0

    @property
    def id(self) -> str:
        return self.request.session_id

    @property
    def server_url(self) -> str:
        """The notebook server's own address, without its path; once node and port are known."""
        return f"{'https' if self.encrypted else 'http'}://{self.address}:{self.port}"

    @property
    def over(self) -> bool:
        return self.phase is Phase.ENDED

    def as_dict(self) -> dict[str, Any]:
        """Give the session as JSON-ready values."""
        # Not dataclasses.asdict: it would copy the request, a model, in depth, at each change of each session.
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        copies = {name: dict(value) for name, value in values.items() if isinstance(value, dict)}
        return {**values, **copies, "request": self.request.model_dump()}

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
                # a version that kept no record ended it long ago
                "recorded": values.get("recorded", ending is not None),
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
            self._wait(job)
        elif job.state is JobState.RUNNING:
            self._run(job, view)
        elif job.state is JobState.ENDING:
            self._begin_to_end()
        elif job.state is JobState.ENDED and self._runs_again(job):
            self.end(Ending.REQUEUED)
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
            self.log_tail = logs.tail(report.message or "")
            self.failed = report.phase == "failed"
            self._begin_to_end()
        elif report.phase == "ready":
            self.port = report.port or 0
            self.troubles = {word.value: visible(detail) for word, detail in report.troubles.items()}
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
        self._advance(Phase.ENDED)
        # What Slurm says after a Stop, "cancelled", is our own doing.
        self.ending = Ending.STOPPED if self.stop_asked and ending is not Ending.STOP_OWED else ending
        self.ended_epoch = time.time()
        known = {"node": self.node, "address": self.address, "port": self.port}
        self._say({**known, **facts})

    def learn_who_cancelled(self, job: Job) -> bool:
        """Take in the accounting's record of a cancelled job; return whether the sentence has become another."""
        by = cancelled_by(job)
        if self.ending is not Ending.CANCELLED or not by or self.facts.get("by") == by:
            return False
        self._say({**self.facts, "by": by})
        return True

    def take_log(self, text: str) -> None:
        """Keep the end of the job's log, and find in it what Slurm says nowhere else.

        Where a node has no cgroups, a job that is killed for its memory is one that ended by signal 9.
        """
        self.log_tail = self.log_tail or logs.tail(text)
        if self.ending is Ending.JOB_FAILED and logs.killed_for_memory(text):
            self.ending = Ending.OUT_OF_MEMORY
            self._say(self.facts)

    def _say(self, facts: Mapping[str, Any]) -> None:
        if self.ending is not None:
            self.facts = dict(facts)
            self.says = sentence(self.ending, self.request, **self.facts)

    def _begin_to_end(self) -> None:
        self._advance(Phase.ENDING)
        self.ending_since_epoch = self.ending_since_epoch or time.time()

    def _wait(self, job: Job) -> None:
        if self.runs_since_epoch:
            # --no-requeue keeps Slurm from it, but an administrator can do it all the same.
            self.end(Ending.REQUEUED)
            return
        self._advance(Phase.QUEUED)
        self.reason = job.reason
        hopeless = _hopeless(job.reason)
        now = time.time()
        self.hopeless_since_epoch = (self.hopeless_since_epoch or now) if hopeless else 0
        if hopeless and now - self.hopeless_since_epoch >= _HOPELESS_SECONDS:
            self.end(hopeless, reason=job.reason)

    def _runs_again(self, job: Job) -> bool:
        return bool(self.run_epoch) and (job.start_epoch or 0) > self.run_epoch

    def _run(self, job: Job, view: ClusterView) -> None:
        if self._runs_again(job):
            self.end(Ending.REQUEUED)
            return
        self.run_epoch = job.start_epoch or 0
        self._advance(Phase.STARTING)
        self.reason = ""
        self.runs_since_epoch = self.runs_since_epoch or _seen(job.start_epoch)
        if job.node and self.phase is not Phase.READY:
            self.node = job.node
            self.address = next((node.address for node in view.nodes if node.name == job.node), job.node)

    def _advance(self, phase: Phase) -> None:
        if ORDER[phase] > ORDER[self.phase]:
            self.phase = phase
            self.reached[phase.value] = time.time()


def _hopeless(reason: str) -> Ending | None:
    """The end that a reason means for which a job waits for ever, if it means one."""
    if is_budget(reason):
        return Ending.BUDGET_SPENT
    return Ending.QOS_LIMIT if is_qos_limit(reason) else None


_HOPELESS_SECONDS = 3
"""How long a reason must stay before it counts: between two passes of the scheduler it may be another for a moment."""


def _seen(start_epoch: int | None) -> float:
    """When a job that was just seen to run began: by Slurm's clock, as far as that can be the same as ours."""
    now = time.time()
    return now if start_epoch is None else min(now, max(start_epoch, now - _SEEN_LATE_SECONDS))


_SEEN_LATE_SECONDS = 3
"""The most by which we see late that a job runs; what is older comes from clocks that differ, or from an outage."""
