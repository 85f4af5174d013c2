"""The REST API of temporary seats: their cards for trainers, the pool for administrators."""

from __future__ import annotations

from typing import Annotated, Self

from fastapi import APIRouter, Depends, Path, Request, Response

from hpchub.console.api import Asking, Slug
from hpchub.console.cards import Card
from hpchub.console.lending import PoolSeat, SeatUse
from hpchub.console.seats import Seats
from hpchub.console.told import Told


def seats_of(request: Request) -> Seats:
    """Give what can be done with temporary seats."""
    seats: Seats = request.app.state.seats
    return seats


Lending = Annotated[Seats, Depends(seats_of)]
Account = Annotated[str, Path(pattern=r"^[a-z_][a-z0-9_-]{0,31}$", description="The name of a seat's account.")]
router = APIRouter()


class CardTold(Told):
    """The card of a temporary seat."""

    seat: str
    """The account's name."""
    code: str
    """What opens it, once; empty where it was used, or cannot be shown any more."""
    path: str
    """Where it is taken, on the hub's own host."""
    used_epoch: int | None
    """When somebody took the seat by a card for the first time."""

    @classmethod
    def of(cls, card: Card) -> Self:
        """Tell a card."""
        return cls(seat=card.seat, code=card.code, path=card.path, used_epoch=card.used_epoch)


class PoolSeatTold(Told):
    """An account of the site's pool."""

    account: str
    use: SeatUse
    """``free``, ``lent``, ``kept`` for the files after its event, or ``due`` to be handed over."""
    event: str
    """Who has it, by its slug; empty for nobody."""
    title: str
    until_epoch: int | None
    """When it may become another event's."""
    used_epoch: int | None
    """When somebody took it by a card for the first time."""
    trouble: str
    """Why it could not be handed over when that was tried last."""

    @classmethod
    def of(cls, seat: PoolSeat) -> Self:
        """Tell an account."""
        return cls(
            account=seat.account,
            use=seat.use,
            event=seat.event,
            title=seat.title,
            until_epoch=seat.until_epoch,
            used_epoch=seat.used_epoch,
            trouble=seat.trouble,
        )


@router.get("/events/{slug}/cards")
async def show_cards(caller: Asking, seats: Lending, slug: Slug, response: Response) -> list[CardTold]:
    """Give the cards of an event's temporary seats, for its trainers; its record says who saw them."""
    response.headers["Cache-Control"] = "no-store"
    return [CardTold.of(card) for card in await seats.cards(caller, slug)]


@router.post("/events/{slug}/cards")
async def renew_cards(caller: Asking, seats: Lending, slug: Slug, response: Response) -> list[CardTold]:
    """Make new cards for all temporary seats of an event; the old ones open nothing any more."""
    await seats.new_cards(caller, slug)
    return await show_cards(caller, seats, slug, response)


@router.post("/events/{slug}/cards/{account}")
async def renew_card(caller: Asking, seats: Lending, slug: Slug, account: Account, response: Response) -> CardTold:
    """Make a new card for one seat; whoever took it by the old one is signed out when the new one is used."""
    await seats.new_cards(caller, slug, account)
    cards = {card.seat: card for card in await show_cards(caller, seats, slug, response)}
    return cards[account]


@router.get("/seats")
async def list_pool(caller: Asking, seats: Lending) -> list[PoolSeatTold]:
    """List the accounts of the pool, and which event has them until when; for administrators."""
    return [PoolSeatTold.of(seat) for seat in await seats.pool(caller)]


@router.post("/seats/{account}/hand-over")
async def hand_over(caller: Asking, seats: Lending, account: Account) -> PoolSeatTold:
    """Let other events have a seat whose time is over, wiped where the site says so; for administrators."""
    return PoolSeatTold.of(await seats.hand_over(caller, account))
