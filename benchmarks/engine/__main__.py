"""The benchmark's program: measures sections, notes how rings of tests ended, and puts the page together.

``python3 -m benchmarks.engine measure bench|soak FOLDER [SECTION…]``, ``… ring FOLDER NAME PASSED FAILED SKIPPED``
and ``… page bench|soak FOLDER PAGE``.  The folder keeps the figures of each section; ``page`` fails where a
target is not met.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.engine import click, idle, load, pages, restart, room, rush, sections, slurm, tables, targets
from benchmarks.engine.click import Clicks
from benchmarks.engine.idle import Rest
from benchmarks.engine.large import NODES, PROFILES, large
from benchmarks.engine.pages import Pages
from benchmarks.engine.peers import Peer
from benchmarks.engine.place import FULL, ROOM, OurSite, make_site
from benchmarks.engine.restart import Restart
from benchmarks.engine.results import facts, page, plain
from benchmarks.engine.room import Room
from benchmarks.engine.rush import Rush
from demo import console, hub
from demo.steps import step
from tests.support.cheap import cheap_environment, responder
from tests.support.small import small_servers
from tests.support.wait import until

BATCHSPAWNERS = None, {"partition": "boost_usr_prod"}
"""batchspawner's choices: where there is room, and where its servers have to wait."""


ROUNDS = 5
"""Of a trainer's room."""


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    sizes: tuple[tuple[int, int], ...]
    """Servers that run and servers that wait."""
    sizes_of_batchspawner: tuple[tuple[int, int], ...]
    rest_seconds: float
    room: int
    """Servers that are started at once."""
    clicks: int
    seats: int
    """Of a trainer's room; as many as the site has."""


PLANS = {
    "bench": Plan(((10, 10), (100, 10)), ((10, 10), (100, 10)), 30, 50, 20, 20),
    # batchspawner's hub polls each server that runs every 30 s through sudo, and each that waits twice a second.
    "soak": Plan(((10, 10), (1000, 100)), ((10, 10), (100, 100)), 60, 200, 20, 40),
}


class Bench:
    """A site to measure on, and how much."""

    def __init__(self, plan: Plan, site: OurSite) -> None:
        self.plan = plan
        self.site = site

    def clicks(self) -> Clicks:
        """Real notebooks, one at a time; the hubs of all three run meanwhile and do nothing else."""
        self.site.start()
        peers = [Peer(self.site, "batchspawner"), Peer(self.site, "moss")]
        try:
            for peer in peers:
                peer.start()
            return click.measure(self.site, peers, self.plan.clicks)
        finally:
            for peer in peers:
                peer.stop()

    def idle(self) -> Rest:
        """Our hub while nothing changes."""
        with self._cheap() as hub:
            plan = self.plan
            people, pid = self.site.people, lambda: self.site.pid
            return idle.of_sizes(hub, pid, people, plan.sizes, (ROOM, FULL), plan.rest_seconds, ours=True)

    def restart(self) -> Restart:
        """Our hub is killed."""
        with self._cheap() as hub:
            servers = load.names(self.site.people, self.plan.sizes[-1][0])
            load.start_until_ready(hub, servers, ROOM, seconds=600)
            return restart.measure(self.site, servers)

    def rush(self) -> Rush:
        """A room starts at once with ours."""
        with self._cheap() as hub:
            return rush.measure(hub, self.site.people, self.plan.room, ROOM)

    def event(self) -> Room:
        """A trainer's "start all", and the same jobs by hand."""
        seats = [name for name in self.site.people if name.startswith("seat")][: self.plan.seats]
        with small_servers(self.site.place.environments):
            self.site.start()
            console.start(self.site.place)
            try:
                return room.measure(self.site, seats, ROUNDS)
            finally:
                hub.console(self.site.place).stop()

    def pages(self) -> Pages:
        """Our start page, and MOSS's; one hub after the other, so that each is counted alone."""
        with large(self.site):
            self.site.start()
            until(self._sees_all_nodes, f"our hub to see {NODES} usable nodes", 60, 1)
            port = self.site.place.hub_port
            views = {
                "ours": pages.measure(port, "copy-000"),
                # the first portion of a long list ends with the way to the next
                "list": pages.measure(port, "more=2", pages.ONE_SECTOR),
                "panel": pages.measure(port, 'value="general/copy-000"', pages.ONE_PROFILE),
            }
            self.site.stop()
            peer = Peer(self.site, "moss")
            try:
                peer.start()
                views["moss"] = pages.measure(peer.hub_port, "lrd_all_serial")
            finally:
                peer.stop()
        return Pages(NODES, PROFILES, views)

    def _sees_all_nodes(self) -> bool:
        status, said = self.site.hub.api("GET", "/hpchub/snapshot")
        return status == 200 and said["leonardo"]["usable_nodes"] >= NODES

    @contextmanager
    def _cheap(self) -> Iterator[Any]:
        """Our hub, whose servers only sleep."""
        folder = self.site.place.folder / "cheap"
        with responder(folder), cheap_environment(folder, self.site.builds):
            self.site.start()
            yield self.site.hub

    def idle_of_batchspawner(self) -> Rest:
        """batchspawner's hub while nothing changes."""
        with self._batchspawner() as peer:
            people, plan = self.site.people, self.plan
            sizes = plan.sizes_of_batchspawner
            return idle.of_sizes(
                peer.hub, lambda: peer.pid, people, sizes, BATCHSPAWNERS, plan.rest_seconds, ours=False
            )

    def rush_of_batchspawner(self) -> Rush:
        """A room starts at once with batchspawner."""
        with self._batchspawner() as peer:
            return rush.measure(peer.hub, self.site.people, self.plan.room, BATCHSPAWNERS[0])

    @contextmanager
    def _batchspawner(self) -> Iterator[Peer]:
        folder = self.site.place.folder / "cheap"
        with responder(folder):
            peer = Peer(self.site, "batchspawner", folder)
            try:
                peer.start()
                yield peer
            finally:
                peer.stop()

    @property
    def ways(self) -> dict[str, Callable[[], Any]]:
        """How each section is measured."""
        return {
            "clicks": self.clicks,
            "idle": self.idle,
            "restart": self.restart,
            "rush": self.rush,
            "event": self.event,
            "pages": self.pages,
            "idle-batchspawner": self.idle_of_batchspawner,
            "rush-batchspawner": self.rush_of_batchspawner,
        }


def measure(plan: str, folder: Path, *names: str) -> int:
    """Measure sections, by default all; each on its own, so that what one leaves behind troubles no other."""
    unknown = [name for name in names if name not in sections.MEASURED]
    if unknown:
        raise SystemExit(f"there is no section {unknown[0]!r}; there are: {', '.join(sections.MEASURED)}")
    site = make_site()
    try:
        site.install()
        slurm.fill()
        for name in names or sections.MEASURED:
            with step(f"measuring {name}"):
                found = Bench(PLANS[plan], site).ways[name]()
            sections.write(folder, name, sections.Section(facts=facts(), found=found))
            site.stop()
            slurm.cancel_all()
    finally:
        site.down()
    for table in tables.of_sections({name: each for name, each in sections.read(folder).items() if name in names}):
        print(plain(table))
    return 0


def ring(folder: Path, name: str, passed: str, failed: str, skipped: str) -> int:
    """Note how a ring of tests ended."""
    found = sections.Ring(passed=int(passed), failed=int(failed), skipped=int(skipped))
    sections.write(folder, f"ring-{name}", sections.Section(facts=facts(), found=found))
    return 0


def put_together(plan: str, folder: Path, out: Path) -> int:
    """Write the page from all sections that were measured; return 1 where a target is missed."""
    found, rings = sections.read(folder), sections.read_rings(folder)
    wanted = targets.of_sections(found)
    made = [targets.table(wanted), *tables.of_sections(found), *tables.of_rings(rings)]
    for table in made:
        print(plain(table))
    out.write_text(page(plan, found | rings, made))
    print(f"\nwritten to {out}")
    return 0 if all(target.met for target in wanted) else 1


def main(arguments: list[str]) -> int:
    """Do what the first word says."""
    match arguments:
        case ["measure", ("bench" | "soak") as plan, folder, *names]:
            return measure(plan, Path(folder), *names)
        case ["ring", folder, name, passed, failed, skipped]:
            return ring(Path(folder), name, passed, failed, skipped)
        case ["page", ("bench" | "soak") as plan, folder, out]:
            return put_together(plan, Path(folder), Path(out))
    raise SystemExit(__doc__)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
