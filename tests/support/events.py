"""Events at the running site: the trainer at the API, and people at the pages."""

from __future__ import annotations

import json
import re
import time
import urllib.request
from typing import Any

from tests.support.form import FormSession, Page
from tests.support.site import Answer, Site

EVENTS = "/services/events/"


class Trainer:
    """Carla, signed in, with a token for the console's API."""

    def __init__(self, site: Site) -> None:
        self.site = site
        FormSession(site.url, "carla")  # her groups come with her sign-in
        self.token = site.token_of("carla")

    def ask(self, method: str, path: str, body: Any = None, token: str | None = None) -> Answer:
        """Ask the API through the proxy, as a script on another machine does."""
        token = self.token if token is None else token
        return self.site._fetch(
            urllib.request.Request(
                f"{self.site.url}{EVENTS}api{path}",
                None if body is None else json.dumps(body).encode(),
                {"Content-Type": "application/json", **({"Authorization": f"token {token}"} if token else {})},
                method=method,
            ),
            60,
        )

    def create(self, seconds: int = 3600, **changes: Any) -> dict[str, Any]:
        """Create an event that is open now."""
        now = int(time.time())
        plan = {
            "title": "GPU school",
            "starts_epoch": now,
            "ends_epoch": now + seconds,
            "seats": 2,
            "cluster": "leonardo",
            "allocation": "tra26_hack",
            "profile": "general/pytorch",
            "size": "small",
            **changes,
        }
        answer = self.ask("POST", "/events", plan)
        assert answer.status == 201, answer
        return dict(answer.json)

    def shown(self, slug: str) -> dict[str, Any]:
        """Give an event as it is now."""
        return dict(self.ask("GET", f"/events/{slug}").json)


def join(person: FormSession, code: str) -> Page:
    """Open the link, and press its button."""
    page = person.fetch(f"{EVENTS}join/{code}")
    return send(person, page, f"{EVENTS}join", code=code)


def send(person: FormSession, page: Page, path: str, **fields: str) -> Page:
    """Send a form of a page of the console's."""
    found = re.search(r'name="_xsrf" value="([0-9a-f]{64})"', page.source)
    assert found, page
    return person.post(path, {"_xsrf": found[1], **fields})
