"""A person at the pages: signed in with cookies, submitting forms as a browser without JavaScript does."""

from __future__ import annotations

import html
import re
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookiejar import CookieJar
from urllib.parse import quote, urlencode

from tests.support.site import PASSWORD


@dataclass(frozen=True)
class Page:
    """What a browser shows after the redirects."""

    status: int
    url: str
    source: str

    @property
    def alert(self) -> str:
        """The refusal on the page, as a person reads it; empty where there is none."""
        found = re.search(r'<p class="spawn-error-msg[^>]*>(.*?)</p>', self.source, re.DOTALL)
        return html.unescape(found[1]) if found else ""


class FormSession:
    """One browser of one person.

    Args:
        url: the address of the site, without a path.
        user: the person who signs in, at once.
    """

    def __init__(self, url: str, user: str) -> None:
        self.url = url
        self.user = user
        self.cookies = CookieJar()
        # The tests' own site is on this machine: no proxy is asked.
        no_proxy = urllib.request.ProxyHandler({})
        self._opener = urllib.request.build_opener(no_proxy, urllib.request.HTTPCookieProcessor(self.cookies))
        self._opener.addheaders = [("Sec-Fetch-Mode", "navigate")]
        self.sign_in()

    def sign_in(self, password: str = PASSWORD) -> Page:
        """Send the sign-in form."""
        self.fetch("/hub/login")
        return self.post("/hub/login", {"username": self.user, "password": password})

    @property
    def xsrf(self) -> str:
        """What a form must bring to be taken for one of the hub's own."""
        return next(cookie.value or "" for cookie in self.cookies if cookie.name == "_xsrf" and cookie.path == "/hub/")

    def fetch(self, path: str, method: str = "GET") -> Page:
        """Open a page."""
        return self._ask(urllib.request.Request(self.url + path, method=method))

    def post(self, path: str, fields: Mapping[str, str | bytes]) -> Page:
        """Submit a form."""
        address = f"{self.url}{path}?_xsrf={quote(self.xsrf)}"
        return self._ask(urllib.request.Request(address, urlencode(fields).encode(), method="POST"))

    def choose(self, choice: Mapping[str, object], server: str = "") -> Page:
        """Press the button of the start page, with these fields picked."""
        fields = {field: str(value) for field, value in choice.items() if value is not None}
        path = f"/hub/spawn/{self.user}/{server}" if server else f"/hub/spawn/{self.user}"
        return self.post(path, {"start": "1", **fields})

    def _ask(self, request: urllib.request.Request) -> Page:
        try:
            with self._opener.open(request, timeout=60) as answer:
                return Page(answer.status, answer.url, answer.read().decode())
        except urllib.error.HTTPError as error:
            return Page(error.code, error.url, error.read().decode())
