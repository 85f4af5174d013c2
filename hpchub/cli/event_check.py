"""``hpchub events check``: whether Slurm carries an event, before it is created."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from hpchub.catalogue.moments import zone_of
from hpchub.checks.identity import become_the_hub
from hpchub.cli.common import SITE, JsonOption, SiteOption, fail, loaded, show_json, show_table
from hpchub.console.capacity import Finding, any_missing
from hpchub.console.capacity.now import findings_now
from hpchub.console.capacity.plan import read_plan
from hpchub.errors import HpchubError

PlanArgument = Annotated[
    Path | None, typer.Argument(metavar="PLAN", help="A YAML file with the same fields as the options, which win.")
]


def check(
    plan: PlanArgument = None,
    name: Annotated[str | None, typer.Option(help="What the event is called.")] = None,
    cluster: Annotated[str | None, typer.Option(help="Where its sessions run.")] = None,
    allocation: Annotated[str | None, typer.Option(help="The Slurm account that pays.")] = None,
    opens: Annotated[
        str | None, typer.Option(help="When people come: 2027-03-01, or a time with its zone, 2027-03-01T09:00+01:00.")
    ] = None,
    closes: Annotated[str | None, typer.Option(help="When its sessions end; a day belongs to it to its end.")] = None,
    setup_minutes: Annotated[int | None, typer.Option(help="How long before that sessions may start.")] = None,
    seats: Annotated[int | None, typer.Option(help="How many people take part.")] = None,
    teams: Annotated[int | None, typer.Option(help="How many teams there are, with one session each.")] = None,
    profile: Annotated[list[str] | None, typer.Option(help="What they start; may be repeated, and a pattern.")] = None,
    size: Annotated[str | None, typer.Option(help="The only size of its sessions.")] = None,
    starts: Annotated[
        list[str] | None,
        typer.Option("--start", help="What some teams start instead: sector/name or sector/name:size."),
    ] = None,
    minutes: Annotated[int | None, typer.Option(help="How long a session runs; else as long as the event.")] = None,
    qos: Annotated[str | None, typer.Option(help="The QOS; else the profile's first that does.")] = None,
    reservation: Annotated[str | None, typer.Option(help="Slurm's reservation, there already or not.")] = None,
    person: Annotated[list[str] | None, typer.Option(help="A POSIX name that takes part; may be repeated.")] = None,
    sessions_a_person: Annotated[int | None, typer.Option(help="Sessions under one POSIX name at a time.")] = None,
    site: SiteOption = SITE,
    as_json: JsonOption = False,
) -> None:
    """Tell what an event lacks in Slurm: reservation, GPUs, budget, limits, people; with the command that mends it."""
    catalogue = loaded(site)
    options = {
        "name": name,
        "cluster": cluster,
        "allocation": allocation,
        "opens": opens,
        "closes": closes,
        "setup_minutes": setup_minutes,
        "seats": seats,
        "teams": teams,
        "profiles": profile,
        "size": size,
        "starts": starts,
        "minutes": minutes,
        "qos": qos,
        "reservation": reservation,
        "people": person,
        "sessions_a_person": sessions_a_person,
    }
    try:
        wanted = read_plan(plan, {field: value for field, value in options.items() if value not in (None, [])})
        if os.geteuid() == 0 and catalogue.site.hub.state_folder.is_dir():
            become_the_hub(catalogue.site)
        found = findings_now(wanted.planned(zone_of(catalogue.site.timezone)), catalogue)
    except HpchubError as error:
        fail(error)
    if as_json:
        show_json([finding.as_dict() for finding in found])
    else:
        show(found)
    raise typer.Exit(1 if any_missing(found) else 0)


def show(found: Sequence[Finding]) -> None:
    """Print what was found, a row each, and below it the commands, to be copied."""
    rows = [(finding.about.value, finding.severity.value, str(finding.says)) for finding in found]
    show_table(("what", "verdict", "finding"), rows)
    commands = list(dict.fromkeys(finding.shown_command for finding in found if finding.command))
    if commands:
        typer.echo("\nFor an administrator of Slurm:")
        for command in commands:
            typer.echo(f"  {command}")
