"""The job that makes a build where only the cluster can: its script runs here as it runs there."""

from __future__ import annotations

import ast
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from uv import find_uv_bin

from hpchub.catalogue.site import Builds
from hpchub.environments import make
from hpchub.environments.build import BuildError, order
from hpchub.environments.on_cluster import builds_of, cluster_for, render
from tests.support import tiny
from tests.unit.data.world import demo_catalogue, with_cluster

FIELDS: dict[str, Any] = {
    "user": "builder",
    "account": "aifac_sw",
    "partition": "lrd_all_serial",
    "qos": "normal",
    "uv": find_uv_bin(),
}
BUILDS = Builds(**FIELDS)


@pytest.fixture
def told(tmp_path: Path) -> dict[str, Any]:
    """An order for the tiny environment."""
    catalogue = tmp_path / "profiles"
    tiny.declare(catalogue)
    tiny.lock(catalogue)
    programs = {"uv": str(BUILDS.uv), "python": str(tiny.PYTHON)}
    return {**order(catalogue, "tiny", tiny.TARGET, tmp_path / "root"), **programs}


def run(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a job script as a node would: in a shell with a small environment."""
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "UV_OFFLINE": "1", "UV_CACHE_DIR": f"{folder}/cache"}
    return subprocess.run(
        ["bash"], input=script, capture_output=True, text=True, env=environment, check=False, cwd=folder
    )


def test_the_script_makes_the_build_and_says_its_name(told: dict[str, Any], tmp_path: Path) -> None:
    done = run(render(BUILDS, told), tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    *steps, result = done.stdout.splitlines()
    assert steps[0] == "hpchub: installing 1 packages"
    current = tmp_path / "root" / "tiny" / tiny.TARGET / "current"
    assert json.loads(result) == {"built": current.resolve().name}
    assert subprocess.run([current / "bin" / "tiny"], capture_output=True, text=True, check=True).stdout == "tiny 1.0\n"


def test_the_script_says_why_it_fails(told: dict[str, Any], tmp_path: Path) -> None:
    done = run(render(BUILDS, {**told, "imports": ["huge"]}), tmp_path)
    assert done.returncode == 1
    assert "cannot import huge: ModuleNotFoundError" in json.loads(done.stdout.splitlines()[-1])["failed"]


def test_a_root_that_its_user_may_not_write_is_said(told: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "root").write_text("a file, and no folder")
    done = run(render(BUILDS, told), tmp_path)
    assert "Not a directory" in json.loads(done.stdout.splitlines()[-1])["failed"]


def test_the_job_asks_for_what_the_site_says() -> None:
    lines = render(BUILDS, {}).split("\n\n", 1)[0].splitlines()
    assert lines == [
        "#!/bin/bash",
        "#SBATCH --job-name=hpchub-build",
        "#SBATCH --account=aifac_sw",
        "#SBATCH --partition=lrd_all_serial",
        "#SBATCH --qos=normal",
        "#SBATCH --nodes=1",
        "#SBATCH --ntasks=1",
        "#SBATCH --cpus-per-task=4",
        "#SBATCH --mem=8000M",
        "#SBATCH --time=0-01:00:00",
        "#SBATCH --no-requeue",
    ]


def test_nothing_in_an_order_ends_its_here_document() -> None:
    lock = "a==1\nHPCHUB_ORDER\nHPCHUB_PROGRAM\n$(touch x)\n"
    lines = render(BUILDS, {"lock": lock}).splitlines()
    assert (lines.count("HPCHUB_ORDER"), lines.count("HPCHUB_PROGRAM")) == (1, 1)
    assert json.loads(lines[-2])["lock"] == lock


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("account", "a b"),
        ("partition", "x\n#SBATCH --uid=0"),
        ("qos", "-q"),
        ("user", "root;id"),
        ("uv", "uv"),
        ("python", "/a b"),
    ],
)
def test_what_cannot_be_written_into_a_job_is_refused(field: str, value: str) -> None:
    with pytest.raises(ValidationError, match=field):
        Builds(**{**FIELDS, field: value})


def test_the_program_runs_with_the_oldest_python_of_login_nodes() -> None:
    ast.parse(Path(make.__file__).read_text(), feature_version=(3, 9))


def test_a_target_is_built_on_the_first_cluster_that_has_it_and_a_builder() -> None:
    site = with_cluster("it4lia", builds=BUILDS.model_dump()).site
    assert cluster_for(site, "x86_64-demo") == "it4lia"
    assert cluster_for(site, "aarch64-cuda13") is None
    assert builds_of(site, "it4lia") == BUILDS


@pytest.mark.parametrize("cluster", ["leonardo", "nowhere"])
def test_a_cluster_on_which_nobody_builds_is_refused(cluster: str) -> None:
    with pytest.raises(BuildError, match=f"nobody builds on cluster '{cluster}': it has no `builds`; possible: none"):
        builds_of(demo_catalogue().site, cluster)
