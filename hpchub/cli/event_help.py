"""``hpchub events message`` and ``hands``: what trainers say to a room, and who asks for help in it."""

from __future__ import annotations

from typing import Annotated

import typer

from hpchub.cli.common import SITE, JsonOption, SiteOption, show_json, show_table
from hpchub.cli.doctor import TokenOption
from hpchub.cli.events import Slug, UrlOption, asked, time_of


def message(
    event: Slug,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What they shall read.")],
    team: Annotated[str | None, typer.Option(help="The only team that reads it.")] = None,
    site: SiteOption = SITE,
    url: UrlOption = None,
    token_file: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say something to everybody in an event, or to one team, on their page and in their notebook."""
    body = {"says": text, "team": team}
    told = asked(site, url, token_file, "POST", f"/events/{event}/messages", body)
    if as_json:
        show_json(told)
        return
    typer.echo(f"said to {'team ' + told['team'] if told['team'] else 'everybody'} in {event}")


def hands(
    event: Slug,
    lower: Annotated[bool, typer.Option("--lower", help="Lower all of them.")] = False,
    site: SiteOption = SITE,
    url: UrlOption = None,
    token_file: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show who asks for help, who has waited longest first, and whom people let into their notebook."""
    if lower:
        asked(site, url, token_file, "DELETE", f"/events/{event}/hands")
    told = asked(site, url, token_file, "GET", f"/events/{event}/help")
    told = [each for each in told if each["hand_epoch"] is not None or each["helper"] is not None or each["asked_by"]]
    told.sort(key=lambda each: (each["hand_epoch"] is None, each["hand_epoch"] or 0, each["name"]))
    if as_json:
        show_json(told)
        return
    rows = [(each["name"], _up(each["hand_epoch"]), each["hand_says"], _lets_in(each)) for each in told]
    show_table(("seat", "hand up since", "", "lets in"), rows)


def _up(epoch: int | None) -> str:
    return "" if epoch is None else time_of(epoch)


def _lets_in(need: dict[str, object]) -> str:
    if need["helper"] is None:
        return f"{need['asked_by']} asks" if need["asked_by"] else ""
    return f"{need['helper'] or 'all trainers'} until {time_of(float(str(need['helper_until_epoch'])))}"
