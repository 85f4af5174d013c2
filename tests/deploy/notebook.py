"""A notebook of ada's, started and asked through nginx by the API, as a script outside would."""

from __future__ import annotations

import json
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.deploy.conftest import Deployed
from tests.deploy.fleet import ADDRESSES
from tests.support.wait import until

CHOICE = {"profile": "general/data-preparation", "cluster": "leonardo", "size": "small"}
PAUSE_SECONDS = 0.2


@dataclass
class Away:
    """How long nobody could reach the hub, the longest time in one piece."""

    seconds: float = 0.0


class Notebook:
    """One server, asked for with the token of those who run the hub."""

    def __init__(
        self,
        deployed: Deployed,
        machine: str = "hub",
        address: str = ADDRESSES["hub"],
        name: str = "hub.test",
        choice: Mapping[str, str] = CHOICE,
    ) -> None:
        self._hub = deployed.fleet.machines[machine]
        self._address, self._name, self._choice = address, name, choice
        self._context = ssl.create_default_context(cafile=str(deployed.authority.file))
        # the address is asked, and the certificate is for the name
        self._context.check_hostname = False
        self.token = self.admin_token()

    def admin_token(self) -> str:
        """The token, as the hub's machine has it."""
        return self._hub.run("cat", "/var/lib/hpchub/secrets/admin-token").output.strip()

    def ask(self, method: str, path: str, body: Any = None, *, signed_in: bool = True) -> Any:
        """Ask by the API; raise OSError where nothing good is answered."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Host": self._name} | ({"Authorization": f"token {self.token}"} if signed_in else {})
        request = urllib.request.Request(f"https://{self._address}{path}", data, headers, method=method)
        handlers = (urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=self._context))
        with urllib.request.build_opener(*handlers).open(request, timeout=20) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def start(self) -> None:
        """Start it and wait until it answers."""
        try:
            self.ask("POST", "/hub/api/users/ada")
        except urllib.error.HTTPError as error:
            # she is there since she has signed in
            assert error.code == 409, error.read()
        self.ask("POST", "/hub/api/users/ada/server", {"user_options": dict(self._choice)})
        until(self.answers, "the notebook to answer", 240, pause=1)

    def stop(self) -> None:
        """Stop it and wait until it is gone."""
        self.ask("DELETE", "/hub/api/users/ada/server")
        until(lambda: not self.is_known(), "the notebook to be gone", 60)

    def answers(self) -> bool:
        """Tell whether the notebook itself answers, through nginx and the proxy."""
        try:
            return "started" in self.ask("GET", "/user/ada/api/status")
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
        return bool(self.ask("GET", "/hub/api/users/ada")["servers"])

    @contextmanager
    def watched_hub(self) -> Iterator[Away]:
        """Look again and again whether the hub answers; the result is complete at the end of the block."""
        away, ended = Away(), threading.Event()

        def look() -> None:
            reached = time.monotonic()
            while not ended.wait(PAUSE_SECONDS):
                try:
                    self.ask("GET", "/hub/api/")
                except OSError:
                    continue
                finally:
                    away.seconds = max(away.seconds, time.monotonic() - reached)
                reached = time.monotonic()

        watcher = threading.Thread(target=look)
        watcher.start()
        try:
            yield away
        finally:
            ended.set()
            watcher.join()
