"""Our hub for the benchmark: the demo, in a folder of its own and on larger clusters."""

from __future__ import annotations

import os
import re
import signal
from dataclasses import dataclass
from pathlib import Path

from benchmarks.engine import slurm
from benchmarks.engine.api import Hub
from demo import cache, door, environments, hub, site, software
from demo.__main__ import devcluster, fetch
from demo.place import REPOSITORY, SOFTWARE_TARGET, Place
from demo.steps import Argv, run
from tests.support.wait import until

SESSIONS_OF_ONE_PERSON = 100
ENVIRONMENT = "base"
"""That of `ROOM`: what runs is measured, what waits needs none."""
ROOM = {"profile": "general/data-preparation", "cluster": "leonardo", "size": "small", "minutes": 240}
"""A choice for the partition with room for all."""
FULL = {"profile": "general/pytorch", "cluster": "leonardo", "size": "small", "minutes": 240}
"""A choice for the partition that is full, once :func:`fill` was called."""


@dataclass(frozen=True)
class OurSite:
    """The demo's hub on the benchmark's clusters."""

    place: Place

    @property
    def people(self) -> list[str]:
        """Who can start jobs."""
        return [name for name in self.place.people.names if name not in self.place.people.admins]

    @property
    def hub(self) -> Hub:
        """The hub's API."""
        tokens = [self.place.folder / "admin-token", self.place.hub / "secrets" / "proxy-token"]
        return Hub(self.place.port, *(token.read_text().strip() for token in tokens))

    @property
    def pid(self) -> int:
        """The hub's process."""
        pid = hub.hub(self.place).pid()
        if pid is None:
            raise RuntimeError("our hub does not run")
        return pid

    @property
    def builds(self) -> Path:
        """Where the builds of the notebooks' environment lie."""
        return self.place.environments / ENVIRONMENT / SOFTWARE_TARGET

    def install(self) -> None:
        """Start the clusters and put everything of the demo in place; start no hub."""
        place = self.place
        clusters = Path(__file__).with_name("clusters.toml")
        if devcluster("up", place, "--clusters", str(clusters), "--people", "demo/people.toml") != 0:
            raise RuntimeError("the benchmark's Slurm did not start")
        fetch(place)
        software.install(place)
        door.install(place)
        site.install(place)
        text = place.site.read_text()
        text = text.replace("session_limit: 3", f"session_limit: {SESSIONS_OF_ONE_PERSON}")
        # measured with the defaults
        place.site.write_text(re.sub(r"^ +watching:.*\n", "", text, flags=re.M))
        environments.lay(place)
        self._add_batchspawner()
        # Slurm's own default; squeue behind sudo needs no variable then.
        Path("/etc/slurm").mkdir(exist_ok=True)
        conf = Path("/etc/slurm/slurm.conf")
        conf.unlink(missing_ok=True)
        conf.symlink_to(place.slurm_conf())
        self._count_no_memory()

    def _add_batchspawner(self) -> None:
        """Give the notebooks' environment the program that batchspawner and MOSS start: one environment for all."""
        wheel = next(line.split()[0] for line in cache.HUB.read_text().splitlines() if line.startswith("batchspawner"))
        options: Argv = ["--quiet", "--offline", "--no-deps", "--compile-bytecode"]
        python: Argv = ["--python", self.builds / "current" / "bin" / "python"]
        run(
            [cache.uv(self.place), "pip", "install", *options, *python, wheel],
            environment=cache.uv_environment(self.place),
        )

    def _count_no_memory(self) -> None:
        """Let no step look at its processes' memory: a thousand on one machine would do nothing but read /proc."""
        for cluster in ("leonardo", "it4lia"):
            conf = self.place.folder / "etc" / cluster / "slurm.conf"
            text, changed = re.subn(
                r"^JobAcctGatherFrequency=.*$", "JobAcctGatherFrequency=task=0", conf.read_text(), flags=re.M
            )
            if not changed:
                raise RuntimeError(f"{conf} has no JobAcctGatherFrequency any more")
            conf.write_text(text)
            slurm.run("scontrol", "-M", cluster, "reconfigure")

    def start(self) -> None:
        """Start the hub and wait until it answers."""
        hub.start(self.place)

    def stop(self) -> None:
        """Stop the hub and its proxy; its jobs go on."""
        hub.hub(self.place).stop()
        hub.proxy(self.place).stop()

    def kill(self) -> None:
        """Kill the hub as a power cut would."""
        os.kill(self.pid, signal.SIGKILL)
        until(lambda: hub.hub(self.place).pid() is None, "the hub to be dead", 10)

    def down(self) -> None:
        """End everything."""
        self.stop()
        devcluster("down", self.place)


def make_site() -> OurSite:
    """Give the site of this run; it lies in the memory of the isolated namespace."""
    if os.environ.get("HPCHUB_ISOLATED") != "1":
        raise SystemExit("the benchmark makes users and needs its own ports: run it by ./run bench")
    fetched = Path(os.environ.get("HPCHUB_DEMO_CACHE") or REPOSITORY / ".cache" / "demo").absolute()
    return OurSite(Place(Path("/run/hpchub-bench"), fetched, 8000))
