"""Asks the hub what is new, and keeps its last answer: a hub that is away takes nothing from the page."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import ssl
import sys
import time
from collections.abc import Mapping
from typing import Any

from tornado.httpclient import HTTPRequest, HTTPResponse
from tornado.simple_httpclient import SimpleAsyncHTTPClient

from .gpu import Use
from .guests import Guests, let_in

FIRST_SECONDS = (1, 4)
"""When the first question comes; servers that start together do not ask together."""
LONGEST_SECONDS = 900
"""Longer than the hub holds an answer back."""
HAND_SECONDS = 20
AFTER_A_FAILURE = 30
LONGEST_PAUSE = 300


def pause_after(failures: int, chance: float) -> float:
    """Say how long to wait after so many questions without an answer, by a number from 0 to 1."""
    return float(min(AFTER_A_FAILURE * 2 ** (failures - 1), LONGEST_PAUSE) * (0.5 + chance))


def ssl_context(environment: Mapping[str, str]) -> ssl.SSLContext | None:
    """Give what JupyterHub's internal TLS asks of a server that speaks to the hub; None without it."""
    key, certificate, authority = (
        environment.get(f"JUPYTERHUB_SSL_{name}", "") for name in ("KEYFILE", "CERTFILE", "CLIENT_CA")
    )
    if not (key and certificate):
        return None
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=authority or None)
    context.load_cert_chain(certificate, key)
    return context


def read_once(context: ssl.SSLContext | None) -> None:
    """Have JupyterHub ask with this whom it lets in: it would read all authorities of the machine at each question."""
    asking: Any = sys.modules.get("jupyterhub.services.auth")
    if context is not None and asking is not None:
        asking.make_ssl_context = lambda *_, **__: context


class Hub:
    """The hub, as this server's session sees it.

    Args:
        environment: the job's.
        use: of its GPUs, told with each question.
        log: the server's.
    """

    def __init__(self, environment: Mapping[str, str], use: Use, log: logging.Logger) -> None:
        self.session = environment["HPCHUB_SESSION"]
        self.owner = environment.get("JUPYTERHUB_USER", "")
        self.home = f"{environment.get('JUPYTERHUB_HOST', '')}{environment.get('JUPYTERHUB_BASE_URL', '/')}hub/home"
        self._url = f"{environment['JUPYTERHUB_API_URL'].rstrip('/')}/hpchub/sessions/{self.session}"
        self._headers = {"Authorization": "token " + environment["JUPYTERHUB_API_TOKEN"]}
        self._use, self._log = use, log
        self._tag = ""
        self._told: dict[str, Any] = {}
        self._guests = Guests(environment)
        self._ssl = ssl_context(environment)
        read_once(self._ssl)
        # Not AsyncHTTPClient, in whose place a site may have put curl, which asks the proxy for the outside world.
        self._client = SimpleAsyncHTTPClient(force_instance=True)

    def page(self, user: str) -> dict[str, Any]:
        """Give what the page of a person shows; without the hub's first answer only whose it is."""
        ends_epoch = self._told.get("ends_epoch")
        return {
            **self._told,
            "session": self.session,
            "left_seconds": None if ends_epoch is None else max(0, round(ends_epoch - time.time())),
            "mine": user == self.owner,
            "home": self.home,
        }

    async def run(self) -> None:
        """Ask until the server ends."""
        await asyncio.sleep(random.uniform(*FIRST_SECONDS))  # noqa: S311 - no secret
        failures = 0
        while True:
            pause = await self._ask()
            failures = failures + 1 if pause is None else 0
            chance = random.random()  # noqa: S311 - no secret
            await asyncio.sleep(pause_after(failures, chance) if pause is None else pause * (0.9 + 0.2 * chance))

    async def _ask(self) -> float | None:
        """Ask once; give when to ask again, as the hub wishes; None where it did not answer."""
        percent = self._use.take()
        query = "" if percent is None else f"?gpu_percent={percent}"
        headers = {"If-None-Match": self._tag, "Prefer": "wait"}
        answer = await self._fetch("room" + query, headers=headers, request_timeout=LONGEST_SECONDS)
        if answer is None or answer.code not in (200, 304):
            return None
        if answer.code == 200:
            self._told, self._tag = json.loads(answer.body), answer.headers.get("Etag", "")
            self._guests.are(let_in(self._told))
        # A second at least, whatever it says.
        return max(1.0, float(answer.headers.get("Retry-After", AFTER_A_FAILURE)))

    async def raise_hand(self, up: bool) -> bool:
        """Raise the person's hand, or lower it; tell whether the trainers were told."""
        body = json.dumps({"up": up})
        answer = await self._fetch("hand", method="POST", body=body, request_timeout=HAND_SECONDS)
        told = answer is not None and answer.code == 204
        if told:
            self._told["hand"] = up
        return told

    async def _fetch(self, path: str, headers: Mapping[str, str] | None = None, **more: Any) -> HTTPResponse | None:
        request = HTTPRequest(
            f"{self._url}/{path}",
            headers={**self._headers, **(headers or {})},
            connect_timeout=10,
            ssl_options=self._ssl,
            **more,
        )
        try:
            answer = await self._client.fetch(request, raise_error=False)
        except OSError as error:
            self._log.debug("the hub cannot be asked: %s", error)
            return None
        if answer.code not in (200, 204, 304):
            self._log.debug("the hub answers %s", answer.code)
        return answer
