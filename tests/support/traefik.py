"""A Traefik of the tests' own, as the unit of a deployment starts it."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from jinja2 import Environment, StrictUndefined

from tests.support.site import REPOSITORY

UNIT = REPOSITORY / "ansible" / "roles" / "traefik" / "templates" / "hpchub-proxy.service.j2"


class Traefik:
    """One that listens on two ports of this machine and watches a folder."""

    def __init__(self, folder: Path, routes: Path, port: int, api_port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.api_url = f"http://127.0.0.1:{api_port}"
        self._log = folder / "traefik.log"
        hub = {"proxy_api_url": self.api_url, "routes_folder": str(routes)}
        environment = Environment(undefined=StrictUndefined, autoescape=False)  # noqa: S701 - a unit, no HTML
        environment.filters["urlsplit"] = lambda url, part: getattr(urlsplit(url), part)
        unit = environment.from_string(UNIT.read_text()).render(
            ansible_managed="",
            traefik_group="",
            traefik_used_program=Path(os.environ["HPCHUB_DEMO_CACHE"]) / "fetched" / "traefik" / "bin" / "traefik",
            proxy_address="127.0.0.1",
            proxy_port=port,
            proxy_memory_max="",
            hub_site={"hub": hub},
        )
        (command,) = re.findall(r"^ExecStart=((?:.*\\\n)*.*)$", unit, re.MULTILINE)
        self._argv = shlex.split(command.replace("\\\n", " "))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; what it serves is there when it has read the folder."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._argv, stdout=log, stderr=log)

    def kill(self) -> None:
        """Kill it as a power cut would."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()

    @property
    def log(self) -> str:
        """All that it has written."""
        return self._log.read_text()


@contextmanager
def traefik(folder: Path, routes: Path, port: int, api_port: int) -> Iterator[Traefik]:
    """One that runs, until the end of the block."""
    found = Traefik(folder, routes, port, api_port)
    found.start()
    try:
        yield found
    finally:
        found.kill()
