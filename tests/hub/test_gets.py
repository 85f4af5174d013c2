"""No link starts a job: whatever ada is made to open, nothing runs before she presses a button."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest

from tests.hub.unharmed import active_servers, nothing_starts
from tests.support.form import FormSession
from tests.support.site import Site

PRESETS = {
    "no preset": "",
    "an offer": "?profile=agrifood/remote-sensing&allocation=aifac_agri01&size=small&minutes=30",
    "an offer as JupyterHub writes options": "?opt-profile=agrifood/remote-sensing&opt-minutes=30",
    "the button": "?start=1&profile=agrifood/remote-sensing&cluster=leonardo&minutes=30",
    "an unknown profile": "?profile=agrifood/wine",
    "another page next": "?next=/hub/spawn/ada%3Fprofile=agrifood/remote-sensing",
    "a name to show": "?display_name=x&profile=agrifood/remote-sensing",
    "an empty option": "?opt-=1",
    "a field twice": "?minutes=1&minutes=2",
    "markup": "?profile=" + quote('"><script>alert(1)</script>'),
    "another method": "?_method=POST&_xsrf=x&profile=agrifood/remote-sensing",
}
SPAWN_PAGES = ("/hub/spawn", "/hub/spawn/ada", "/hub/spawn/ada/extra")
PAGES = (
    "/",
    "/hub/",
    "/hub/home",
    "/hub/token",
    "/hub/admin",
    "/hub/accept-share",
    "/hub/accept-share?code=none",
    "/hub/login?next=/hub/spawn/ada%3Fprofile=agrifood/remote-sensing",
    "/hub/spawn-pending/ada",
    "/hub/spawn-pending/ada?profile=agrifood/remote-sensing",
    "/hub/spawn-pending/ada/extra",
    "/hub/spawn/ada/",
    "/hub/spawn/bruno?profile=cybersecurity/log-analysis",
    "/user/ada/",
    "/user/ada/lab?profile=agrifood/remote-sensing",
    "/user/ada/api/status",
    "/user/ada/extra/lab",
    "/hub/user/ada/",
    "/hub/user/ada/lab?opt-profile=agrifood/remote-sensing",
    "/hub/user/ada/extra/",
    "/hub/user-redirect/lab",
    "/hub/user-redirect/lab?profile=agrifood/remote-sensing",
    "/hub/error/503?url=/user/ada/lab",
    "/hub/health",
    "/hub/metrics",
    "/hub/hpchub/another/ada",
    "/hub/hpchub/change/ada?start=1&profile=agrifood/remote-sensing",
    "/hub/hpchub/stop/ada",
    "/hub/hpchub/rename/ada?name=x",
    "/hub/hpchub/forget/ada/extra",
    "/hub/hpchub/language/it?next=/hub/spawn/ada%3Fprofile=agrifood/remote-sensing",
)
API = (
    "",
    "/",
    "/info",
    "/user",
    "/users",
    "/users/ada",
    "/users/ada/server",
    "/users/ada/server?profile=agrifood/remote-sensing",
    "/users/ada/server/progress",
    "/users/ada/servers/",
    "/users/ada/servers/extra",
    "/users/ada/servers/extra/progress",
    "/users/ada/tokens",
    "/users/ada/activity",
    "/users/ada/shared",
    "/shares/ada",
    "/shares/ada/",
    "/share-codes/ada/",
    "/groups",
    "/services",
    "/proxy",
    "/shutdown",
    "/hpchub/sessions",
    "/hpchub/sessions/" + "0" * 32,
    "/batchspawner",
)


@pytest.fixture(scope="module")
def ada(started_site: Site) -> FormSession:
    return FormSession(started_site.url, "ada")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS.keys())
def test_no_preset_of_the_spawn_page_starts_anything(
    started_site: Site, ada: FormSession, preset: str, method: str
) -> None:
    with nothing_starts(started_site, "ada"):
        pages = [ada.fetch(page + preset, method) for page in SPAWN_PAGES]
    # JupyterHub's pages know no HEAD.
    expected = {200} if method == "GET" else {405}
    assert {page.status for page in pages} == expected
    assert "<script>alert(1)" not in "".join(page.source for page in pages)


@pytest.mark.parametrize("page", SPAWN_PAGES)
def test_a_link_that_is_no_text_is_refused(started_site: Site, ada: FormSession, page: str) -> None:
    with nothing_starts(started_site, "ada"):
        answers = [ada.fetch(f"{page}?profile=%ff%fe%00"), ada.post(page, {"start": "1", "profile": b"\xff"})]
    assert [answer.status for answer in answers] == [400, 400]
    assert "characters that are no text" in answers[0].source


def test_a_preset_only_fills_the_page(started_site: Site, ada: FormSession) -> None:
    page = ada.fetch("/hub/spawn/ada?profile=climate/weather-data&minutes=60")
    panel = page.source.partition('data-chosen="climate/weather-data"')[2].partition("</section>")[0]
    assert re.search(r'<option value="60"[^>]* selected>', panel)
    assert active_servers(started_site, "ada") == []


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("page", PAGES)
def test_no_page_starts_anything(started_site: Site, ada: FormSession, page: str, method: str) -> None:
    with nothing_starts(started_site, "ada"), nothing_starts(started_site, "bruno"):
        status = ada.fetch(page, method).status
    # 503 and 424: "the server does not run"; each page does answer
    assert status in (200, 400, 403, 404, 405, 424, 503)


@pytest.mark.parametrize("path", API)
def test_no_get_of_the_api_starts_anything(started_site: Site, ada: FormSession, path: str) -> None:
    token = started_site.token_of("ada")
    with nothing_starts(started_site, "ada"):
        statuses = {
            ada.fetch(f"/hub/api{path}").status,
            ada.fetch(f"/hub/api{path}", "HEAD").status,
            started_site.api("GET", path, token=token).status,
        }
    assert statuses <= {200, 400, 403, 404, 405}


@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS.keys())
def test_no_link_starts_a_server_for_somebody_else(started_site: Site, preset: str) -> None:
    administrator = FormSession(started_site.url, "admin")
    with nothing_starts(started_site, "ada"):
        status = administrator.fetch(f"/hub/spawn/ada{preset}").status
    assert status == 200


@pytest.mark.usefixtures("small_servers")
def test_no_link_starts_the_last_choice_again(site: Site, ada: FormSession) -> None:
    site.run("ada", {"profile": "general/data-preparation", "allocation": "aifac_agri01", "minutes": 15})
    site.stop_servers()
    with nothing_starts(site, "ada"):
        statuses = [ada.fetch(page).status for page in ("/user/ada/lab", "/hub/user/ada/", "/hub/spawn/ada?start=last")]
    assert statuses[-1] == 200
