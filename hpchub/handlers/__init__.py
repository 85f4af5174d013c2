"""Our pages and API of the hub, and the handlers of others that they replace."""

from __future__ import annotations

from typing import Any

from jupyterhub import apihandlers, handlers

from hpchub.handlers.catalogue import CatalogueHandler
from hpchub.handlers.log import LogHandler
from hpchub.handlers.sessions import SessionHandler, SessionsHandler
from hpchub.handlers.snapshot import SnapshotHandler
from hpchub.handlers.spawn import SpawnPageHandler

Route = tuple[Any, ...]

OURS: list[Route] = [
    (r"/api/hpchub/snapshot", SnapshotHandler),
    (r"/api/hpchub/catalogue", CatalogueHandler),
    (r"/api/hpchub/sessions", SessionsHandler),
    (r"/api/hpchub/sessions/([0-9a-f]{32})", SessionHandler),
    (r"/api/hpchub/sessions/([0-9a-f]{32})/log", LogHandler),
]


def install() -> None:
    """Put our handlers in place; to be called before JupyterHub builds its application.

    batchspawner registers, at its import, a handler that lets a server's own token set any attribute of its spawner,
    the commands that the hub executes included.  JupyterHub's spawn page starts a job on a GET with a query.
    """
    _replace(apihandlers.default_handlers, lambda route: None if "batchspawner" in route[0] else route)
    _replace(
        handlers.default_handlers,
        lambda route: (route[0], SpawnPageHandler, *route[2:]) if route[1].__name__ == "SpawnHandler" else route,
    )
    registered = {route[0] for route in apihandlers.default_handlers}
    apihandlers.default_handlers.extend(route for route in OURS if route[0] not in registered)


def _replace(routes: list[Route], new: Any) -> None:
    routes[:] = [route for route in map(new, routes) if route is not None]
