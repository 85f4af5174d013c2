"""What Slurm will never start is ended with a reason, and what it refuses is said in words.

The hub offers nothing that is beyond a limit which it knows, and it asks for limits once a minute: the limits here are
among those that it never asks for.
"""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.choices import ADA
from tests.support.endings import wait_for_end
from tests.support.site import Site
from tests.support.wait import until

pytestmark = pytest.mark.usefixtures("small_servers")

FREE = {"profile": "general/data-preparation", "allocation": "aifac_agri01", "size": "small", "minutes": 60}
BEYOND_THE_BUDGET = {
    # 12 hours of a GPU are 96 core-hours, and 88 are left
    **{"profile": "climate/weather-data", "cluster": "leonardo", "allocation": "aifac_clima01"},
    **{"size": "small", "minutes": 720, "qos": "normal"},
}
SECONDS = 60
"""Slurm's own reason comes with a pass of the scheduler, and must stay for 3 s."""


@contextmanager
def accounting(site: Site, change: str, back: str) -> Iterator[None]:
    """Change the accounting for a while."""
    site.slurm(f"sacctmgr -i modify {change}")
    try:
        yield
    finally:
        site.slurm(f"sacctmgr -i modify {back}")


def test_a_budget_that_does_not_cover_the_session(site: Site) -> None:
    assert site.start("ada", BEYOND_THE_BUDGET).status in (201, 202, 500)
    over = wait_for_end(site, "ada", SECONDS)
    assert over["ending"] == "budget-spent"
    assert over["message"].startswith("The budget of aifac_clima01 does not cover this session on leonardo")
    until(lambda: not site.live_jobs_of("ada"), "the job to be cancelled")


def test_a_limit_of_the_qos_that_the_session_can_never_meet(site: Site) -> None:
    limits = "qos boost_qos_dbg set maxtrespernode=cpu={}"
    with accounting(site, limits.format(4), limits.format(-1)):
        assert site.start("ada", {**ADA, "qos": "boost_qos_dbg", "minutes": 20}).status in (201, 202, 500)
        over = wait_for_end(site, "ada", SECONDS)
    assert over["ending"] == "qos-limit"
    assert over["message"].startswith("leonardo can never start this session, so it was ended. It asks for more than")
    until(lambda: not site.live_jobs_of("ada"), "the job to be cancelled")


def test_a_limit_that_ends_with_another_job_is_waited_for(site: Site) -> None:
    limit = "user ada where cluster=leonardo account=aifac_agri01 set maxjobs={}"
    with accounting(site, limit.format(1), limit.format(-1)):
        first = site.run("ada", FREE, "first")
        assert site.start("ada", FREE, "second").status in (201, 202)
        until(
            lambda: site.session("ada", "second").get("reason") == "AssocMaxJobsLimit", "the job to wait for the limit"
        )
        site.slurm(f"scancel -M leonardo {first['job_id']}", as_user="ada")
        assert site.ready("ada", "second")["phase"] == "ready"


def test_a_limit_that_slurm_enforces_at_submission(site: Site) -> None:
    limits = "qos lrd_all_serial set maxtrespernode=mem={}"
    with accounting(site, limits.format(1000), limits.format(-1)):
        site.start("ada", FREE)
        over = wait_for_end(site, "ada")
    assert over["ending"] == "qos-limit"
    assert over["job_id"] is None
    assert over["message"].startswith("leonardo can never start this session, so it was ended. It asks for more than")


def test_a_number_of_jobs_that_slurm_enforces_at_submission(site: Site) -> None:
    limit = "qos normal set maxsubmitjobsperaccount={}"
    with accounting(site, limit.format(0), limit.format(-1)):
        site.start("ada", FREE)
        over = wait_for_end(site, "ada")
    assert over["ending"] == "refused"
    assert over["message"] == (
        "leonardo refused the job: Your allocation has as many jobs as this queue (QOS) allows; one must end."
    )


@pytest.fixture
def full_home(site: Site) -> Iterator[Path]:
    """Ada's home is a small file system of its own, without a byte left."""
    ada = pwd.getpwnam("ada")
    home = Path(ada.pw_dir)
    owner = f"uid={ada.pw_uid},gid={ada.pw_gid},mode=700"
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size=64k,{owner}", "tmpfs", str(home)], check=True)
    try:
        with (home / "data").open("wb") as data:
            os.chown(home / "data", ada.pw_uid, ada.pw_gid)
            data.write(b"\1" * 64 * 1024)
        yield home
    finally:
        subprocess.run(["umount", "--lazy", str(home)], check=True)


@pytest.mark.own_notebooks
def test_a_home_that_is_full_is_found_out_before_queueing(site: Site, full_home: Path) -> None:
    site.start("ada", FREE)
    over = wait_for_end(site, "ada")
    assert over["ending"] == "home-full"
    assert over["job_id"] is None
    assert f"{full_home}/.local/share/hpchub, cannot be written: No space left on device" in over["message"]
    (full_home / "data").unlink()


@pytest.mark.own_notebooks
def test_a_log_folder_that_cannot_be_written_is_found_out_before_queueing(site: Site) -> None:
    folder = Path(pwd.getpwnam("ada").pw_dir) / ".local" / "share" / "hpchub"
    folder.mkdir(parents=True, exist_ok=True)
    os.chown(folder, 0, 0)
    folder.chmod(0o755)
    try:
        site.start("ada", FREE)
        over = wait_for_end(site, "ada")
    finally:
        os.chown(folder, pwd.getpwnam("ada").pw_uid, -1)
    assert over["ending"] == "home-full"
    assert f"{folder}, cannot be written: Permission denied" in over["message"]
    assert not site.live_jobs_of("ada")
