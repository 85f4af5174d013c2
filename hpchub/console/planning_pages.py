"""The pages of what a trainer does with a plan once there is one: change it, extend it, rehearse it."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from hpchub.catalogue.moments import zone_of
from hpchub.console import forms
from hpchub.console.filled import changes, filled
from hpchub.console.frame import language_asked_for
from hpchub.console.pages import Visiting, form_page, verbs_of
from hpchub.console.planning_api import changes_of, rehearsals_of
from hpchub.console.plans import Plan
from hpchub.console.signin import BASE
from hpchub.console.verbs import PlanRefused
from hpchub.console.visits import form_of
from hpchub.text import Sentence

router = APIRouter(include_in_schema=False)


@router.get("/event/{slug}/change")
async def change_page(request: Request, visit: Visiting, slug: str) -> Response:
    """Show the form of an event, filled with what it is."""
    verbs = verbs_of(request)
    event = await verbs.show(visit.caller, slug)
    zone = zone_of(verbs.catalogue.site.timezone)
    return form_page(request, visit, filled(event.plan, zone), event=event)


@router.post("/event/{slug}/change")
async def change(request: Request, visit: Visiting, slug: str) -> Response:
    """Change an event by its form."""
    form, verbs = await form_of(request, visit), verbs_of(request)
    event = await verbs.show(visit.caller, slug)
    zone = zone_of(verbs.catalogue.site.timezone)
    plan = forms.read_plan(form, zone)
    if not isinstance(plan, Plan):
        return form_page(request, visit, form, wrong=plan, event=event)
    try:
        await changes_of(request).change(visit.caller, slug, changes(event.plan, plan, zone))
    except PlanRefused as refusal:
        return form_page(request, visit, form, refusal=refusal.sentence, event=event)
    return _to(slug)


@router.post("/event/{slug}/extend")
async def extend(request: Request, visit: Visiting, slug: str) -> Response:
    """Let an event end later."""
    form = await form_of(request, visit)
    ends_epoch = forms.read_end(form, zone_of(verbs_of(request).catalogue.site.timezone))
    if ends_epoch is None:
        raise PlanRefused(Sentence("The new end is not after the one that it has."))
    await changes_of(request).extend(visit.caller, slug, ends_epoch)
    return _to(slug)


@router.post("/event/{slug}/rehearse")
async def rehearse(request: Request, visit: Visiting, slug: str) -> Response:
    """Try one seat for real; the event's page shows what comes of it."""
    await form_of(request, visit)
    language = language_asked_for(request, verbs_of(request).catalogue.site)
    await rehearsals_of(request).begin(visit.caller, slug, language)
    return _to(slug)


def _to(slug: str) -> Response:
    return RedirectResponse(f"{BASE}event/{slug}", 303)
