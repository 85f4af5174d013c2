"""Traefik in the place of configurable-http-proxy: the hub keeps the routes in a file, and Traefik watches its folder.

Traefik is a unit of its own.  It has the routes as soon as it starts, with or without a hub, and each change while it
runs.  Its API says what it serves; the file opens that API to this hub alone.

The folder is one that a start of the machine empties (``/run``): afterwards another's program may listen where a
session was.

JupyterHub's own package for Traefik is not used: it would put whatever a server is called between the quotes of a rule,
where a backtick ends it, and it has bcrypt weigh each question of its own.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
import secrets
import string
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, TypedDict
from urllib.parse import unquote

from jupyterhub.proxy import Proxy
from tornado.httpclient import HTTPClientError
from tornado.simple_httpclient import SimpleAsyncHTTPClient
from traitlets import Bool, Float, Unicode

from hpchub.whole import write_whole

ROUTES_FILE = "routes.yml"
"""In the folder that Traefik watches; JSON is YAML too."""
PUBLIC, STEERED = "http", "api"
"""What the two entry points of Traefik are called: where browsers come, and where the hub asks."""
HUB = "hub"
_LEFT_ENCODED = re.compile("(" + "|".join(f"%{ord(character):02X}" for character in ":/?#[]@!$&'()*+,;=%") + ")")
_PLAIN = frozenset(string.ascii_letters + string.digits + "/-_.~@+ ")
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.01, 0.25
OVERTAKEN_SECONDS = 5.0
"""How long a file may wait for Traefik while there are later changes; Traefik reads 1,000 routes in 0.6 s."""


class Route(TypedDict):
    """A route as JupyterHub knows it."""

    routespec: str
    target: str
    data: dict[str, Any]


def rule(routespec: str) -> str:
    """Return Traefik's rule for a path and all below it, however odd the name of a user or a server in it is.

    Traefik decodes what a browser sent before it compares, but for the characters that mean something in an address:
    those stay as they were sent, so a path that has any is written in both ways.
    """
    if routespec == "/":
        return f"PathPrefix({_quoted(routespec)})"
    half = "".join(part if index % 2 else unquote(part) for index, part in enumerate(_LEFT_ENCODED.split(routespec)))
    spellings = dict.fromkeys((unquote(routespec), half))
    return " || ".join(f"PathPrefix({_quoted(path)}) || Path({_quoted(path[:-1])})" for path in spellings)


def _quoted(text: str) -> str:
    """Write a text as Traefik's rules read it: as a string of Go, here of plain characters alone."""
    return '"' + "".join(one if one in _PLAIN else f"\\U{ord(one):08x}" for one in text) + '"'


def configuration(routes: dict[str, Route], generation: str, password: str) -> dict[str, Any]:
    """Return what Traefik reads: the routes, the door to its API, and a mark by which it can be asked for all this."""
    routers: dict[str, Any] = {
        HUB: {
            "rule": 'PathPrefix("/api")',
            "entryPoints": [STEERED],
            "service": "api@internal",
            "middlewares": [HUB],
        }
    }
    services: dict[str, Any] = {}
    for routespec, route in routes.items():
        name = "route-" + hashlib.sha256(routespec.encode()).hexdigest()[:24]
        # The longest path wins, as everywhere; Traefik would take the longest rule.
        routers[name] = {
            "rule": rule(routespec),
            "entryPoints": [PUBLIC],
            "service": name,
            "priority": len(unquote(routespec)),
        }
        services[name] = {"loadBalancer": {"servers": [{"url": route["target"]}]}}
    # The password has 256 bits: a slow hash would protect nothing, and be worked out for each question.
    known = base64.b64encode(hashlib.sha1(password.encode(), usedforsecurity=False).digest()).decode()
    middlewares = {
        HUB: {"basicAuth": {"users": [f"{HUB}:{{SHA}}{known}"], "removeHeader": True}},
        generation: {"headers": {"customRequestHeaders": {"X-Generation": ""}}},
    }
    http = {"routers": routers, "middlewares": middlewares} | ({"services": services} if services else {})
    # Traefik reads `http`; the rest is for this hub's next start.
    return {"http": http, "hpchub": {"generation": generation, "routes": _kept(routes)}}


def _kept(routes: dict[str, Route]) -> str:
    """Write the routes so that nothing in them means anything to Traefik, for which its files are templates."""
    return base64.b64encode(json.dumps(list(routes.values())).encode()).decode()


def _taken(text: str) -> dict[str, Route]:
    return {route["routespec"]: route for route in json.loads(base64.b64decode(text, validate=True))}


class TraefikProxy(Proxy):  # type: ignore[misc]  # JupyterHub has no types
    """A running Traefik, steered by a file."""

    should_start = Bool(False, help="Never: Traefik is a unit of its own.")
    folder = Unicode(config=True, help="The folder that Traefik watches.")
    api_url = Unicode(config=True, help="The address of Traefik's entry point `api`.")
    password = Unicode(config=True, help="The hub's own, for that API.")
    seconds = Float(30.0, config=True, help="How long Traefik may take to serve a change.")

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        # How many changes were asked for, how many of them the file has, and how many Traefik serves.
        self._asked = self._written = self._served = 0
        self._routes, self._generation = self._read()
        self._waiting: dict[asyncio.Future[None], Callable[[], bool]] = {}
        self._following: asyncio.Task[None] | None = None
        self._deadline = 0.0

    async def add_route(self, routespec: str, target: str, data: dict[str, Any]) -> None:
        """Make or change a route; it can be used when this returns.

        Raises:
            TimeoutError: Traefik does not serve it.
            OSError: The file cannot be written.
        """
        path = self.validate_routespec(routespec)
        self._routes[path] = {"routespec": path, "target": target, "data": data}
        self._asked += 1
        await self._until_served()

    async def delete_route(self, routespec: str) -> None:
        """Take a route away; one that is not there is gone already.

        This returns when the file is without it, also while Traefik is away: JupyterHub ends a session after its route.

        Raises:
            OSError: The file cannot be written.
        """
        if self._routes.pop(self.validate_routespec(routespec), None) is not None:
            self._asked += 1
        # Also where it is not there: what was to take it away may have failed.
        mine = self._asked
        await self._until(lambda: self._written >= mine)

    async def get_all_routes(self) -> dict[str, Route]:
        """Return all routes, which Traefik serves: where it serves anything else, it gets them first.

        Raises:
            TimeoutError: Traefik does not answer.
            OSError: The file cannot be written.
        """
        if self._asked == self._served and not await self._serves(self._generation):
            self._asked += 1
        await self._until_served()
        return dict(self._routes)

    async def _until_served(self) -> None:
        mine = self._asked
        await self._until(lambda: self._served >= mine)

    async def _until(self, reached: Callable[[], bool]) -> None:
        """Wait for what `_follow` does; each caller has the whole time, from when it asked."""
        if reached():
            return
        loop = asyncio.get_running_loop()
        self._deadline = loop.time() + self.seconds
        if self._following is None or self._following.done():
            self._following = asyncio.create_task(self._follow())
        waiting = loop.create_future()
        self._waiting[waiting] = reached
        try:
            async with asyncio.timeout(self.seconds):
                await waiting
        except TimeoutError:
            raise TimeoutError(self._away()) from None
        finally:
            del self._waiting[waiting]

    async def _follow(self) -> None:
        """Write what was asked for and see it served, until nothing is left or the last caller's time is over."""
        try:
            while self._served != self._asked:
                covered = self._asked
                self._write()
                self._written = covered
                self._wake()
                if await self._taken_over(covered):
                    self._served = covered
                    self._wake()
                elif asyncio.get_running_loop().time() > self._deadline:
                    # A caller of delete_route has gone long ago.
                    self.log.warning(self._away())
                    return
        except Exception as error:  # whatever it is, who waits for it is told
            self._wake(error)

    def _wake(self, error: Exception | None = None) -> None:
        for waiting, reached in self._waiting.items():
            if waiting.done():
                continue
            if error is not None:
                waiting.set_exception(error)
            elif reached():
                waiting.set_result(None)

    def _write(self) -> None:
        """Write the routes of now; changes that come together are one file."""
        generation = f"generation-{secrets.token_hex(8)}"
        content = json.dumps(configuration(self._routes, generation, self.password), indent=1)
        # Its group is that of the folder, which is Traefik's.
        write_whole(Path(self.folder) / ROUTES_FILE, content.encode(), mode=0o640)
        self._generation = generation

    async def _taken_over(self, covered: int) -> bool:
        """Say whether Traefik serves what was written; no longer asked where there is a later change to write."""
        loop = asyncio.get_running_loop()
        began, pause = loop.time(), FIRST_PAUSE_SECONDS
        while not await self._serves(self._generation):
            now = loop.time()
            if now > self._deadline or (self._asked != covered and now > began + OVERTAKEN_SECONDS):
                return False
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
        return True

    def _away(self) -> str:
        return (
            f"Traefik at {self.api_url} does not serve the routes in {self.folder}: does it run, and may it read them? "
            "See its log."
        )

    async def _serves(self, generation: str) -> bool:
        url = f"{self.api_url.rstrip('/')}/api/http/middlewares/{generation}@file"
        try:
            # JupyterHub puts curl in place of AsyncHTTPClient where it finds it, which asks the site's proxy.
            with closing(SimpleAsyncHTTPClient(force_instance=True)) as client:
                await client.fetch(url, auth_username=HUB, auth_password=self.password, request_timeout=5)
        except (OSError, HTTPClientError):
            # Not there, not yet, or with the file of another password.
            return False
        return True

    def _read(self) -> tuple[dict[str, Route], str]:
        """Read the routes that were kept: until the hub has looked after all notebooks, they are right."""
        try:
            kept = json.loads((Path(self.folder) / ROUTES_FILE).read_text())["hpchub"]
            return _taken(kept["routes"]), str(kept["generation"])
        except FileNotFoundError:
            return {}, "none"
        except (OSError, ValueError, KeyError, TypeError) as error:
            self.log.warning("The routes in %s cannot be read (%s); they are made anew.", self.folder, error)
            return {}, "none"
