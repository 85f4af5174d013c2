"""A small world for tests of the catalogue: the demo's own site and profiles, and snapshots of its two clusters."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from string import Template
from tempfile import TemporaryDirectory

from hpchub.catalogue.load import load_catalogue, load_site
from hpchub.catalogue.model import Catalogue, Profile
from hpchub.catalogue.offers import Person
from hpchub.catalogue.site import Cluster
from hpchub.slurm.model import Association, ClusterView, Limits, Node, Partition, Qos

REPOSITORY = Path(__file__).parents[3]
BOTH_QOS = frozenset({"normal", "boost_qos_dbg"})
ADA = Person("ada")
PEOPLE = {
    "ada": ("aifac_agri01", "aifac_clima01"),
    "bruno": ("aifac_cyber01",),
    "carla": ("tra26_hack",),
    "dario": ("aifac_manif01",),
}


def demo_site_text(demo_dir: str = "/var/lib/hpchub-demo") -> str:
    """Fill in the demo's site file as the demo does."""
    return Template((REPOSITORY / "demo" / "site.yaml").read_text()).substitute(
        demo_dir=demo_dir,
        demo_port=8000,
        hub_port=8081,
        proxy_port=8001,
        console_port=8083,
        people=json.dumps([*PEOPLE, "admin"]),
        admins=json.dumps(["admin"]),
        trainers=json.dumps(["carla"]),
    )


@lru_cache
def demo_catalogue() -> Catalogue:
    """Load the demo's site with the shipped profiles."""
    with TemporaryDirectory() as folder:
        site = Path(folder) / "site.yaml"
        site.write_text(demo_site_text())
        (Path(folder) / "profiles").symlink_to(REPOSITORY / "profiles")
        return load_catalogue(load_site(site))


def with_profile(slug: str, **changes: object) -> Catalogue:
    """The demo's catalogue with one profile changed."""
    catalogue = demo_catalogue()
    profile = Profile.model_validate({**dict(catalogue.profiles[slug]), **changes})
    return replace(catalogue, profiles={**catalogue.profiles, slug: profile})


def with_cluster(name: str, **changes: object) -> Catalogue:
    """The demo's catalogue with one cluster changed."""
    catalogue = demo_catalogue()
    cluster = Cluster.model_validate({**dict(catalogue.site.clusters[name]), **changes})
    site = catalogue.site.model_copy(update={"clusters": {**catalogue.site.clusters, name: cluster}})
    return replace(catalogue, site=site)


def associations(qos: frozenset[str] = BOTH_QOS) -> dict[str, tuple[Association, ...]]:
    """Every person's accounts, all with the same QOS."""
    return {
        person: tuple(Association(person, account, qos, "normal") for account in accounts)
        for person, accounts in PEOPLE.items()
    }


BOOST = Partition("boost_usr_prod", up=True, max_minutes=1440)
SERIAL = Partition("lrd_all_serial", up=True, max_minutes=240)
BOOST_NODE = Node("n1", "127.0.0.1", frozenset({"boost_usr_prod"}), True, 32, 0, 494000, 0, {"a100": 4})
SERIAL_NODE = Node("s1", "127.0.0.1", frozenset({"lrd_all_serial"}), True, 4, 0, 30800, 0)
QOS = {
    "normal": Qos("normal"),
    "boost_qos_dbg": Qos("boost_qos_dbg", Limits(max_minutes=30, user=(("gres/gpu", 8),))),
}
LEONARDO = ClusterView(
    "leonardo",
    taken_epoch=1.0,
    partitions={"boost_usr_prod": BOOST, "lrd_all_serial": SERIAL},
    nodes=(BOOST_NODE, SERIAL_NODE),
    qos=QOS,
    associations=associations(),
)
IT4LIA = ClusterView(
    "it4lia",
    taken_epoch=1.0,
    partitions={"gb200_usr_prod": Partition("gb200_usr_prod", up=True, max_minutes=1440)},
    nodes=(Node("g1", "127.0.0.1", frozenset({"gb200_usr_prod"}), True, 144, 0, 900000, 0, {"gb200": 4}),),
    qos=QOS,
    associations=associations(),
)
VIEWS = {"leonardo": LEONARDO, "it4lia": IT4LIA}


def boost(**changes: object) -> dict[str, ClusterView]:
    """Views with the GPU partition of leonardo changed, and it4lia silent from the start."""
    partition = replace(BOOST, **changes)  # type: ignore[arg-type]  # the rows name fields of the class
    return leonardo(partitions={"boost_usr_prod": partition, "lrd_all_serial": SERIAL})


def boost_node(**changes: object) -> dict[str, ClusterView]:
    """Views with the only GPU node of leonardo changed, and it4lia silent from the start."""
    return leonardo(nodes=(replace(BOOST_NODE, **changes), SERIAL_NODE))  # type: ignore[arg-type]


def leonardo(**changes: object) -> dict[str, ClusterView]:
    """Views with leonardo changed, and it4lia silent from the start."""
    return {"leonardo": replace(LEONARDO, **changes), "it4lia": ClusterView("it4lia")}  # type: ignore[arg-type]
