"""Kills the hub of a site at chosen points, and starts it again: in the hub itself, and around ``sbatch``."""

from __future__ import annotations

import json
import os
import select
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.site import Site
from tests.support.wait import until

KILL_POINTS = Path(__file__).with_name("kill_points.py")

# The submission waits until the hub is dead: the launcher outlives the hub that started it.
SBATCH = """\
#!/bin/sh
# Stands before sbatch, and lets a test kill the hub just before or just after it.
meet() {{
    [ -e {folder}/"$1-sbatch-$(id -un)" ] || return 0
    echo here >{folder}/arrived
    read -r _ <{folder}/go
}}
meet before
answer=$({sbatch} "$@")
status=$?
meet after
printf '%s\\n' "$answer"
exit $status
"""


class Killing:
    """Points at which the hub of a site dies.

    Args:
        site: a site whose hub runs; it is restarted with the points in it.
    """

    def __init__(self, site: Site) -> None:
        self.site = site
        self.folder = site.folder / "kill"
        self._local = site.folder / "site" / "jupyterhub_local.py"
        self._policy = site.folder / "libexec" / "hpchub-launch.json"
        self._arrived = self._go = -1

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Put the points into the hub and before ``sbatch``, as long as this lasts."""
        local, policy = self._local.read_text(), self._policy.read_text()
        self._prepare_folder(json.loads(policy)["commands"]["sbatch"])
        # The points come first: `from __future__` has to.
        self._local.write_text(
            f"{KILL_POINTS.read_text()}\n\n{local}\ninstall(Path({str(self.folder)!r}))\n", encoding="utf-8"
        )
        self.site.kill_hub()
        self._policy.write_text(json.dumps(self._with_our_sbatch(json.loads(policy))))
        self.site.start_hub()
        # Opened for reading and writing, so that no opening blocks and nothing is lost between two.
        self._arrived, self._go = (os.open(self.folder / name, os.O_RDWR) for name in ("arrived", "go"))
        try:
            yield
        finally:
            os.close(self._arrived)
            os.close(self._go)
            self._local.write_text(local)
            self._policy.write_text(policy)
            # It restarts the hub, whose settings have changed, and starts a dead one.
            self.site.up()

    def _prepare_folder(self, sbatch: str) -> None:
        self.folder.mkdir(mode=0o755, exist_ok=True)
        for name in ("arrived", "go"):
            (self.folder / name).unlink(missing_ok=True)
            os.mkfifo(self.folder / name)
            # The launcher has become the user by then.
            (self.folder / name).chmod(0o666)
        program = self.folder / "sbatch"
        program.write_text(SBATCH.format(folder=self.folder, sbatch=sbatch))
        program.chmod(0o755)

    def _with_our_sbatch(self, policy: dict[str, Any]) -> dict[str, Any]:
        return {**policy, "commands": {**policy["commands"], "sbatch": str(self.folder / "sbatch")}}

    @contextmanager
    def inside(self, point: str) -> Iterator[None]:
        """Let the hub kill itself at a point (:mod:`tests.support.kill_points`); it is dead when this ends."""
        (self.folder / "point").write_text(point)
        try:
            yield
            self.site.wait_for_death()
        finally:
            (self.folder / "point").unlink()

    @contextmanager
    def around_sbatch(self, side: str, user: str) -> Iterator[None]:
        """Kill the hub when a submission of a user's stands ``before`` or ``after`` Slurm's own command."""
        flag = self.folder / f"{side}-sbatch-{user}"
        flag.touch()
        try:
            yield
            assert select.select([self._arrived], [], [], 30)[0], f"no submission of {user}'s came"
            os.read(self._arrived, 100)
            self.site.kill_hub()
        finally:
            flag.unlink()
        os.write(self._go, b"on\n")


def stored_sessions(site: Site) -> dict[tuple[str, str], dict[str, Any]]:
    """Read the sessions that a dead hub has stored, by user and server."""
    with sqlite3.connect(site.folder / "hub" / "jupyterhub.sqlite") as database:
        rows = database.execute(
            "select users.name, spawners.name, spawners.state from spawners join users on user_id = users.id"
        )
        states = {(user, server): json.loads(state) if state else {} for user, server, state in rows}
    database.close()
    return {key: (state or {})["session"] for key, state in states.items() if (state or {}).get("session")}


def answers_through_the_proxy(site: Site, user: str) -> bool:
    """Tell whether a person's notebook server answers."""
    return bool(until(lambda: site.get(f"/user/{user}/api").status, "the proxy to answer") == 200)
