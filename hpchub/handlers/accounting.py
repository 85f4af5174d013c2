"""``/hub/api/hpchub/accounting``: what Slurm's accounting has of jobs that have ended."""

from __future__ import annotations

import json
from typing import Annotated, Any

from jupyterhub.apihandlers import APIHandler
from jupyterhub.scopes import needs_scope
from pydantic import Field, StringConstraints, ValidationError
from tornado import web

from hpchub.catalogue.charged import core_hours
from hpchub.catalogue.fields import ClusterName, Model
from hpchub.catalogue.rules import shapes_of
from hpchub.engine import WithEngine
from hpchub.errors import SlurmError
from hpchub.events import wrong_in
from hpchub.slurm import accounted

BODY_LIMIT = 64 * 1024


class Question(Model):
    """What is asked: jobs of one cluster."""

    cluster: ClusterName
    """Where they ran."""
    jobs: tuple[Annotated[str, StringConstraints(pattern=r"^[0-9]{1,12}$")], ...] = Field(min_length=1, max_length=500)
    """Their numbers; of others than the hubs' nothing is told."""


class AccountingHandler(WithEngine, APIHandler):  # type: ignore[misc]  # JupyterHub has no types
    """For the console, which asks Slurm nothing itself: one question to slurmdbd for many jobs."""

    @needs_scope("admin:groups")  # type: ignore[untyped-decorator]  # JupyterHub has no types
    async def post(self) -> None:
        if len(self.request.body) > BODY_LIMIT:
            raise web.HTTPError(400, f"A question has at most {BODY_LIMIT} bytes.")
        try:
            question = Question.model_validate_json(self.request.body)
        except ValidationError as error:
            raise web.HTTPError(400, f"Not a question: {wrong_in(error)}") from None
        if question.cluster not in self.engine.watchers:
            raise web.HTTPError(404, f"There is no cluster {question.cluster}.")
        try:
            told = await self._told(question)
        except SlurmError as error:
            raise web.HTTPError(503, f"Slurm's accounting does not answer: {error}") from None
        self.finish(json.dumps(told))

    async def _told(self, question: Question) -> dict[str, Any]:
        """Give an entry for each job whose end the accounting knows, by its number."""
        watcher = self.engine.watcher_of(question.cluster)
        cluster = self.engine.catalogue.site.clusters.get(question.cluster)
        answer = await watcher.client.answer(accounted.command(question.cluster, question.jobs))
        partitions, shapes = watcher.view.partitions, shapes_of(watcher.view)
        return {
            job_id: {
                "seconds": job.seconds,
                "gpus": job.gpus,
                "core_hours": core_hours(job, cluster, partitions.get(job.partition), shapes) if cluster else None,
            }
            for job_id, job in accounted.read(answer).items()
        }
