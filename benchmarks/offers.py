"""How long it takes to work out what a person may start, on a large site, and how that grows.

``python3 -m benchmarks.offers [PAGE]`` prints a table, writes it to a page if one is named, and fails where the median
is not below the target.  Slurm is not needed: a snapshot is made up, as large as asked for.
"""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TypeVar

from hpchub.catalogue.choice import accept
from hpchub.catalogue.load import load_catalogue, load_site
from hpchub.catalogue.model import Catalogue, Profile
from hpchub.catalogue.offers import Person, offers
from hpchub.slurm.model import Association, ClusterView, Limits, Node, Partition, Qos

TARGET_SECONDS = 0.010
REPEATS = 200
PROFILES = Path(__file__).parents[1] / "profiles"
TEMPLATE = "general/pytorch"
QOS = frozenset({"normal", "boost_qos_dbg"})
PERSON = Person("ada")

T = TypeVar("T")


@dataclass(frozen=True)
class World:
    """How large a site is, and whether each allocation has limits of its own."""

    profiles: int = 200
    allocations: int = 30
    nodes: int = 5000
    limited: bool = False


WORLDS = {
    "the target": World(),
    "twice the profiles": World(profiles=400),
    "twice the allocations": World(allocations=60),
    "twice the nodes": World(nodes=10_000),
    "an own limit for each allocation": World(limited=True),
}


@dataclass(frozen=True)
class Figures:
    """Seconds, and how many single offers there are."""

    offers: int
    first: float
    median: float
    accept: float


def catalogue_of(profiles: int) -> Catalogue:
    """Give the shipped catalogue with so many copies of one of its profiles instead of all."""
    with TemporaryDirectory() as folder:
        site = Path(folder) / "site.yaml"
        site.write_text((PROFILES / "site.yaml").read_text())
        (Path(folder) / "profiles").symlink_to(PROFILES)
        site.write_text(site.read_text().replace('profiles: "."', "profiles: profiles"))
        shipped = load_catalogue(load_site(site))
    base = dict(shipped.profiles[TEMPLATE])
    # A build for each cluster, whether the shipped environments have one yet or not.
    targets = {"targets": frozenset(cluster.software_target for cluster in shipped.site.clusters.values())}
    environments = {name: each.model_copy(update=targets) for name, each in shipped.environments.items()}
    slugs = [f"general/p{number}" for number in range(profiles)]
    profiles_of_slugs = {slug: Profile.model_validate({**base, "slug": slug}) for slug in slugs}
    return replace(shipped, profiles=profiles_of_slugs, environments=environments)


def view_of(world: World) -> ClusterView:
    """Give a snapshot of Leonardo's Booster, with so many nodes and so many accounts of one person."""
    place = frozenset({"boost_usr_prod"})
    limits = [
        Limits(job=(("gres/gpu", 4 + number),)) if world.limited else Limits() for number in range(world.allocations)
    ]
    return ClusterView(
        "leonardo",
        taken_epoch=1.0,
        partitions={"boost_usr_prod": Partition("boost_usr_prod", up=True, max_minutes=1440)},
        nodes=tuple(
            Node(f"lrdn{number:05}", "10.0.0.1", place, True, 32, 0, 494_000, 0, {"a100": 4})
            for number in range(world.nodes)
        ),
        qos={"normal": Qos("normal"), "boost_qos_dbg": Qos("boost_qos_dbg", Limits(max_minutes=30))},
        associations={
            "ada": tuple(
                Association("ada", f"aifac_a{number:03}", QOS, "normal", limits=each)
                for number, each in enumerate(limits)
            )
        },
    )


def measure(world: World) -> Figures:
    """Work out one person's offers, the first time after an answer of Slurm's and again and again."""
    catalogue = catalogue_of(world.profiles)
    views = {"leonardo": view_of(world)}
    first, found = timed(lambda: offers(catalogue, PERSON, views))
    again = [timed(lambda: offers(catalogue, PERSON, views))[0] for _ in range(REPEATS)]
    last = list(catalogue.profiles)[-1]
    choices = [timed(lambda: accept({"profile": last}, catalogue, PERSON, views))[0] for _ in range(REPEATS)]
    return Figures(sum(1 for _ in found), first, median(again), median(choices))


def timed(work: Callable[[], T]) -> tuple[float, T]:
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


def table(figures: Mapping[str, Figures]) -> str:
    """Draw the figures, with their growth."""
    base = next(iter(figures.values())).median
    lines = [
        "| site | profiles | allocations | nodes | offers | first time | median | growth | one choice |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, each in figures.items():
        world = WORLDS[name]
        size = f"{world.profiles} | {world.allocations} | {world.nodes:,} | {each.offers:,}"
        milliseconds = f"{each.first * 1e3:.1f} ms | {each.median * 1e3:.2f} ms | ×{each.median / base:.1f}"
        lines.append(f"| {name} | {size} | {milliseconds} | {each.accept * 1e3:.2f} ms |")
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Measure all sizes; 1 if the target is missed."""
    figures = {name: measure(world) for name, world in WORLDS.items()}
    found = figures["the target"].median
    verdict = (
        f"Target: a median below {TARGET_SECONDS * 1e3:.0f} ms; {'reached' if found < TARGET_SECONDS else 'MISSED'}."
    )
    when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    facts = f"{when}, {platform.system()} {platform.release().split('-')[0]}, Python {platform.python_version()}."
    page = f"# Offers of one person\n\n{facts}\nMedians of {REPEATS}. {verdict}\n\n{table(figures)}\n"
    print(page)
    for path in arguments[:1]:
        Path(path).write_text(page)
    return 0 if found < TARGET_SECONDS else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
