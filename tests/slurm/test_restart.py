"""The hub is killed, and nothing is lost: Slurm and the hub's database know everything."""

from __future__ import annotations

import os
import pwd
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.choices import ADA, BRUNO
from tests.support.site import Site
from tests.support.trouble import fill, free, reachable
from tests.support.wait import until

pytestmark = pytest.mark.any_slurm


@pytest.fixture
def full_booster(site: Site) -> Iterator[Site]:
    """All of Leonardo's GPU nodes are taken, so that a new job waits in the queue."""
    fill(site)
    yield site
    free(site)


def queued(site: Site, user: str, server: str = "") -> bool:
    return site.session(user, server).get("phase") == "queued"


def test_a_running_session_survives_the_hub(site: Site) -> None:
    session = site.run("ada", ADA)
    site.restart_hub()
    assert site.ready("ada")["id"] == session["id"]
    assert len(site.live_jobs()) == 1
    assert site.get("/user/ada/api", site.token_of("ada")).status == 200


@pytest.mark.own_notebooks
def test_a_notebook_that_hangs_while_the_hub_restarts_is_left_alone(site: Site) -> None:
    session = site.run("ada", ADA)
    notebook = next(pid for pid in processes_of("ada") if b"jupyterhub-singleuser" in command_of(pid))
    os.kill(notebook, signal.SIGSTOP)
    try:
        site.restart_hub()
        assert site.ready("ada")["id"] == session["id"]
    finally:
        os.kill(notebook, signal.SIGCONT)
    until(lambda: site.get("/user/ada/api", site.token_of("ada")).status == 200, "the notebook to answer again")


@pytest.mark.usefixtures("small_servers")
@pytest.mark.own_notebooks
def test_a_session_that_was_stopped_after_a_restart_has_no_token_left(site: Site) -> None:
    site.run("ada", ADA)
    token_id = site.server("ada")["state"]["session"]["token_id"]
    site.restart_hub()
    site.ready("ada")
    site.stop_servers()
    tokens = site.api("GET", "/users/ada/tokens").json["api_tokens"]
    assert f"a{token_id}" not in [token["id"] for token in tokens]


@pytest.mark.usefixtures("small_servers")
@pytest.mark.own_notebooks
def test_the_end_of_a_session_can_still_be_read_after_a_restart(site: Site) -> None:
    session = site.run("ada", ADA)
    site.stop_servers()
    site.restart_hub()
    ended = site.api("GET", f"/hpchub/sessions/{session['id']}").json
    assert (ended["phase"], ended["ending"]) == ("ended", "stopped")


@pytest.mark.usefixtures("small_servers")
def test_a_queued_session_keeps_its_place_and_starts(full_booster: Site) -> None:
    site = full_booster
    assert site.start("ada", ADA).status == 202
    until(lambda: queued(site, "ada"), "the job to be queued")
    before = site.session("ada")
    site.restart_hub()
    assert site.server("ada")["pending"] == "spawn"
    free(site)
    after = site.ready("ada")
    assert (after["id"], after["job_id"]) == (before["id"], before["job_id"])
    until(lambda: site.get("/user/ada/api", site.token_of("ada")).status == 200, "the route to be there")


@pytest.mark.usefixtures("small_servers")
def test_a_queued_session_can_be_stopped_after_a_restart(full_booster: Site) -> None:
    site = full_booster
    assert site.start("ada", ADA).status == 202
    until(lambda: queued(site, "ada"), "the job to be queued")
    session = site.session("ada")
    site.restart_hub()
    assert site.api("DELETE", "/users/ada/server").status in (202, 204)
    until(lambda: not site.live_jobs_of("ada"), "the job to be gone")
    ended = site.api("GET", f"/hpchub/sessions/{session['id']}").json
    assert (ended["phase"], ended["ending"]) == ("ended", "stopped")


@pytest.mark.usefixtures("small_servers")
@pytest.mark.own_notebooks
def test_one_can_be_used_while_another_still_waits_after_a_restart(full_booster: Site) -> None:
    site = full_booster
    site.run("bruno", BRUNO)
    assert site.start("ada", ADA).status == 202
    until(lambda: queued(site, "ada"), "the job to be queued")
    site.restart_hub()
    site.ready("bruno")
    assert site.get("/user/bruno/api", site.token_of("bruno")).status == 200
    assert site.server("ada")["pending"] == "spawn"


@pytest.mark.usefixtures("small_servers")
def test_a_stop_while_queued_cancels_the_job(full_booster: Site) -> None:
    site = full_booster
    assert site.start("ada", ADA).status == 202
    until(lambda: queued(site, "ada"), "the job to be queued")
    assert site.api("DELETE", "/users/ada/server").status in (202, 204)
    until(lambda: not site.live_jobs_of("ada"), "the job to be gone")


@pytest.mark.own_notebooks
def test_notebooks_stay_reachable_while_the_hub_is_away(site: Site) -> None:
    site.run("ada", ADA)
    token = site.token_of("ada")
    proxy = (site.folder / "proxy.pid").read_text()
    site.kill_hub()
    # without the hub nobody can be signed in: the server itself answers that, and not the proxy
    assert site.get("/user/ada/api/kernels", token).status in (403, 500, 503)
    assert site.get("/user/ada/api").status == 200
    site.up()
    assert (site.folder / "proxy.pid").read_text() == proxy


@pytest.mark.own_notebooks
def test_a_proxy_that_was_killed_comes_back_by_itself(site: Site) -> None:
    session = site.run("ada", ADA)
    for _ in range(2):
        # the second time after a restart of the hub, which has taken the proxy up and not started it
        os.kill(int((site.folder / "proxy.pid").read_text()), signal.SIGKILL)
        until(lambda: reachable(site), "ada's notebook to be reachable")
        site.restart_hub()
    assert site.ready("ada")["id"] == session["id"]


def processes_of(user: str) -> list[int]:
    uid = pwd.getpwnam(user).pw_uid
    return [int(each.name) for each in Path("/proc").glob("[0-9]*") if each.stat().st_uid == uid]


def command_of(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()
