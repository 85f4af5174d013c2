"""Each way to end is caused for real, and its user reads why, soon."""

from __future__ import annotations

import os
import pwd
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.slurm.test_restart import fill, free
from tests.support.choices import ADA, BRUNO
from tests.support.site import Site
from tests.support.wait import until

SECONDS = 10
"""How soon after the event its reason must be known (the issue's own number)."""


def ended(site: Site, user: str, server: str = "") -> dict[str, Any]:
    """Give the last session of a server if it is over, else nothing."""
    session = site.session(user, server)
    return session if session.get("phase") == "ended" else {}


def wait_for_end(site: Site, user: str, seconds: float = SECONDS) -> dict[str, Any]:
    return until(lambda: ended(site, user), f"{user}'s session to be over", seconds, pause=0.2)


def test_a_job_that_is_cancelled_by_hand(site: Site) -> None:
    session = site.run("ada", ADA)
    site.slurm(f"scancel -M leonardo {session['job_id']}", as_user="ada")
    over = wait_for_end(site, "ada")
    assert over["ending"] == "cancelled"
    assert "cancelled outside of this page" in over["message"]
    until(lambda: not site.server("ada").get("ready"), "the server to be gone")


def test_a_server_that_exits_at_once(site: Site) -> None:
    home = Path(pwd.getpwnam("ada").pw_dir)
    config = home / ".jupyter" / "jupyter_server_config.py"
    config.parent.mkdir(exist_ok=True)
    config.write_text("import sys\nprint('the <b>dog</b> ate it', file=sys.stderr, flush=True)\nsys.exit(3)\n")
    os.chown(config.parent, pwd.getpwnam("ada").pw_uid, -1)
    try:
        began = time.monotonic()
        assert site.start("ada", ADA).status in (202, 500)
        over = wait_for_end(site, "ada", 30)
        took = time.monotonic() - began
    finally:
        config.unlink()
    assert over["ending"] == "server-exited"
    assert "the <b>dog</b> ate it" in over["log_tail"]
    # the time that the server needed to come that far is in it
    assert took < SECONDS + 5


def test_an_environment_that_is_not_built_is_refused_before_queueing(site: Site) -> None:
    current = site.folder / "environments" / "base" / "x86_64-demo" / "current"
    target = os.readlink(current)
    current.unlink()
    try:
        refused = site.start("ada", ADA)
    finally:
        current.symlink_to(target)
    assert refused.status == 400
    assert "The environment base of agrifood/remote-sensing is not built for leonardo" in refused.message
    assert not site.live_jobs()


def test_an_environment_that_vanishes_while_the_job_waits(site: Site) -> None:
    build = (site.folder / "environments" / "base" / "x86_64-demo" / "current").resolve()
    fill(site)
    try:
        assert site.start("ada", ADA).status in (201, 202)
        until(lambda: site.session("ada").get("phase") == "queued", "the job to be queued")
        build.rename(build.with_name("away"))
        free(site)
        until(lambda: site.job(site.session("ada"))["JobState"] == "FAILED", "the job to run and fail", 60)
        over = wait_for_end(site, "ada")
    finally:
        if not build.exists():
            build.with_name("away").rename(build)
        free(site)
    assert over["ending"] == "no-environment"
    assert str(build) in over["message"]


@pytest.fixture
def wrong_hub_address(site: Site) -> Iterator[Site]:
    """Jobs are told an address where no hub is."""
    local = site.folder / "site" / "jupyterhub_local.py"
    before = local.read_text()
    local.write_text(before + 'c.SiteSpawner.hub_connect_url = "http://127.0.0.1:9"\n')
    site.restart_hub()
    yield site
    local.write_text(before)
    site.restart_hub()


def test_a_job_that_cannot_reach_the_hub(wrong_hub_address: Site) -> None:
    site = wrong_hub_address
    assert site.start("ada", ADA).status in (202, 500)
    session = until(lambda: site.session("ada"), "a session")
    until(lambda: site.session("ada").get("node") or ended(site, "ada"), "the job to run")
    over = wait_for_end(site, "ada")
    assert over["ending"] == "hub-unreachable"
    assert "(127.0.0.1), but could not reach the hub at http://127.0.0.1:9" in over["message"]
    until(lambda: site.job(session)["JobState"] == "CANCELLED", "the job to be cancelled")


def test_a_server_that_is_shut_down_from_inside(site: Site) -> None:
    site.run("ada", ADA)
    assert site.post("/user/ada/api/shutdown", site.token_of("ada")).status == 200
    assert wait_for_end(site, "ada")["ending"] == "finished"
    until(lambda: not site.server("ada").get("ready"), "the server to be gone")


def test_a_node_that_fails(site: Site) -> None:
    session = site.run("bruno", BRUNO)
    node = session["node"]
    site.slurm(f"scontrol -M it4lia update nodename={node} state=down reason=test")
    try:
        over = wait_for_end(site, "bruno", 40)
    finally:
        # A node whose daemon lives may have come back by itself (ReturnToService=2).
        if "down" in site.slurm(f"sinfo -M it4lia -h -N -n {node} -o %T"):
            site.slurm(f"scontrol -M it4lia update nodename={node} state=resume")
    assert over["ending"] == "node-failure"
    assert f"The compute node {node} failed." in over["message"]
    until(lambda: not site.server("bruno").get("ready"), "the server to be gone")


def test_a_job_of_ours_that_no_session_owns_is_cancelled(site: Site) -> None:
    comment = f"hpchub=1&hub=demo&user=ada&server=&session={'0' * 32}"
    foreign = comment.replace("hub=demo", "hub=another")
    forged = comment.replace("user=ada", "user=bruno")
    submit = "sbatch --parsable -M leonardo -p boost_usr_prod -A aifac_agri01 -t 5 --job-name=hpchub -o /dev/null"
    orphan, other, lie = (
        site.slurm(f"{submit} --comment='{text}' --wrap='sleep 300'", as_user="ada").split(";")[0]
        for text in (comment, foreign, forged)
    )
    until(lambda: not any(f"leonardo {orphan} " in job for job in site.live_jobs()), "the orphan to be gone", 90)
    left = [job.split()[1] for job in site.live_jobs()]
    site.slurm(f"scancel -M leonardo {other} {lie}")
    assert left == [other, lie] or left == [lie, other]
