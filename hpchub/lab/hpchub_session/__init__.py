"""A Jupyter server's extension: when its session ends and what the trainers of its event say, for its pages to show.

It runs inside notebook servers, whatever their environments hold, and must never keep one from starting: Python 3.9 or
newer, jupyter_server 2 and tornado, and nothing of ours but what lies beside it.  It reaches the job as a part of its
script (:mod:`hpchub.lab`).
"""

from __future__ import annotations

import os
from typing import Any


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": __name__}]


def _load_jupyter_server_extension(server: Any) -> None:
    # Imported when there is a server: the module is asked for its extension points before.
    from . import gpu, hub, pages

    # What the server starts, kernels and terminals, has nothing to do with us.
    os.environ.pop("JUPYTER_CONFIG_PATH", None)
    before = os.environ.pop("HPCHUB_JUPYTER_CONFIG_PATH", "")
    if before:
        os.environ["JUPYTER_CONFIG_PATH"] = before
    use = gpu.Use()
    asking = hub.Hub(os.environ, use, server.log)
    server.web_app.add_handlers(".*$", pages.routes(server.base_url, asking))
    # Only once the server listens: somebody waits for that.
    server.io_loop.add_callback(asking.run)
    server.io_loop.add_callback(use.run)
