"""The API of teams."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from hpchub.console.api import Asking, Doing, Person, Slug
from hpchub.console.teaming import Teaming
from hpchub.console.told import EventTold, InTeam, JoinedTold


def teaming_of(request: Request) -> Teaming:
    """Give what can be done with teams."""
    return Teaming(request.app.state.verbs)


Arranging = Annotated[Teaming, Depends(teaming_of)]
router = APIRouter()


@router.put("/events/{slug}/teams/{name}")
async def put_into_team(
    caller: Asking, verbs: Doing, teaming: Arranging, slug: Slug, name: Person, in_team: InTeam
) -> EventTold:
    """Put somebody who has a seat, or whom the event names, into a team; it holds from their next start on."""
    return EventTold.of(await teaming.arrange(caller, slug, {name: in_team.team}), verbs.clock())


@router.put("/mine/{slug}/team")
async def choose_team(caller: Asking, verbs: Doing, teaming: Arranging, slug: Slug, in_team: InTeam) -> JoinedTold:
    """Choose one's own team, where the plan lets people choose; it holds from the next start on."""
    return JoinedTold.of(await teaming.choose(caller, slug, in_team.team), verbs.clock(), caller.name)
