"""What all pages have: a language, the site's look, announcements, sessions with names of one's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import expect

from tests.browser.faults import closed_nodes
from tests.support.site import Site
from tests.support.visitor import Visitor
from tests.support.wait import until

HOSTILE = "<script>document.title='taken over'</script>"
ADDED = """
branding:
  logo: logo.svg
  colours: {light: "#7a1f3d"}
  footer: {en: "Run by <b>our</b> centre.", it: "Un servizio del <b>nostro</b> centro."}
  support: {text: {en: Ask for help, it: Chiedi aiuto}, url: "mailto:support@example.org"}
announcements:
  - text: {en: "Notice %s", it: "Avviso %s"}
  - text: {en: Closed for maintenance, it: Chiuso per manutenzione}
    severity: danger
  - text: {en: Long over, it: Passato da tempo}
    ends: 2020-01-01
""" % (HOSTILE, HOSTILE)  # noqa: UP031  # braces are YAML's here


SEND_ANOTHER_ALLOCATION = """
const form = document.querySelector("[data-live=sooner] form");
form.elements["allocation"].value = "aifac_cyber01";
form.submit();
"""


@contextmanager
def other_look(site: Site) -> Iterator[None]:
    """The site file has another look and announcements, which the running hub has taken up."""
    file = site.folder / "site" / "site.yaml"
    logo = file.with_name("logo.svg")
    before = file.read_text()
    start, end = before.index("branding:"), before.index("default_profiles:")
    logo.write_text('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"/>')
    file.write_text(before[:start] + ADDED + before[end:])
    try:
        until(lambda: "Closed for maintenance" in site.get("/hub/login").text, "the other look to be in service")
        yield
    finally:
        file.write_text(before)
        until(lambda: "Closed for maintenance" not in site.get("/hub/login").text, "the look to be as before")
        logo.unlink()


def test_the_language_is_the_browsers_until_the_switch_is_used(visitor: Visitor) -> None:
    page = visitor.page
    visitor.go("/hub/login?next=%2Fhub%2Fhome")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.get_by_role("link", name="Italiano").click()
    expect(page.get_by_role("heading", name="Accedi")).to_be_visible()
    assert page.locator("html").get_attribute("lang") == "it"
    assert page.url.endswith("/hub/login?next=%2Fhub%2Fhome")
    visitor.type_password("carla", "wrong")
    expect(page.get_by_role("alert")).to_have_text("Nome utente o password errati")
    visitor.type_password("carla", "demo")
    expect(page.get_by_role("heading", name="Le mie sessioni")).to_be_visible()
    visitor.go("/hub/spawn?profile=general/pytorch")
    page.get_by_role("link", name="English").click()
    expect(page.get_by_role("heading", name="Start a notebook")).to_be_visible()
    assert page.url.endswith("/hub/spawn?profile=general/pytorch")


def test_an_italian_browser_is_answered_in_italian(italian_visitor: Visitor) -> None:
    italian_visitor.go("/hub/no-such-page")
    italian_visitor.sign_in("carla")
    italian_visitor.go("/hub/no-such-page")
    expect(italian_visitor.page.get_by_role("heading", name="Questa pagina non c'è")).to_be_visible()


def test_look_and_announcements_are_those_of_the_site_file(site: Site, visitor: Visitor) -> None:
    page = visitor.page
    with other_look(site):
        visitor.go("/hub/login")
        notices = page.get_by_role("complementary", name="Announcements").get_by_role("paragraph")
        # what matters most comes first, and text is text
        expect(notices).to_have_text(["Closed for maintenance", f"Notice {HOSTILE}"])
        expect(page).to_have_title("Sign in – IT4LIA notebooks (demo)")
        expect(page.get_by_text("Run by <b>our</b> centre.")).to_be_visible()
        assert page.get_by_role("link", name="Ask for help").get_attribute("href") == "mailto:support@example.org"
        assert page.locator(".hpchub-brand img").evaluate("image => image.complete && image.naturalWidth > 0")
        button = page.get_by_role("button", name="Sign in")
        assert button.evaluate("element => getComputedStyle(element).backgroundColor") == "rgb(122, 31, 61)"
        visitor.screenshot("look-of-the-site-file")
        page.get_by_role("button", name="Close this notice").click()
        visitor.sign_in("carla")
        expect(notices).to_have_text(["Closed for maintenance"])


def test_light_and_dark_are_the_systems_until_the_button_is_pressed(visitor: Visitor) -> None:
    page, html = visitor.page, visitor.page.locator("html")
    page.emulate_media(color_scheme="dark")
    visitor.go("/hub/login")
    expect(html).to_have_attribute("data-bs-theme", "dark")
    page.get_by_role("button", name="Light or dark").click()
    expect(html).to_have_attribute("data-bs-theme", "light")
    page.reload()
    expect(html).to_have_attribute("data-bs-theme", "light")


def test_a_session_is_called_what_its_person_calls_it(visitor: Visitor) -> None:
    page = visitor.page
    visitor.sign_in("carla")
    visitor.go("/hub/home")
    page.get_by_text("Rename Notebook").click()
    page.get_by_label("A new name for Notebook").fill(HOSTILE)
    page.get_by_role("button", name="Keep this name").click()
    expect(page.get_by_role("heading", name=HOSTILE)).to_be_visible()
    expect(page).to_have_title("My sessions – IT4LIA notebooks (demo)")
    visitor.screenshot("sessions-page-hostile-name")
    page.get_by_text(f"Rename {HOSTILE}").click()
    page.get_by_label("A new name for").fill("")
    page.get_by_role("button", name="Keep this name").click()
    expect(page.get_by_role("heading", name="Notebook", exact=True)).to_be_visible()


def test_what_has_room_is_proposed_and_started_by_one_click(site: Site, visitor: Visitor) -> None:
    page = visitor.page
    visitor.sign_in("ada")
    page.context.grant_permissions(["notifications"])
    with closed_nodes(site):
        visitor.press_start("agrifood/remote-sensing", cluster="leonardo", allocation="aifac_agri01")
        expect(page.get_by_text("There is room now for 1 GPU, 8 cores")).to_be_visible()
        assert "icon-waiting" in str(page.locator("link[rel=icon]").get_attribute("href"))
        wish = page.get_by_role("button", name="Tell me when it is ready")
        wish.click()
        expect(wish).to_have_attribute("aria-pressed", "true")
        visitor.screenshot("waiting-page-sooner")
        waited = site.session("ada")
        page.get_by_role("button", name="Change to that").click()
        visitor.wait_for_lab()
        started = site.session("ada")
    assert site.job(waited)["JobState"] == "CANCELLED"
    assert (started["cluster"], started["account"], started["gpus"]) == ("it4lia", "aifac_agri01", 1)
    assert started["minutes"] == waited["minutes"]


def test_a_choice_that_is_refused_changes_nothing(site: Site, visitor: Visitor) -> None:
    page = visitor.page
    visitor.sign_in("ada")
    with closed_nodes(site):
        visitor.press_start("agrifood/remote-sensing", cluster="leonardo")
        expect(page.get_by_role("button", name="Change to that")).to_be_visible()
        page.evaluate(SEND_ANOTHER_ALLOCATION)
        expect(page.get_by_role("heading", name="This cannot be done")).to_be_visible()
        expect(page.get_by_text("aifac_cyber01")).to_be_visible()
        assert site.session("ada")["phase"] == "queued"


@pytest.mark.parametrize(
    "path", ["/hub/home", "/hub/spawn", "/hub/login", "/hub/no-such-page", "/hub/user/ada/", "/no-such-page"]
)
def test_every_page_of_ours_has_the_strict_policy(visitor: Visitor, path: str) -> None:
    if path != "/hub/login":
        visitor.sign_in("ada")
    answer = visitor.page.goto(f"{visitor.url}{path}")
    assert answer is not None
    policy = answer.headers["content-security-policy"]
    assert "script-src 'nonce-" in policy and "unsafe" not in policy


@pytest.mark.parametrize("path", ["/hub/token", "/hub/admin"])
def test_pages_of_jupyterhubs_own_work_in_our_frame(visitor: Visitor, path: str) -> None:
    visitor.sign_in("admin")
    visitor.go(path)
    expect(visitor.page.get_by_role("link", name="My sessions")).to_be_visible()
    if path == "/hub/admin":
        expect(visitor.page.get_by_role("button", name="Add Users")).to_be_visible()
    else:
        visitor.page.get_by_label("Note").fill("for a test")
        visitor.page.get_by_role("button", name="Request new API token").click()
        expect(visitor.page.get_by_text("Your new API Token")).to_be_visible()
    visitor.screenshot(f"jupyterhubs-own-{path.rsplit('/', 1)[1]}", [1280])
