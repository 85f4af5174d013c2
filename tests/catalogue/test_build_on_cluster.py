"""A build that a cluster makes in a job, as the user whom the site file names; `tiny` needs no network for it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support import tiny
from tests.support.site import Site

BUILDER = "carla"


@dataclass(frozen=True)
class Workshop:
    """A site of the same clusters, with a catalogue of one tiny environment and builds of its own."""

    site: Site
    folder: Path

    def build(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run the admin's command."""
        command: list[str | Path] = [self.site.folder / "venv" / "bin" / "hpchub", "environments", "build", "tiny"]
        options: list[str | Path] = ["--target", tiny.TARGET, "--site", self.folder / "site.yaml"]
        environment = {**os.environ, "SLURM_CONF": str(self.site.folder / "etc" / "leonardo" / "slurm.conf")}
        return subprocess.run(
            [*command, *options, *words], capture_output=True, text=True, env=environment, check=False
        )

    def builds(self) -> list[Path]:
        """What lies where the builds are."""
        return sorted((self.folder / "builds").glob(f"tiny/{tiny.TARGET}/*"))


@pytest.fixture
def workshop(site: Site) -> Iterator[Workshop]:
    folder = site.folder / "workshop"
    folder.mkdir()
    tiny.declare(folder / "profiles")
    tiny.lock(folder / "profiles")
    tiny.offer(folder / "profiles")
    text = (site.folder / "site" / "site.yaml").read_text()
    text = re.sub(r"environments_root: .*", f"environments_root: {folder}/builds", text)
    text = tiny.site_text(text)
    builds = (
        f"{{user: {BUILDER}, account: tra26_hack, partition: gb200_usr_prod, minutes: 10, cores: 2, memory_mb: 2000, "
        f'uv: {site.folder}/venv/bin/uv, variables: {{UV_OFFLINE: "1", UV_CACHE_DIR: {folder}/cache}}}}'
    )
    text = re.sub(r"^  it4lia:\n", f"  it4lia:\n    builds: {builds}\n", text, flags=re.MULTILINE)
    (folder / "site.yaml").write_text(text)
    for name in ("builds", "cache"):
        (folder / name).mkdir()
        shutil.chown(folder / name, BUILDER, BUILDER)
    yield Workshop(site, folder)
    shutil.rmtree(folder)


def test_a_cluster_makes_a_build_and_switches_to_it(workshop: Workshop) -> None:
    done = workshop.build("--on-cluster", "it4lia")
    assert done.returncode == 0, done.stderr
    current = Path(done.stdout.strip())
    assert current == workshop.folder / "builds" / "tiny" / tiny.TARGET / "current"
    said = subprocess.run([current / "bin" / "tiny"], check=True, capture_output=True, text=True).stdout
    assert said == "tiny 1.0\n"
    assert current.resolve().owner() == BUILDER
    assert workshop.site.live_jobs() == []


def test_the_end_of_the_log_of_a_failed_build_is_shown(workshop: Workshop) -> None:
    tiny.lock(workshop.folder / "profiles", digest="0" * 64)
    done = workshop.build("--on-cluster", "it4lia")
    assert done.returncode == 1
    assert re.search(r"^job \d+ of carla on it4lia ended with FAILED and built nothing:$", done.stderr, re.MULTILINE)
    assert re.search("(?i)hash mismatch", done.stderr)
    assert workshop.builds() == []


def test_a_job_that_slurm_refuses_is_a_sentence(workshop: Workshop) -> None:
    path = workshop.folder / "site.yaml"
    path.write_text(path.read_text().replace("account: tra26_hack", "account: no_such_account"))
    done = workshop.build("--on-cluster", "it4lia")
    assert done.returncode == 1
    assert "the build of tiny was not submitted on it4lia: " in done.stderr
    assert "Invalid account" in done.stderr


def test_a_cluster_without_a_builder_is_refused(workshop: Workshop) -> None:
    done = workshop.build("--on-cluster", "leonardo")
    assert done.returncode == 1
    assert "nobody builds on cluster 'leonardo': it has no `builds`; possible: it4lia" in done.stderr
