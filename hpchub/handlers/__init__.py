"""Our pages and API of the hub, and the handlers of others that they replace."""

from __future__ import annotations

from typing import Any

import jupyterhub.log
from jupyterhub import apihandlers, handlers
from jupyterhub.apihandlers.users import UserServerAPIHandler

from hpchub.audit.handlers import audited
from hpchub.handlers.accounting import AccountingHandler
from hpchub.handlers.assets import AssetHandler, ColoursHandler, LogoHandler
from hpchub.handlers.budgets import BudgetsHandler
from hpchub.handlers.capacity import CapacityHandler
from hpchub.handlers.catalogue import CatalogueHandler
from hpchub.handlers.deployment import DeploymentHandler
from hpchub.handlers.environments import EnvironmentHandler, EnvironmentsHandler
from hpchub.handlers.events import EventsHandler
from hpchub.handlers.language import LanguageHandler
from hpchub.handlers.log import LogHandler, LogPageHandler
from hpchub.handlers.me import MePageHandler
from hpchub.handlers.notebook import HandHandler, RoomHandler
from hpchub.handlers.offers import OffersHandler
from hpchub.handlers.packages import PackagesPageHandler
from hpchub.handlers.seat import SeatHandler
from hpchub.handlers.seats import CardsHandler, HandOverHandler
from hpchub.handlers.servers import AnotherHandler, ChangeHandler, ForgetHandler, RenameHandler, StopHandler
from hpchub.handlers.sessions import SessionHandler, SessionsHandler
from hpchub.handlers.snapshot import SnapshotHandler
from hpchub.handlers.spawn import SpawnPageHandler, StartHandler
from hpchub.pages.away import needing_database
from hpchub.pages.page import as_page

Route = tuple[Any, ...]

OURS: list[Route] = [
    (r"/api/hpchub/snapshot", SnapshotHandler),
    (r"/api/hpchub/catalogue", CatalogueHandler),
    (r"/api/hpchub/deployment", DeploymentHandler),
    (r"/api/hpchub/budgets", BudgetsHandler),
    (r"/api/hpchub/offers", OffersHandler),
    (r"/api/hpchub/events", EventsHandler),
    (r"/api/hpchub/cards", CardsHandler),
    (r"/api/hpchub/seats/([a-z_][a-z0-9_-]{0,31})/hand-over", HandOverHandler),
    (r"/api/hpchub/capacity", CapacityHandler),
    (r"/api/hpchub/accounting", AccountingHandler),
    (r"/api/hpchub/environments", EnvironmentsHandler),
    (r"/api/hpchub/environments/([a-z0-9-]{1,63})", EnvironmentHandler),
    (r"/api/hpchub/sessions", SessionsHandler),
    (r"/api/hpchub/sessions/([0-9a-f]{32})", SessionHandler),
    (r"/api/hpchub/sessions/([0-9a-f]{32})/log", LogHandler),
    (r"/api/hpchub/sessions/([0-9a-f]{32})/room", RoomHandler),
    (r"/api/hpchub/sessions/([0-9a-f]{32})/hand", HandHandler),
    (r"/hpchub/static/([0-9a-f]+)/([a-z][a-z0-9-]*\.[a-z]+)", AssetHandler),
    (r"/hpchub/logo/([0-9a-f]+)", LogoHandler),
    (r"/hpchub/colours/([0-9a-f]+)\.css", ColoursHandler),
    (r"/hpchub/language/([A-Za-z-]{2,10})", LanguageHandler),
    (r"/hpchub/log/([0-9a-f]{32})", LogPageHandler),
    (r"/hpchub/environment/([a-z0-9-]{1,63})", PackagesPageHandler),
    (r"/hpchub/me", MePageHandler),
    (r"/hpchub/seat", SeatHandler),
    (r"/hpchub/stop/([^/]+)(?:/([^/]+))?", StopHandler),
    (r"/hpchub/change/([^/]+)(?:/([^/]+))?", ChangeHandler),
    (r"/hpchub/forget/([^/]+)/([^/]+)", ForgetHandler),
    (r"/hpchub/rename/([^/]+)(?:/([^/]+))?", RenameHandler),
    (r"/hpchub/another/([^/]+)", AnotherHandler),
]


SECRET_KEYS = ("url", "next")
"""What of an address's query is left out of JupyterHub's log of requests, beside ``token``, ``code`` and others:
addresses of the site, since that of an invitation has the code of an event in its path."""


def install() -> None:
    """Put our handlers in place; to be called before JupyterHub builds its application.

    batchspawner registers, at its import, a handler that lets a server's own token set any attribute of its spawner,
    the commands that the hub executes included.  JupyterHub's spawn page starts a job on a GET with a query.  All its
    pages get our language, look and policy, in classes made of theirs, and what its API changes for somebody else than
    whoever asks is written into the audit record.  All of them say so where the database is away.
    """
    ours = {route[0] for route in OURS}
    _replace(apihandlers.default_handlers, lambda route: None if "batchspawner" in route[0] else route)
    _replace(
        handlers.default_handlers,
        lambda route: (route[0], SpawnPageHandler, *route[2:]) if route[1].__name__ == "SpawnHandler" else route,
    )
    _replace(
        apihandlers.default_handlers,
        lambda route: (route[0], StartHandler, *route[2:]) if route[1] is UserServerAPIHandler else route,
    )
    for routes in (handlers.default_handlers, apihandlers.default_handlers):
        _replace(routes, lambda route: (route[0], as_page(route[1]), *route[2:]))
    _replace(
        apihandlers.default_handlers,
        lambda route: route if route[0] in ours else (route[0], audited(route[1]), *route[2:]),
    )
    # JupyterHub names these by themselves, for what no route in its lists matches.
    for name in ("AddSlashHandler", "PrefixRedirectHandler", "Template404"):
        setattr(handlers, name, as_page(getattr(handlers, name)))
    registered = {route[0] for route in apihandlers.default_handlers}
    apihandlers.default_handlers.extend(route for route in OURS if route[0] not in registered)
    _replace(apihandlers.default_handlers, lambda route: (route[0], needing_database(route[1]), *route[2:]))

    known = jupyterhub.log.SCRUB_PARAM_KEYS
    jupyterhub.log.SCRUB_PARAM_KEYS = (*known, *(key for key in SECRET_KEYS if key not in known))


def _replace(routes: list[Route], new: Any) -> None:
    routes[:] = [route for route in map(new, routes) if route is not None]
