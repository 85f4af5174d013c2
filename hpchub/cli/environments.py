"""``hpchub environments …``: the builds of the environments."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from hpchub.cli.common import SITE, SiteOption, fail, loaded
from hpchub.environments.build import PYTHON, BuildError, build
from hpchub.errors import HpchubError

app = typer.Typer(no_args_is_help=True, help="The builds of the environments.")


@app.command(name="build")
def build_environment(
    name: Annotated[str, typer.Argument(help="The environment, a folder below environments/.")],
    target: Annotated[str, typer.Option(help="The software target, such as x86_64-cuda12.")],
    site: SiteOption = SITE,
    python: Annotated[Path, typer.Option(help="The Python of the build; every user must be able to run it.")] = PYTHON,
) -> None:
    """Build an environment from its lock, unless that is done, and make it the current one."""
    settings = loaded(site).site
    try:
        typer.echo(build(settings.profiles, name, target, settings.environments_root, _uv(), python))
    except (HpchubError, OSError) as error:
        fail(error)


def _uv() -> Path:
    """Find uv beside this Python, where the hub's own environment has it, or else on the PATH."""
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.is_file() else shutil.which("uv")
    if found is None:
        raise BuildError(f"uv is needed; it is neither {beside} nor on the PATH")
    return Path(found)
