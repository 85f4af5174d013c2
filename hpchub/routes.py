"""Has the hub make all routes at its proxy, which is new: ``python -m hpchub.routes HUB_URL [FOLDER]``.

The unit of a proxy that the hub does not start runs this at each start, so it imports little: until it has asked,
nobody reaches a notebook.  The folder is ``internal-tls`` of the hub's state folder, where the hub wants a
certificate.
"""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path

from hpchub.checks.doctor.http import NoAnswer, Trust, post
from hpchub.tls_client import client, pair_of_services


class NotMade(Exception):
    """The hub did not make the routes; the text says why, and what to look at."""


def make(hub_url: str, token: str, trust: Trust | None = None) -> str:
    """Ask the hub, with a token of the scope ``proxy``; return a sentence about what it does.

    A hub that does not run is no failure: it makes all routes when it starts.

    Raises:
        NotMade: it refuses, or it runs and does not answer.
    """
    url = hub_url.rstrip("/")
    try:
        answer = post(f"{url}/hub/api/proxy", token, trust)
    except NoAnswer as error:
        if error.nobody_listens:
            return f"No hub runs at {url}; it makes all routes when it starts."
        raise NotMade(f"The hub at {url} did not make the routes: {error}.") from error
    if answer.status != 200:
        raise NotMade(
            f"The hub at {url} answers {answer.status}: has the token the scope proxy, as secrets/routes-token in its "
            "state folder has, and was the hub started since that was made?"
        )
    return "The hub has made all routes."


if __name__ == "__main__":
    try:
        encryption = partial(client, *pair_of_services(Path(sys.argv[2]))) if len(sys.argv) > 2 else None
        print(make(sys.argv[1], os.environ["HPCHUB_TOKEN"], encryption))
    except NotMade as failure:
        sys.exit(str(failure))
