"""The console as a process: started beside the hub by whatever supervises it, and never by the hub itself."""

from __future__ import annotations

import logging
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn
from fastapi import FastAPI

from hpchub.catalogue.load import load_catalogue, load_site
from hpchub.catalogue.reload import CatalogueKeeper
from hpchub.config import own_secret, secret
from hpchub.console.app import application
from hpchub.console.cards import Seal
from hpchub.console.database import migrate, opened, url_of
from hpchub.console.hub import Hub
from hpchub.console.signin import SignIn
from hpchub.console.store import Store
from hpchub.console.verbs import Verbs
from hpchub.errors import CatalogueError
from hpchub.tls_client import of_services, pair_of_services

log = logging.getLogger(__name__)
_STOP_SECONDS = 5


def prepared(site_file: Path) -> tuple[FastAPI, str, int]:
    """Make the application of a site, its tables brought up to date, with the host and the port to listen at.

    Raises:
        CatalogueError: a file is wrong or missing, or the site has no console.
        sqlalchemy.exc.SQLAlchemyError: the database does not answer.
    """
    catalogue = load_catalogue(load_site(site_file))
    site = catalogue.site
    if site.console is None:
        raise CatalogueError(f"{site_file} has no block `console`, so there is nothing to serve.")
    # The hub makes it at its start: there it is the service's.
    token = secret(site, "console-token")
    engine = opened(url_of(site))
    migrate(engine)
    keeper = CatalogueKeeper(catalogue)
    api = f"{site.hub.hub_url.rstrip('/')}/hub/api"
    seal = Seal(own_secret(site, "console-card-key"))
    # The hub, or `hpchub proxy certificates`, makes its certificate.
    pair = pair_of_services(site.hub.internal_tls_folder) if site.hub.internal_tls else None
    try:
        trust = of_services(site.hub)
    except OSError as error:
        raise CatalogueError(f"The certificates in {site.hub.internal_tls_folder}: {error.strerror}") from error
    verbs = Verbs(Store(engine), Hub(api, token, trust=trust), lambda: keeper.catalogue, seal)
    app = application(verbs, SignIn(api, token, own_secret(site, "console-cookie-key"), pair), keeper.run)
    address = urlsplit(site.console.url)
    return app, address.hostname or "127.0.0.1", address.port or 80


def serve(site_file: Path) -> None:
    """Serve until SIGTERM or SIGINT.  Raises what :func:`prepared` raises."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # It logs each address that it asks, with names.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    app, host, port = prepared(site_file)
    log.info("the events are served at %s port %d", host, port)
    uvicorn.run(
        app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,  # addresses have codes in them
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=_STOP_SECONDS,
    )
