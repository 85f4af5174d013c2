"""``/hub/api/hpchub/offers``: what a person may start now, at which price, and why not the rest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hpchub.catalogue.maintenance import closing
from hpchub.catalogue.model import Catalogue, Profile, Run, in_language
from hpchub.catalogue.notes import budget_notes, notes_of
from hpchub.catalogue.offers import Group, Person, offers
from hpchub.catalogue.reasons import why_not_here
from hpchub.catalogue.rules import may_see
from hpchub.handlers.person import OfPerson
from hpchub.pages.language import VARY, language_of_request, offered_by
from hpchub.slurm.model import ClusterView
from hpchub.text import SOURCE_LANGUAGE, Speech, in_words


def told(
    catalogue: Catalogue, person: Person, views: Mapping[str, ClusterView], language: str = SOURCE_LANGUAGE
) -> list[dict[str, Any]]:
    """Give an entry for each profile that is for the person, whether it can be started now or not."""
    speech = Speech(language)
    found: dict[tuple[str, Run], list[Group]] = {}
    for group in offers(catalogue, person, views).groups:
        found.setdefault((group.profile.slug, group.run), []).append(group)
    return [
        {
            "profile": profile.slug,
            "sector": profile.sector,
            "title": in_language(profile.title, language),
            "description": in_language(profile.description, language),
            "environment": profile.environment,
            "default_size": profile.default_size,
            "places": [
                _place(catalogue, person, views, profile, run, found.get((profile.slug, run), []), speech)
                for run in profile.runs_on
            ],
        }
        for profile in catalogue.profiles.values()
        if may_see(catalogue, person, views, profile)
    ]


def _place(
    catalogue: Catalogue,
    person: Person,
    views: Mapping[str, ClusterView],
    profile: Profile,
    run: Run,
    groups: list[Group],
    speech: Speech,
) -> dict[str, Any]:
    view = views.get(run.cluster)
    place: dict[str, Any] = {
        "cluster": run.cluster,
        "partition": run.partition,
        "gpu_type": run.gpu_type,
        "free_gpus": None,
        "fits_minutes": None,
        "choices": [_choice(group) for group in groups],
        "notes": [],
        "reason": None if groups else in_words(why_not_here(catalogue, person, view, profile, run), speech),
    }
    if view is not None and groups:
        known = closing(view, run.partition, person.now_epoch)
        place["free_gpus"] = view.free_gpus(run.partition, run.gpu_type) if run.gpu_type else None
        place["fits_minutes"] = known.fits_minutes if known else None
        notes = (*notes_of(catalogue.site, person, views, groups), *budget_notes(person, groups))
        place["notes"] = [in_words(note, speech) for note in notes]
    return place


def _choice(group: Group) -> dict[str, Any]:
    return {
        "allocations": {
            account: [qos for qos in group.run.qos if qos in own] for account, own in group.accounts.items()
        },
        "sizes": [
            {
                "size": term.size,
                "qos": term.qos,
                "gpus": term.gpus,
                "cores": term.cores,
                "memory_mb": term.memory_mb,
                "default_minutes": term.default_minutes,
                "max_minutes": term.max_minutes,
                "core_hours_an_hour": round(term.core_hours_an_hour, 4),
                "gpu_hours_an_hour": term.gpus,
            }
            for term in group.terms
        ],
    }


class OffersHandler(OfPerson):
    """All that a person may start now, and what they may see and not start."""

    async def get(self) -> None:
        person = await self.person_asked_about("offers")
        language = language_of_request(self.request, offered_by(self.engine.catalogue.site))
        self.set_header("Vary", VARY)
        self.finish(json.dumps(told(self.engine.catalogue_of(person.name), person, self.engine.views, language)))
