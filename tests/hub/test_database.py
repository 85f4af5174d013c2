"""A hub on PostgreSQL, which goes away and comes back: nobody's session ends over it, and nobody lends a hand."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.choices import ADA
from tests.support.postgresql import PostgreSQL, postgresql
from tests.support.site import REPOSITORY, Site
from tests.support.trouble import fill, free, reachable
from tests.support.wait import until

PACKAGES = "lib/python3.11/site-packages"
REPORTS = 9
AWAY = "The hub's database does not answer at the moment."


@pytest.fixture(scope="module")
def server(started_site: Site) -> Iterator[PostgreSQL]:
    """The site, with its hub on PostgreSQL until the end of this file."""
    site = started_site
    hub = pwd.getpwuid((site.folder / "hub").stat().st_uid)
    # The demo is on SQLite, and has no driver for another.
    for package in (REPOSITORY / ".venv" / PACKAGES).glob("psycopg*"):
        shutil.copytree(package, site.folder / "venv" / PACKAGES / package.name, dirs_exist_ok=True)
    subprocess.run(["chmod", "-R", "a+rX", site.folder / "venv" / PACKAGES], check=True)
    file = site.folder / "site" / "site.yaml"
    before = file.read_text()
    with postgresql() as server:
        server.folder.chmod(0o755)
        address = site.folder / "hub" / "database-url"
        address.write_text(server.database("jupyterhub"))
        address.chmod(0o600)
        os.chown(address, hub.pw_uid, hub.pw_gid)
        file.write_text(re.sub("^(hub:.*)$", rf"\1\n  database_url_file: {address}", before, flags=re.MULTILINE))
        site.kill_hub()
        site.start_hub()
        yield server
        site.stop_servers()
        site.kill_hub()
    file.write_text(before)
    site.start_hub()


@contextmanager
def away(server: PostgreSQL) -> Iterator[None]:
    """It is stopped by somebody in a hurry."""
    server.stop()
    try:
        yield
    finally:
        server.start()


@pytest.mark.usefixtures("small_servers")
def test_who_asks_meanwhile_is_told_so_and_is_who_they_were_afterwards(site: Site, server: PostgreSQL) -> None:
    site.run("ada", ADA)
    token = site.token_of("ada")
    with away(server):
        for path in ("/user", "/users/ada", "/hpchub/sessions", "/hpchub/deployment"):
            answer = site.api("GET", path, token=token)
            assert (answer.status, answer.message[: len(AWAY)]) == (503, AWAY), path
        for path in ("/hub/home", "/hub/spawn", "/hub/login", "/hub/hpchub/me"):
            page = site.get(path, token)
            assert (page.status, AWAY.replace("'", "&#39;") in page.text) == (503, True), page.text
        assert (site.get("/hub/health").status, site.api("GET", "/").status) == (200, 200)
        assert site.start("bruno", {}).status == 503
        assert reachable(site)
    assert site.api("GET", "/users/ada", token=token).json["name"] == "ada"
    assert site.server("ada")["ready"]
    assert not site.live_jobs_of("bruno")


def test_the_first_who_asks_after_a_quick_restart_notices_nothing(site: Site, server: PostgreSQL) -> None:
    token = site.token_of("ada")
    with away(server):
        pass
    assert site.api("GET", "/users/ada", token=token).status == 200


@pytest.mark.usefixtures("small_servers")
def test_a_job_that_begins_meanwhile_is_ready_afterwards(site: Site, server: PostgreSQL) -> None:
    fill(site)
    try:
        assert site.start("ada", ADA).status == 202
        until(lambda: site.session("ada").get("phase") == "queued", "ada's session to be queued")
        session, since = site.session("ada"), len(site.log().encode())
        with away(server):
            free(site)
            # so often within more than the seconds in which a job must speak, `contact_seconds` of the demo's site
            report = f"503 POST /hub/api/hpchub/sessions/{session['id']} (@"
            until(lambda: site.log(since).count(report) > REPORTS, "the job to report again and again")
        assert site.ready("ada")["id"] == session["id"]
    finally:
        free(site)
    assert reachable(site)


@pytest.mark.usefixtures("small_servers")
def test_a_session_that_ends_meanwhile_is_over_afterwards_and_another_can_begin(site: Site, server: PostgreSQL) -> None:
    session = site.run("ada", ADA)
    with away(server):
        site.slurm(f"scancel -M {session['cluster']} {session['job_id']}")
        until(lambda: not reachable(site), "the notebook's route to be removed")
    until(lambda: site.server("ada").get("stopped"), "the server to be stopped", 60)
    assert site.run("ada", ADA)["id"] != session["id"]
