"""The command ``hpchub``: what an admin does with the catalogue.

Exit status: 0 for success, 1 if the catalogue is wrong or a build failed, 2 if the command itself was wrong.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from hpchub.catalogue.load import environments_without_build, load_catalogue, load_site
from hpchub.catalogue.model import Catalogue
from hpchub.environments.build import PYTHON, BuildError, build
from hpchub.errors import HpchubError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
profiles = typer.Typer(no_args_is_help=True, help="The profiles of a site.")
environments = typer.Typer(no_args_is_help=True, help="The builds of the environments.")
app.add_typer(profiles, name="profiles")
app.add_typer(environments, name="environments")

SiteOption = Annotated[Path, typer.Option("--site", help="The site file.", envvar="HPCHUB_SITE")]
SITE = Path("profiles/site.yaml")


@app.callback()
def main() -> None:
    """Run notebooks on HPC clusters: the tools of a site's admin."""


@profiles.command()
def lint(site: SiteOption = SITE) -> None:
    """Check the site file and all files of its catalogue; every mistake is one line."""
    catalogue = _catalogue(site)
    for note in environments_without_build(catalogue):
        typer.echo(f"note: {note}")
    counts = f"{len(catalogue.profiles)} profiles, {len(catalogue.sectors)} sectors"
    typer.echo(f"{site}: {counts}, {len(catalogue.environments)} environments: no mistakes")


@environments.command(name="build")
def build_environment(
    name: Annotated[str, typer.Argument(help="The environment, a folder below environments/.")],
    target: Annotated[str, typer.Option(help="The software target, such as x86_64-cuda12.")],
    site: SiteOption = SITE,
    python: Annotated[Path, typer.Option(help="The Python of the build; every user must be able to run it.")] = PYTHON,
) -> None:
    """Build an environment from its lock, unless that is done, and make it the current one."""
    settings = _catalogue(site).site
    try:
        typer.echo(build(settings.profiles, name, target, settings.environments_root, _uv(), python))
    except (HpchubError, OSError) as error:
        _fail(error)


def _catalogue(site: Path) -> Catalogue:
    try:
        return load_catalogue(load_site(site))
    except HpchubError as error:
        _fail(error)


def _uv() -> Path:
    """Find uv beside this Python, where the hub's own environment has it, or else on the PATH."""
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.is_file() else shutil.which("uv")
    if found is None:
        raise BuildError(f"uv is needed; it is neither {beside} nor on the PATH")
    return Path(found)


def _fail(error: Exception) -> NoReturn:
    typer.echo(str(error), err=True)
    raise typer.Exit(1)
