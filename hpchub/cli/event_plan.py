"""``hpchub events change`` and ``rehearse``: what a trainer does with a plan once there is an event."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from hpchub.catalogue.moments import begin_epoch, end_epoch, read_moment, zone_of
from hpchub.cli.common import SITE, JsonOption, SiteOption, fail, show_json, show_table
from hpchub.cli.doctor import TokenOption
from hpchub.cli.events import Slug, UrlOption, asked, settings_of, show_event, teams_of
from hpchub.errors import HpchubError

LOOK_SECONDS = 2.0
"""Between two looks at a rehearsal."""


def change(
    event: Slug,
    title: Annotated[str | None, typer.Option(help="What people call it.")] = None,
    description: Annotated[str | None, typer.Option(help="For those who join.")] = None,
    starts: Annotated[str | None, typer.Option(help="A day, or a time with its zone: 2027-03-01T09:00+01:00.")] = None,
    ends: Annotated[str | None, typer.Option(help="A day, until its end, or a time with its zone.")] = None,
    setup_minutes: Annotated[int | None, typer.Option(help="How long before its start it opens.")] = None,
    seats: Annotated[int | None, typer.Option(help="How many people may join.")] = None,
    cluster: Annotated[str | None, typer.Option(help="Where its sessions run.")] = None,
    allocation: Annotated[str | None, typer.Option(help="The Slurm account that pays.")] = None,
    reservation: Annotated[str | None, typer.Option(help="Slurm's reservation; none where it is empty.")] = None,
    profile: Annotated[str | None, typer.Option(help="What one click starts: sector/name.")] = None,
    more_profile: Annotated[list[str] | None, typer.Option(help="What else may be started, all of it.")] = None,
    size: Annotated[str | None, typer.Option(help="The only size of its sessions; any where it is empty.")] = None,
    minutes: Annotated[int | None, typer.Option(help="How long a session lasts that one click starts.")] = None,
    trainer: Annotated[list[str] | None, typer.Option(help="Who manages it beside who created it, all.")] = None,
    person: Annotated[list[str] | None, typer.Option(help="Who may join without a code, all of them.")] = None,
    group: Annotated[list[str] | None, typer.Option(help="Whose members may, too, all of them.")] = None,
    temporary_seats: Annotated[int | None, typer.Option(help="How many seats are accounts of the pool.")] = None,
    seat_files_days: Annotated[int | None, typer.Option(help="For so many days their files stay after it.")] = None,
    team: Annotated[list[str] | None, typer.Option(help="All teams, each as for `create`.")] = None,
    choose_team: Annotated[bool | None, typer.Option(help="Whether people choose their team when they join.")] = None,
    repository: Annotated[str | None, typer.Option(help="The material; none where it is empty.")] = None,
    branch: Annotated[str | None, typer.Option(help="Its branch or tag, with --repository.")] = None,
    opens: Annotated[str | None, typer.Option(help="What of it JupyterLab opens, with --repository.")] = None,
    folders: Annotated[bool | None, typer.Option(help="Whether people share folders.")] = None,
    code: Annotated[bool | None, typer.Option("--code/--no-code", help="Whether it has a code.")] = None,
    site: SiteOption = SITE,
    url: UrlOption = None,
    token_file: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change an event; what is not named stays.  A list replaces the one that there was; "" empties it."""
    named: dict[str, Any] = {
        "title": title,
        "description": description,
        "starts_epoch": _moment(site, url, starts, ends=False),
        "ends_epoch": _moment(site, url, ends, ends=True),
        "setup_minutes": setup_minutes,
        "seats": seats,
        "cluster": cluster,
        "allocation": allocation,
        "profile": profile,
        "minutes": minutes,
        "temporary_seats": temporary_seats,
        "seat_files_days": seat_files_days,
        "choose_team": choose_team,
        "folders": folders,
        "by_code": code,
    }
    lists = {"more_profiles": more_profile, "trainers": trainer, "people": person, "groups": group}
    changes = {name: value for name, value in named.items() if value is not None}
    changes |= {name: [each for each in value if each] for name, value in lists.items() if value is not None}
    changes |= {
        name: value or None for name, value in {"reservation": reservation, "size": size}.items() if value is not None
    }
    if team is not None:
        changes["teams"] = teams_of([each for each in team if each])
    if repository is not None:
        material = {"repository": repository, "branch": branch, "opens": opens}
        changes["material"] = material if repository else None
    if not changes:
        raise typer.BadParameter("nothing to change: give what shall be another, for example --seats 25")
    show_event(asked(site, url, token_file, "PATCH", f"/events/{event}", changes), as_json)


def rehearse(
    event: Slug,
    site: SiteOption = SITE,
    url: UrlOption = None,
    token_file: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Try one seat for real in your own account, and wait for what comes of it; exit status 1 if it did not work."""
    told = asked(site, url, token_file, "POST", f"/events/{event}/rehearse")
    while told["rehearsal"]["step"] != "done":
        time.sleep(LOOK_SECONDS)
        told = asked(site, url, token_file, "GET", f"/events/{event}")
    tried = told["rehearsal"]
    if as_json:
        show_json(tried)
    else:
        show_table(("", ""), _rows(tried, told["plan"]["reservation"]))
    if not tried["ready"]:
        raise typer.Exit(1)


def _rows(tried: dict[str, Any], reservation: str | None) -> list[tuple[str, str]]:
    where = f"job {tried['job_id']} on {tried['cluster']} {tried['node']}".strip() if tried["job_id"] else "nowhere"
    within = f", {'in' if tried['in_reservation'] else 'outside'} reservation {reservation}" if reservation else ""
    rows = [("ran", f"{where}{within}")]
    if not tried["ready"]:
        return [("ready", f"no: {tried['trouble']}"), ("says", tried["says"]), *rows]
    return [("ready", f"after {tried['ready_seconds']} s"), ("in the queue", f"{tried['queued_seconds']} s"), *rows]


def _moment(site: Path, url: str | None, text: str | None, *, ends: bool) -> int | None:
    """Give the time that an option names; None where it is not there."""
    if text is None:
        return None
    try:
        settings = settings_of(site, url)
        zone = zone_of(settings.timezone if settings else "")
        moment = read_moment(text)
    except HpchubError as error:
        fail(error)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r}: {error}") from None
    return int(end_epoch(moment, zone) if ends else begin_epoch(moment, zone))
