"""The console's API as the command line uses it."""

from __future__ import annotations

from typing import Any

import httpx

from hpchub.console.signin import BASE
from hpchub.errors import HpchubError

SECONDS = 60.0


def ask(url: str, token: str, method: str, path: str, body: Any = None) -> Any:
    """Ask the API, and give its answer; None where it has nothing to say.

    Args:
        url: where the console, or the hub's proxy before it, listens.
        token: of the hub's.
        method: HTTP's.
        path: below ``/services/events/api``.
        body: JSON, where there is one.

    Raises:
        HpchubError: nothing answered, or the API refused; the text is its sentence.
    """
    address = f"{url.rstrip('/')}{BASE}api{path}"
    headers = {"Authorization": f"token {token}"}
    try:
        answer = httpx.request(method, address, json=body, headers=headers, timeout=SECONDS, trust_env=False)
    except httpx.HTTPError as error:
        raise HpchubError(f"The console does not answer at {url}: {error}. Does `hpchub console serve` run?") from error
    if answer.status_code == httpx.codes.NO_CONTENT:
        return None
    try:
        told = answer.json()
    except ValueError:
        raise HpchubError(f"{address} answers {answer.status_code}, which is no answer of the console's.") from None
    if not answer.is_success:
        raise HpchubError(str(told.get("message", told)))
    return told
