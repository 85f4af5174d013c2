"""``hpchub profiles check`` and ``smoke``: profiles against the living clusters, before anybody queues for them."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from hpchub.catalogue.model import Catalogue, Profile
from hpchub.catalogue.site import Site
from hpchub.checks import smoke as smokes
from hpchub.checks.finding import Finding, Verdict, any_fault
from hpchub.checks.identity import become_the_hub
from hpchub.checks.profiles import check_profiles
from hpchub.checks.targets import Payer, targets_of
from hpchub.checks.trial import try_out
from hpchub.cli.common import SITE, JsonOption, SiteOption, fail, loaded, show_json, show_table
from hpchub.clusters import apart, look_once
from hpchub.errors import HpchubError

ProfilesArgument = Annotated[
    list[str] | None, typer.Argument(metavar="PROFILE", help="Slugs or patterns; none: all profiles.")
]


def chosen(catalogue: Catalogue, patterns: Sequence[str] | None) -> list[Profile]:
    """Find the profiles that are meant, or end the command with what there is."""
    found = []
    for pattern in patterns or ["*"]:
        matching = [profile for slug, profile in catalogue.profiles.items() if fnmatchcase(slug, pattern)]
        if not matching:
            fail(f"No profile is called {pattern!r}. There are: {', '.join(catalogue.profiles)}.")
        found += [profile for profile in matching if profile not in found]
    return found


def show_findings(findings: Sequence[Finding]) -> None:
    """Print findings, a row each."""
    rows = [
        (each.subject, each.place, each.verdict, " ".join(filter(None, (each.says, each.remedy)))) for each in findings
    ]
    show_table(("what", "where", "verdict", "finding and remedy"), rows)


def check(
    profiles: ProfilesArgument = None,
    site: SiteOption = SITE,
    user: Annotated[
        str | None, typer.Option(help="Also have Slurm judge the jobs of this person (sbatch --test-only).")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Compare the profiles with what the clusters have: partitions, GPUs, time, QOS, allocations, builds."""
    catalogue = loaded(site)
    wanted = chosen(catalogue, profiles)
    findings = _checked(catalogue, wanted, user)
    if as_json:
        told = [finding.as_dict() for finding in findings]
        show_json({"profiles": [profile.slug for profile in wanted], "findings": told})
    else:
        worth_a_line = [finding for finding in findings if finding.verdict is not Verdict.FINE]
        if worth_a_line:
            show_findings(worth_a_line)
        faults = sum(finding.verdict is Verdict.FAULT for finding in findings)
        asked = f"Slurm was asked as {user}" if user else "Slurm was not asked to judge jobs: that needs --user"
        typer.echo(f"{len(wanted)} profiles: {faults or 'no'} faults; {asked}.")
    raise typer.Exit(1 if any_fault(findings) else 0)


def _checked(catalogue: Catalogue, wanted: Sequence[Profile], user: str | None) -> list[Finding]:
    try:
        if user or (os.geteuid() == 0 and catalogue.site.hub.state_folder.is_dir()):
            become_the_hub(catalogue.site)
        views = look_once(catalogue.site)
        findings = list(check_profiles(catalogue, views, wanted))
        if user:
            with apart(catalogue.site) as (launcher, _):
                findings += asyncio.run(try_out(catalogue, wanted, views, user, launcher))
    except HpchubError as error:
        fail(error)
    return findings


def payer_of(site: Site, user: str | None, allocation: str | None) -> Payer | None:
    """Say who runs the jobs of a check: who is named, or else the site's own choice."""
    if user is not None:
        return Payer(user, allocation)
    if site.checks is None:
        return None
    return Payer(site.checks.user, allocation or site.checks.allocation)


UserOption = Annotated[
    str | None, typer.Option(help="As whom the jobs run; by default the user of `checks` in the site file.")
]
AllocationOption = Annotated[
    str | None, typer.Option(help="The account that pays; by default one of the user's that fits.")
]


def smoke(
    profiles: ProfilesArgument = None,
    site: SiteOption = SITE,
    cluster: Annotated[str | None, typer.Option(help="Only the places of this cluster.")] = None,
    user: UserOption = None,
    allocation: AllocationOption = None,
    wait_minutes: Annotated[int, typer.Option(min=1, help="How long the jobs may take, the queue included.")] = 30,
    as_json: JsonOption = False,
) -> None:
    """Run a real job for each environment in each place: imports, GPUs, home and scratch, a kernel that runs a cell."""
    catalogue = loaded(site)
    payer = payer_of(catalogue.site, user, allocation)
    if payer is None:
        fail("Smoke tests are real jobs: name who runs them by --user NAME, or by `checks` in the site file.")
    if cluster is not None and cluster not in catalogue.site.clusters:
        fail(f"No cluster is called {cluster!r}. There are: {', '.join(catalogue.site.clusters)}.")
    targets = targets_of(catalogue, chosen(catalogue, profiles), cluster)
    if not targets:
        fail("None of these profiles runs on an open cluster there.")
    try:
        become_the_hub(catalogue.site)
        tests = smokes.prepare(catalogue, targets, look_once(catalogue.site), payer)
        with apart(catalogue.site) as (launcher, clients), _progress(tests) as changed:
            smokes.run(tests, launcher, clients, wait_minutes * 60, changed)
    except HpchubError as error:
        fail(error)
    except KeyboardInterrupt:
        typer.echo("Interrupted; the jobs were cancelled.", err=True)
        raise typer.Exit(130) from None
    if as_json:
        show_json([test.as_dict() for test in tests])
    else:
        show_table(*_result(tests))
    raise typer.Exit(1 if any(test.state == "failed" for test in tests) else 0)


def _result(tests: Sequence[smokes.Smoke]) -> tuple[Sequence[str], list[Sequence[str]]]:
    rows: list[Sequence[str]] = []
    for test in tests:
        told = test.as_dict()
        imports = f"{told['import_seconds']} s" if told["import_seconds"] is not None else ""
        what = "; ".join(test.failures) or f"GPUs: {told['gpus']}; a cell ran"
        job = " ".join(filter(None, (told["job_id"], told["node"])))
        rows.append((test.target.environment, test.target.place, test.state, job, imports, what))
    return ("environment", "place", "result", "job", "imports", "what it found"), rows


@contextmanager
def _progress(tests: Sequence[smokes.Smoke]) -> Iterator[Callable[[], None]]:
    """Show on standard error how far the tests are: a table that lives in a terminal, else a line at each change."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _lines(tests)
        return

    def table() -> Table:
        shown = Table("environment", "place", "job", "state", box=None, header_style="bold")
        for test in tests:
            job_id = test.job.job_id if test.job else ""
            shown.add_row(*map(Text, (test.target.environment, test.target.place, job_id, test.state)))
        return shown

    with Live(table(), console=console, transient=True) as live:
        yield lambda: live.update(table())


def _lines(tests: Sequence[smokes.Smoke]) -> Callable[[], None]:
    said: dict[int, str] = {}

    def changed() -> None:
        for number, test in enumerate(tests):
            if said.get(number) != test.state:
                said[number] = test.state
                print(f"{test.target.environment} on {test.target.place}: {test.state}", file=sys.stderr, flush=True)

    return changed
