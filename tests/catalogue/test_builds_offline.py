"""The sectors' environments are built from their locks once more, without a network: from uv's cache alone."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.builds import new_root
from tests.support.site import REPOSITORY
from tests.support.thorough import THOROUGH

SECTORS = ("agrifood", "cybersecurity", "climate", "manufacturing", "deep-learning")
BUILT = SECTORS if THOROUGH else ("climate",)
"""A build is checked and compiled anew, which costs minutes for all: `./run soak` does that."""
TARGET = "x86_64-demo"


@pytest.fixture(scope="module")
def cache() -> Path:
    """The folder into which everything was fetched before the ring began."""
    return Path(os.environ["HPCHUB_DEMO_CACHE"])


@pytest.fixture(scope="module")
def site_file(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The shipped site with a new root for its builds."""
    text = (REPOSITORY / "profiles" / "site.yaml").read_text()
    text = re.sub(r"(?m)^profiles: .*", f"profiles: {REPOSITORY / 'profiles'}", text)
    path = tmp_path_factory.mktemp("site") / "site.yaml"
    with new_root(cache) as root:
        path.write_text(re.sub(r"(?m)^environments_root: .*", f"environments_root: {root}", text))
        yield path


def build(name: str, site_file: Path, cache: Path) -> Path:
    """Build an environment by the command line, offline; return the folder of the build."""
    command = [str(Path(sys.executable).with_name("hpchub")), "environments", "build", name]
    options = ["--target", TARGET, "--site", str(site_file)]
    environment = {**os.environ, "UV_CACHE_DIR": str(cache / "uv"), "UV_OFFLINE": "1"}
    done = subprocess.run([*command, *options], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.split()[-1]).resolve()


@pytest.mark.parametrize("name", BUILT)
def test_a_sector_s_environment_is_built_again_from_the_cache(name: str, site_file: Path, cache: Path) -> None:
    built = build(name, site_file, cache)
    # Named by what is in it: the one that the demo runs has the same lock and Python, and so the same name.
    assert built.name == os.readlink(cache / "environments" / name / TARGET / "current")
    manifest = json.loads((built / "hpchub-build.json").read_text())
    assert len(manifest["imports"]) >= 5  # all of them were imported before the switch
    assert build(name, site_file, cache) == built
    assert json.loads((built / "hpchub-build.json").read_text())["made_epoch"] == manifest["made_epoch"]
