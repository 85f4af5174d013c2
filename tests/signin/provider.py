"""The provider of the demo under test: its people change, it stops and comes back."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

from tests.support.site import Site
from tests.support.wait import until


class Provider:
    """The running provider of a site."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._people = site.folder / "hub" / "provider-people.json"

    @property
    def people(self) -> dict[str, Any]:
        """Its people: by name ``password`` and ``claims``."""
        return dict(json.loads(self._people.read_text()))

    @people.setter
    def people(self, people: dict[str, Any]) -> None:
        self._people.write_text(json.dumps(people))

    def set_claims(self, name: str, /, **claims: Any) -> None:
        """Make a person of the provider, or change what it says of one."""
        people = self.people
        before = people.get(name, {"password": "demo", "claims": {}})
        people[name] = {**before, "claims": {**before["claims"], **claims}}
        self.people = people

    def remove(self, name: str) -> None:
        """Take a person out."""
        self.people = {each: person for each, person in self.people.items() if each != name}

    def stop(self) -> None:
        """Kill it, as a machine that goes down would."""
        pid = int((self._site.folder / "provider.pid").read_text())
        os.kill(pid, signal.SIGKILL)
        until(
            lambda: not Path(f"/proc/{pid}/cmdline").exists() or not Path(f"/proc/{pid}/cmdline").read_bytes(),
            "its end",
        )

    def start(self) -> None:
        """Start it if it does not run; its people stay."""
        people = self._people.read_text()
        self._site.up()
        self._people.write_text(people)
