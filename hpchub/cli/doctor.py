"""``hpchub doctor``: the whole deployment, a remedy for each finding."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from hpchub.catalogue.load import load_catalogue, load_site
from hpchub.catalogue.site import Site
from hpchub.checks.doctor.deployment import Deployment
from hpchub.checks.doctor.examine import examine
from hpchub.checks.finding import Finding, any_fault
from hpchub.checks.identity import admin_token, become_the_hub
from hpchub.checks.targets import Payer
from hpchub.cli.checks import AllocationOption, UserOption, payer_of, show_findings
from hpchub.cli.common import SITE, JsonOption, SiteOption, fail, show_json
from hpchub.clusters import apart
from hpchub.errors import CatalogueError, HpchubError

TokenOption = Annotated[
    Path | None,
    typer.Option("--token-file", help="A token of the hub's API for admins; else HPCHUB_TOKEN, or the hub's own copy."),
]


def doctor(
    site: SiteOption = SITE,
    token_file: TokenOption = None,
    user: UserOption = None,
    allocation: AllocationOption = None,
    quick: Annotated[bool, typer.Option("--quick", help="Run no job on the clusters.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Look at the whole deployment, with a short real job on each cluster; every finding has its remedy."""
    try:
        settings = load_site(site)
        findings = _examined(settings, token_file, payer_of(settings, user, allocation), quick)
    except HpchubError as error:
        fail(error)
    if as_json:
        show_json([finding.as_dict() for finding in findings])
    else:
        show_findings(findings)
        counted = Counter(finding.verdict.value for finding in findings)
        typer.echo(", ".join(f"{number} {verdict}" for verdict, number in counted.items()))
    raise typer.Exit(1 if any_fault(findings) else 0)


def _examined(site: Site, token_file: Path | None, payer: Payer | None, quick: bool) -> list[Finding]:
    catalogue, problems, token = None, "", ""
    try:
        catalogue = load_catalogue(site)
    except CatalogueError as error:
        problems = str(error)
    if token_file is not None:
        # Perhaps only root can read it.
        token = admin_token(site, token_file)
    hub_user = become_the_hub(site)
    try:
        token = token or admin_token(site, None)
    except HpchubError:
        token = ""  # one of the findings says so
    with apart(site) as (launcher, clients):
        deployment = Deployment(site, catalogue, problems, hub_user, token, payer, clients, launcher)
        return asyncio.run(examine(deployment, quick))
