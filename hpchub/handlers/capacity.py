"""``/hub/api/hpchub/capacity``: whether Slurm carries an event, from what the hub knows already."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from typing import Any

from jupyterhub.apihandlers import APIHandler
from jupyterhub.scopes import needs_scope
from pydantic import Field, ValidationError
from tornado import web

from hpchub.catalogue.fields import Model
from hpchub.catalogue.moments import zone_of
from hpchub.console.capacity import any_missing, entitled_people, findings, reservation_of
from hpchub.console.capacity.plan import Plan
from hpchub.console.reservation import alike
from hpchub.engine import WithEngine
from hpchub.events import wrong_in
from hpchub.pages.language import VARY, language_of_request, offered_by
from hpchub.slurm.model import ClusterView, Reservation

BODY_LIMIT = 8 * 1024 * 1024


class Question(Model):
    """What is asked: a plan, and what else is planned."""

    plan: Plan
    """The event."""
    others: tuple[Plan, ...] | None = Field(default=None, max_length=1000)
    """All other events; those at another time do not count.  Null: nothing is said of others."""


class CapacityHandler(WithEngine, APIHandler):  # type: ignore[misc]  # JupyterHub has no types
    """For the console and for scripts, who may set the events too; nothing is asked of the clusters for it."""

    @needs_scope("admin:groups")  # type: ignore[untyped-decorator]  # JupyterHub has no types
    async def post(self) -> None:
        if len(self.request.body) > BODY_LIMIT:
            raise web.HTTPError(400, f"A plan has at most {BODY_LIMIT} bytes.")
        try:
            question = Question.model_validate_json(self.request.body)
        except ValidationError as error:
            raise web.HTTPError(400, f"Not a plan: {wrong_in(error)}") from None
        language = language_of_request(self.request, offered_by(self.engine.catalogue.site))
        self.set_header("Vary", VARY)
        await self.engine.first_views()
        self.finish(json.dumps(self._told(question, language)))

    def _told(self, question: Question, language: str) -> dict[str, Any]:
        catalogue, now_epoch = self.engine.catalogue, time.time()
        zone = zone_of(catalogue.site.timezone)
        planned = question.plan.planned(zone)
        others = None if question.others is None else [each.planned(zone) for each in question.others]
        view = self.engine.views.get(planned.cluster, ClusterView(planned.cluster))
        # Where each person is asked about, the budgets of one who takes part stand for all.
        budgets = self.engine.budgets.of(planned.members[0] if planned.members else "").get(planned.cluster)
        entitled = entitled_people(planned, view, catalogue)
        found = findings(planned, view, catalogue, now_epoch, budgets, others)
        wanted = reservation_of(planned, view, catalogue, now_epoch)
        there = next((each for each in view.reservations if each.name == planned.reservation), None)
        return {
            "missing": any_missing(found),
            "findings": [finding.as_dict(language) for finding in found],
            "reservation": asdict(wanted) if wanted else None,
            "reserved": _reserved(there) if there else None,
            "reserved_alike": bool(there and wanted and alike(there, wanted, view, now_epoch)),
            "associated": None if entitled is None else sorted(entitled),
        }


def _reserved(there: Reservation) -> dict[str, int]:
    return {"starts_epoch": there.start_epoch, "ends_epoch": there.end_epoch, "nodes": len(there.nodes)}
