"""``hpchub events cards`` and its family: temporary seats, their cards and the pool, through the console's API."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from hpchub.cli.common import SITE, JsonOption, SiteOption, show_json, show_table
from hpchub.cli.doctor import TokenOption
from hpchub.cli.events import Slug, UrlOption, asked, time_of

Account = Annotated[str, typer.Argument(metavar="SEAT", help="The name of the seat's account.")]


def cards(
    event: Slug,
    site: SiteOption = SITE,
    url: UrlOption = None,
    token_file: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the cards of an event's temporary seats; for its trainers, and its record says so."""
    _show_cards(asked(site, url, token_file, "GET", f"/events/{event}/cards"), as_json)


def new_card(
    event: Slug,
    seat: Account,
    site: SiteOption = SITE,
    url: UrlOption = None,
    token_file: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a new card for a seat; who took it by the old one is signed out when the new one is used."""
    told = asked(site, url, token_file, "POST", f"/events/{event}/cards/{seat}")
    if as_json:
        show_json(told)
        return
    _show_cards([told], as_json)


def seats(
    site: SiteOption = SITE, url: UrlOption = None, token_file: TokenOption = None, as_json: JsonOption = False
) -> None:
    """Show the pool of temporary seats: free, lent to which event until when, and what is wrong; for administrators."""
    _show_pool(asked(site, url, token_file, "GET", "/seats"), as_json)


def hand_over(
    seat: Account,
    site: SiteOption = SITE,
    url: UrlOption = None,
    token_file: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let other events have a seat whose event is over and whose files are gone; for administrators."""
    told = asked(site, url, token_file, "POST", f"/seats/{seat}/hand-over")
    if as_json:
        show_json(told)
        return
    _show_pool([told], as_json)


def _show_cards(told: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        show_json(told)
        return
    rows = [(card["seat"], card["code"], card["path"], time_of(card["used_epoch"])) for card in told]
    show_table(("seat", "code", "address", "taken"), rows)


def _show_pool(told: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        show_json(told)
    else:
        rows = [
            (each["account"], each["use"], each["event"], time_of(each["until_epoch"]), each["trouble"])
            for each in told
        ]
        show_table(("seat", "", "event", "until", ""), rows)
    if any(each["trouble"] for each in told):
        raise typer.Exit(1)
