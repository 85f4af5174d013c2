"""The smoke test: a real job for each environment in each place, and what it told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpchub.catalogue.model import Catalogue
from hpchub.checks.jobs import CheckJob, CheckJobs
from hpchub.checks.targets import Payer, Target, request_for
from hpchub.errors import HpchubError
from hpchub.jobs import script
from hpchub.jobs.launcher import Launcher
from hpchub.slurm.client import SlurmClient
from hpchub.slurm.model import ClusterView

JOB_NAME = "hpchub-smoke"
MINUTES = 15
"""The jobs' time limit: a first import from a cold parallel file system takes minutes."""
STEPS = ("gpu", "home", "scratch", "imports", "kernel")
"""What the job does, by the names under which it tells the results."""


@dataclass(slots=True)
class Smoke:
    """One target's test; it changes while the test runs."""

    target: Target
    job: CheckJob | None = None
    problem: str = ""
    """Why there is no job."""

    @property
    def state(self) -> str:
        """In a word: ``passed``, ``failed``, or where its job is."""
        if self.job is None or self.job.over:
            return "failed" if self.failures else "passed"
        return self.job.state

    @property
    def failures(self) -> list[str]:
        """Everything that went wrong, a line each; empty while the job has not told anything wrong."""
        if self.job is None:
            return [self.problem]
        told = self.job.told
        failed = [line for step in STEPS for line in (told.get(step) or {}).get("failed", ())]
        if self.job.over:
            failed += [self.job.problem] if self.job.problem else []
            silent = [step for step in STEPS if step not in told]
            if silent and not self.job.problem:
                failed.append(f"The job told nothing of: {', '.join(silent)}.")
        return failed

    def as_dict(self) -> dict[str, Any]:
        """Give the result as JSON-ready values."""
        told = self.job.told if self.job else {}
        return {
            "environment": self.target.environment,
            "place": self.target.place,
            "profiles": [profile.slug for profile in self.target.profiles],
            "state": self.state,
            "failures": self.failures,
            "job_id": self.job.job_id if self.job else "",
            "session_id": self.job.request.session_id if self.job else "",
            "account": self.job.request.account if self.job else "",
            "gpus": self.target.size.gpus,
            "node": told.get("node", ""),
            "python": told.get("python", ""),
            "import_seconds": told.get("import_seconds"),
            "steps": {step: told[step] for step in STEPS if step in told},
        }


def prepare(
    catalogue: Catalogue, targets: Sequence[Target], views: Mapping[str, ClusterView], payer: Payer
) -> list[Smoke]:
    """Make the job of each target; one that cannot be made has its reason."""
    return [_prepared(catalogue, target, views, payer) for target in targets]


def _prepared(catalogue: Catalogue, target: Target, views: Mapping[str, ClusterView], payer: Payer) -> Smoke:
    cluster = catalogue.site.clusters[target.run.cluster]
    environment = catalogue.environments[target.environment]
    try:
        request = request_for(target, catalogue, views.get(target.run.cluster), payer, MINUTES)
    except HpchubError as error:
        return Smoke(target, problem=str(error))
    asked = {"imports": environment.imports, "gpus": target.size.gpus, "gpu_device": cluster.gpu_device}
    variables = {"HPCHUB_CHECK": json.dumps(asked)}
    return Smoke(target, CheckJob(request, script.render(request, JOB_NAME, _program()), variables))


def _program() -> str:
    return Path(__file__).with_name("smoke_program.py").read_text(encoding="utf-8")


def run(
    smokes: Sequence[Smoke],
    launcher: Launcher,
    clients: Mapping[str, SlurmClient],
    wait_seconds: float,
    changed: Callable[[], None],
) -> None:
    """Run all jobs side by side to their ends; interrupted, all of them are cancelled."""
    jobs = [smoke.job for smoke in smokes if smoke.job is not None]
    asyncio.run(CheckJobs(launcher, clients, JOB_NAME, wait_seconds, changed).run(jobs))
