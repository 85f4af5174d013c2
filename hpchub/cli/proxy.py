"""``hpchub proxy``: for a proxy that is a process of its own, beside the hub."""

from __future__ import annotations

from functools import partial

import typer

from hpchub import internal_tls
from hpchub.catalogue.load import load_site
from hpchub.checks.identity import admin_token
from hpchub.cli.common import SITE, SiteOption, fail
from hpchub.cli.doctor import TokenOption
from hpchub.errors import HpchubError
from hpchub.routes import NotMade, make
from hpchub.tls_client import of_services

app = typer.Typer(no_args_is_help=True, help="Look after a proxy that the hub does not start itself.")


@app.command()
def routes(site: SiteOption = SITE, token_file: TokenOption = None) -> None:
    """Have the hub make all routes at its proxy, which is new; a hub that does not run makes them when it starts."""
    try:
        settings = load_site(site)
        said = make(settings.hub.hub_url, admin_token(settings, token_file), partial(of_services, settings.hub))
    except (HpchubError, NotMade) as error:
        fail(error)
    typer.echo(said)


@app.command()
def certificates(site: SiteOption = SITE) -> None:
    """Make the certificates of `hub.internal_tls` that are missing or end soon, as the hub does at its start.

    Run it as the hub's user, before a proxy starts that the hub does not start itself.
    """
    try:
        settings = load_site(site)
    except HpchubError as error:
        fail(error)
    if not settings.hub.internal_tls:
        typer.echo("Nothing to make: hub.internal_tls is false.")
        return
    try:
        made = internal_tls.prepare(settings)
    except OSError as error:
        fail(f"{settings.hub.internal_tls_folder}: {error.strerror}. Run this as the hub's user.")
    except ValueError as error:
        fail(f"{error}.")
    typer.echo(f"Made: {', '.join(made)}." if made else "All certificates are there.")
