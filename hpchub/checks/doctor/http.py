"""Asking the hub and its proxy, without the proxies that are set for the outside world."""

from __future__ import annotations

import asyncio
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from hpchub.tls_client import TlsSettings, of_services

Trust = Callable[[], ssl.SSLContext | None]
"""What makes the context of a connection; it may read files."""
SECONDS = 10
POST_SECONDS = 30


class NoAnswer(Exception):
    """Nothing answered; the text is the reason.

    Args:
        reason: the reason.
        nobody_listens: there is no process at this address.
    """

    def __init__(self, reason: object) -> None:
        super().__init__(str(reason))
        self.nobody_listens = isinstance(reason, ConnectionRefusedError)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer: the status and the body."""

    status: int
    body: str

    @property
    def json(self) -> dict[str, Any]:
        """The body as an object; empty if it is something else."""
        try:
            value = json.loads(self.body)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}

    @property
    def items(self) -> list[dict[str, Any]]:
        """The body as a list of objects; empty if it is something else."""
        try:
            value = json.loads(self.body)
        except ValueError:
            return []
        return value if isinstance(value, list) else []


async def get(url: str, token: str = "", hub: TlsSettings | None = None) -> Answer:
    """Fetch an address; ``hub`` for one of the hub's own, which may be encrypted with certificates of its own.

    Raises :class:`NoAnswer`.
    """
    return await asyncio.to_thread(_ask, "GET", url, token, SECONDS, None if hub is None else partial(of_services, hub))


def post(url: str, token: str, trust: Trust | None = None) -> Answer:
    """Send an empty POST.

    Raises :class:`NoAnswer`.
    """
    return _ask("POST", url, token, POST_SECONDS, trust)


def _ask(method: str, url: str, token: str, seconds: float, trust: Trust | None) -> Answer:
    try:
        encryption = [urllib.request.HTTPSHandler(context=trust())] if trust is not None else []
    except OSError as error:
        raise NoAnswer(f"its certificates cannot be read ({error.strerror}); ask as root or as its user") from error
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), *encryption)
    headers = {"Authorization": f"token {token}"} if token else {}
    try:
        request = urllib.request.Request(url, headers=headers, method=method)  # noqa: S310 - the site's own address
        with opener.open(request, timeout=seconds) as answer:
            return Answer(answer.status, answer.read().decode(errors="replace"))
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.read().decode(errors="replace"))
    except urllib.error.URLError as error:
        raise NoAnswer(error.reason) from error
    except OSError as error:
        raise NoAnswer(error) from error
