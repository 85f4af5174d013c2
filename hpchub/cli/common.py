"""What all verbs of ``hpchub`` share: options, reading the catalogue, showing a result or a failure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hpchub.catalogue.load import load_catalogue, load_site
from hpchub.catalogue.model import Catalogue
from hpchub.errors import HpchubError

SITE = Path("profiles/site.yaml")
_ANY_WIDTH = 100_000
SiteOption = Annotated[Path, typer.Option("--site", help="The site file.", envvar="HPCHUB_SITE")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON, for scripts.")]


def loaded(site: Path) -> Catalogue:
    """Read a site and its catalogue, or end the command with one line for each mistake."""
    try:
        return load_catalogue(load_site(site))
    except HpchubError as error:
        fail(error)


def fail(error: Exception | str) -> NoReturn:
    """End the command: the sentence on standard error, exit status 1."""
    typer.echo(str(error), err=True)
    raise typer.Exit(1)


def show_json(value: Any) -> None:
    """Print a result for scripts."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def show_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a result for people; cells are text and never markup.

    A narrow terminal folds them; in a pipe each row is one line, however long, without colour.
    """
    table = Table(*headings, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(Text(cell, overflow="fold") for cell in row))
    console = Console()
    if not console.is_terminal:
        console = Console(width=_ANY_WIDTH, color_system=None)
    console.print(table)


def complete_profiles(context: typer.Context, incomplete: str) -> list[str]:
    """Complete the slug of a profile from the files; none where they cannot be read."""
    return _completed(context, incomplete, lambda catalogue: catalogue.profiles)


def complete_clusters(context: typer.Context, incomplete: str) -> list[str]:
    """Complete the name of a cluster of the site file."""
    return _completed(context, incomplete, lambda catalogue: catalogue.site.clusters)


def complete_people(context: typer.Context, incomplete: str) -> list[str]:
    """Complete the name of somebody whom the site file names."""
    return _completed(context, incomplete, lambda catalogue: catalogue.site.sign_in.people)


def _completed(context: typer.Context, incomplete: str, names: Callable[[Catalogue], Iterable[str]]) -> list[str]:
    try:
        catalogue = load_catalogue(load_site(Path(context.params.get("site") or SITE)))
    except HpchubError:
        return []  # a shell shows nothing else than completions
    return [name for name in names(catalogue) if name.startswith(incomplete)]
