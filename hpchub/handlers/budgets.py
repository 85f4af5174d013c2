"""``/hub/api/hpchub/budgets``: what is left of a person's allocations, from what was told last."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hpchub.catalogue.budget import level_of, spent_obstacle, warnings_of
from hpchub.catalogue.moments import day_of, zone_of
from hpchub.catalogue.rules import Person, accounts_of
from hpchub.catalogue.site import Site
from hpchub.handlers.person import OfPerson
from hpchub.pages.language import VARY, language_of_request, offered_by
from hpchub.slurm.model import ClusterView
from hpchub.text import SOURCE_LANGUAGE, Speech, in_words


def told(
    site: Site, person: Person, views: Mapping[str, ClusterView], language: str = SOURCE_LANGUAGE
) -> list[dict[str, Any]]:
    """Give one entry an allocation of the person; one whose budget nobody told has only its names."""
    speech = Speech(language)
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
                sentences = [spent] if spent else warnings_of(budget, cluster, warnings, today)
                entry |= {
                    "level": level_of(budget, warnings, today),
                    "total_core_hours": budget.total_core_hours,
                    "used_core_hours": budget.used_core_hours,
                    "left_core_hours": budget.left_core_hours,
                    "end_date": budget.end_date.isoformat() if budget.end_date else None,
                    "month_total_core_hours": budget.month_total_core_hours,
                    "month_used_core_hours": budget.month_used_core_hours,
                    "taken_epoch": budget.taken_epoch,
                    "sentences": [in_words(sentence, speech) for sentence in sentences],
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


class BudgetsHandler(OfPerson):
    """All of a person's allocations on all clusters."""

    async def get(self) -> None:
        person = await self.person_asked_about("budgets")
        site = self.engine.catalogue.site
        language = language_of_request(self.request, offered_by(site))
        self.set_header("Vary", VARY)
        self.finish(json.dumps(told(site, person, self.engine.views, language)))
