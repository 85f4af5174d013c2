"""Asking the hub and its proxy, without the proxies that are set for the outside world."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

SECONDS = 10


class NoAnswer(Exception):
    """Nothing answered; the text is the reason."""


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


async def get(url: str, token: str = "") -> Answer:
    """Fetch an address.

    Raises :class:`NoAnswer`.
    """
    return await asyncio.to_thread(_get, url, token)


def _get(url: str, token: str) -> Answer:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    headers = {"Authorization": f"token {token}"} if token else {}
    try:
        with opener.open(urllib.request.Request(url, headers=headers), timeout=SECONDS) as answer:  # noqa: S310 - the site's
            return Answer(answer.status, answer.read().decode(errors="replace"))
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.read().decode(errors="replace"))
    except urllib.error.URLError as error:
        raise NoAnswer(str(error.reason)) from error
    except OSError as error:
        raise NoAnswer(str(error)) from error
