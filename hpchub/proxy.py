"""The embedded proxy, which outlives the hub: a restart of the hub cuts nobody's notebook.

JupyterHub ends a proxy that it finds at its start and starts another one, and for that second no notebook can be
reached.  This one is taken up again where it still serves the same addresses with the same token.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
from jupyterhub.proxy import ConfigurableHTTPProxy
from jupyterhub.utils import url_path_join
from tornado.httpclient import HTTPError
from tornado.ioloop import PeriodicCallback
from traitlets import Dict, default

from hpchub.internal_tls import name_of
from hpchub.tls_client import PROXY_FILES

NAMES = Path(__file__).with_name("proxy_names.mjs")
"""What the proxy loads first, to compare a notebook's certificate with its session's name."""


def client_options(key: str, certificate: str, authorities: str) -> list[str]:
    """Give the options by which configurable-http-proxy encrypts what it sends to the hub and to notebooks."""
    files = ["--client-ssl-key", key, "--client-ssl-cert", certificate, "--client-ssl-ca", authorities]
    return [*files, "--client-ssl-request-cert", "--client-ssl-reject-unauthorized"]


class TakenUp:
    """A running proxy that another hub process started; what JupyterHub asks of its own child."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def arguments(self) -> list[str]:
        """Its command line; empty where it does not run, or is another user's process by now."""
        try:
            process = Path(f"/proc/{self.pid}")
            if process.stat().st_uid != os.getuid():
                return []
            return process.joinpath("cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
        except OSError:
            return []

    def poll(self) -> int | None:
        """Return None while it runs; a zombie, which has no command line, does not."""
        return None if self.arguments() else 1

    def terminate(self) -> None:
        """Ask it to end."""
        os.kill(self.pid, signal.SIGTERM)


class LastingProxy(ConfigurableHTTPProxy):  # type: ignore[misc]  # JupyterHub has no types
    """configurable-http-proxy, taken up again after a restart of the hub.

    ``auth_token`` has to be the same in every hub process, or the running proxy will not obey.
    """

    certificates = Dict(
        config=True,
        help="With internal TLS: the proxy's files (PROXY_FILES), by which notebooks and the hub know it.",
    )

    @default("command")
    def _program(self) -> list[str]:
        program = "configurable-http-proxy"
        if not self.certificates:
            return [program]
        return ["node", "--import", self._names(), shutil.which(program) or program]

    def _names(self) -> str:
        """Name what the proxy loads first, with a mark of the certificates that it starts with: it reads them once."""
        *_, certificate, authorities = (Path(self.certificates[name]).read_bytes() for name in PROXY_FILES)
        return f"{NAMES.as_uri()}?{hashlib.sha256(certificate + authorities).hexdigest()[:16]}"

    def _get_ssl_options(self) -> list[str]:
        """Encrypt what leaves the machine; its own API is asked from this machine alone, as browsers' side is."""
        return client_options(*(self.certificates[name] for name in PROXY_FILES))

    async def add_route(self, routespec: str, target: str, data: dict[str, Any] | None) -> None:
        """Add a route; with internal TLS the proxy is told what name the notebook's certificate has."""
        await super().add_route(routespec, self._named(target, data or {}, self.app.users), data)

    async def get_all_routes(self) -> dict[str, dict[str, Any]]:
        """Give all routes; one that names another session than the server's of now has another target."""
        routes: dict[str, dict[str, Any]] = await super().get_all_routes()
        if not self.certificates:
            return routes
        # By its name JupyterHub would look each of them up in its database.
        users = {user.name: user for user in self.app.users.values()}
        for route in routes.values():
            bare = route["target"].partition("/#")[0]
            if route["target"] == self._named(bare, route["data"], users):
                route["target"] = bare
        return routes

    def _named(self, target: str, data: dict[str, Any], users: Mapping[str, Any]) -> str:
        """Write the name of a server's session behind its address, where its certificate has that."""
        if not self.certificates or "user" not in data:
            return target
        try:
            session = users[data["user"]].spawners[data["server_name"]].session
        except (KeyError, ValueError):
            # a user, or a named server, that is no more
            return target
        return f"{target}/#{name_of(session.id)}" if session is not None and session.encrypted else target

    async def start(self) -> None:
        """Take up the running proxy, or start one."""
        running = self._running()
        if running is None or not await self._obeys():
            await super().start()
            return
        self.log.info("Taking up the running proxy at pid=%i", running.pid)
        self.proxy_process: Any = running
        self._check_running_callback = PeriodicCallback(self.check_running, 1e3 * self.check_running_interval)
        self._check_running_callback.start()

    def _running(self) -> TakenUp | None:
        """Find the proxy of the pid file, if it serves what this hub wants to be served."""
        try:
            running = TakenUp(int(Path(self.pid_file).read_text()))
        except (OSError, ValueError):
            return None
        arguments = running.arguments()
        program = any(argument.endswith(self.command[-1]) for argument in arguments)
        wanted = {url_path_join(self.hub.url, "error"), *self._ports(), *self.command[1:-1]}
        return running if program and wanted <= set(arguments) else None

    def _ports(self) -> list[str]:
        return [url.rsplit(":", 1)[1].split("/")[0] for url in (self.public_url, self.api_url)]

    async def _obeys(self) -> bool:
        """Ask it something with our token; JupyterHub asks by aiohttp or by tornado, as it was set up."""
        try:
            await self.get_all_routes()
        except (aiohttp.ClientError, HTTPError, OSError) as error:
            self.log.warning("The running proxy does not answer to this hub (%s); starting another one.", error)
            return False
        return True
