"""A person in front of a browser, who comes through nginx and TLS and signs in at the provider."""

from __future__ import annotations

from playwright.sync_api import Browser, Request, expect

HUB = "https://hub.test"
PATIENCE_SECONDS = 120


class Person:
    """One person with one page; ``problems`` has the errors of pages' scripts and of requests to elsewhere."""

    def __init__(self, browser: Browser, password: str) -> None:
        # Chromium has its own list of authorities; that the certificate is right is a test's own business
        context = browser.new_context(ignore_https_errors=True, viewport={"width": 1280, "height": 800})
        context.set_default_timeout(PATIENCE_SECONDS * 1000)
        expect.set_options(timeout=PATIENCE_SECONDS * 1000)
        self._password = password
        self.problems: list[str] = []
        self.page = context.new_page()
        self.page.on("pageerror", lambda error: self.problems.append(f"{self.page.url}: {error}"))
        self.page.on("request", self._note)

    def _note(self, request: Request) -> None:
        if not request.url.startswith(("https://", "wss://", "data:", "blob:")):
            self.problems.append(f"{self.page.url} asks {request.url}")

    def sign_in(self, name: str) -> None:
        """Press the hub's button and fill in the provider's form; what follows is the spawn page."""
        self.page.goto(f"{HUB}/hub/login")
        self.page.locator("a[href*='oauth_login'], form[action*='oauth_login'] button").first.click()
        self.page.wait_for_url("https://login.test/**")
        self.page.locator("[name=name]").fill(name)
        self.page.locator("[name=password]").fill(self._password)
        self.page.locator("button").click()
        self.page.wait_for_url(f"{HUB}/hub/**")

    def start(self, profile: str) -> None:
        """Choose a profile and start it; what follows is the waiting page."""
        self.page.goto(f"{HUB}/hub/spawn?profile={profile}")
        self.page.locator("#hpchub-start").click()
        self.page.wait_for_url("**/hub/spawn-pending/**")

    def wait_for_lab(self) -> None:
        """Wait until JupyterLab has opened by itself."""
        self.page.wait_for_url("**/user/**/lab**")
        expect(self.page.locator(".jp-Launcher, .jp-NotebookPanel").first).to_be_visible()

    def stop(self) -> None:
        """Stop the notebook on the page of one's sessions."""
        self.page.goto(f"{HUB}/hub/home")
        self.page.get_by_role("button", name="Stop Notebook").click()
        expect(self.page.get_by_text("Not running")).to_be_visible()
