"""``hpchub environments …``: the builds of the environments."""

from __future__ import annotations

import platform
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from hpchub.catalogue.load import load_site
from hpchub.catalogue.model import Catalogue
from hpchub.cli.common import SITE, JsonOption, SiteOption, fail, loaded, show_json, show_table
from hpchub.clusters import look_once
from hpchub.environments import builds, lock
from hpchub.environments.build import PYTHON, BuildError, Tell, build, environment_path, order
from hpchub.environments.builds import Build
from hpchub.environments.lock import Lock
from hpchub.environments.on_cluster import build_on, cluster_for
from hpchub.environments.usage import jobs_with, silent
from hpchub.errors import HpchubError

app = typer.Typer(no_args_is_help=True, help="The builds of the environments.")
FEW_DIFFERENCES = 8

NameArgument = Annotated[str, typer.Argument(help="The environment, a folder below environments/.")]
TargetOption = Annotated[str, typer.Option(help="The software target, such as x86_64-cuda12.")]
BuildOption = Annotated[str, typer.Option("--build", help="The build: 12 digits, as `list` shows them.")]


@app.command(name="build")
def build_environment(
    name: NameArgument,
    target: TargetOption,
    site: SiteOption = SITE,
    python: Annotated[Path, typer.Option(help="The Python of the build; every user must be able to run it.")] = PYTHON,
    on_cluster: Annotated[str | None, typer.Option(help="Build by a job there, whatever this machine can do.")] = None,
) -> None:
    """Build an environment from its lock, unless that is done, check it, and make it the current one.

    What this machine cannot build for another architecture is built by a job on a cluster that has it, as the site file
    says under `builds`.
    """
    settings = loaded(site).site
    root = settings.environments_root
    elsewhere = target.partition("-")[0] != platform.machine()
    cluster = on_cluster or (cluster_for(settings, target) if elsewhere else None)
    try:
        with _progress(f"{name} for {target}") as tell:
            if cluster is None:
                build(settings.profiles, name, target, root, _uv(), python, tell)
            else:
                build_on(settings, cluster, order(settings.profiles, name, target, root), tell)
    except (HpchubError, OSError) as error:
        fail(error)
    typer.echo(environment_path(root, name, target))


@app.command(name="verify")
def verify_builds(
    name: Annotated[str | None, typer.Argument(help="The environment; absent: all.")] = None,
    target: Annotated[str, typer.Option(help="The software target; absent: all.")] = "*",
    site: SiteOption = SITE,
    as_json: JsonOption = False,
) -> None:
    """Compare builds with their manifests, and try their interpreter, imports and notebook server."""
    there = builds.builds_below(loaded(site).site.environments_root, name or "*", target)
    if not there:
        fail(f"There is no build of {name or 'any environment'} for {'any target' if target == '*' else target}.")
    problems = {}
    for each in there:
        with _progress(f"verifying {each.name}"):
            problems[each.name] = builds.verify(each)
    if as_json:
        show_json([{"build": each, "problems": found} for each, found in problems.items()])
    else:
        show_table(
            ("Build", "Problem"), [(each, line) for each, found in problems.items() for line in found or ["none"]]
        )
    if any(problems.values()):
        raise typer.Exit(1)


@app.command(name="switch")
def switch_build(name: NameArgument, target: TargetOption, to: BuildOption, site: SiteOption = SITE) -> None:
    """Let new sessions get another build, an older one for example; running ones keep theirs."""
    try:
        chosen = builds.find(loaded(site).site.environments_root, name, target, to)
        builds.switch(chosen)
    except (HpchubError, OSError) as error:
        fail(error)
    typer.echo(chosen.folder)


@app.command(name="list")
def list_builds(site: SiteOption = SITE, as_json: JsonOption = False) -> None:
    """List all builds: which one new sessions get, how many jobs use it, its size and age."""
    catalogue = loaded(site)
    views = look_once(catalogue.site)
    rows = [
        _row(each, catalogue, len(jobs_with(each.name, views.values())))
        for each in builds.builds_below(catalogue.site.environments_root)
    ]
    without_answer = silent(views, views)
    if without_answer:
        typer.echo(f"{', '.join(without_answer)} does not answer: jobs there are not counted.", err=True)
    if as_json:
        show_json(rows)
    else:
        show_table(
            ("Environment", "Target", "Build", "Sessions get it", "Lock", "Jobs", "Size", "Made"), map(_cells, rows)
        )


def _row(each: Build, catalogue: Catalogue, jobs: int) -> dict[str, Any]:
    return {
        "environment": each.environment,
        "target": each.target,
        "build": each.id,
        "current": each.current,
        "of_the_lock_of_now": each.is_of(builds.lock_of(catalogue, each)),
        "jobs": jobs,
        "bytes": each.manifest.get("bytes"),
        "made_epoch": each.made_epoch,
        "python": each.manifest.get("python"),
        "path": str(each.folder),
    }


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    size = "unknown" if row["bytes"] is None else f"{row['bytes'] / 1e6:,.0f} MB"
    return (
        row["environment"],
        row["target"],
        row["build"],
        "yes" if row["current"] else "no",
        "as it is now" if row["of_the_lock_of_now"] else "another",
        str(row["jobs"]),
        size,
        time.strftime("%Y-%m-%d %H:%M", time.localtime(row["made_epoch"])),
    )


@app.command(name="remove")
def remove_build(name: NameArgument, target: TargetOption, build_id: BuildOption, site: SiteOption = SITE) -> None:
    """Remove a build that is neither current nor in use."""
    catalogue = loaded(site)
    try:
        doomed = builds.find(catalogue.site.environments_root, name, target, build_id)
        builds.remove(doomed, catalogue, look_once(catalogue.site))
    except (HpchubError, OSError) as error:
        fail(error)
    typer.echo(f"removed {doomed.folder}")


@app.command(name="lock")
def lock_environments(
    names: Annotated[list[str] | None, typer.Argument(help="The environments; absent: all.")] = None,
    target: Annotated[list[str] | None, typer.Option(help="The software targets, each by its own --target.")] = None,
    upgrade: Annotated[bool, typer.Option("--upgrade", help="Take the newest versions of everything.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; the exit status is 1 if a lock differs.")
    ] = False,
    site: SiteOption = SITE,
    as_json: JsonOption = False,
) -> None:
    """Resolve what environments ask for and write their locks, one for each software target of targets.yaml."""
    try:
        folder = load_site(site).profiles
        found = []
        for name in lock.names_of(folder, names or ()):
            for each in target or lock.read_targets(folder):
                with _progress(f"{name} for {each}"):
                    found.append(lock.resolve(folder, name, each, _uv(), upgrade=upgrade))
        if not check:
            for result in found:
                result.path.write_text(result.text)
    except (HpchubError, OSError) as error:
        fail(error)
    if as_json:
        show_json([_lock_row(each) for each in found])
    else:
        show_table(
            ("Environment", "Target", "Packages", "Differences"),
            [(each.environment, each.target, str(each.packages), _differences(each)) for each in found],
        )
    if check and any(each.changed for each in found):
        raise typer.Exit(1)


def _lock_row(found: Lock) -> dict[str, Any]:
    return {
        "environment": found.environment,
        "target": found.target,
        "packages": found.packages,
        "changed": found.changed,
        "differences": found.differences(),
    }


def _differences(found: Lock) -> str:
    lines = found.differences()
    if len(lines) > FEW_DIFFERENCES:
        return f"{len(lines)} packages"
    return "; ".join(lines) or ("other wheels of the same versions" if found.changed else "none")


@contextmanager
def _progress(title: str) -> Iterator[Tell]:
    """Show what is being done and since when, on a terminal; what a pipe reads has none of it."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(title, total=None)
        yield lambda step: progress.update(task, description=f"{title}: {step}")


def _uv() -> Path:
    """Find uv beside this Python, where the hub's own environment has it, or else on the PATH."""
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.is_file() else shutil.which("uv")
    if found is None:
        raise BuildError(f"uv is needed; it is neither {beside} nor on the PATH")
    return Path(found)
