"""The site's values as JupyterHub's settings: one function a topic, each takes JupyterHub's ``c`` and the site.

``jupyterhub_config.py`` calls them from top to bottom.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
from pathlib import Path
from typing import Any

from hpchub import internal_tls, metrics, tls_contexts
from hpchub.audit.file import DailyFile
from hpchub.catalogue.load import load_catalogue, load_site
from hpchub.catalogue.model import Catalogue
from hpchub.catalogue.seats import pool_of
from hpchub.catalogue.sign_in import OpenIdConnect
from hpchub.catalogue.site import Site
from hpchub.console.people import ACCESS, SERVICE
from hpchub.database import settings_for, url_in
from hpchub.engine import Engine
from hpchub.errors import CatalogueError
from hpchub.proxy import LastingProxy
from hpchub.signin.accounts import SiteText
from hpchub.signin.authenticator import SiteAuthenticator
from hpchub.signin.bindings import Bindings
from hpchub.signin.demo import DemoAuthenticator, refuse_other_machines
from hpchub.signin.provider import Provider
from hpchub.traefik import TraefikProxy
from hpchub.whole import write_whole

log = logging.getLogger(__name__)
DAY_SECONDS = 24 * 3600
SECRET_CHARACTERS = 32
ROUTES_TOKEN = "routes-token"  # noqa: S105 - the name of its file
"""The secret by which a new proxy asks for its routes."""
METRICS_TOKEN = "metrics-token"  # noqa: S105 - the name of its file
"""The secret by which Prometheus asks for the metrics."""


def load() -> Catalogue:
    """Read the site file that the environment variable HPCHUB_SITE names, and its catalogue.

    Raises:
        CatalogueError: the variable is missing, or a file is wrong; the text names file, line and field.
    """
    path = os.environ.get("HPCHUB_SITE")
    if not path:
        raise CatalogueError("Set the environment variable HPCHUB_SITE to the path of the site file (site.yaml).")
    return load_catalogue(load_site(Path(path)))


def secret(site: Site, name: str) -> str:
    """Read a secret from the folder ``secrets`` in the hub's state folder; it must be closed to others.

    Raises:
        CatalogueError: it is missing, or other users may read it.
    """
    path = site.hub.state_folder / "secrets" / name
    try:
        if path.stat().st_mode & 0o077:
            raise CatalogueError(f"{path} can be read by other users: chmod 600 {path}")
        text = path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise CatalogueError(f"{path}: {error.strerror}") from error
    if len(text) < SECRET_CHARACTERS:
        # An empty token would let everybody in: configurable-http-proxy takes it for "no check".
        raise CatalogueError(
            f"{path} has {len(text)} characters; a secret has at least {SECRET_CHARACTERS}. Remove it."
        )
    return text


def own_secret(site: Site, name: str) -> str:
    """Read a secret that only the hub itself needs, made at its first start."""
    folder = site.hub.state_folder / "secrets"
    folder.mkdir(mode=0o700, exist_ok=True)
    if not (folder / name).exists():
        # A full disk must not leave an empty secret.
        write_whole(folder / name, secrets.token_hex(32).encode())
    return secret(site, name)


def apply_hub(c: Any, site: Site) -> None:
    """Addresses, database, and a hub that can be restarted without ending anybody's session."""
    state = site.hub.state_folder
    c.JupyterHub.bind_url = site.hub.bind_url
    c.JupyterHub.hub_bind_url = site.hub.hub_url
    c.JupyterHub.hub_connect_url = site.hub.hub_url
    file = site.hub.database_url_file
    c.JupyterHub.db_url = f"sqlite:///{state}/jupyterhub.sqlite" if file is None else url_in(file)
    c.JupyterHub.db_kwargs = settings_for(c.JupyterHub.db_url)
    c.JupyterHub.cookie_secret_file = str(state / "cookie-secret")
    c.JupyterHub.pid_file = str(state / "jupyterhub.pid")
    # Sessions are Slurm jobs: they outlive the hub, and are taken up again.
    c.JupyterHub.cleanup_servers = False
    c.JupyterHub.init_spawners_timeout = 1
    # Who waits in the queue counts as starting; the queue is Slurm's business, and the launcher has a limit of its own.
    c.JupyterHub.concurrent_spawn_limit = 0
    c.JupyterHub.allow_named_servers = True
    c.EventLogger.handlers = [DailyFile(state / "events.jsonl", site.hub.audit_days)]
    c.JupyterHub.template_paths = [str(Path(__file__).with_name("templates"))]


def apply_internal_tls(c: Any, site: Site) -> None:
    """Encryption between hub, proxy and notebooks, by JupyterHub's ``internal_ssl`` with certificates that we make."""
    c.JupyterHub.internal_ssl = site.hub.internal_tls
    if site.hub.internal_tls:
        c.JupyterHub.internal_certs_location = str(site.hub.internal_tls_folder)
        try:
            made = internal_tls.prepare(site)
        except OSError as error:
            raise CatalogueError(f"{error.filename or site.hub.internal_tls_folder}: {error.strerror}") from error
        except ValueError as error:
            raise CatalogueError(f"{error}.") from error
        if made:
            # Who wonders why nobody is known any more finds it in the hub's log.
            log.warning("Made certificates in %s: %s", site.hub.internal_tls_folder, ", ".join(made))
        tls_contexts.in_the_hub()


def apply_proxy(c: Any, site: Site) -> None:
    """The proxy, which goes on serving while the hub restarts.

    The hub starts configurable-http-proxy and starts it again, or a unit of systemd's does; ``hpchub proxy routes`` of
    that one then tells the hub that there is a new proxy, which knows no routes.  Traefik has them in a file.
    """
    if site.hub.proxy == "traefik":
        c.JupyterHub.proxy_class = TraefikProxy
        c.TraefikProxy.api_url = site.hub.proxy_api_url
        c.TraefikProxy.folder = str(site.hub.routes_folder)
        c.TraefikProxy.password = own_secret(site, "proxy-token")
        c.JupyterHub.cleanup_proxy = False
        return
    c.JupyterHub.proxy_class = LastingProxy
    c.ConfigurableHTTPProxy.api_url = site.hub.proxy_api_url
    c.ConfigurableHTTPProxy.pid_file = str(site.hub.state_folder / "proxy.pid")
    c.ConfigurableHTTPProxy.auth_token = own_secret(site, "proxy-token")
    c.JupyterHub.cleanup_proxy = False
    c.ConfigurableHTTPProxy.should_start = site.hub.starts_proxy
    if site.hub.internal_tls:
        c.LastingProxy.certificates = {name: str(path) for name, path in internal_tls.hand_to_proxy(site).items()}


def apply_sign_in(c: Any, site: Site) -> None:
    """Who may sign in."""
    if site.sign_in.oidc is not None:
        _apply_provider(c, site, site.sign_in.oidc)
        return
    refuse_other_machines(site.hub.bind_url)
    c.JupyterHub.authenticator_class = DemoAuthenticator
    c.DemoAuthenticator.password = site.sign_in.password
    c.DemoAuthenticator.trainers = set(site.sign_in.trainers)
    c.Authenticator.allowed_users = {*site.sign_in.people, *site.sign_in.admins}
    c.Authenticator.admin_users = set(site.sign_in.admins)


def _apply_provider(c: Any, site: Site, rules: OpenIdConnect) -> None:
    c.JupyterHub.authenticator_class = SiteAuthenticator
    c.SiteAuthenticator.login_service = SiteText(rules.title)
    c.SiteAuthenticator.rules = rules
    c.SiteAuthenticator.provider = Provider(rules.issuer, rules.client_id, secret(site, "oidc-client-secret"))
    c.SiteAuthenticator.bindings = Bindings(site.hub.state_folder / "identities.json")
    c.SiteAuthenticator.auth_refresh_age = rules.refresh_seconds
    # What it keeps of a sign-in could be used to act as the person at the provider.
    c.CryptKeeper.keys = [own_secret(site, "auth-state-key")]


def apply_admin_token(c: Any, site: Site) -> None:
    """A token for scripts of the people who run the hub, with an administrator's rights."""
    # It has a secret's length, and hashing it thousands of times would make each request of these scripts 6 ms longer.
    c.JupyterHub.trust_user_provided_tokens = True
    c.JupyterHub.services = [{"name": "hpchub-admin", "api_token": secret(site, "admin-token")}]
    c.JupyterHub.load_roles = [
        {
            "name": "hpchub-admin",
            "description": "Scripts of the people who run the hub",
            "scopes": sorted(ADMIN_SCOPES),
            "services": ["hpchub-admin"],
        }
    ]


def apply_console(c: Any, site: Site) -> None:
    """The console, where the site has one: a service that others start, so that the hub never waits for it."""
    if site.console is None:
        return
    prefix = f"/services/{SERVICE}/"
    service = {
        "name": SERVICE,
        "url": site.console.url,
        "api_token": own_secret(site, "console-token"),
        "oauth_client_id": f"service-{SERVICE}",
        "oauth_redirect_uri": f"{prefix}oauth_callback",
        # It is a part of the same site, and shows what people do there by their own hand.
        "oauth_no_confirm": True,
        # For so long JupyterHub's start waits for a console that is down, 30 s if nothing is said; then it goes on.
        "timeout": 1,
    }
    c.JupyterHub.services = [*c.JupyterHub.services, service]
    c.JupyterHub.load_roles = [
        *c.JupyterHub.load_roles,
        {
            "name": "hpchub-console",
            "description": "Events: tells the hub who takes part, starts and stops their notebooks",
            "scopes": sorted(CONSOLE_SCOPES | {f"admin:users!user={name}" for name in pool_of(site)}),
            "services": [SERVICE],
        },
        # JupyterHub's own role, of everybody.
        {"name": "user", "scopes": ["self", ACCESS]},
    ]


def apply_narrow_tokens(c: Any, site: Site) -> None:
    """Tokens for programs that need one right each: who asks for metrics, and a proxy that the hub does not start."""
    programs = [("hpchub-metrics", METRICS_TOKEN, "read:metrics", "Prometheus reads this hub's metrics")]
    if not site.hub.starts_proxy and site.hub.proxy == "chp":
        programs.append(("hpchub-proxy", ROUTES_TOKEN, "proxy", "A new proxy asks for its routes"))
    for name, file, scope, description in programs:
        c.JupyterHub.services = [*c.JupyterHub.services, {"name": name, "api_token": own_secret(site, file)}]
        role = {"name": name, "description": description, "scopes": [scope], "services": [name]}
        c.JupyterHub.load_roles = [*c.JupyterHub.load_roles, role]


CONSOLE_SCOPES = frozenset({"admin:groups", "read:users:name", "servers"})
"""What the console may do; and it makes users of the pool's accounts, of no others, so that a seat's notebook can be
started before anybody has come to it."""

ADMIN_SCOPES = frozenset(
    {
        "admin-ui",
        "admin:users",
        "admin:servers",
        "admin:groups",
        "admin:services",
        "list:users",
        "list:groups",
        "list:services",
        "read:hub",
        "read:metrics",
        "read:roles",
        "tokens",
        "access:servers",
        "access:services",
        "proxy",
        "shares",
        "shutdown",
    }
)


def apply_spawner(c: Any, site: Site) -> None:
    """The spawner, and what all its servers have in common.

    All of it is set on SiteSpawner: its values overwrite those of the class beneath it.
    """
    from spawners.site import SiteSpawner

    c.JupyterHub.spawner_class = SiteSpawner
    c.SiteSpawner.default_url = "/lab"
    # The queue may take days; our own limits run per phase (spawners/slurm.py).
    c.SiteSpawner.start_timeout = 30 * DAY_SECONDS
    c.SiteSpawner.http_timeout = 60
    # The job's environment is made by the launcher; the hub's PATH means nothing on a compute node.
    c.SiteSpawner.env_keep = []
    c.SiteSpawner.poll_interval = 30


def apply_engine(c: Any, catalogue: Catalogue) -> None:
    """Our handlers in place of others, and the engine, watching its clusters from now on."""
    from hpchub import handlers

    handlers.install()
    engine = Engine(catalogue)
    metrics.OURS.engine = engine
    c.JupyterHub.tornado_settings = {"hpchub": engine}
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return  # `jupyterhub upgrade-db` and its like read this file too, without a loop and without a hub
    engine.start()
