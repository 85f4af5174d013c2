"""The API of what a trainer does with a plan once there is one: change it, extend it, rehearse it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, status
from pydantic import BaseModel, ConfigDict, create_model

from hpchub.console.api import Asking, Doing, Slug, language_asked
from hpchub.console.changes import Changes
from hpchub.console.plans import Plan
from hpchub.console.rehearsing import Rehearsals
from hpchub.console.told import EventTold, Extending

# As they are in a plan, or not there; null is a value of some.
_FIELDS: Any = {name: (field.rebuild_annotation() | None, None) for name, field in Plan.model_fields.items()}
_DOC = "The body of a change: the fields of a plan that shall be others."
Changing = create_model("Changing", __config__=ConfigDict(extra="forbid"), __doc__=_DOC, **_FIELDS)


def changes_of(request: Request) -> Changes:
    """Give what changes events."""
    changes: Changes = request.app.state.changes
    return changes


def rehearsals_of(request: Request) -> Rehearsals:
    """Give what rehearses them."""
    rehearsals: Rehearsals = request.app.state.rehearsals
    return rehearsals


Altering = Annotated[Changes, Depends(changes_of)]
Trying = Annotated[Rehearsals, Depends(rehearsals_of)]
router = APIRouter()


@router.patch("/events/{slug}")
async def change_event(
    caller: Asking,
    verbs: Doing,
    altering: Altering,
    slug: Slug,
    changing: Changing,  # type: ignore[valid-type]  # it is made of a plan's fields
) -> EventTold:
    """Change the plan of an event, by the rules of its creation; fields that are not named stay as they are."""
    body: BaseModel = changing
    changes = body.model_dump(mode="json", exclude_unset=True)
    return EventTold.of(await altering.change(caller, slug, changes), verbs.clock())


@router.post("/events/{slug}/extend")
async def extend_event(caller: Asking, verbs: Doing, altering: Altering, slug: Slug, extending: Extending) -> EventTold:
    """Let an event end later; sessions in a reservation that the hub made last as long, others keep their limit."""
    return EventTold.of(await altering.extend(caller, slug, extending.ends_epoch), verbs.clock())


@router.post("/events/{slug}/rehearse", status_code=status.HTTP_202_ACCEPTED)
async def rehearse_event(caller: Asking, verbs: Doing, trying: Trying, slug: Slug, request: Request) -> EventTold:
    """Try one seat for real, in the caller's own account; `rehearsal` of the event says what comes of it."""
    return EventTold.of(await trying.begin(caller, slug, language_asked(request)), verbs.clock())
