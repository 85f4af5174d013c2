"""The API's routes about help: hands, messages, who is let into whose notebook."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, status

from hpchub.console.api import Asking, Person, Slug
from hpchub.console.help import ALL_TRAINERS, MOST_OF_A_HAND, MOST_OF_A_MESSAGE, as_said
from hpchub.console.help_told import ConsentTold, Hand, LettingIn, NeedTold, SaidTold, Saying
from hpchub.console.helps import Helps


def helps_of(request: Request) -> Helps:
    """Give what can be done about help."""
    helps: Helps = request.app.state.helps
    return helps


Helping = Annotated[Helps, Depends(helps_of)]
router = APIRouter()


@router.get("/events/{slug}/help")
async def show_help(caller: Asking, helps: Helping, slug: Slug) -> list[NeedTold]:
    """Give how everybody with a seat stands to help: hands, and whom they let into their notebook; for trainers."""
    return [NeedTold.of(need) for need in (await helps.needs(caller, slug)).values()]


@router.post("/events/{slug}/hands/{name}", status_code=status.HTTP_204_NO_CONTENT)
async def set_hand(caller: Asking, helps: Helping, slug: Slug, name: Person, hand: Hand) -> None:
    """Raise or lower the caller's own hand; a trainer of the event lowers anybody's."""
    await helps.hand(caller, slug, name, up=hand.up, says=as_said(hand.says, MOST_OF_A_HAND))


@router.delete("/events/{slug}/hands", status_code=status.HTTP_204_NO_CONTENT)
async def lower_hands(caller: Asking, helps: Helping, slug: Slug) -> None:
    """Lower all hands; for trainers."""
    await helps.lower_all(caller, slug)


@router.get("/events/{slug}/messages")
async def list_messages(caller: Asking, helps: Helping, slug: Slug) -> list[SaidTold]:
    """List what the trainers said to the caller, the newest first; to trainers all of it."""
    return [SaidTold.of(said) for said in await helps.messages(caller, slug)]


@router.post("/events/{slug}/messages", status_code=status.HTTP_201_CREATED)
async def say(caller: Asking, helps: Helping, slug: Slug, saying: Saying) -> SaidTold:
    """Say something to everybody in the room, or to one team; for trainers."""
    return SaidTold.of(await helps.say(caller, slug, as_said(saying.says, MOST_OF_A_MESSAGE), saying.team))


@router.put("/events/{slug}/consents/{name}")
async def let_in(caller: Asking, helps: Helping, slug: Slug, name: Person, letting: LettingIn) -> ConsentTold:
    """Let a trainer, or all trainers of the event, into the caller's own notebook of it, for so many minutes."""
    helper = letting.helper or ALL_TRAINERS
    return ConsentTold.of(await helps.let_in(caller, slug, name, helper, letting.minutes))


@router.delete("/events/{slug}/consents/{name}", status_code=status.HTTP_204_NO_CONTENT)
async def keep_out(caller: Asking, helps: Helping, slug: Slug, name: Person) -> None:
    """End a consent, or decline a trainer's wish for one: by whose notebook it is, or by a trainer of the event."""
    await helps.keep_out(caller, slug, name)


@router.post("/events/{slug}/consents/{name}/wish", status_code=status.HTTP_204_NO_CONTENT)
async def ask_in(caller: Asking, helps: Helping, slug: Slug, name: Person) -> None:
    """Ask somebody to let the caller, a trainer of the event, into their notebook."""
    await helps.ask_in(caller, slug, name)
