"""Which token speaks for a session: its server's own, as long as it runs, and no other."""

from __future__ import annotations

import pytest

from tests.hub.processes import report, token_of
from tests.support.site import Site
from tests.support.wait import until

FREE = {"profile": "general/data-preparation", "size": "small", "minutes": 60}
REPORT = {"phase": "failed", "message": "not from the job"}
NOT_THIS_ONE = (403, "This token is not the one of this session.")


def assert_dead(site: Site, token: str, session_id: str) -> None:
    """Check that the hub does not know a token any more, and takes no report from it."""
    assert site.api("GET", "/user", token=token).status == 403
    status, _ = report(site, session_id, REPORT, token)
    assert status in (401, 403, 404)


def stop(site: Site, user: str) -> None:
    assert site.api("DELETE", f"/users/{user}/server").status in (202, 204)
    until(lambda: not site.server(user).get("pending"), f"{user}'s server to be stopped")


@pytest.mark.usefixtures("small_servers")
def test_the_token_of_a_running_session_is_alive(site: Site) -> None:
    session = site.run("ada", FREE)
    answer = site.api("GET", "/user", token=token_of(session["id"]))
    assert (answer.status, answer.json["name"]) == (200, "ada")


@pytest.mark.usefixtures("small_servers")
def test_the_token_of_a_stopped_session_is_refused(site: Site) -> None:
    session = site.run("ada", FREE)
    token = token_of(session["id"])
    stop(site, "ada")
    assert_dead(site, token, session["id"])


@pytest.mark.usefixtures("small_servers")
def test_the_token_of_a_cancelled_job_is_refused(site: Site) -> None:
    session = site.run("ada", FREE)
    token = token_of(session["id"])
    site.slurm(f"scancel -M {session['cluster']} {session['job_id']}")
    until(lambda: site.api("GET", "/user", token=token).status == 403, "the token to be revoked", 60)
    assert_dead(site, token, session["id"])
    assert site.session("ada")["ending"] == "cancelled"


@pytest.mark.usefixtures("small_servers")
def test_an_ended_sessions_token_does_not_speak_for_the_next_one(site: Site) -> None:
    first = site.run("ada", FREE)
    old = token_of(first["id"])
    stop(site, "ada")
    second = site.run("ada", FREE)
    new = token_of(second["id"])
    assert_dead(site, old, second["id"])
    assert report(site, first["id"], REPORT, new) == (404, "There is no such session.")
    assert site.session("ada")["phase"] == "ready"


@pytest.mark.usefixtures("small_servers")
def test_the_token_of_a_session_that_ended_after_a_restart_of_the_hub_is_refused(site: Site) -> None:
    session = site.run("ada", FREE)
    token = token_of(session["id"])
    site.restart_hub()
    until(lambda: site.server("ada").get("ready"), "the server to be ready again")
    assert site.api("GET", "/user", token=token).status == 200
    assert report(site, session["id"], {"phase": "starting"}, token) == (204, "")
    stop(site, "ada")
    assert_dead(site, token, session["id"])
    # It is gone from the hub, not only without rights.
    notes = [each["note"] for each in site.api("GET", "/users/ada/tokens").json["api_tokens"]]
    assert not [note for note in notes if note.startswith("Server at ")]


@pytest.mark.usefixtures("small_servers")
def test_the_token_of_a_session_that_was_stopped_before_the_restart_is_refused(site: Site) -> None:
    session = site.run("ada", FREE)
    token = token_of(session["id"])
    stop(site, "ada")
    site.restart_hub()
    assert_dead(site, token, session["id"])


def test_access_by_sharing_gives_no_voice(site: Site) -> None:
    session = site.run("ada", FREE)
    assert site.api("POST", "/shares/ada/", {"user": "bruno"}).status == 200
    try:
        bruno = site.token_of("bruno")
        assert "access:servers!server=ada/" in site.api("GET", "/user", token=bruno).json["scopes"]
        assert site.get("/user/ada/api/status", token=bruno).status == 200  # the share itself works
        assert report(site, session["id"], REPORT, bruno) == NOT_THIS_ONE
        own = site.run("bruno", FREE)
        assert report(site, session["id"], REPORT, token_of(own["id"])) == NOT_THIS_ONE
    finally:
        site.api("DELETE", "/shares/ada/")
    assert site.session("ada")["phase"] == "ready"


@pytest.mark.usefixtures("small_servers")
@pytest.mark.parametrize("whose", ["the service's", "ada's own"])
def test_not_even_those_who_may_stop_the_server_speak_for_it(site: Site, whose: str) -> None:
    session = site.run("ada", FREE)
    token = site.admin_token if whose == "the service's" else site.token_of("ada")
    assert report(site, session["id"], REPORT, token) == NOT_THIS_ONE
    assert site.session("ada")["phase"] == "ready"
