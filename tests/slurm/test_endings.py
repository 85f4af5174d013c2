"""Each way to end is caused for real, and its user reads why, soon."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial

import pytest

from tests.support.choices import ADA, BRUNO
from tests.support.endings import SECONDS, ended, jupyter_config, log_of, read_session, refine, wait_for_end
from tests.support.site import Site
from tests.support.trouble import fill, free
from tests.support.wait import until

DARIO = {"profile": "manufacturing/predictive-maintenance", "cluster": "leonardo", "size": "small", "minutes": 60}
FREE = {"profile": "general/data-preparation", "size": "small"}


@pytest.fixture(scope="module")
def one_minute(started_site: Site) -> str:
    """Start a session of one minute that runs beside all tests of this file; return its id.

    Slurm looks for jobs whose time is over once a minute, so it takes up to two.
    """
    return str(started_site.run("carla", {**FREE, "minutes": 1})["id"])


@pytest.fixture(scope="module")
def foreign_jobs(started_site: Site) -> tuple[str, ...]:
    """Submit jobs of carla's that look like the hub's: one that nobody owns, one of another hub, one that lies."""
    comment = f"hpchub=1&hub=demo&user=carla&server=&session={'0' * 32}"
    submit = "sbatch --parsable -M leonardo -p lrd_all_serial -A tra26_hack -t 60 --job-name=hpchub -o /dev/null"
    return tuple(
        started_site.slurm(f"{submit} --comment='{text}' --wrap='sleep 3600'", as_user="carla").split(";")[0]
        for text in (comment, comment.replace("hub=demo", "hub=another"), comment.replace("user=carla", "user=bruno"))
    )


@pytest.fixture
def site(started_site: Site, one_minute: str, foreign_jobs: tuple[str, ...]) -> Iterator[Site]:
    """The site, with no other server than carla's before and after each test."""
    yield started_site
    started_site.stop_servers(but_for="carla")


@pytest.mark.usefixtures("small_servers")
def test_a_job_that_its_user_cancels_by_hand(site: Site) -> None:
    session = site.run("ada", ADA)
    site.slurm(f"scancel -M leonardo {session['job_id']}", as_user="ada")
    over = wait_for_end(site, "ada")
    assert over["ending"] == "cancelled"
    assert over["message"].startswith("The job was cancelled ")
    assert refine(site, over, "message", "by you yourself")["ending"] == "cancelled"
    until(lambda: not site.server("ada").get("ready"), "the server to be gone")


@pytest.mark.usefixtures("small_servers")
def test_a_job_that_an_administrator_cancels(site: Site) -> None:
    session = site.run("ada", ADA)
    site.slurm(f"scancel -M leonardo {session['job_id']}")
    over = refine(site, wait_for_end(site, "ada"), "message", "by an administrator")
    assert over["ending"] == "cancelled"
    assert "root" not in over["message"]


@pytest.mark.own_notebooks
def test_a_server_that_exits_at_once(site: Site) -> None:
    config = "import sys\nprint('the <b>dog</b> ate it', file=sys.stderr, flush=True)\nsys.exit(3)\n"
    with jupyter_config("ada", config):
        assert site.start("ada", ADA).status in (202, 500)
        over = wait_for_end(site, "ada", 90)
    assert over["ending"] == "server-exited"
    assert "the <b>dog</b> ate it" in over["log_tail"]
    # the last line of the log is written when the server has ended
    assert over["ended_epoch"] - log_of("ada", over["id"]).stat().st_mtime < SECONDS


@pytest.mark.own_notebooks
def test_an_environment_that_is_not_built_is_refused_before_queueing(site: Site) -> None:
    current = site.folder / "environments" / "agrifood" / "x86_64-demo" / "current"
    target = os.readlink(current)
    current.unlink()
    try:
        refused = site.start("ada", ADA)
    finally:
        current.symlink_to(target)
    assert refused.status == 400
    assert "The environment agrifood is not built for leonardo" in refused.message
    assert not site.live_jobs_of("ada")


@pytest.mark.usefixtures("small_servers")
def test_an_environment_that_vanishes_while_the_job_waits(site: Site) -> None:
    build = (site.folder / "environments" / "agrifood" / "x86_64-demo" / "current").resolve()
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


DEAF_JOBS = """
def without_a_hub(spawner):
    if spawner.user.name == "ada":
        spawner.hub_connect_url = "http://127.0.0.1:9"

c.SiteSpawner.pre_spawn_hook = without_a_hub
"""
"""Ada's jobs are told an address where no hub is."""


@pytest.fixture
def wrong_settings(site: Site) -> Iterator[Site]:
    """A site whose settings are wrong: one for ada, one for leonardo, one for it4lia."""
    local, settings = (site.folder / "site" / name for name in ("jupyterhub_local.py", "site.yaml"))
    usual, text = local.read_text(), settings.read_text()
    site.kill_hub()
    local.write_text(usual + DEAF_JOBS)
    # where servers of the first cluster listen, and how soon those of the second must
    text = text.replace('notebook_address: "127.0.0.1"', 'notebook_address: "127.0.0.2"', 1)
    leonardo, it4lia = text.split("  it4lia:\n")
    settings.write_text(f"{leonardo}  it4lia:\n    start_seconds: 8\n{it4lia}")
    site.start_hub()
    yield site
    local.write_text(usual)
    site.restart_hub()


@pytest.mark.own_notebooks
def test_jobs_and_a_hub_that_do_not_hear_each_other(wrong_settings: Site) -> None:
    site = wrong_settings
    with jupyter_config("bruno", "import time\ntime.sleep(600)\n"):
        for user, choice in (("ada", ADA), ("bruno", BRUNO), ("dario", DARIO)):
            assert site.start(user, choice, seconds=90).status in (201, 202, 500)
        for user in ("ada", "bruno", "dario"):
            until(partial(has_run, site, user), f"{user}'s job to run", 60)
        deaf = wait_for_end(site, "ada", 60)
        unreachable = wait_for_end(site, "dario", 90)
        silent = wait_for_end(site, "bruno", 60)
    assert deaf["ending"] == "hub-unreachable"
    assert "(127.0.0.1), but could not reach the hub at http://127.0.0.1:9" in deaf["message"]
    assert refine(site, deaf, "log_tail", "the hub cannot be reached at http://127.0.0.1:9")
    assert unreachable["ending"] == "node-unreachable"
    assert f"the hub at {site.hub_url} cannot reach it at 127.0.0.1:" in unreachable["message"]
    assert silent["ending"] == "silent-server"
    assert "did not begin to listen within 8 s" in silent["message"]
    for user in ("ada", "bruno", "dario"):
        until(partial(has_no_job, site, user), "the job to be cancelled")


def has_run(site: Site, user: str) -> bool:
    return bool(site.session(user).get("node") or ended(site, user))


def has_no_job(site: Site, user: str) -> bool:
    return not site.live_jobs_of(user)


@pytest.mark.own_notebooks
def test_a_server_that_is_shut_down_from_inside(site: Site) -> None:
    site.run("ada", ADA)
    assert site.post("/user/ada/api/shutdown", site.token_of("ada")).status == 200
    assert wait_for_end(site, "ada")["ending"] == "finished"
    until(lambda: not site.server("ada").get("ready"), "the server to be gone")


@pytest.mark.usefixtures("small_servers")
def test_a_node_that_fails(site: Site) -> None:
    session = site.run("bruno", BRUNO)
    node = session["node"]
    site.slurm(f"scontrol -M it4lia update nodename={node} state=down reason=test")
    try:
        over = wait_for_end(site, "bruno", 90)
    finally:
        # A node whose daemon lives may have come back by itself (ReturnToService=2).
        if "down" in site.slurm(f"sinfo -M it4lia -h -N -n {node} -o %T"):
            site.slurm(f"scontrol -M it4lia update nodename={node} state=resume")
    assert over["ending"] == "node-failure"
    assert f"The compute node {node} failed." in over["message"]
    until(lambda: not site.server("bruno").get("ready"), "the server to be gone")


@pytest.mark.usefixtures("small_servers")
def test_a_job_that_is_preempted(site: Site) -> None:
    session = site.run("ada", ADA)
    taker = f"-A aifac_manif01 -p boost_usr_prod -q boost_qos_dbg -w {session['node']} --exclusive -t 5 -o /dev/null"
    site.slurm("sacctmgr -i modify qos boost_qos_dbg set preempt=normal")
    try:
        taker_id = site.slurm(f"sbatch --parsable -M leonardo {taker} --wrap 'sleep 300'", as_user="dario")
        over = wait_for_end(site, "ada", 90)
    finally:
        site.slurm("sacctmgr -i modify qos boost_qos_dbg set preempt=")
        site.slurm(f"scancel -M leonardo {taker_id.split(';')[0]}")
    assert over["ending"] == "preempted"
    assert over["message"].startswith("A job with a higher priority took the place of this one.")
    assert site.job(session)["JobState"] == "PREEMPTED"


@pytest.mark.usefixtures("small_servers")
def test_a_session_is_not_run_a_second_time(site: Site) -> None:
    session = site.run("ada", ADA)
    with pytest.raises(AssertionError, match="Requested operation is presently disabled"):
        site.slurm(f"scontrol -M leonardo requeue {session['job_id']}")
    assert site.server("ada")["ready"]
    site.slurm(f"scontrol -M leonardo update jobid={session['job_id']} requeue=1")
    site.slurm(f"scontrol -M leonardo requeue {session['job_id']}")
    over = wait_for_end(site, "ada", 90)
    assert over["ending"] == "requeued"
    until(lambda: not site.live_jobs_of("ada"), "the job to be cancelled")
    assert not site.server("ada").get("ready")


def test_a_job_of_ours_that_no_session_owns_is_cancelled(started_site: Site, foreign_jobs: tuple[str, ...]) -> None:
    site, (orphan, other, lie) = started_site, foreign_jobs
    until(lambda: orphan not in jobs_of_carla(site), "the orphan to be gone", 90)
    assert {other, lie} <= jobs_of_carla(site)
    site.slurm(f"scancel -M leonardo {other} {lie}")


def jobs_of_carla(site: Site) -> set[str]:
    return {job.split()[1] for job in site.live_jobs_of("carla")}


def test_a_session_whose_time_is_over(started_site: Site, one_minute: str) -> None:
    over = until(
        lambda: (read := read_session(started_site, one_minute))["phase"] == "ended" and read, "its end", 150, pause=1
    )
    assert over["ending"] == "time-limit"
    assert over["message"].startswith("The time that was asked for (1 min) is over.")
    until(lambda: not started_site.server("carla").get("ready"), "the server to be gone")
