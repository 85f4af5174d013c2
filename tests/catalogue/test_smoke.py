"""`hpchub profiles smoke`: real jobs on both clusters, and what they find."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.support.admin import argv, copied, hpchub
from tests.support.site import Site
from tests.support.trouble import fill, free
from tests.support.wait import until


def environments_of(site: Site) -> dict[str, list[str]]:
    """The environments of the site's profiles, each with the profiles that use it."""
    found: dict[str, list[str]] = {}
    for path in (site.folder / "site/profiles").glob("*/*.yaml"):
        if path.parent.name != "environments":
            environment = yaml.safe_load(path.read_text())["environment"]
            found.setdefault(environment, []).append(f"{path.parent.name}/{path.stem}")
    return found


def test_every_shipped_profile_passes_on_both_clusters(site: Site) -> None:
    done = hpchub(site, "profiles", "smoke", "--json")
    assert done.status == 0, done.out
    assert {profile for each in done.json for profile in each["profiles"]} == {
        profile for profiles in environments_of(site).values() for profile in profiles
    }
    assert {each["place"] for each in done.json} == {
        "leonardo/boost_usr_prod",
        "leonardo/lrd_all_serial",
        "it4lia/gb200_usr_prod",
    }
    for each in done.json:
        assert list(each["steps"]) == ["gpu", "home", "scratch", "imports", "kernel"]
        assert each["node"] and each["import_seconds"] is not None


def test_its_jobs_are_the_named_persons_and_none_of_the_hubs(site: Site) -> None:
    done = hpchub(site, "profiles", "smoke", "general/data-preparation", "--user", "ada", "--json")
    (result,) = done.json
    told = site.slurm(f"scontrol -M leonardo -o show job {result['job_id']}")
    assert " JobName=hpchub-smoke " in told
    assert " UserId=ada(" in told
    assert [each for each in site.api("GET", "/hpchub/sessions").json if each["phase"] != "ended"] == []


@pytest.fixture
def broken(site: Site) -> Iterator[Path]:
    """A site file whose environment `base` lacks a module that it should have; gives the site file."""
    # Beside the builds, on whatever file system they lie: hard links cost nothing.
    root = site.folder / "environments/.broken"
    (kept,) = (site.folder / "environments/base").iterdir()
    shutil.copytree(
        os.path.realpath(kept / "current"), root / "base" / kept.name / "current", symlinks=True, copy_function=os.link
    )
    (module,) = (root / "base" / kept.name / "current").glob("lib/python3*/site-packages/ipykernel")
    shutil.rmtree(module)
    with copied(site, "broken") as files:
        path = files.profiles / "environments/base/environment.yaml"
        values = yaml.safe_load(path.read_text())
        path.write_text(yaml.safe_dump({**values, "imports": ["ipykernel"]}, allow_unicode=True))
        files.change_site(environments_root=str(root))
        yield files.site
    shutil.rmtree(root)


def test_a_broken_environment_fails_with_its_import_error_in_the_table(site: Site, broken: Path) -> None:
    done = hpchub(site, "profiles", "smoke", "general/data-preparation", file=broken)
    assert done.status == 1
    (line,) = [line for line in done.out.splitlines() if line.startswith("base ")]
    assert " failed " in line
    assert "import ipykernel: ModuleNotFoundError: No module named 'ipykernel'" in line
    assert "kernel: " in line


def test_jobs_that_wait_are_cancelled_when_it_is_interrupted(site: Site) -> None:
    fill(site)
    try:
        words = ("profiles", "smoke", "general/pytorch", "--cluster", "leonardo")
        smoke = subprocess.Popen(argv(site, *words), cwd="/", stderr=subprocess.PIPE, text=True)
        with smoke:
            until(lambda: smoke_jobs(site), "the job to wait", 60)
            smoke.send_signal(signal.SIGINT)
            _, said = smoke.communicate(timeout=60)
        assert smoke.returncode == 130
        assert "Interrupted; the jobs were cancelled." in said
        assert smoke_jobs(site) == []
    finally:
        free(site)


def smoke_jobs(site: Site) -> list[str]:
    return [job for job in site.live_jobs() if job.endswith(" hpchub-smoke")]


def test_without_anybody_to_run_it_nothing_is_started(site: Site) -> None:
    with copied(site, "nobody") as files:
        files.change_site(checks=None)
        done = hpchub(site, "profiles", "smoke", file=files.site)
    assert done.status == 1
    assert done.err.startswith("Smoke tests are real jobs: name who runs them by --user NAME")
