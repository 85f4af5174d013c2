"""Who may start what: one row a rule, each asks for the longest time of the matching offers, or that there is none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest

from hpchub.catalogue.model import Catalogue
from hpchub.catalogue.offers import Person, offers
from hpchub.slurm.model import Association, ClusterView, Limits, Node, Partition, Qos
from tests.unit.data.world import (
    ADA,
    BOOST_NODE,
    LEONARDO,
    VIEWS,
    associations,
    boost,
    boost_node,
    demo_catalogue,
    leonardo,
    with_cluster,
    with_profile,
)

AGRI = "agrifood/remote-sensing"
DATA = "general/data-preparation"
NO_TARGET = with_cluster("leonardo", software_target="x86_64-none")
ANNOUNCED = with_cluster("leonardo", state="announced")
DEMO = demo_catalogue()


def row(
    name: str,
    longest: int | None,
    views: Mapping[str, ClusterView] = VIEWS,
    catalogue: Catalogue = DEMO,
    person: Person = ADA,
    profile: str = AGRI,
    cluster: str = "leonardo",
    qos: str = "normal",
    allocation: str = "aifac_agri01",
    size: str = "small",
) -> object:
    asked = {"profile": profile, "cluster": cluster, "qos": qos, "allocation": allocation, "size": size}
    return pytest.param(longest, catalogue, person, views, asked, id=name)


def own_access(**access: object) -> Catalogue:
    return with_profile(AGRI, access=access)


ROWS = [
    row("own allocation of the sector", 720),
    row("second cluster", 720, cluster="it4lia"),
    row("qos of the second cluster that the profile does not name", None, cluster="it4lia", qos="boost_qos_dbg"),
    row("own allocation of another sector", None, allocation="aifac_clima01"),
    row("somebody else's allocation", None, allocation="aifac_cyber01"),
    row("person without any allocation", None, person=Person("admin")),
    row("person of another sector", None, person=Person("bruno"), allocation="aifac_cyber01"),
    row("general is for every allocation", 720, profile="general/pytorch", allocation="aifac_clima01"),
    row("qos cuts the time", 30, qos="boost_qos_dbg"),
    row("partition cuts the time", 60, boost(max_minutes=60)),
    row("partition without a limit", 720, boost(max_minutes=None)),
    row(
        "qos that the account lacks",
        None,
        leonardo(associations=associations(frozenset({"normal"}))),
        qos="boost_qos_dbg",
    ),
    row("account without qos", None, leonardo(associations=associations(frozenset()))),
    row("partition refuses the qos", None, boost(deny_qos=frozenset({"normal"}))),
    row("partition admits other qos only", None, boost(allow_qos=frozenset({"boost_qos_dbg"}))),
    row("partition admits the qos", 720, boost(allow_qos=frozenset({"normal"}))),
    row("partition admits other accounts only", None, boost(allow_accounts=frozenset({"eufus"}))),
    row("partition admits the account, in mixed case", 720, boost(allow_accounts=frozenset({"AIFAC_Agri01"}))),
    row("partition denies the account, in mixed case", None, boost(deny_accounts=frozenset({"AIFAC_Agri01"}))),
    row("partition is down", None, boost(up=False)),
    row("partition is gone", None, leonardo(partitions={})),
    row("cluster never answered", None, {"leonardo": replace(LEONARDO, taken_epoch=None)}),
    row("cluster has no view", None, {}),
    row("cluster answered once and is silent now", 720, leonardo(silent_since_epoch=2.0)),
    row("cluster is only announced", None, catalogue=ANNOUNCED),
    row("environment has no build for the cluster", None, catalogue=NO_TARGET),
    row("node is full", 720, boost_node(cores_used=32, memory_used_mb=494000, gpus_used={"a100": 4})),
    row("node is down", 720, boost_node(usable=False)),
    row("node has another kind of gpu", None, boost_node(gpus={"v100": 4})),
    row("node has too few gpus", None, boost_node(gpus={"a100": 1}), size="medium"),
    row("node has too few cores", None, boost_node(cores=4)),
    row("node has too little memory", None, boost_node(memory_mb=64000)),
    row("two nodes do not add up", None, leonardo(nodes=(replace(BOOST_NODE, gpus={"a100": 2}),) * 2), size="large"),
    row("no node in the partition", None, leonardo(nodes=())),
    row(
        "qos allows fewer gpus in a job",
        None,
        leonardo(qos={"normal": Qos("normal", Limits(job=(("gres/gpu", 2),)))}),
        size="large",
    ),
    row(
        "qos allows fewer gpus to a user",
        None,
        leonardo(qos={"normal": Qos("normal", Limits(user=(("gres/gpu", 2),)))}),
        size="large",
    ),
    row("qos with unknown limits", 720, leonardo(qos={})),
    row("no gpu is needed without gpus", 240, profile=DATA),
    row("gpu-free profile stays off the gpu cluster", None, profile=DATA, cluster="it4lia"),
    row(
        "profile names its own allocations",
        720,
        catalogue=own_access(allocations=["*_CLIMA*"]),
        allocation="aifac_clima01",
    ),
    row("own allocations replace the sector's", None, catalogue=own_access(allocations=["aifac_clima01"])),
    row(
        "group that the person is in",
        720,
        catalogue=own_access(groups=["course"]),
        person=Person("ada", frozenset({"course"})),
    ),
    row("group that the person is not in", None, catalogue=own_access(groups=["course"])),
    row(
        "group does not replace the allocation",
        None,
        catalogue=own_access(groups=["g"]),
        person=Person("carla", frozenset({"g"})),
        allocation="tra26_hack",
    ),
    row(
        "account in mixed case is offered in lower case",
        720,
        leonardo(associations={"ada": (Association("ada", "AIFAC_Agri01", frozenset({"normal"})),)}),
    ),
]


@pytest.mark.parametrize(("longest", "catalogue", "person", "views", "asked"), ROWS)
def test_offer(
    longest: int | None,
    catalogue: Catalogue,
    person: Person,
    views: Mapping[str, ClusterView],
    asked: Mapping[str, str],
) -> None:
    found = [
        offer
        for offer in offers(catalogue, person, views)
        if all(getattr(offer, field) == value for field, value in asked.items())
    ]
    assert [offer.max_minutes for offer in found] == ([] if longest is None else [longest])


def test_order_is_the_order_of_preference() -> None:
    found = [offer for offer in offers(DEMO, ADA, VIEWS) if offer.profile == AGRI and offer.size == "small"]
    assert [(offer.cluster, offer.qos) for offer in found] == [
        ("leonardo", "normal"),
        ("leonardo", "boost_qos_dbg"),
        ("it4lia", "normal"),
    ]


def test_default_time_is_never_more_than_the_longest() -> None:
    assert all(1 <= offer.default_minutes <= offer.max_minutes for offer in offers(DEMO, ADA, VIEWS))


def test_an_offer_without_gpus_names_no_gpu_type() -> None:
    assert {offer.gpu_type for offer in offers(DEMO, ADA, VIEWS) if offer.gpus == 0} == {None}


def test_an_account_that_is_associated_twice_is_offered_as_the_partition_has_it() -> None:
    twice = (
        Association("ada", "aifac_agri01", frozenset({"normal"})),
        Association("ada", "aifac_agri01", frozenset({"boost_qos_dbg"}), partition="boost_usr_prod"),
    )
    found = [
        o for o in offers(DEMO, ADA, leonardo(associations={"ada": twice})) if o.profile == AGRI and o.size == "small"
    ]
    assert [(offer.allocation, offer.qos) for offer in found] == [("aifac_agri01", "boost_qos_dbg")]


def test_a_new_snapshot_is_looked_at_again() -> None:
    assert any(offer.gpus for offer in offers(DEMO, ADA, leonardo()))
    assert not any(offer.gpus for offer in offers(DEMO, ADA, boost_node(gpus={})))


class Counted(tuple[Node, ...]):
    """Nodes that count how often somebody goes through them."""

    looked_at = 0

    def __iter__(self) -> Iterator[Node]:
        Counted.looked_at += 1
        return super().__iter__()


def test_nodes_are_looked_at_once_a_snapshot_and_not_for_each_offer() -> None:
    views = leonardo(nodes=Counted((BOOST_NODE,)))
    for person in ("ada", "bruno", "ada"):
        assert any(offer.gpus for offer in offers(DEMO, Person(person), views))
    assert Counted.looked_at == 1


def test_unknown_partition_members_make_no_capacity() -> None:
    stray = Node("x", "127.0.0.1", frozenset({"other"}), True, 999, 0, 10**7, 0, {"a100": 8})
    views = leonardo(nodes=(stray,), partitions={"boost_usr_prod": Partition("boost_usr_prod", True, None)})
    assert not offers(DEMO, ADA, views)
