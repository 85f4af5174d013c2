"""``hpchub proxy``: for a proxy that is a process of its own, beside the hub."""

from __future__ import annotations

import typer

from hpchub.catalogue.load import load_site
from hpchub.checks.identity import admin_token
from hpchub.cli.common import SITE, SiteOption, fail
from hpchub.cli.doctor import TokenOption
from hpchub.errors import HpchubError
from hpchub.routes import NotMade, make

app = typer.Typer(no_args_is_help=True, help="Look after a proxy that the hub does not start itself.")


@app.command()
def routes(site: SiteOption = SITE, token_file: TokenOption = None) -> None:
    """Have the hub make all routes at its proxy, which is new; a hub that does not run makes them when it starts."""
    try:
        settings = load_site(site)
        said = make(settings.hub.hub_url, admin_token(settings, token_file))
    except (HpchubError, NotMade) as error:
        fail(error)
    typer.echo(said)
