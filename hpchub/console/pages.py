"""The pages, below ``/services/events/``: plain forms, so that everything works without JavaScript."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from hpchub.catalogue.model import in_language
from hpchub.catalogue.moments import zone_of
from hpchub.catalogue.seats import pool_of
from hpchub.console import forms
from hpchub.console.answers import headers_of, sentence_of, status_of
from hpchub.console.frame import HUB, drawn, language_asked_for, origin_of
from hpchub.console.help import CONSENT_MINUTES, MOST_OF_A_HAND
from hpchub.console.helps import Helps
from hpchub.console.hub import Finding, HubRefused, HubSilent
from hpchub.console.joins import JoinRefused
from hpchub.console.lending import keeps_files
from hpchub.console.plans import Event, Plan, State
from hpchub.console.rehearsal import WORDS as TROUBLES
from hpchub.console.reservation import has_own_reservation
from hpchub.console.room import WORDS
from hpchub.console.signin import BASE
from hpchub.console.store import STATES, NoSuchEvent
from hpchub.console.teaming import Teaming
from hpchub.console.tiles import ICONS
from hpchub.console.verbs import NotAllowed, PlanRefused, TooManyGuesses, Verbs
from hpchub.console.visits import Visit, form_of, visit_of
from hpchub.text import Sentence

Visiting = Annotated[Visit, Depends(visit_of)]
router = APIRouter(include_in_schema=False)

_HOUR_SECONDS = 3600
_TO_COME = (State.REQUESTED, State.PLANNED, State.OPEN)


def page(request: Request, visit: Visit, template: str, status_code: int = 200, **values: Any) -> Response:
    """Draw a page of the console for a visitor; ``headers`` among the values are those of the answer."""
    headers = values.pop("headers", None)
    values.update(states=STATES, now=time.time(), origin=origin_of(request))
    return drawn(
        request, template, values, caller=visit.caller, xsrf=visit.form_token, status_code=status_code, headers=headers
    )


def verbs_of(request: Request) -> Verbs:
    """Give what can be done with events."""
    verbs: Verbs = request.app.state.verbs
    return verbs


def _to(path: str) -> Response:
    return RedirectResponse(path, 303)


@router.get("/")
async def home(request: Request, visit: Visiting) -> Response:
    """Show somebody's events: those they take part in, and those they manage."""
    verbs = verbs_of(request)
    mine, managed = await verbs.mine(visit.caller), await verbs.managed(visit.caller)
    return page(request, visit, "events.html", mine=mine, managed=managed, may_create=verbs.may_create(visit.caller))


# Joining


@router.get("/join")
async def join_page(request: Request, visit: Visiting) -> Response:
    """Ask for a code."""
    return page(request, visit, "event_join.html")


@router.get("/join/{code}")
async def join_link(request: Request, visit: Visiting, code: str) -> Response:
    """Show what a code opens; only the button joins."""
    try:
        event = await verbs_of(request).opened_by(visit.caller, code)
    except (JoinRefused, TooManyGuesses) as refusal:
        return _refused(request, visit, refusal, code)
    return page(request, visit, "event_join.html", event=event, code=event.code)


@router.post("/join")
async def join(request: Request, visit: Visiting) -> Response:
    """Take a seat by a code, and start."""
    form = await form_of(request, visit)
    code = form.get("code", "")
    try:
        event = await verbs_of(request).join(visit.caller, code=code or "-")
        await _into_team(request, visit, event, form)
    except (JoinRefused, TooManyGuesses) as refusal:
        return _refused(request, visit, refusal, code)
    return await _started(request, visit, event.slug)


@router.post("/event/{slug}/join")
async def join_invited(request: Request, visit: Visiting, slug: str) -> Response:
    """Take a seat without a code, and start."""
    form = await form_of(request, visit)
    try:
        await _into_team(request, visit, await verbs_of(request).join(visit.caller, slug=slug), form)
    except JoinRefused as refusal:
        return await _event_page(request, visit, slug, refusal)
    return await _started(request, visit, slug)


async def _into_team(request: Request, visit: Visit, event: Event, form: Mapping[str, str]) -> None:
    team = form.get("team", "")[:40]
    if team and event.plan.choose_team:
        await Teaming(verbs_of(request)).choose(visit.caller, event.slug, team)


@router.post("/event/{slug}/start")
async def start(request: Request, visit: Visiting, slug: str) -> Response:
    """Start one's server of an event, or go to it."""
    await form_of(request, visit)
    return await _started(request, visit, slug)


async def _started(request: Request, visit: Visit, slug: str) -> Response:
    verbs = verbs_of(request)
    try:
        path = await verbs.start(visit.caller, slug, language_asked_for(request, verbs.catalogue.site))
    except (HubRefused, HubSilent, JoinRefused) as refusal:
        # They have their seat: what is wrong is said on the event's page, with the button to try again.
        return await _event_page(request, visit, slug, refusal)
    return _to(HUB + path)


def _refused(request: Request, visit: Visit, refusal: Exception, code: str) -> Response:
    return page(
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
    verbs = verbs_of(request)
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
    helps: Helps = request.app.state.helps
    language = language_asked_for(request, verbs.catalogue.site)
    is_in = state is State.OPEN and event.has_seat(visit.caller.name)
    member = await helps.member(visit.caller, event, language) if is_in else None
    return page(
        request,
        visit,
        "event.html",
        status_of(refusal) if refusal else 200,
        event=event,
        state=state,
        findings=findings,
        ends=forms.typed(event.plan.ends_epoch, zone_of(verbs.catalogue.site.timezone)),
        manages=manages,
        troubles=TROUBLES,
        prolongs=has_own_reservation(verbs.catalogue.site, event.plan.cluster, event.plan.reservation),
        takes_part=visit.caller.name in event.members,
        member=member,
        words=WORDS,
        icons=ICONS,
        consent_minutes=CONSENT_MINUTES,
        most_of_a_hand=MOST_OF_A_HAND,
        record=record,
        refusal=sentence_of(refusal) if refusal else "",
        my_seat=event.seat_of(visit.caller.name),
        kept_until=event.kept_until_epoch(verbs.settings.seat_files_days),
        files_profile=verbs.settings.files_profile,
        keeps_files=keeps_files(event, visit.caller.name, verbs.settings, verbs.clock()),
    )


@router.get("/event/{slug}/code")
async def code_page(request: Request, visit: Visiting, slug: str) -> Response:
    """Show the code in large letters, for the wall."""
    event = await verbs_of(request).show(visit.caller, slug)
    return page(request, visit, "event_code.html", event=event)


@router.post("/event/{slug}/{verb}")
async def change(request: Request, visit: Visiting, slug: str, verb: str) -> Response:
    """Do what a button of a trainer or an administrator says."""
    form, verbs = await form_of(request, visit), verbs_of(request)
    if verb == "refuse":
        await verbs.refuse(visit.caller, slug, form.get("reason", "")[:1000])
    elif verb == "approve":
        # The page may be old: they approve what it showed.
        await verbs.approve(visit.caller, slug, form.get("plan_digest", ""))
    elif verb in _BUTTONS:
        await getattr(verbs, _BUTTONS[verb])(visit.caller, slug)
    else:
        raise NoSuchEvent
    return _to(f"{BASE}event/{slug}")


_BUTTONS: Mapping[str, str] = {
    "close": "close",
    "new-code": "renew_code",
    "revoke-code": "revoke_code",
}
"""Buttons that need nothing but the event, and the methods of :class:`~hpchub.console.verbs.Verbs`."""


# A new event


@router.get("/new")
async def new_page(request: Request, visit: Visiting) -> Response:
    """Show the form for a new event."""
    verbs = verbs_of(request)
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
    return form_page(request, visit, first)


@router.post("/new")
async def new(request: Request, visit: Visiting) -> Response:
    """Create an event of a form."""
    form, verbs = await form_of(request, visit), verbs_of(request)
    plan = forms.read_plan(form, zone_of(verbs.catalogue.site.timezone))
    if not isinstance(plan, Plan):
        return form_page(request, visit, form, wrong=plan)
    try:
        event: Event = await verbs.create(visit.caller, plan)
    except PlanRefused as refusal:
        return form_page(request, visit, form, refusal=refusal.sentence)
    return _to(f"{BASE}event/{event.slug}")


def form_page(
    request: Request,
    visit: Visit,
    typed: Mapping[str, str],
    wrong: list[tuple[str, Sentence]] | None = None,
    refusal: str = "",
    event: Event | None = None,
) -> Response:
    """Draw the form of a new event, or of one that is there, with what was typed and what was wrong with that."""
    catalogue = verbs_of(request).catalogue
    language = language_asked_for(request, catalogue.site)
    return page(
        request,
        visit,
        "event_new.html",
        400 if wrong or refusal else 200,
        typed=typed,
        labels=forms.LABELS,
        event=event,
        wrong=dict(wrong or []),
        refusal=refusal,
        clusters=[
            (name, in_language(each.title, language))
            for name, each in catalogue.site.clusters.items()
            if each.state == "open"
        ],
        pool=len(pool_of(catalogue.site)),
        with_folders=any(each.work_folder for each in catalogue.site.clusters.values()),
        files_days=verbs_of(request).settings.seat_files_days,
        profiles=[(slug, in_language(each.title, language)) for slug, each in catalogue.profiles.items()],
        sizes=[(name, name) for name in sorted({name for each in catalogue.profiles.values() for name in each.sizes})],
    )
