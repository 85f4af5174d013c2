"""``hpchub profiles …``: the profiles of a site, looked at before anyone sees them."""

from __future__ import annotations

import typer

from hpchub.catalogue.load import environments_without_build
from hpchub.cli.common import SITE, SiteOption, loaded

app = typer.Typer(no_args_is_help=True, help="The profiles of a site.")


@app.command()
def lint(site: SiteOption = SITE) -> None:
    """Check the site file and all files of its catalogue; every mistake is one line."""
    catalogue = loaded(site)
    for note in environments_without_build(catalogue):
        typer.echo(f"note: {note}")
    counts = f"{len(catalogue.profiles)} profiles, {len(catalogue.sectors)} sectors"
    typer.echo(f"{site}: {counts}, {len(catalogue.environments)} environments: no mistakes")
