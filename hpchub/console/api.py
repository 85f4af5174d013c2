"""The REST API, below ``/services/events/api``; its description is ``openapi.json`` there.

A token of the hub's says who asks, in the header ``Authorization``; cookies count for nothing here.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, status
from fastapi.security.utils import get_authorization_scheme_param

from hpchub.console.people import Caller
from hpchub.console.plans import Plan
from hpchub.console.rooms import Rooms
from hpchub.console.signin import SignIn
from hpchub.console.teaming import Teaming
from hpchub.console.told import (
    ActTold,
    Approving,
    EventTold,
    FindingTold,
    JoinedTold,
    Joining,
    Problem,
    ReportTold,
    SeatTold,
    StartedTold,
    StartingTold,
    Why,
)
from hpchub.console.verbs import Verbs
from hpchub.text import language_of


def language_asked(request: Request) -> str:
    """Tell in which language somebody wants the hub's sentences."""
    return language_of(request.headers.get("Accept-Language", ""))


class NoCredentials(Exception):
    """Nobody is known by what the request brought."""


async def caller_of(request: Request) -> Caller:
    """Tell who asks, by the token in the header.  Raises :class:`NoCredentials`."""
    scheme, token = get_authorization_scheme_param(request.headers.get("Authorization"))
    if scheme.lower() not in ("token", "bearer") or not token:
        raise NoCredentials
    sign_in: SignIn = request.app.state.sign_in
    caller = await sign_in.caller(token)
    if caller is None:
        raise NoCredentials
    return caller


def verbs_of(request: Request) -> Verbs:
    """Give what can be done."""
    verbs: Verbs = request.app.state.verbs
    return verbs


def rooms_of(request: Request) -> Rooms:
    """Give what can be done with rooms."""
    rooms: Rooms = request.app.state.rooms
    return rooms


Asking = Annotated[Caller, Depends(caller_of)]
Doing = Annotated[Verbs, Depends(verbs_of)]
Keeping = Annotated[Rooms, Depends(rooms_of)]
Slug = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$", description="The event's slug.")]

Person = Annotated[str, Path(max_length=255, description="The name of somebody with a seat.")]

_PROBLEMS = {
    400: "What was sent cannot be; the sentence names what is wrong.",
    403: "No token, one that is not for this service, or the caller may not do this.",
    404: "There is no such event, or none of the caller's.",
    409: "Not possible in the event's state.",
    429: "Too many wrong codes; `Retry-After` says when to try again.",
    503: "The hub does not answer.",
}
router = APIRouter(responses={code: {"model": Problem, "description": text} for code, text in _PROBLEMS.items()})


@router.get("/events")
async def list_events(caller: Asking, verbs: Doing) -> list[EventTold]:
    """List the events that the caller manages, to administrators all; what starts last is first."""
    return [EventTold.of(event, verbs.clock()) for event in await verbs.managed(caller)]


@router.post("/events", status_code=status.HTTP_201_CREATED)
async def create_event(caller: Asking, verbs: Doing, plan: Plan) -> EventTold:
    """Create an event; for trainers."""
    return EventTold.of(await verbs.create(caller, plan), verbs.clock())


@router.get("/events/{slug}")
async def show_event(caller: Asking, verbs: Doing, slug: Slug) -> EventTold:
    """Give an event of the caller's."""
    return EventTold.of(await verbs.show(caller, slug), verbs.clock())


@router.get("/events/{slug}/record")
async def show_record(caller: Asking, verbs: Doing, slug: Slug) -> list[ActTold]:
    """Give who did what with an event, in order."""
    return [ActTold.of(act) for act in await verbs.record(caller, slug)]


@router.get("/events/{slug}/capacity")
async def show_capacity(caller: Asking, verbs: Doing, slug: Slug, request: Request) -> list[FindingTold]:
    """Tell whether Slurm carries an event: reservation, GPUs, limits, budget, people; nothing is asked of Slurm."""
    return [FindingTold.of(finding) for finding in await verbs.capacity(caller, slug, language_asked(request))]


@router.post("/events/{slug}/approve")
async def approve_event(caller: Asking, verbs: Doing, slug: Slug, approving: Approving | None = None) -> EventTold:
    """Let an event take place; for administrators."""
    digest = approving.plan_digest if approving else None
    return EventTold.of(await verbs.approve(caller, slug, digest), verbs.clock())


@router.post("/events/{slug}/refuse")
async def refuse_event(caller: Asking, verbs: Doing, slug: Slug, why: Why) -> EventTold:
    """Refuse an event that waits for approval; for administrators."""
    return EventTold.of(await verbs.refuse(caller, slug, why.reason), verbs.clock())


@router.post("/events/{slug}/close")
async def close_event(caller: Asking, verbs: Doing, slug: Slug) -> EventTold:
    """End an event now: nobody gets in any more, and its servers are stopped."""
    return EventTold.of(await verbs.close(caller, slug), verbs.clock())


@router.post("/events/{slug}/code")
async def renew_code(caller: Asking, verbs: Doing, slug: Slug) -> EventTold:
    """Give an event a new code; the old one works no more."""
    return EventTold.of(await verbs.renew_code(caller, slug), verbs.clock())


@router.delete("/events/{slug}/code")
async def revoke_code(caller: Asking, verbs: Doing, slug: Slug) -> EventTold:
    """Let nobody join by a code any more; who has joined stays."""
    return EventTold.of(await verbs.revoke_code(caller, slug), verbs.clock())


@router.get("/events/{slug}/room")
async def show_room(caller: Asking, rooms: Keeping, slug: Slug, request: Request) -> list[SeatTold]:
    """Give every seat of an event, by the state of its notebook."""
    return [SeatTold.of(seat) for seat in await rooms.look(caller, slug, language_asked(request))]


@router.post("/events/{slug}/room/start", status_code=status.HTTP_202_ACCEPTED)
async def start_room(caller: Asking, rooms: Keeping, slug: Slug, request: Request) -> StartingTold:
    """Start the notebooks of all who have a seat and none, and of those whom the event names; to ask again is fine."""
    return StartingTold(starting=await rooms.start_all(caller, slug, language_asked(request)))


@router.post("/events/{slug}/room/stop", status_code=status.HTTP_204_NO_CONTENT)
async def stop_room(caller: Asking, rooms: Keeping, slug: Slug) -> None:
    """Stop all notebooks of an event; it goes on, and they can be started again."""
    await rooms.stop_all(caller, slug)


@router.post("/events/{slug}/room/{name}/restart", status_code=status.HTTP_202_ACCEPTED)
async def restart_seat(caller: Asking, rooms: Keeping, slug: Slug, name: Person, request: Request) -> StartingTold:
    """Stop somebody's notebook of an event, if it runs, and start it again."""
    await rooms.restart(caller, slug, name, language_asked(request))
    return StartingTold(starting=1)


@router.get("/events/{slug}/report")
async def show_report(caller: Asking, verbs: Doing, slug: Slug) -> ReportTold:
    """Sum up an event, as far as it has gone: who came, waits, failures, hours and GPU-hours."""
    return ReportTold.of(await verbs.report(caller, slug))


@router.get("/mine")
async def list_mine(caller: Asking, verbs: Doing) -> list[JoinedTold]:
    """List the events that the caller has a seat in, or may join without a code; those that are over left out."""
    return [JoinedTold.of(event, verbs.clock(), caller.name) for event in await verbs.mine(caller)]


@router.post("/join")
async def join(caller: Asking, verbs: Doing, joining: Joining) -> JoinedTold:
    """Take a seat, by a code or in an event that one is invited to; to have one already is fine."""
    event = await verbs.join(caller, code=joining.code, slug=joining.event)
    if joining.team:
        event = await Teaming(verbs).choose(caller, event.slug, joining.team)
    return JoinedTold.of(event, verbs.clock(), caller.name)


@router.post("/mine/{slug}/start", status_code=status.HTTP_202_ACCEPTED)
async def start(caller: Asking, verbs: Doing, slug: Slug, request: Request) -> StartedTold:
    """Start the caller's server of an event, unless it runs already."""
    return StartedTold(path=f"/hub/{await verbs.start(caller, slug, language_asked(request))}")
