"""What the record says of those who do something about somebody else, and of projects that end."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.signin.browser import Browser
from tests.signin.provider import Provider
from tests.support.audit import events
from tests.support.choices import ADA
from tests.support.site import Site
from tests.support.wait import until

small = pytest.mark.usefixtures("small_servers")


@small
def test_the_record_has_each_session_with_who_began_and_who_ended_it(site: Site, provider: Provider) -> None:
    Browser(site.url).sign_in("ada")
    before = len(events(site, "session"))
    running = site.run("ada", ADA)
    own = site.token_of("ada")
    assert site.api("DELETE", "/users/ada/server", token=own).status in (202, 204)
    until(lambda: site.session("ada")["phase"] == "ended", "the end")
    about = {
        "username": "ada",
        "servername": "",
        "session": running["id"],
        "cluster": "leonardo",
        "account": "aifac_agri01",
        "profile": "agrifood/remote-sensing",
    }
    until(lambda: len(events(site, "session")) == before + 2, "both events")
    assert events(site, "session")[before:] == [
        {"action": "begun", "by": "service:hpchub-admin", **about},
        {"action": "ended", "by": "ada", "ending": "stopped", "job": running["job_id"], **about},
    ]


@small
def test_a_job_that_is_cancelled_outside_is_an_end_by_nobody_of_the_hub(site: Site, provider: Provider) -> None:
    running = site.run("ada", ADA)
    site.slurm(f"scancel -M leonardo {running['job_id']}")

    def ends() -> list[dict[str, Any]]:
        return [each for each in events(site, "session") if each["session"] == running["id"]][1:]

    (end,) = until(ends, "the end in the record", 40)
    assert (end["action"], end["ending"], "by" in end) == ("ended", "cancelled", False)


def test_an_administrator_who_opens_somebody_elses_server_is_in_the_record(site: Site, provider: Provider) -> None:
    site.run("ada", ADA)
    browser = Browser(site.url)
    browser.sign_in("admin")
    before = len(events(site, "access"))
    question = browser.fetch("/user/ada/lab")
    assert "/oauth2/authorize" in question.url
    assert events(site, "access")[before:] == [], "nobody is let in before they say yes"
    fields = dict(re.findall(r'name="(_xsrf|scopes)" value="([^"]+)"', question.source))
    browser.fetch(question.url, fields)
    until(lambda: len(events(site, "access")) > before, "the record")
    assert events(site, "access")[before:] == [
        {"action": "opened", "by": "admin", "username": "ada", "servername": ""},
    ]


def test_what_an_administrator_does_by_the_api_is_in_the_record(site: Site, provider: Provider) -> None:
    Browser(site.url).sign_in("admin")
    admin = site.token_of("admin")

    def changed() -> list[dict[str, Any]]:
        # making the token for the test is itself in the record, as a service's doing
        return [each for each in events(site, "access") if (each["action"], each["by"]) == ("changed", "admin")]

    token = site.api("POST", "/users/ada/tokens", {"note": "test"}, token=admin).json["token"]
    site.api("GET", "/users/ada", token=admin)
    site.api("POST", "/users/admin/tokens", {"note": "one's own"}, token=admin)
    assert site.api("DELETE", "/users/bruno", token=token).status in (403, 404)
    path = "/hub/api/users/ada/tokens"
    until(changed, "the change in the record")
    assert changed() == [{"action": "changed", "by": "admin", "username": "ada", "method": "POST", "path": path}]
    assert token not in (site.folder / "hub" / "events.jsonl").read_text()


def test_a_project_that_ends_in_slurm_is_gone_within_minutes_without_signing_in_again(
    site: Site, provider: Provider
) -> None:
    browser = Browser(site.url)
    browser.sign_in("ada")
    token = site.token_of("ada")
    choice = {"profile": "general/data-preparation", "cluster": "leonardo", "allocation": "aifac_clima01"}

    def allocations() -> set[str]:
        assert browser.fetch("/hub/home").url == f"{site.url}/hub/home", "still signed in"
        offers = site.api("GET", "/hpchub/offers", token=token).json
        choices = [each for profile in offers for place in profile["places"] for each in place["choices"]]
        return {name for each in choices for name in each["allocations"]}

    assert "aifac_clima01" in allocations()
    site.slurm("sacctmgr -i remove user where name=ada account=aifac_clima01")
    try:
        # it is asked for every minute
        until(lambda: "aifac_clima01" not in allocations(), "the allocation to be gone", 150, pause=3)
        answer = site.start("ada", choice, token=token)
        assert (answer.status, "aifac_clima01" in answer.message) == (400, True)
        assert "aifac_agri01" in allocations()
    finally:
        site.slurm("sacctmgr -i add user ada account=aifac_clima01 cluster=leonardo,it4lia")
        until(lambda: "aifac_clima01" in allocations(), "the allocation to be there again", 150, pause=3)
