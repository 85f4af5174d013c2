"""``/hub/api/hpchub/budgets``: what is left of a person's allocations, from what was told last."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from jupyterhub.apihandlers import APIHandler
from tornado import web

from hpchub.catalogue.budget import level_of, spent_obstacle, warnings_of
from hpchub.catalogue.moments import day_of, zone_of
from hpchub.catalogue.rules import Person, accounts_of
from hpchub.catalogue.site import Site
from hpchub.engine import Engine
from hpchub.slurm.model import ClusterView


def told(site: Site, person: Person, views: Mapping[str, ClusterView]) -> list[dict[str, Any]]:
    """Give one entry an allocation of the person; one whose budget nobody told has only its names."""
    today = day_of(person.now_epoch, zone_of(site.timezone))
    entries = []
    for cluster, view in views.items():
        for account in accounts_of(person, view):
            budget = person.budgets.get(cluster, {}).get(account)
            warnings = site.clusters[cluster].budget if cluster in site.clusters else None
            entry: dict[str, Any] = dict.fromkeys(FIELDS)
            entry |= {"cluster": cluster, "account": account, "sentences": []}
            if budget is not None and warnings is not None:
                spent = spent_obstacle(budget, cluster, today)
                entry |= {
                    "level": level_of(budget, warnings, today),
                    "total_core_hours": budget.total_core_hours,
                    "used_core_hours": budget.used_core_hours,
                    "left_core_hours": budget.left_core_hours,
                    "end_date": budget.end_date.isoformat() if budget.end_date else None,
                    "month_total_core_hours": budget.month_total_core_hours,
                    "month_used_core_hours": budget.month_used_core_hours,
                    "taken_epoch": budget.taken_epoch,
                    "sentences": [spent] if spent else warnings_of(budget, cluster, warnings, today),
                }
            entries.append(entry)
    return entries


FIELDS = (
    "cluster",
    "account",
    "level",
    "total_core_hours",
    "used_core_hours",
    "left_core_hours",
    "end_date",
    "month_total_core_hours",
    "month_used_core_hours",
    "taken_epoch",
    "sentences",
)


class BudgetsHandler(APIHandler):  # type: ignore[misc]  # JupyterHub has no types
    """One's own, or with ``?user=NAME`` those of somebody whose servers one may read."""

    async def get(self) -> None:
        if self.current_user is None:
            raise web.HTTPError(403, "Missing or invalid credentials.")
        name = self.get_argument("user", "") or self.current_user.name
        user = self.find_user(name)
        if user is None or not self.has_scope(f"read:servers!user={name}"):
            raise web.HTTPError(404, "There is no such user, or none whose budgets you may read; give ?user=NAME.")
        engine: Engine = self.settings["hpchub"]
        # A hub that has just started does not know yet whose allocations are whose.
        await engine.first_views()
        person = engine.person(name, (group.name for group in user.orm_user.groups))
        self.finish(json.dumps(told(engine.catalogue.site, person, engine.views)))
