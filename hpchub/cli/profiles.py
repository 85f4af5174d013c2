"""``hpchub profiles …``: the profiles of a site, looked at before anyone sees them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from hpchub.catalogue import schema as schemas
from hpchub.catalogue.choice import accept
from hpchub.catalogue.diff import Difference, difference, offers_in_words
from hpchub.catalogue.explain import Explanation, Finding, explain
from hpchub.catalogue.load import load_catalogue, load_site
from hpchub.catalogue.model import Catalogue, Profile
from hpchub.catalogue.problems import FilesWrong, Problem, out_of
from hpchub.catalogue.rules import Person
from hpchub.checks.identity import become_the_hub
from hpchub.cli.common import (
    SITE,
    JsonOption,
    SiteOption,
    complete_clusters,
    complete_people,
    complete_profiles,
    fail,
    loaded,
    show_json,
    show_table,
)
from hpchub.clusters import look_once
from hpchub.earlier import earlier_catalogue
from hpchub.errors import HpchubError
from hpchub.jobs.resolve import job_request
from hpchub.jobs.script import render as render_script
from hpchub.people import catalogue_of, person_now
from hpchub.slurm.model import ClusterView

app = typer.Typer(no_args_is_help=True, help="The profiles of a site.")

NO_SESSION = "0" * 32
"""Stands for the id of a session in a script that is only shown."""

UserOption = Annotated[
    str, typer.Option("--user", help="The POSIX name, as Slurm knows it.", autocompletion=complete_people)
]
GroupOption = Annotated[
    list[str], typer.Option("--group", help="A group that sign-in gives; may be repeated.", default_factory=list)
]


@app.command()
def lint(site: SiteOption = SITE, as_json: JsonOption = False) -> None:
    """Check the site file and all files of its catalogue; every mistake is one line."""
    try:
        catalogue = load_catalogue(load_site(site))
    except FilesWrong as error:
        if not as_json:
            fail(error)
        show_json({"problems": list(map(_told, error.problems)), "warnings": []})
        raise typer.Exit(1) from None
    if as_json:
        show_json({"problems": [], "warnings": list(map(_told, catalogue.warnings))})
        return
    for warning in catalogue.warnings:
        typer.echo(f"warning: {warning}")
    counts = f"{len(catalogue.profiles)} profiles, {len(catalogue.sectors)} sectors"
    typer.echo(f"{site}: {counts}, {len(catalogue.environments)} environments: no mistakes")


def _told(problem: Problem) -> dict[str, object]:
    return {**asdict(problem), "file": str(problem.file)}


@app.command()
def places(site: SiteOption = SITE, as_json: JsonOption = False) -> None:
    """List the partitions that profiles name, by cluster, from the files alone; each row with its profile's file."""
    catalogue = loaded(site)
    rows = [
        (run.cluster, run.partition, slug, str(catalogue.site.profiles / f"{slug}.yaml"))
        for slug, profile in catalogue.profiles.items()
        for run in profile.runs_on
    ]
    if as_json:
        show_json([dict(zip(("cluster", "partition", "profile", "file"), row, strict=True)) for row in sorted(rows)])
    else:
        show_table(("Cluster", "Partition", "Profile", "File"), sorted(rows))


@app.command()
def schema(
    folder: Annotated[Path, typer.Argument(help="The folder of the catalogue.")] = Path("profiles"),
) -> None:
    """Write the JSON schemas of the files, for editors, and the field reference README.md, into the catalogue."""
    try:
        for path in schemas.write(folder):
            typer.echo(path)
    except OSError as error:
        fail(f"{folder}: {error.strerror}")


@app.command(name="explain")
def explain_profiles(
    user: UserOption,
    groups: GroupOption,
    profile: Annotated[
        str | None, typer.Argument(help="The slug; absent: all profiles.", autocompletion=complete_profiles)
    ] = None,
    site: SiteOption = SITE,
    as_json: JsonOption = False,
) -> None:
    """Tell why somebody is offered a profile or not, rule by rule, from what the clusters say now."""
    catalogue = loaded(site)
    views = _views(catalogue)
    catalogue = catalogue_of(catalogue, user)
    asked = [_profile(catalogue, profile)] if profile else list(catalogue.profiles.values())
    person = person_now(catalogue.site, views, user, groups)
    told = [explain(catalogue, person, each, views) for each in asked]
    if as_json:
        show_json([{**asdict(each), "offered": each.offered} for each in told])
    elif profile:
        _show_rules(told[0])
        typer.echo(f"{user} is {'' if told[0].offered else 'not '}offered {told[0].profile}.")
    else:
        show_table(("", "Profile", "Why"), [(_mark(each.offered), each.profile, _in_short(each)) for each in told])


def _show_rules(explanation: Explanation) -> None:
    rows = [("", "", finding) for finding in explanation.findings]
    for place in explanation.places:
        where = f"{place.cluster} {place.partition}"
        rows += [(where, "", finding) for finding in place.findings]
        for payer in place.payers:
            rows += [(where, payer.account, finding) for finding in (*payer.findings, *payer.sizes)]
    cells = [(_mark(found.holds), where, account, found.rule, found.found) for where, account, found in rows]
    show_table(("", "Place", "Allocation", "Rule", "Found"), cells)


def _in_short(explanation: Explanation) -> str:
    """Say where a profile is offered, or name the first rule in each place that is in the way."""
    if explanation.offered:
        return ", ".join(place.cluster for place in explanation.places if place.offered)
    first = _first(explanation.findings)
    if first:
        return first
    reasons = []
    for place in explanation.places:
        own = [_first(place.findings)] if not place.payers else []
        paid = [f"{payer.account}: {_first((*payer.findings, *payer.sizes))}" for payer in place.payers]
        reasons.append(f"{place.cluster}: {'; '.join([*own, *paid])}")
    return " | ".join(reasons)


def _first(findings: tuple[Finding, ...]) -> str:
    return next((f"{finding.rule}: {finding.found}" for finding in findings if not finding.holds), "")


def _mark(holds: bool) -> str:
    return "✓" if holds else "✗"


@app.command()
def render(
    profile: Annotated[str, typer.Argument(help="The slug.", autocompletion=complete_profiles)],
    user: UserOption,
    groups: GroupOption,
    allocation: Annotated[str | None, typer.Option(help="The account that pays; absent: the first that may.")] = None,
    cluster: Annotated[
        str | None, typer.Option(help="Absent: the first with an offer.", autocompletion=complete_clusters)
    ] = None,
    size: Annotated[str | None, typer.Option(help="Absent: the profile's default.")] = None,
    minutes: Annotated[int | None, typer.Option(help="Absent: the size's default.")] = None,
    qos: Annotated[str | None, typer.Option(help="Absent: the first that allows the time.")] = None,
    site: SiteOption = SITE,
    as_json: JsonOption = False,
) -> None:
    """Print the job script that a choice would give, decided as the hub does; nothing is submitted."""
    catalogue = loaded(site)
    views = _views(catalogue)
    catalogue = catalogue_of(catalogue, user)
    asked = {"allocation": allocation, "cluster": cluster, "size": size, "minutes": minutes, "qos": qos}
    choice: dict[str, Any] = {"profile": profile, **{name: value for name, value in asked.items() if value is not None}}
    try:
        accepted = accept(choice, catalogue, person_now(catalogue.site, views, user, groups), views)
        request = job_request(accepted, catalogue, user, "", NO_SESSION)
    except HpchubError as error:
        fail(error)
    script = render_script(request)
    if as_json:
        told = {"user_options": accepted.as_user_options(), "request": request.model_dump(mode="json")}
        show_json({**told, "script": script})
    else:
        typer.echo(f"{request.model_dump_json()}", err=True)
        typer.echo(script, nl=False)


@app.command()
def diff(
    groups: GroupOption,
    against: Annotated[
        str, typer.Option(help="A revision of git, a catalogue's folder, or a site file: what was before.")
    ] = "HEAD",
    users: Annotated[
        list[str] | None,
        typer.Option("--user", help="Whose offers are compared; may be repeated.", autocompletion=complete_people),
    ] = None,
    all_users: Annotated[bool, typer.Option("--all-users", help="Compare those of all users of the clusters.")] = False,
    site: SiteOption = SITE,
    as_json: JsonOption = False,
) -> None:
    """Tell what a change of the files means: what is new, gone or changed, and whose offers appear or disappear."""
    after = loaded(site)
    try:
        before = earlier_catalogue(after.site, against)
    except HpchubError as error:
        fail(error)
    views = _views(after) if users or all_users else {}
    names = users or sorted({name for view in views.values() for name in view.associations} if all_users else ())
    found = difference(before, after, [Person(name, frozenset(groups)) for name in names], views)
    if as_json:
        show_json(asdict(found))
    else:
        _show_difference(found, bool(names))


def _show_difference(found: Difference, people: bool) -> None:
    if not found.files:
        typer.echo("Nothing has changed.")
        return
    show_table(("What", "Field", "Before", "After"), [(c.what, c.field, c.before, c.after) for c in found.files])
    if people:
        typer.echo("")
        if not found.offers:
            typer.echo("Nobody's offers change.")
        else:
            rows = [(each.user, each.profile, offers_in_words(each)) for each in found.offers]
            show_table(("User", "Profile", "Offers"), rows)


def _views(catalogue: Catalogue) -> Mapping[str, ClusterView]:
    """Ask the clusters as the hub does, where this is root beside a hub."""
    try:
        if os.geteuid() == 0 and catalogue.site.hub.state_folder.is_dir():
            become_the_hub(catalogue.site)
    except HpchubError as error:
        fail(error)
    return look_once(catalogue.site)


def _profile(catalogue: Catalogue, slug: str) -> Profile:
    if slug not in catalogue.profiles:
        fail(f"Profile {slug} is not known; possible: {out_of(catalogue.profiles, slug)}")
    return catalogue.profiles[slug]
