"""Slurm does not answer for a while: nothing is lost, nothing is started twice, and people are told."""

from __future__ import annotations

import pytest

from tests.support.choices import ADA, BRUNO
from tests.support.form import FormSession
from tests.support.site import Site
from tests.support.trouble import answers, reachable, silent
from tests.support.wait import until

pytestmark = [pytest.mark.any_slurm, pytest.mark.usefixtures("small_servers")]


@pytest.fixture(autouse=True)
def slurm_answers(site: Site) -> None:
    """The hub knows its clusters, and an earlier silence is over."""
    until(lambda: answers(site), "both clusters to answer", 90)


def test_a_submission_without_an_answer_is_found_and_not_repeated(site: Site) -> None:
    with silent(site):
        assert site.start("ada", ADA, seconds=90).status in (201, 202)
        until(lambda: "it is not clear whether there is a job" in site.log(), "the launcher to give up", 90)
    session = site.ready("ada", seconds=60)
    assert site.live_jobs_of("ada") == [f"leonardo {session['job_id']} ada hpchub"]


def test_while_slurm_is_silent_starts_are_refused_and_sessions_go_on(site: Site) -> None:
    session = site.run("ada", ADA)
    with silent(site):
        until(lambda: not answers(site), "the hub to notice", 60)
        refused = site.start("ada", ADA, "other")
        assert refused.status == 400
        assert refused.message.startswith("Slurm on leonardo has not answered since ")
        assert "Slurm on leonardo has not answered since " in FormSession(site.url, "bruno").fetch("/hub/spawn").source
        assert reachable(site)
        # the other cluster is another matter
        site.run("bruno", BRUNO)
    until(lambda: site.start("ada", ADA, "other").status in (201, 202), "Slurm to answer again", 90, pause=1)
    assert site.ready("ada")["id"] == session["id"]


def test_a_stop_while_slurm_is_silent_is_carried_out_later(site: Site) -> None:
    session = site.run("ada", ADA)
    with silent(site):
        assert site.api("DELETE", "/users/ada/server", seconds=90).status in (202, 204)
        over = until(
            lambda: (read := site.api("GET", f"/hpchub/sessions/{session['id']}").json)["phase"] == "ended" and read,
            "the session to be over",
            90,
        )
        assert over["ending"] == "stop-owed"
    until(lambda: not site.live_jobs_of("ada"), "the job to be cancelled", 120, pause=1)


def test_a_session_that_ended_while_the_hub_was_away_is_over_at_once(site: Site) -> None:
    session = site.run("ada", ADA)
    site.kill_hub()
    site.slurm(f"scancel -M leonardo {session['job_id']}", as_user="ada")
    until(lambda: not site.live_jobs_of("ada"), "the job to be gone", 90)
    site.up()
    until(lambda: not site.server("ada").get("pending"), "the server's state to be known", 60)
    assert not site.server("ada").get("ready")
    assert site.api("GET", f"/hpchub/sessions/{session['id']}").json["ending"] == "cancelled"
    site.run("ada", ADA)
