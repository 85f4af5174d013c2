"""A person in front of a browser: what the journeys have in common."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from urllib.parse import urlencode

from playwright.sync_api import BrowserContext, Locator, Page, Request, expect

from tests.support.site import PASSWORD, REPOSITORY

SCREENSHOTS = REPOSITORY / "test-output" / "screenshots"
README_IMAGES = REPOSITORY / "docs" / "images"
WIDE, NARROW = 1280, 360
"""Widths in CSS pixels: a laptop and a small phone."""

NO_TOASTS = ".Toastify { display: none }"
"""JupyterLab asks at its first start whether one wants news of Jupyter, for some seconds."""

REPORT_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) => {
  // the notebook server's own pages have their own policy
  if (location.pathname.startsWith("/hub/"))
    hpchubTestViolation(`${location.pathname}: ${event.violatedDirective} kept out ${event.blockedURI}`);
});
"""

PATIENCE_SECONDS = 120
"""How long anything a page shall show may take on a busy machine; when all is well it costs nothing."""


class Visitor:
    """One person with one browser page.

    ``problems`` collects the errors of our pages' scripts, what their policy has kept them from, and requests to other
    hosts; a test that ends with any fails (see conftest.py).
    """

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.url = url
        context.set_default_timeout(PATIENCE_SECONDS * 1000)
        expect.set_options(timeout=PATIENCE_SECONDS * 1000)
        self.elsewhere: tuple[str, ...] = ()
        """Where links may lead from the hub: to a provider of identities."""
        self.problems: list[str] = []
        context.expose_binding("hpchubTestViolation", lambda _, violation: self.problems.append(violation))
        context.add_init_script(REPORT_VIOLATIONS)
        self.page = page = context.new_page()
        page.on("pageerror", lambda error: self.problems.append(f"{page.url}: {error}"))
        page.on("request", self._note_request)

    def _note_request(self, request: Request) -> None:
        if request.is_navigation_request() and request.url.startswith(self.elsewhere):
            return
        of_ours = request.frame.url.startswith(f"{self.url}/hub/")
        if of_ours and not request.url.startswith((self.url, "data:", "blob:")):
            self.problems.append(f"{request.frame.url} asks {request.url}")

    # Going somewhere

    def go(self, path: str) -> None:
        """Open a page of the hub by its path."""
        self.page.goto(f"{self.url}{path}")

    def type_password(self, name: str, password: str) -> None:
        """Fill the sign-in page and press its button."""
        self.page.locator("[name=username]").fill(name)
        self.page.locator("[name=password]").fill(password)
        self.page.locator("#login_submit").click()

    def sign_in(self, name: str) -> None:
        """Sign in; what follows is the spawn page or a running server."""
        self.go("/hub/login")
        self.type_password(name, PASSWORD)
        self.page.wait_for_url(lambda url: "/login" not in url)

    def choose(self, profile: str, **fields: str) -> Locator:
        """Open a profile on the start page with these values picked; return the button that starts it."""
        self.go(f"/hub/spawn?{urlencode({'profile': profile, **fields})}")
        return self.page.locator("#hpchub-start")

    def press_start(self, profile: str, **fields: str) -> None:
        """Choose and start; what follows is the waiting page."""
        self.choose(profile, **fields).click()
        self.page.wait_for_url("**/hub/spawn-pending/**")

    def wait_for_lab(self) -> None:
        """Wait on the waiting page until JupyterLab has opened by itself."""
        self.page.wait_for_url("**/user/**/lab**")
        expect(self.page.locator(".jp-Launcher, .jp-NotebookPanel").first).to_be_visible()

    def wait_for_notebook(self) -> None:
        """Wait on the waiting page until the notebook, a small one, has opened by itself."""
        self.page.wait_for_url("**/user/**")

    # Seeing something

    def reason(self, words: str) -> float:
        """Wait until the page says why there is no notebook, in words that hold these; return when (epoch)."""
        shown = self.page.locator("#progress-message, #hpchub-reason")
        expect(shown).to_contain_text(words)
        return time.time()

    def profiles(self) -> list[str]:
        """The profiles on the spawn page, from top to bottom."""
        cards = self.page.locator("[data-profile]").all()
        return [str(card.get_attribute("data-profile")) for card in cards]

    def headings(self) -> list[str]:
        """The headings of second order, from top to bottom."""
        return self.page.locator("h2:visible").all_inner_texts()

    def focus_on(self, target: Locator, presses: int = 80) -> None:
        """Reach an element by the Tab key alone."""
        for _ in range(presses):
            if target.evaluate("element => element === document.activeElement"):
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"{target} is not reached by {presses} presses of Tab")

    def press(self, target: Locator) -> None:
        """Reach a button, a link or a summary by the Tab key, and press it by Enter."""
        self.focus_on(target)
        self.page.keyboard.press("Enter")

    def pick(self, name: str, value: str) -> None:
        """Select one of a group of radio buttons by keyboard."""
        group = self.page.locator(f"input[type=radio][name={name}]")
        self.focus_on(group.and_(self.page.locator(":checked")))
        for _ in range(group.count()):
            if self.page.evaluate("document.activeElement.value") == value:
                return
            self.page.keyboard.press("ArrowDown")
        expect(group.and_(self.page.locator(f"[value='{value}']"))).to_be_checked()

    def screenshot(self, name: str, widths: Sequence[int] = (WIDE, NARROW), image_of_readme: str = "") -> None:
        """Keep what the page looks like in each width, and check that none of them scrolls sideways."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        for width in widths:
            self.page.set_viewport_size({"width": width, "height": 800})
            # What playwright does to a page to take its picture must not look like a breach of its policy.
            self.page.screenshot(
                path=SCREENSHOTS / f"{name}-{width}.png", full_page=True, caret="initial", style=self._unwanted()
            )
            needed = self.page.evaluate("document.documentElement.scrollWidth")
            assert needed <= width, f"{name} is {needed} pixels wide in a window of {width}"
        self.page.set_viewport_size({"width": WIDE, "height": 800})
        if image_of_readme and os.environ.get("HPCHUB_SCREENSHOTS") == "1":
            README_IMAGES.mkdir(parents=True, exist_ok=True)
            self.page.evaluate("window.scrollTo(0, 0)")
            self.page.screenshot(path=README_IMAGES / image_of_readme, caret="initial", style=self._unwanted())

    def _unwanted(self) -> str | None:
        return None if "/hub/" in self.page.url else NO_TOASTS


def fields_without_label(page: Page) -> list[str]:
    """What a person who hears the page could not fill in or press: visible controls without a name."""
    found: list[str] = page.evaluate(
        """() => [...document.querySelectorAll("input, select, textarea, button, a[href]")]
            .filter(control => control.type !== "hidden" && control.checkVisibility())
            .filter(control => !(control.labels?.length || control.ariaLabel || control.title
                                 || control.textContent.trim() || control.value?.trim()))
            .map(control => control.outerHTML)"""
    )
    return found
