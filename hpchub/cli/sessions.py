"""``hpchub sessions``: what runs and waits now, for admins."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated, Any

import typer

from hpchub.catalogue.load import load_site
from hpchub.catalogue.site import Site
from hpchub.checks.doctor.http import NoAnswer, get
from hpchub.checks.identity import admin_token
from hpchub.cli.common import SITE, JsonOption, SiteOption, fail, show_json, show_table
from hpchub.cli.doctor import TokenOption
from hpchub.errors import HpchubError

HEADINGS = ("user", "server", "profile", "cluster", "phase", "since", "left", "node", "job", "GPUs")


def sessions(
    site: SiteOption = SITE,
    user: Annotated[str | None, typer.Option(help="Only those of this person.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Also those that are over and still remembered.")] = False,
    token_file: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the sessions that run or wait, as the hub knows them."""
    try:
        settings = load_site(site)
        told = asyncio.run(_told(settings, admin_token(settings, token_file)))
    except HpchubError as error:
        fail(error)
    shown = [each for each in told if user in (None, each["user"]) and (every or each["phase"] != "ended")]
    if as_json:
        show_json(shown)
        return
    show_table(HEADINGS, [_row(each, time.time()) for each in shown])
    typer.echo(f"{len(shown)} sessions")


async def _told(site: Site, token: str) -> list[dict[str, Any]]:
    url = site.hub.hub_url.rstrip("/")
    try:
        answer = await get(f"{url}/hub/api/hpchub/sessions", token, site.hub)
    except NoAnswer as error:
        raise HpchubError(f"The hub does not answer at hub_url {url}: {error}. `hpchub doctor` says more.") from error
    if answer.status != 200:
        message = answer.json.get("message", "") if answer.json else ""
        raise HpchubError(f"The hub at {url} answers {answer.status} {message}: is the token one of an administrator?")
    return list(answer.items)


def _row(session: dict[str, Any], now_epoch: float) -> tuple[str, ...]:
    reached = session["timeline"][-1]["epoch"] if session["timeline"] else session["begun_epoch"]
    ends = session["ends_epoch"]
    return (
        session["user"],
        session["server"],
        session["profile"],
        session["cluster"],
        session["phase"],
        time.strftime("%Y-%m-%d %H:%M", time.localtime(reached)),
        duration(ends - now_epoch) if ends else "",
        session["node"] or "",
        session["job_id"] or "",
        f"{session['gpus']} {session['gpu_type']}" if session["gpus"] else "",
    )


def duration(seconds: float) -> str:
    """Write a time that is left, in hours and minutes."""
    minutes = max(int(seconds // 60), 0)
    return f"{minutes // 60}:{minutes % 60:02d}"
