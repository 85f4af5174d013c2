"""The pages, below ``/services/events/``: plain forms, so that everything works without JavaScript."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from hpchub.catalogue.model import in_language
from hpchub.catalogue.moments import zone_of
from hpchub.console import forms
from hpchub.console.answers import headers_of, sentence_of, status_of
from hpchub.console.frame import HUB, drawn, language_asked_for, origin_of
from hpchub.console.hub import Finding, HubRefused, HubSilent
from hpchub.console.joins import JoinRefused
from hpchub.console.plans import Event, Plan, State
from hpchub.console.report import as_csv
from hpchub.console.room import WORDS, counts
from hpchub.console.rooms import Rooms
from hpchub.console.signin import BASE
from hpchub.console.store import STATES, NoSuchEvent
from hpchub.console.verbs import NotAllowed, PlanRefused, TooManyGuesses, Verbs
from hpchub.console.visits import Visit, form_of, visit_of
from hpchub.text import Sentence

Visiting = Annotated[Visit, Depends(visit_of)]
router = APIRouter(include_in_schema=False)

_HOUR_SECONDS = 3600
_TO_COME = (State.REQUESTED, State.PLANNED, State.OPEN)


def _page(request: Request, visit: Visit, template: str, status_code: int = 200, **values: Any) -> Response:
    headers = values.pop("headers", None)
    values.update(states=STATES, now=time.time(), origin=origin_of(request))
    return drawn(
        request, template, values, caller=visit.caller, xsrf=visit.form_token, status_code=status_code, headers=headers
    )


def _verbs(request: Request) -> Verbs:
    verbs: Verbs = request.app.state.verbs
    return verbs


def _rooms(request: Request) -> Rooms:
    rooms: Rooms = request.app.state.rooms
    return rooms


def _to(path: str) -> Response:
    return RedirectResponse(path, 303)


@router.get("/")
async def home(request: Request, visit: Visiting) -> Response:
    """Show somebody's events: those they take part in, and those they manage."""
    verbs = _verbs(request)
    mine, managed = await verbs.mine(visit.caller), await verbs.managed(visit.caller)
    return _page(request, visit, "events.html", mine=mine, managed=managed, may_create=verbs.may_create(visit.caller))


# Joining


@router.get("/join")
async def join_page(request: Request, visit: Visiting) -> Response:
    """Ask for a code."""
    return _page(request, visit, "event_join.html")


@router.get("/join/{code}")
async def join_link(request: Request, visit: Visiting, code: str) -> Response:
    """Show what a code opens; only the button joins."""
    try:
        event = await _verbs(request).opened_by(visit.caller, code)
    except (JoinRefused, TooManyGuesses) as refusal:
        return _refused(request, visit, refusal, code)
    return _page(request, visit, "event_join.html", event=event, code=event.code)


@router.post("/join")
async def join(request: Request, visit: Visiting) -> Response:
    """Take a seat by a code, and start."""
    form = await form_of(request, visit)
    code = form.get("code", "")
    try:
        event = await _verbs(request).join(visit.caller, code=code or "-")
    except (JoinRefused, TooManyGuesses) as refusal:
        return _refused(request, visit, refusal, code)
    return await _started(request, visit, event.slug)


@router.post("/event/{slug}/join")
async def join_invited(request: Request, visit: Visiting, slug: str) -> Response:
    """Take a seat without a code, and start."""
    await form_of(request, visit)
    try:
        await _verbs(request).join(visit.caller, slug=slug)
    except JoinRefused as refusal:
        return await _event_page(request, visit, slug, refusal)
    return await _started(request, visit, slug)


@router.post("/event/{slug}/start")
async def start(request: Request, visit: Visiting, slug: str) -> Response:
    """Start one's server of an event, or go to it."""
    await form_of(request, visit)
    return await _started(request, visit, slug)


async def _started(request: Request, visit: Visit, slug: str) -> Response:
    verbs = _verbs(request)
    try:
        path = await verbs.start(visit.caller, slug, language_asked_for(request, verbs.catalogue.site))
    except (HubRefused, HubSilent, JoinRefused) as refusal:
        # They have their seat: what is wrong is said on the event's page, with the button to try again.
        return await _event_page(request, visit, slug, refusal)
    return _to(HUB + path)


def _refused(request: Request, visit: Visit, refusal: Exception, code: str) -> Response:
    return _page(
        request,
        visit,
        "event_join.html",
        status_of(refusal),
        headers=headers_of(refusal),
        refusal=sentence_of(refusal),
        typed=code,
    )


# One event


@router.get("/event/{slug}")
async def event_page(request: Request, visit: Visiting, slug: str) -> Response:
    """Show an event: to those who manage it with all its facts, to others with what they need to take part."""
    return await _event_page(request, visit, slug)


async def _event_page(request: Request, visit: Visit, slug: str, refusal: Exception | None = None) -> Response:
    verbs = _verbs(request)
    event = await verbs.open_to(visit.caller, slug)
    manages = visit.caller.manages(event)
    record = await verbs.record(visit.caller, slug) if manages else []
    state = event.state(verbs.clock())
    findings: list[Finding] | None = []
    if manages and state in _TO_COME:
        try:
            findings = await verbs.capacity(visit.caller, slug, language_asked_for(request, verbs.catalogue.site))
        except (HubRefused, HubSilent):
            findings = None
    return _page(
        request,
        visit,
        "event.html",
        status_of(refusal) if refusal else 200,
        event=event,
        state=state,
        findings=findings,
        ends=forms.typed(event.plan.ends_epoch, zone_of(verbs.catalogue.site.timezone)),
        manages=manages,
        takes_part=visit.caller.name in event.members,
        record=record,
        refusal=sentence_of(refusal) if refusal else "",
    )


@router.get("/event/{slug}/room")
async def room_page(request: Request, visit: Visiting, slug: str) -> Response:
    """Show a tile for each seat; the page brings itself up to date."""
    verbs = _verbs(request)
    event = await verbs.show(visit.caller, slug)
    seats = await _rooms(request).look(visit.caller, slug, language_asked_for(request, verbs.catalogue.site))
    return _page(
        request,
        visit,
        "event_room.html",
        event=event,
        state=event.state(verbs.clock()),
        seats=seats,
        counts=counts(seats),
        words=WORDS,
    )


@router.post("/event/{slug}/room/{verb}")
async def change_room(request: Request, visit: Visiting, slug: str, verb: str) -> Response:
    """Do what a button of the room says."""
    form, verbs = await form_of(request, visit), _verbs(request)
    language = language_asked_for(request, verbs.catalogue.site)
    if verb == "start":
        await _rooms(request).start_all(visit.caller, slug, language)
    elif verb == "stop":
        await _rooms(request).stop_all(visit.caller, slug)
    elif verb == "restart":
        await _rooms(request).restart(visit.caller, slug, form.get("name", ""), language)
    else:
        raise NoSuchEvent
    return _to(f"{BASE}event/{slug}/room")


@router.get("/event/{slug}/report")
async def report_page(request: Request, visit: Visiting, slug: str) -> Response:
    """Show what the event was, for the screen and for paper."""
    verbs = _verbs(request)
    event = await verbs.show(visit.caller, slug)
    told = await verbs.report(visit.caller, slug)
    return _page(request, visit, "event_report.html", event=event, state=event.state(verbs.clock()), report=told)


@router.get("/event/{slug}/report.csv")
async def report_file(request: Request, visit: Visiting, slug: str) -> Response:
    """Give the same for a spreadsheet."""
    text = as_csv(await _verbs(request).report(visit.caller, slug))
    headers = {"Content-Disposition": f'attachment; filename="{slug}.csv"', "Cache-Control": "no-store"}
    return Response(text, media_type="text/csv", headers=headers)


@router.get("/event/{slug}/code")
async def code_page(request: Request, visit: Visiting, slug: str) -> Response:
    """Show the code in large letters, for the wall."""
    event = await _verbs(request).show(visit.caller, slug)
    return _page(request, visit, "event_code.html", event=event)


@router.post("/event/{slug}/{verb}")
async def change(request: Request, visit: Visiting, slug: str, verb: str) -> Response:
    """Do what a button of a trainer or an administrator says."""
    form, verbs = await form_of(request, visit), _verbs(request)
    if verb == "extend":
        ends_epoch = forms.read_end(form, zone_of(verbs.catalogue.site.timezone))
        if ends_epoch is None:
            raise PlanRefused(Sentence("The new end is not after the one that it has."))
        await verbs.extend(visit.caller, slug, ends_epoch)
    elif verb == "refuse":
        await verbs.refuse(visit.caller, slug, form.get("reason", "")[:1000])
    elif verb in _BUTTONS:
        await getattr(verbs, _BUTTONS[verb])(visit.caller, slug)
    else:
        raise NoSuchEvent
    return _to(f"{BASE}event/{slug}")


_BUTTONS: Mapping[str, str] = {
    "approve": "approve",
    "close": "close",
    "new-code": "renew_code",
    "revoke-code": "revoke_code",
}
"""Buttons that need nothing but the event, and the methods of :class:`~hpchub.console.verbs.Verbs`."""


# A new event


@router.get("/new")
async def new_page(request: Request, visit: Visiting) -> Response:
    """Show the form for a new event."""
    verbs = _verbs(request)
    if not verbs.may_create(visit.caller):
        raise NotAllowed(Sentence("Only trainers create events."))
    zone = zone_of(verbs.catalogue.site.timezone)
    tomorrow = (int(verbs.clock()) // _HOUR_SECONDS + 24) * _HOUR_SECONDS
    first = {
        "starts_epoch": forms.typed(tomorrow, zone),
        "ends_epoch": forms.typed(tomorrow + 8 * _HOUR_SECONDS, zone),
        "setup_minutes": str(verbs.settings.setup_minutes),
        "seats": "20",
        "by_code": "yes",
    }
    return _form(request, visit, first)


@router.post("/new")
async def new(request: Request, visit: Visiting) -> Response:
    """Create an event of a form."""
    form, verbs = await form_of(request, visit), _verbs(request)
    plan = forms.read_plan(form, zone_of(verbs.catalogue.site.timezone))
    if not isinstance(plan, Plan):
        return _form(request, visit, form, wrong=plan)
    try:
        event: Event = await verbs.create(visit.caller, plan)
    except PlanRefused as refusal:
        return _form(request, visit, form, refusal=refusal.sentence)
    return _to(f"{BASE}event/{event.slug}")


def _form(
    request: Request,
    visit: Visit,
    typed: Mapping[str, str],
    wrong: list[tuple[str, Sentence]] | None = None,
    refusal: str = "",
) -> Response:
    catalogue = _verbs(request).catalogue
    language = language_asked_for(request, catalogue.site)
    return _page(
        request,
        visit,
        "event_new.html",
        400 if wrong or refusal else 200,
        typed=typed,
        labels=forms.LABELS,
        wrong=dict(wrong or []),
        refusal=refusal,
        clusters=[
            (name, in_language(each.title, language))
            for name, each in catalogue.site.clusters.items()
            if each.state == "open"
        ],
        profiles=[(slug, in_language(each.title, language)) for slug, each in catalogue.profiles.items()],
        sizes=[(name, name) for name in sorted({name for each in catalogue.profiles.values() for name in each.sizes})],
    )
