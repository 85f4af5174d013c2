"""``python3 -m benchmarks.engine small|full RESULTS.md``: all measurements in one run, one after the other."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.engine import click, idle, load, restart, rush, slurm, tables, targets
from benchmarks.engine.peers import Peer
from benchmarks.engine.place import FULL, ROOM, OurSite, make_site
from benchmarks.engine.results import Table, machine, page, peers_versions, plain
from demo.place import REPOSITORY
from demo.steps import step
from tests.support.cheap import cheap_environment, responder


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    verb: str
    """The verb of ./run that it belongs to."""
    sizes: tuple[tuple[int, int], ...]
    """Servers that run and servers that wait."""
    sizes_of_batchspawner: tuple[tuple[int, int], ...]
    rest_seconds: float
    room: int
    """Servers that are started at once."""
    clicks: int


SMALL = Plan("bench", ((10, 10), (100, 10)), ((10, 10), (100, 10)), 30, 50, 20)
FULL_PLAN = Plan("soak", ((10, 10), (100, 100), (1000, 100)), ((10, 10), (100, 100)), 60, 200, 20)
# Its hub polls each of 1,000 servers every 30 s through sudo, 33 times a second; two cores carry no more than that.


class Run:
    """One run: measures, prints and keeps the tables."""

    def __init__(self, plan: Plan, site: OurSite) -> None:
        self.plan = plan
        self.site = site
        self.tables: list[Table] = []
        self.targets: list[targets.Target] = []

    def keep(self, table: Table) -> None:
        """Print a table now, and keep it for the page."""
        print(plain(table), flush=True)
        self.tables.append(table)

    def clicks(self) -> None:
        """Real notebooks, one at a time; the hubs of all three run meanwhile and do nothing else."""
        peers = [Peer(self.site, "batchspawner"), Peer(self.site, "moss")]
        try:
            for peer in peers:
                peer.start()
            with step(f"{self.plan.clicks} notebooks of each"):
                clicks = click.measure(self.site, peers, self.plan.clicks)
        finally:
            for peer in peers:
                peer.stop()
        self.keep(tables.clicks(clicks))
        self.targets += targets.of_clicks(clicks)

    def cheap(self) -> None:
        """Many servers that sleep: first ours, then batchspawner's."""
        folder = self.site.place.folder / "cheap"
        slurm.fill()
        with responder(folder):
            with cheap_environment(folder, self.site.builds):
                ours, restarted, our_rush = self._ours()
            theirs, their_rush = self._batchspawners(folder)
        self.keep(tables.queries(ours.costs, theirs.costs))
        self.keep(tables.answers(ours, theirs))
        self.keep(tables.restart(restarted))
        self.keep(tables.rush(our_rush, their_rush))
        self.targets += targets.of_rest(ours, theirs) + targets.of_restart(restarted) + targets.of_rush(our_rush)

    def _ours(self) -> tuple[idle.Rest, restart.Restart, rush.Rush]:
        hub, plan, people = self.site.hub, self.plan, self.site.people
        with step("ours at rest"):
            rest = idle.of_sizes(
                hub, lambda: self.site.pid, people, plan.sizes, (ROOM, FULL), plan.rest_seconds, ours=True
            )
        servers = load.names(people, plan.sizes[-1][0])
        with step("a restart of the hub"):
            restarted = restart.measure(self.site, servers)
        load.stop(hub, servers, 900)
        with step("a room that starts at once"):
            found = rush.measure(hub, people, plan.room, ROOM)
        self.site.stop()
        return rest, restarted, found

    def _batchspawners(self, folder: Path) -> tuple[idle.Rest, rush.Rush]:
        plan, people = self.plan, self.site.people
        peer = Peer(self.site, "batchspawner", folder)
        choices = None, {"partition": "boost_usr_prod"}
        try:
            peer.start()
            with step("a room that starts at once, batchspawner"):
                found = rush.measure(peer.hub, people, plan.room, None)
            with step("batchspawner at rest"):
                sizes = plan.sizes_of_batchspawner
                rest = idle.of_sizes(peer.hub, lambda: peer.pid, people, sizes, choices, plan.rest_seconds, ours=False)
        finally:
            peer.stop()
        return rest, found


def main(arguments: list[str]) -> int:
    """Measure, and write the page."""
    kind, out = arguments
    plan = {"small": SMALL, "full": FULL_PLAN}[kind]
    site = make_site()
    try:
        site.install()
        site.start()
        run = Run(plan, site)
        facts = {
            **machine(),
            **peers_versions(REPOSITORY / "requirements/hub.txt", REPOSITORY / "benchmarks/requirements.txt"),
        }
        run.clicks()
        run.cheap()
    finally:
        site.down()
    run.keep(targets.table(run.targets))
    Path(out).write_text(page(plan.verb, facts, [run.tables[-1], *run.tables[:-1]]))
    print(f"\nwritten to {out}")
    return 0 if all(target.met for target in run.targets) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
