"""``hpchub events``: hackathons and courses, through the console's API."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from hpchub.catalogue.load import load_site
from hpchub.catalogue.moments import begin_epoch, end_epoch, read_moment, zone_of
from hpchub.catalogue.site import Site
from hpchub.checks.identity import admin_token
from hpchub.cli.common import SITE, JsonOption, SiteOption, fail, show_json, show_table
from hpchub.cli.doctor import TokenOption
from hpchub.console.teams import read_teams
from hpchub.errors import CatalogueError, HpchubError

app = typer.Typer(no_args_is_help=True, help="Create and run hackathons and courses.")

Slug = Annotated[str, typer.Argument(metavar="EVENT", help="The event's name, as `list` shows it.")]
UrlOption = Annotated[
    str | None, typer.Option("--url", help="Where the console answers, if not at `console.url` of the site file.")
]
SETUP_MINUTES = 30
"""Where no site file says another."""
HEADINGS = ("event", "title", "state", "starts", "ends", "seats", "code", "trainers")


def asked(site: Path, url: str | None, token_file: Path | None, method: str, path: str, body: Any = None) -> Any:
    """Ask the console, and give its answer; what it refuses ends the command."""
    from hpchub.console.client import ask

    try:
        settings = settings_of(site, url)
        console = settings.console if settings else None
        if url is None and console is None:
            raise CatalogueError(f"{site} has no block `console`: is there a console elsewhere? Give --url.")
        return ask(url or (console.url if console else ""), admin_token(settings, token_file), method, path, body)
    except HpchubError as error:
        fail(error)


def settings_of(site: Path, url: str | None) -> Site | None:
    """Read the site file; whoever names a console elsewhere may have none."""
    return None if url is not None and not site.exists() else load_site(site)


@app.command("list")
def list_(
    site: SiteOption = SITE, url: UrlOption = None, token_file: TokenOption = None, as_json: JsonOption = False
) -> None:
    """List the events that you manage; with a token for admins, all."""
    told = asked(site, url, token_file, "GET", "/events")
    if as_json:
        show_json(told)
        return
    show_table(HEADINGS, [_row(event) for event in told])


@app.command()
def show(
    event: Slug,
    site: SiteOption = SITE,
    url: UrlOption = None,
    token_file: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one event: where it is, its code, and who has joined."""
    show_event(asked(site, url, token_file, "GET", f"/events/{event}"), as_json)


@app.command()
def create(
    title: Annotated[str, typer.Option(help="What people call it.")],
    starts: Annotated[str, typer.Option(help="A day, or a time with its zone: 2027-03-01T09:00+01:00.")],
    ends: Annotated[str, typer.Option(help="A day, until its end, or a time with its zone.")],
    seats: Annotated[int, typer.Option(help="How many people may join.")],
    cluster: Annotated[str, typer.Option(help="Where its sessions run.")],
    allocation: Annotated[str, typer.Option(help="The Slurm account that pays.")],
    profile: Annotated[str, typer.Option(help="What one click starts: sector/name.")],
    more_profile: Annotated[list[str] | None, typer.Option(help="What else may be started; a slug or pattern.")] = None,
    size: Annotated[str | None, typer.Option(help="The only size of its sessions.")] = None,
    minutes: Annotated[int | None, typer.Option(help="How long a session lasts that one click starts.")] = None,
    reservation: Annotated[str | None, typer.Option(help="Slurm's reservation, by its name.")] = None,
    setup_minutes: Annotated[int | None, typer.Option(help="How long before its start it opens.")] = None,
    description: Annotated[str, typer.Option(help="For those who join.")] = "",
    trainer: Annotated[list[str] | None, typer.Option(help="Who manages it beside you.")] = None,
    person: Annotated[list[str] | None, typer.Option(help="Who may join without a code.")] = None,
    group: Annotated[list[str] | None, typer.Option(help="Whoever is in this group may, too.")] = None,
    temporary_seats: Annotated[int, typer.Option(help="How many of the seats are for people without an account.")] = 0,
    seat_files_days: Annotated[int | None, typer.Option(help="For so many days their files stay after it.")] = None,
    code: Annotated[bool, typer.Option(help="Whether it has a code.")] = True,
    team: Annotated[
        list[str] | None, typer.Option(help="One a team: 'Blu: ada, bruno', 'Rosso (large, general/llm): carlo'.")
    ] = None,
    choose_team: Annotated[bool, typer.Option(help="Whether people choose their team when they join.")] = False,
    repository: Annotated[
        str | None, typer.Option(help="The material: a git repository that everybody finds in their home.")
    ] = None,
    branch: Annotated[str | None, typer.Option(help="Its branch or tag.")] = None,
    opens: Annotated[str | None, typer.Option(help="What of it JupyterLab opens, by its path.")] = None,
    folders: Annotated[bool, typer.Option(help="Whether it has a shared folder and one for each team.")] = False,
    site: SiteOption = SITE,
    url: UrlOption = None,
    token_file: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Create an event."""
    starts_epoch, ends_epoch, preset = _window(site, url, starts, ends)
    plan = {
        "title": title,
        "description": description,
        "starts_epoch": starts_epoch,
        "ends_epoch": ends_epoch,
        "setup_minutes": preset if setup_minutes is None else setup_minutes,
        "seats": seats,
        "trainers": trainer or [],
        "cluster": cluster,
        "allocation": allocation,
        "reservation": reservation,
        "profile": profile,
        "more_profiles": more_profile or [],
        "size": size,
        "minutes": minutes,
        "people": person or [],
        "groups": group or [],
        "by_code": code,
        "teams": teams_of(team or []),
        "choose_team": choose_team,
        "material": {"repository": repository, "branch": branch, "opens": opens} if repository else None,
        "folders": folders,
        "temporary_seats": temporary_seats,
        "seat_files_days": seat_files_days,
    }
    show_event(asked(site, url, token_file, "POST", "/events", plan), as_json)


@app.command()
def approve(
    event: Slug,
    plan_digest: Annotated[
        str | None, typer.Option(help="As `show` gives it: a plan that was changed since then is not approved.")
    ] = None,
    site: SiteOption = SITE,
    url: UrlOption = None,
    token_file: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let an event take place that waits for approval; for administrators."""
    body = {"plan_digest": plan_digest}
    show_event(asked(site, url, token_file, "POST", f"/events/{event}/approve", body), as_json)


@app.command()
def refuse(
    event: Slug,
    reason: Annotated[str, typer.Option(help="For the trainer.")] = "",
    site: SiteOption = SITE,
    url: UrlOption = None,
    token_file: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Refuse an event that waits for approval; for administrators."""
    show_event(asked(site, url, token_file, "POST", f"/events/{event}/refuse", {"reason": reason}), as_json)


@app.command()
def close(
    event: Slug,
    site: SiteOption = SITE,
    url: UrlOption = None,
    token_file: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """End an event now: nobody gets in any more, and its servers are stopped."""
    show_event(asked(site, url, token_file, "POST", f"/events/{event}/close"), as_json)


@app.command()
def extend(
    event: Slug,
    ends: Annotated[str, typer.Option(help="A day, until its end, or a time with its zone.")],
    site: SiteOption = SITE,
    url: UrlOption = None,
    token_file: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let an event end later; sessions that run keep the time limit that they began with."""
    body = {"ends_epoch": _window(site, url, ends, ends)[1]}
    show_event(asked(site, url, token_file, "POST", f"/events/{event}/extend", body), as_json)


@app.command("new-code")
def new_code(
    event: Slug,
    site: SiteOption = SITE,
    url: UrlOption = None,
    token_file: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give an event a new code; the old one works no more."""
    show_event(asked(site, url, token_file, "POST", f"/events/{event}/code"), as_json)


@app.command("revoke-code")
def revoke_code(
    event: Slug,
    site: SiteOption = SITE,
    url: UrlOption = None,
    token_file: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let nobody join by a code any more; who has joined stays."""
    show_event(asked(site, url, token_file, "DELETE", f"/events/{event}/code"), as_json)


@app.command()
def team(
    event: Slug,
    person: Annotated[str, typer.Argument(help="Who has a seat, or is named in the event.")],
    team: Annotated[str, typer.Argument(help="The team, by its name; empty ('') for none.")],
    site: SiteOption = SITE,
    url: UrlOption = None,
    token_file: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put somebody into a team; it holds from their next start on."""
    path = f"/events/{event}/teams/{quote(person, safe='')}"
    show_event(asked(site, url, token_file, "PUT", path, {"team": team}), as_json)


@app.command()
def record(
    event: Slug,
    site: SiteOption = SITE,
    url: UrlOption = None,
    token_file: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show who did what with an event."""
    told = asked(site, url, token_file, "GET", f"/events/{event}/record")
    if as_json:
        show_json(told)
        return
    show_table(
        ("when", "who", "what", ""), [(time_of(act["epoch"]), act["who"], act["verb"], act["detail"]) for act in told]
    )


@app.command()
def room(
    event: Slug,
    site: SiteOption = SITE,
    url: UrlOption = None,
    token_file: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show every seat of an event, by the state of its notebook."""
    told = asked(site, url, token_file, "GET", f"/events/{event}/room")
    if as_json:
        show_json(told)
        return
    show_table(
        ("seat", "state", "node", ""), [(each["name"], each["state"], each["node"], each["says"]) for each in told]
    )


@app.command()
def report(
    event: Slug,
    site: SiteOption = SITE,
    url: UrlOption = None,
    token_file: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what an event was: who came, waits, failures, GPU-hours."""
    told = asked(site, url, token_file, "GET", f"/events/{event}/report")
    if as_json:
        show_json(told)
        return
    headings = ("person", "joined (UTC)", "by", "sessions", "failed", "wait", "hours", "GPU-hours", "core-hours")
    fields = ("name", "joined", "by", "sessions", "failures", "waited_minutes", "hours", "gpu_hours", "core_hours")
    rows = [[*(_number(line[field]) for field in fields), _source(line["accounted"])] for line in told["lines"]]
    show_table((*headings, "hours by"), rows)
    for failure in told["failed"]:
        typer.echo(f"failed: {failure['name']}, {failure['ending']}, job {failure['job_id']} on {failure['cluster']}")
    typer.echo(
        f"{told['came']} of {told['seats']} seats, {told['sessions']} sessions, {told['gpu_hours']} GPU-hours, "
        f"{_number(told['core_hours'])} core-hours, by {_source(told['accounted'])}"
    )


def _number(value: object) -> str:
    return "not known yet" if value is None else str(value)


def _source(accounted: bool) -> str:
    return "Slurm's accounting" if accounted else "what the hub saw"


def teams_of(lines: list[str]) -> list[dict[str, object]]:
    """Read teams as people write them; one that is none ends the command."""
    try:
        return read_teams(lines)
    except ValueError as error:
        raise typer.BadParameter(f"{str(error)!r} is no team; possible: 'Blu: ada, bruno'") from None


def _window(site: Path, url: str | None, starts: str, ends: str) -> tuple[int, int, int]:
    """Give the times that options name, and the minutes of set-up that the site would have."""
    try:
        settings = settings_of(site, url)
        zone = zone_of(settings.timezone if settings else "")
        window = begin_epoch(read_moment(starts), zone), end_epoch(read_moment(ends), zone)
    except HpchubError as error:
        fail(error)
    except ValueError as error:
        raise typer.BadParameter(f"{starts!r}, {ends!r}: {error}") from None
    console = settings.console if settings else None
    return int(window[0]), int(window[1]), console.setup_minutes if console else SETUP_MINUTES


def show_event(event: dict[str, Any], as_json: bool) -> None:
    """Show an event as the console tells it."""
    if as_json:
        show_json(event)
        return
    plan = event["plan"]
    rows = [
        ("event", event["slug"]),
        ("title", plan["title"]),
        ("state", f"{event['state']} {event['refusal']}".strip()),
        ("opens", time_of(event["opens_epoch"])),
        ("starts", time_of(plan["starts_epoch"])),
        ("ends", time_of(plan["ends_epoch"])),
        ("where", f"{plan['cluster']}, {plan['allocation']}, reservation {plan['reservation'] or 'none'}"),
        ("starts on a click", f"{plan['profile']}, size {plan['size'] or 'of the profile'}"),
        ("code", event["code"] or "none"),
        ("link", event["join_path"] or "none"),
        ("trainers", ", ".join(event["trainers"])),
        ("seats", f"{plan['seats']}, {event['seats_left']} left"),
        ("teams", _in_teams(event) or "none"),
        ("material", plan["material"]["repository"] if plan["material"] else "none"),
        ("plan digest", event["plan_digest"]),
        ("joined", ", ".join(each["name"] for each in event["participants"]) or "nobody yet"),
    ]
    show_table(("", ""), rows)


def _in_teams(event: dict[str, Any]) -> str:
    there = [(each["team"], each["name"]) for each in event["participants"]]
    teams = {
        team["name"]: [name for in_team, name in there if in_team == team["name"]] for team in event["plan"]["teams"]
    }
    return "; ".join(f"{team}: {', '.join(people) or 'nobody yet'}" for team, people in teams.items())


def _row(event: dict[str, Any]) -> tuple[str, ...]:
    plan = event["plan"]
    return (
        event["slug"],
        plan["title"],
        event["state"],
        time_of(plan["starts_epoch"]),
        time_of(plan["ends_epoch"]),
        f"{len(event['participants'])} of {plan['seats']}",
        event["code"] or "",
        ", ".join(event["trainers"]),
    )


def time_of(epoch: float | None) -> str:
    """Write a time as people read it; nothing for none."""
    return "" if epoch is None else time.strftime("%Y-%m-%d %H:%M", time.localtime(epoch))
