"""A browser without JavaScript: it follows redirects, keeps cookies, fills in the provider's form."""

from __future__ import annotations

import html
import re
import urllib.error
import urllib.request
from http.cookiejar import CookieJar
from typing import Any
from urllib.parse import urlencode, urljoin

from tests.support.form import Page
from tests.support.site import PASSWORD

CALLBACK = "/hub/oauth_callback"


class Browser:
    """One browser of one person."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.cookies = CookieJar()
        self.visited: list[str] = []
        self._redirects = _Redirects(self.visited)
        # everything is on this machine: no proxy is asked
        no_proxy = urllib.request.ProxyHandler({})
        self._opener = urllib.request.build_opener(
            no_proxy, urllib.request.HTTPCookieProcessor(self.cookies), self._redirects
        )
        self._opener.addheaders = [("Sec-Fetch-Mode", "navigate")]

    def fetch(self, path: str, fields: dict[str, str] | None = None) -> Page:
        """Open a page, or send a form to it."""
        url = urljoin(self.url, path)
        self.visited.append(url)
        data = urlencode(fields).encode() if fields is not None else None
        try:
            with self._opener.open(urllib.request.Request(url, data), timeout=60) as answer:
                return Page(answer.status, answer.url, answer.read().decode())
        except urllib.error.HTTPError as error:
            return Page(error.code, error.headers.get("Location") or error.url, error.read().decode())

    def sign_in(self, name: str, password: str = PASSWORD, next_url: str = "") -> Page:
        """Press the button and fill in the provider's form; give the page at the end of all redirects."""
        form = self.fetch(f"/hub/oauth_login?{urlencode({'next': next_url})}")
        if "/interaction/" not in form.url:
            return form
        return self.fetch(form.url, {"name": name, "password": password})

    def callback_for(self, name: str) -> str:
        """Sign in as far as the way back to the hub, and give its address without opening it."""
        self._redirects.stop_at = CALLBACK
        try:
            return self.sign_in(name).url
        finally:
            self._redirects.stop_at = ""


class _Redirects(urllib.request.HTTPRedirectHandler):
    def __init__(self, visited: list[str]) -> None:
        self.visited = visited
        self.stop_at = ""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        if self.stop_at and self.stop_at in newurl:
            return None
        self.visited.append(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def said(page: Page) -> str:
    """The sentence of a refused sign-in."""
    found = re.search(r'<p class="fs-5">(.*?)</p>', page.source, re.DOTALL)
    return html.unescape(found[1]) if found else ""
