"""What other people or programs have written shows as text, wherever it shows: nobody's page runs it.

That no script of theirs has run, and that the policy had nothing to keep out, is what every visitor's ``problems`` say
at the end of a test (conftest.py).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import quote

from playwright.sync_api import Page, expect

from tests.browser.faults import closed_nodes, files_in_service
from tests.support.site import Site
from tests.support.visitor import Visitor

HOSTILE = (
    """<script>document.title='taken over'</script><img src=x onerror="document.title='taken over'">'"&amp;{{7*7}}"""
)
QUOTED = json.dumps(HOSTILE)
PROFILE = f"""
title: {{en: {QUOTED}}}
description: {{en: {json.dumps("About " + HOSTILE)}}}
environment: deep-learning
runs_on:
  - {{cluster: leonardo, partition: boost_usr_prod, gpu_type: a100, qos: [normal]}}
  - {{cluster: it4lia, partition: gb200_usr_prod, gpu_type: gb200, qos: [normal]}}
sizes:
  small: {{gpus: 1, cores: 8, memory_mb: 120000, default_minutes: 60, max_minutes: 120}}
default_size: small
"""
EVENT = {
    "slug": "hostile",
    "title": HOSTILE,
    "opens_epoch": 0,
    "closes_epoch": 4_000_000_000,
    "members": ["ada"],
    "cluster": "leonardo",
    "allocation": "aifac_agri01",
    "profiles": ["general/*"],
}


def hostile(*texts: str) -> Callable[[str], str]:
    """Put the hostile text in place of these."""

    def change(file: str) -> str:
        for text in texts:
            assert text in file
            file = file.replace(text, QUOTED)
        return file

    return change


FILES = {
    "site.yaml": hostile("Leonardo (demo)", "NVIDIA A100 64 GB", "All of it runs on one machine."),
    "profiles/sectors.yaml": hostile("General, it: Generale"),
    "profiles/environments/deep-learning/environment.yaml": hostile("torchvision"),
    "profiles/general/hostile.yaml": lambda _: PROFILE,
}


@contextmanager
def event(site: Site) -> Iterator[None]:
    """The console has told of an event with a hostile title."""
    assert site.api("PUT", "/hpchub/events", [EVENT]).status == 204
    try:
        yield
    finally:
        site.api("PUT", "/hpchub/events", [])


@contextmanager
def allocation(site: Site, user: str, name: str) -> Iterator[None]:
    """A person has one more allocation on leonardo, of a name that Slurm takes, and the hub knows."""
    site.slurm(f"sacctmgr -i add account name='{name}' cluster=leonardo description=test organization=test")
    site.slurm(f"sacctmgr -i add user {user} account='{name}' cluster=leonardo")
    site.restart_hub()
    try:
        yield
    finally:
        site.slurm(f"sacctmgr -i remove user where name={user} account='{name}' cluster=leonardo")
        site.slurm(f"sacctmgr -i remove account where account='{name}' cluster=leonardo")


def shows(page: Page, *places: str) -> None:
    """Each place shows the text as it was written, and nothing else of it has become part of the page."""
    for place in places:
        expect(page.locator(place).first).to_contain_text(HOSTILE)
    assert page.locator("img[src=x]").count() == 0
    assert "taken over" not in page.title() or HOSTILE in page.title()


def test_what_others_have_written_is_text_on_every_page(site: Site, visitor: Visitor) -> None:
    page = visitor.page
    visitor.sign_in("ada")
    with files_in_service(site, FILES), event(site), closed_nodes(site):
        visitor.go("/hub/spawn?sector=general")
        card = "[data-profile='general/hostile']"
        parts = [f"{card} {part}" for part in ("h4", "p", ".hpchub-places", ".hpchub-contents")]
        shows(page, "[data-live=sectors]", *parts, "footer")
        visitor.screenshot("hostile-list")
        visitor.go("/hub/spawn?profile=general/hostile&cluster=leonardo&allocation=aifac_agri01&event=hostile")
        shows(page, ".hpchub-panel h2", ".hpchub-panel h2 + p", ".hpchub-panel .hpchub-contents")
        expect(page.locator(".hpchub-panel")).to_contain_text(f"Of the event {HOSTILE}.")
        visitor.screenshot("hostile-panel")
        visitor.go("/hub/spawn?profile=general/hostile&cluster=leonardo&allocation=aifac_agri01")
        page.locator("#hpchub-start").click()
        expect(page.locator("[aria-current=step]")).to_contain_text("In the queue")
        shows(page, "footer")
        visitor.screenshot("hostile-waiting")
        visitor.go("/hub/home")
        shows(page, ".hpchub-card")
        visitor.screenshot("hostile-home")
        site.stop_servers()
        visitor.go("/hub/spawn")
        shows(page, ".hpchub-agains h3", ".hpchub-agains p")
    # the profile that was started last is gone, and the page has nothing to say of it
    visitor.go("/hub/spawn")
    expect(page.get_by_role("heading", name="Start a notebook")).to_be_visible()


def test_the_name_of_an_allocation_is_text(site: Site, visitor: Visitor) -> None:
    page, name = visitor.page, "<img src=x onerror=alert(1)>"
    with allocation(site, "seat08", name):
        visitor.sign_in("seat08")
        visitor.go(f"/hub/spawn?profile=general/pytorch&cluster=leonardo&allocation={quote(name)}")
        expect(page.get_by_role("radio", name=name, exact=True)).to_be_checked()
        # Slurm takes such a name, and a job script does not
        expect(page.locator("[data-live=summary]")).to_contain_text("account is not of a safe form")
        expect(page.locator("#hpchub-start")).to_be_disabled()
        assert page.locator("img[src=x]").count() == 0
        visitor.screenshot("hostile-allocation")
        visitor.go("/hub/spawn")
        page.get_by_text("What is left").click()
        visitor.screenshot("hostile-allocation-list")
        assert page.locator("img[src=x]").count() == 0


def test_what_an_address_says_is_text(visitor: Visitor) -> None:
    page = visitor.page
    visitor.sign_in("ada")
    for path in (
        f"/hub/spawn?search={HOSTILE}&sector={HOSTILE}",
        f"/hub/spawn?profile={HOSTILE}&next={HOSTILE}",
        f"/hub/spawn?profile=general/pytorch&allocation={HOSTILE}&size={HOSTILE}&minutes={HOSTILE}&event={HOSTILE}",
        f"/hub/{HOSTILE}",
        f"/hub/user/{HOSTILE}/",
        f"/hub/login?next={HOSTILE}",
        f"/hub/hpchub/language/it?next={HOSTILE}",
    ):
        visitor.go(path)
        assert page.locator("img[src=x]").count() == 0
        assert "taken over" not in page.title()
