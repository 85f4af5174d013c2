"""A strict site: who is gone at the provider loses their running sessions too, and who signs in too often waits."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tests.signin.browser import Browser, said
from tests.signin.kept import kept_tokens
from tests.signin.provider import Provider
from tests.support.audit import events
from tests.support.choices import ADA, BRUNO
from tests.support.site import Site
from tests.support.wait import until

pytestmark = pytest.mark.usefixtures("strict", "small_servers")

STRICT = """
from hpchub import config
c.SiteAuthenticator.rules = config.load().site.sign_in.oidc.model_copy(
    update={
        "running_servers": "end", "grace_minutes": 0, "allowed_groups": ("hpc",),
        "most_sign_ins": 6, "sign_ins_minutes": 10,
    }
)
"""
DARIO = {
    "profile": "manufacturing/predictive-maintenance",
    "cluster": "leonardo",
    "allocation": "aifac_manif01",
    "size": "small",
    "minutes": 60,
}
WAITS = {"profile": "cybersecurity/log-analysis", "cluster": "leonardo", "allocation": "aifac_cyber01", "minutes": 60}
SECONDS = 60
"""The hub asks about a person every 10 s; the rest is for a busy machine."""


@pytest.fixture(scope="module")
def strict(started_site: Site) -> Iterator[None]:
    """The site with a strict policy, as a file of its own settings says it."""
    local = started_site.folder / "site" / "jupyterhub_local.py"
    usual = local.read_text()
    local.write_text(usual + STRICT)
    started_site.kill_hub()
    started_site.start_hub()
    yield
    local.write_text(usual)
    started_site.kill_hub()
    started_site.start_hub()


@pytest.fixture
def leonardo_full(site: Site) -> Iterator[None]:
    """Ada has all of Leonardo's GPU nodes, outside of the hub."""
    options = "-A aifac_agri01 -p boost_usr_prod -N 10 --exclusive -t 30 -o /dev/null --wrap='sleep 3600'"
    job = site.slurm(f"sbatch --parsable -M leonardo {options}", as_user="ada").strip().split(";")[0]
    until(lambda: "RUNNING" in site.slurm(f"squeue -h -M leonardo -j {job} -o %T"), "all nodes to be taken")
    yield
    site.slurm("scancel -M leonardo --me", as_user="ada")


def ended(site: Site, user: str, server: str = "") -> dict[str, Any]:
    """Wait for the end of a session; nobody clicks meanwhile."""
    until(lambda: site.session(user, server).get("phase") == "ended", f"{user}'s session to end", SECONDS, pause=1)
    return site.session(user, server)


def test_the_session_of_somebody_who_is_blocked_ends_and_the_record_says_why(site: Site, provider: Provider) -> None:
    Browser(site.url).sign_in("dario")
    secrets = kept_tokens(site, "dario")
    running = site.run("dario", DARIO)
    provider.remove("dario")
    session = ended(site, "dario")
    assert (session["id"], session["ending"]) == (running["id"], "access-ended")
    assert session["message"] == (
        "The session was ended together with your access to this service. Your sign-in has ended. Sign in again. "
        "Saved files are there."
    )
    until(lambda: not site.live_jobs_of("dario"), "the job to be gone")
    until(lambda: not site.server("dario").get("ready"), "the server to be stopped")
    answer = site.start("dario", DARIO, token=site.token_of("dario"))
    assert (answer.status, answer.message) == (403, "Your sign-in has ended. Sign in again.")
    said_of_them = [(each["action"], each["reason"]) for each in events(site, "sign-in") if "reason" in each][-2:]
    assert said_of_them == [("ended", "ended"), ("start-refused", "ended")]
    last = events(site, "session")[-1]
    assert (last["action"], last["session"], last["ending"]) == ("ended", running["id"], "access-ended")
    assert "by" not in last
    written = site.log() + (site.folder / "hub" / "events.jsonl").read_text()
    assert [secret for secret in secrets if secret in written] == []


def test_who_left_the_group_loses_what_runs_and_what_waits(site: Site, provider: Provider, leonardo_full: None) -> None:
    browser = Browser(site.url)
    browser.sign_in("bruno")
    site.run("bruno", BRUNO)
    assert site.start("bruno", WAITS, "second").status in (201, 202)
    until(lambda: site.session("bruno", "second").get("phase") == "queued", "the second session to wait")
    provider.set_claims("bruno", groups=["unmistakable"])
    sessions = [ended(site, "bruno"), ended(site, "bruno", "second")]
    assert {session["ending"] for session in sessions} == {"access-ended"}
    assert all("not in a group that may use this service" in session["message"] for session in sessions)
    until(lambda: not site.live_jobs_of("bruno"), "the jobs to be gone")
    before = len(site.log())
    page = browser.sign_in("bruno")
    assert (page.status, said(page)) == (403, "You are known, but not in a group that may use this service.")
    assert "Traceback" not in site.log()[before:]
    assert "unmistakable" not in site.log() + (site.folder / "hub" / "events.jsonl").read_text()

    provider.set_claims("bruno", groups=["hpc"])
    browser.sign_in("bruno")
    assert "The session was ended together with your access" in browser.fetch("/hub/home").source


def test_who_signs_in_again_and_again_waits_and_nobody_else_does(site: Site, provider: Provider) -> None:
    provider.set_claims("looper", preferred_username="no-such-account", groups=["hpc"])
    refusals = [said(Browser(site.url).sign_in("looper")) for _ in range(6)]
    assert set(refusals) == {"You are known, but you have no account on the cluster."}
    browser = Browser(site.url)
    address = browser.callback_for("looper")
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(browser.cookies)
    )
    with pytest.raises(urllib.error.HTTPError) as refusal:
        opener.open(address, timeout=60)
    assert refusal.value.code == 429
    assert 0 < int(refusal.value.headers["Retry-After"]) <= 100
    assert "You have signed in very often within a short time." in refusal.value.read().decode()
    assert events(site, "sign-in")[-1] == {"action": "refused", "reason": "too-often"}
    # the same address, and any number of other people
    for name in ("seat01", "seat02", "seat03", "seat04", "seat05", "seat06", "seat07", "carla"):
        assert Browser(site.url).sign_in(name).status == 200


def test_a_provider_that_is_away_ends_no_session(site: Site, provider: Provider) -> None:
    Browser(site.url).sign_in("ada")
    running = site.run("ada", ADA)
    before = len(site.log())
    provider.stop()
    silence = "What is known of ada cannot be looked up again"
    until(lambda: silence in site.log()[before:], "the hub to ask in vain", SECONDS, pause=1)
    assert site.session("ada")["phase"] == "ready"
    assert [job.split()[1] for job in site.live_jobs_of("ada")] == [running["job_id"]]
