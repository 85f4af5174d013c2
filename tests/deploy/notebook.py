"""A notebook of ada's, started and asked through nginx by the API, as a script outside would."""

from __future__ import annotations

import json
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.deploy.conftest import Deployed, Surroundings
from tests.deploy.fleet import ADDRESSES
from tests.support.wait import until

CHOICE = {"profile": "general/data-preparation", "cluster": "leonardo", "size": "small"}
PAUSE_SECONDS, SLOW_SECONDS = 0.2, 1.0


@dataclass
class Away:
    """How long nobody could reach something, the longest time in one piece."""

    seconds: float = 0.0


class Notebook:
    """One server, asked for with the token of those who run the hub.

    Args:
        deployed: where.
        machine: the hub's.
        address: its address.
        name: the name that browsers reach the hub by.
        choice: what is started.
        server: the server's name, among ada's.
    """

    def __init__(
        self,
        deployed: Deployed | Surroundings,
        machine: str = "hub",
        address: str = ADDRESSES["hub"],
        name: str = "hub.test",
        choice: Mapping[str, str] = CHOICE,
        *,
        server: str = "",
    ) -> None:
        self._fleet, self._machine = deployed.fleet, machine
        self._address, self._name, self._choice = address, name, choice
        self.server = server
        self.status = f"/user/ada/{server}/api/status" if server else "/user/ada/api/status"
        self._path = f"/hub/api/users/ada/servers/{server}"
        self._context = ssl.create_default_context(cafile=str(deployed.authority.file))
        # the address is asked, and the certificate is for the name
        self._context.check_hostname = False
        self.token = self.admin_token()

    def admin_token(self) -> str:
        """The token, as the hub's machine has it."""
        return self._fleet.machines[self._machine].run("cat", "/var/lib/hpchub/secrets/admin-token").output.strip()

    def token_of(self, name: str) -> str:
        """Make a token of somebody's, who is known to the hub."""
        return str(self.ask("POST", f"/hub/api/users/{name}/tokens", {"note": "of a test"})["token"])

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str = "",
        signed_in: bool = True,
        good: Container[int] = (),
    ) -> Any:
        """Ask by the API; raise OSError where nothing good is answered.

        Args:
            method: of HTTP.
            path: with the hub's prefix.
            body: what is sent, as JSON.
            token: whose, if not that of those who run the hub.
            signed_in: whether a token is sent at all.
            good: answers that are none of the good ones, and are good here.
        """
        data = None if body is None else json.dumps(body).encode()
        headers = {"Host": self._name}
        if signed_in:
            headers["Authorization"] = f"token {token or self.token}"
        if data is not None:
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(f"https://{self._address}{path}", data, headers, method=method)
        handlers = (urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=self._context))
        try:
            with urllib.request.build_opener(*handlers).open(request, timeout=20) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            if error.code in good:
                return None
            raise
        return json.loads(text) if text else None

    def start(self) -> None:
        """Start it and wait until it answers."""
        # she is there if she has signed in
        self.ask("POST", "/hub/api/users/ada", good=(409,))
        self.request()
        until(self.answers, "the notebook to answer", 240, pause=1)

    def request(self) -> None:
        """Ask for it."""
        self.ask("POST", self._path, {"user_options": dict(self._choice)})

    def stop(self) -> None:
        """Stop it and wait until it is gone."""
        self.ask("DELETE", self._path)
        until(lambda: not self.is_known(), "the notebook to be gone", 60)

    def answers(self) -> bool:
        """Tell whether the notebook itself answers, through nginx and the proxy."""
        try:
            return "started" in self.ask("GET", self.status)
        except (OSError, ValueError):
            return False

    def is_there(self) -> bool:
        """Tell whether the notebook itself answers somebody unknown, for which it needs no hub."""
        try:
            return "version" in self.ask("GET", "/user/ada/api", signed_in=False)
        except (OSError, ValueError):
            return False

    def is_known(self) -> bool:
        """Tell whether the hub has it."""
        return self.server in self.ask("GET", "/hub/api/users/ada")["servers"]

    @contextmanager
    def watched(self, path: str = "/hub/api/") -> Iterator[Away]:
        """Look again and again whether the hub answers, or something else; the result is complete after the block.

        Each question that was not answered at once is printed.
        """
        away, ended = Away(), threading.Event()

        def look() -> None:
            reached = time.monotonic()
            while not ended.wait(PAUSE_SECONDS):
                asked, said = time.monotonic(), "an answer"
                try:
                    self.ask("GET", path)
                except OSError as error:
                    said = str(error)
                    continue
                finally:
                    took = time.monotonic() - asked
                    if took > SLOW_SECONDS or said != "an answer":
                        print(f"{time.strftime('%X')}: {path}: {said} after {took:.1f} s")
                    away.seconds = max(away.seconds, time.monotonic() - reached)
                reached = time.monotonic()

        watcher = threading.Thread(target=look)
        watcher.start()
        try:
            yield away
        finally:
            ended.set()
            watcher.join()
