"""``hpchub console``: the web service of trainers as a process."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hpchub.catalogue.load import load_site
from hpchub.cli.common import SITE, SiteOption, fail
from hpchub.errors import HpchubError

app = typer.Typer(no_args_is_help=True, help="Run the web service of trainers.")


FileArgument = Annotated[
    Path, typer.Argument(metavar="FILE", help="Has the other database's address, as `database_url_file` names one.")
]


@app.command("copy-to")
def copy_to(file: FileArgument, site: SiteOption = SITE) -> None:
    """Copy all events into another database, which has none; stop the console before."""
    from sqlalchemy.exc import SQLAlchemyError

    from hpchub.console.database import copy, opened, url_of
    from hpchub.database import url_in

    try:
        number = copy(opened(url_of(load_site(site))), opened(url_in(file)))
    except (HpchubError, SQLAlchemyError, ImportError) as error:
        fail(error)
    typer.echo(f"{number} events were copied. Let console.database_url_file name {file}, and start the console.")


@app.command()
def serve(site: SiteOption = SITE) -> None:
    """Serve the events' pages and their API until it is stopped; the database is brought up to date first."""
    from sqlalchemy.exc import SQLAlchemyError

    from hpchub.console.serve import serve as run

    try:
        run(site)
    except (HpchubError, SQLAlchemyError) as error:
        fail(error)
