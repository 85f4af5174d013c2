"""Why somebody sees a profile: told rule by rule, and never otherwise than the offers are made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpchub.catalogue.budget import Budget
from hpchub.catalogue.event import Event
from hpchub.catalogue.explain import Explanation, Finding, explain
from hpchub.catalogue.limits import Held
from hpchub.catalogue.model import Catalogue
from hpchub.catalogue.offers import Person, profile_offers
from hpchub.slurm.model import Association, ClusterView, Limits, Qos
from tests.unit.data.world import (
    ADA,
    BOOST,
    LEONARDO,
    VIEWS,
    associations,
    boost,
    demo_catalogue,
    leonardo,
    with_cluster,
    with_profile,
)

SLUG = "agrifood/remote-sensing"
Views = Mapping[str, ClusterView]


def told(catalogue: Catalogue, person: Person, views: Views, slug: str = SLUG) -> Explanation:
    return explain(catalogue, person, catalogue.profiles[slug], views)


def failing(explanation: Explanation) -> list[Finding]:
    """The rules that do not hold, of leonardo alone where it is about a place."""
    found = list(explanation.findings)
    for place in explanation.places:
        if place.cluster == "leonardo":
            found += place.findings
            for payer in place.payers:
                found += [*payer.findings, *payer.sizes]
    return [finding for finding in found if not finding.holds]


def test_who_sees_a_profile_is_told_by_every_rule() -> None:
    explanation = told(demo_catalogue(), ADA, VIEWS)
    assert explanation.offered
    assert [finding.rule for finding in explanation.findings] == ["groups", "dates", "events"]
    place = explanation.places[0]
    assert (place.cluster, place.partition, place.offered) == ("leonardo", "boost_usr_prod", True)
    assert [finding.rule for finding in place.findings] == ["cluster", "environment", "Slurm", "partition"]
    agri, climate = place.payers
    assert (agri.account, agri.offered, climate.account, climate.offered) == (
        "aifac_agri01",
        True,
        "aifac_clima01",
        False,
    )
    assert climate.findings == (Finding("account", False, "the sector agrifood is for aifac_agri*"),)


TWO_GPUS = {name: Qos(name, Limits(job=(("gres/gpu", 2),))) for name in ("normal", "boost_qos_dbg")}
ROWS = [
    ("groups", with_profile(SLUG, access={"groups": ["trainers"]}), ADA, VIEWS, "for trainers; ada is in: none"),
    ("dates", with_profile(SLUG, access={"until": date(2020, 1, 1)}), ADA, VIEWS, "until 2020-01-01"),
    ("events", with_profile(SLUG, access={"events": ["hack*"]}), ADA, VIEWS, "is for the events hack*; yours that are"),
    ("cluster", with_cluster("leonardo", state="announced"), ADA, VIEWS, "leonardo is announced and not open yet"),
    ("environment", with_cluster("leonardo", software_target="x86_64-cuda9"), ADA, VIEWS, "has no build for leonardo"),
    ("Slurm", demo_catalogue(), ADA, {"it4lia": VIEWS["it4lia"]}, "Slurm on leonardo has not answered yet"),
    ("partition", demo_catalogue(), ADA, boost(up=False), "boost_usr_prod of leonardo is down"),
    ("partition", demo_catalogue(), ADA, leonardo(partitions={}), "has no partition boost_usr_prod now"),
    ("allocations", demo_catalogue(), Person("eva"), VIEWS, "eva has no allocation on leonardo"),
    ("account", demo_catalogue(), Person("bruno"), VIEWS, "the sector agrifood is for aifac_agri*"),
    (
        "association",
        demo_catalogue(),
        Person("dora"),
        leonardo(
            associations={
                "dora": (Association("dora", "aifac_agri02", frozenset({"normal"}), partition="lrd_all_serial"),)
            }
        ),
        "for partition boost_usr_prod",
    ),
    (
        "partition's accounts",
        demo_catalogue(),
        ADA,
        boost(allow_accounts=frozenset({"cin_staff"})),
        "boost_usr_prod admits cin_staff",
    ),
    (
        "budget",
        demo_catalogue(),
        replace(ADA, budgets={"leonardo": {"aifac_agri01": Budget("aifac_agri01", 100, 100, 1.0)}}),
        VIEWS,
        "aifac_agri01",
    ),
    ("size large", demo_catalogue(), ADA, leonardo(qos=TWO_GPUS), "2"),
    (
        "size small",
        demo_catalogue(),
        ADA,
        leonardo(associations=associations(frozenset({"other"}))),
        "which has: other",
    ),
]


@pytest.mark.parametrize(("rule", "catalogue", "person", "views", "words"), ROWS, ids=[row[0] for row in ROWS])
def test_the_rule_that_does_not_hold_is_named_with_what_was_found(
    rule: str, catalogue: Catalogue, person: Person, views: Views, words: str
) -> None:
    found = {finding.rule: finding.found for finding in failing(told(catalogue, person, views))}
    assert words in found[rule]


def test_what_holds_is_told_with_what_was_found() -> None:
    (normal,) = (
        size for size in told(demo_catalogue(), ADA, VIEWS).places[0].payers[0].sizes if size.rule == "size small"
    )
    assert normal.found == "normal up to 720 minutes; boost_qos_dbg up to 30 minutes"


# Random worlds: ada may start the profile in the usual one, and up to four things are otherwise.
GPUS = "gres/gpu"
ACCOUNTS = st.sampled_from(["aifac_agri01", "AIFAC_AGRI02", "aifac_clima01", "tra26_hack"])
SOME_ACCOUNTS = st.frozensets(st.sampled_from(["aifac_agri01", "aifac_agri02", "tra26_hack"]), max_size=2)
QOS = st.frozensets(st.sampled_from(["normal", "boost_qos_dbg", "other"]), max_size=3)
LIMITS = st.builds(
    Limits,
    max_minutes=st.sampled_from([None, 10]),
    job=st.sampled_from([(), ((GPUS, 0),), (("cpu", 16),)]),
    user=st.sampled_from([(), ((GPUS, 2),)]),
    submitted=st.sampled_from([None, 0, 1]),
    group_submitted=st.sampled_from([None, 1]),
)
ASSOCIATION = st.builds(
    Association,
    user=st.just("ada"),
    account=ACCOUNTS,
    qos=QOS,
    partition=st.sampled_from([None, "boost_usr_prod", "BOOST_USR_PROD", "lrd_all_serial"]),
    limits=LIMITS | st.just(Limits()),
)
EVENT = Event(
    slug="hack26",
    title="Hackathon",
    opens_epoch=1_000_000,
    closes_epoch=2_000_000,
    members=("ada",),
    cluster="leonardo",
    allocation="tra26_hack",
    profiles=("agrifood/*",),
)
SPENT = Budget("aifac_agri01", 100, 100, 1.0)
HELD = Held("one", "leonardo", "boost_usr_prod", "aifac_agri01", "normal")
OTHERWISE: dict[str, st.SearchStrategy[Any]] = {
    "partition.up": st.just(False),
    "partition.max_minutes": st.sampled_from([None, 5]),
    "partition.allow_accounts": SOME_ACCOUNTS,
    "partition.deny_accounts": SOME_ACCOUNTS,
    "partition.allow_qos": QOS,
    "partition.deny_qos": QOS,
    "partition.qos": st.just("other"),
    "partition.max_cores_per_node": st.just(8),
    "partition.min_nodes": st.just(2),
    "partition.reservation_only": st.just(True),
    "partition.root_only": st.just(True),
    "partition.name": st.just("another"),
    "node.cores": st.just(4),
    "node.memory_mb": st.just(1000),
    "node.gpus": st.sampled_from([{}, {"h100": 4}, {"a100": 1}]),
    "view.taken_epoch": st.none(),
    "view.qos": st.dictionaries(st.sampled_from(["normal", "other"]), LIMITS.map(lambda each: Qos("x", each))),
    "view.associations": st.lists(ASSOCIATION, max_size=3).map(lambda each: {"ada": tuple(each)}),
    "person.name": st.just("bruno"),
    "person.groups": st.just(frozenset({"trainers"})),
    "person.budgets": st.just({"leonardo": {"aifac_agri01": SPENT}}),
    "person.events": st.just((EVENT,)),
    "person.held": st.sampled_from([(HELD,), (HELD, HELD)]),
    "person.asks_epoch": st.just(2_500_000.0),
    "access.allocations": st.sampled_from([["*"], ["aifac_agri0?"], ["TRA26*"], []]),
    "access.groups": st.just(["trainers"]),
    "access.events": st.just(["hack*"]),
    "access.until": st.sampled_from([date(1970, 1, 10), date(1970, 1, 20), date(2030, 1, 1)]),
    "cluster.state": st.just("announced"),
    "cluster.software_target": st.just("x86_64-cuda9"),
    "cluster.free_partitions": st.just(["boost_usr_prod"]),
}
CHANGES = st.lists(
    st.one_of([st.tuples(st.just(name), values) for name, values in OTHERWISE.items()]),
    max_size=4,
    unique_by=lambda change: change[0],
)
World = tuple[Catalogue, Person, Views]


def world(changes: list[tuple[str, Any]]) -> World:
    """The usual world with these changes."""
    of = {name: dict[str, Any]() for name in ("partition", "node", "view", "person", "access", "cluster")}
    for change, value in changes:
        name, _, field = change.partition(".")
        of[name][field] = value
    catalogue = with_cluster("leonardo", **of["cluster"])
    catalogue = replace(catalogue, profiles={SLUG: with_profile(SLUG, access=of["access"]).profiles[SLUG]})
    partition = replace(BOOST, **of["partition"])
    node = replace(LEONARDO.nodes[0], **of["node"])
    view = replace(LEONARDO, partitions={partition.name: partition}, nodes=(node,), **of["view"])
    return catalogue, Person(**{"name": "ada", "asks_epoch": 1_500_000.0, **of["person"]}), {"leonardo": view}


WORLDS = CHANGES.map(world)


def test_the_usual_world_has_an_offer() -> None:
    catalogue, person, views = world([])
    assert told(catalogue, person, views).offered


@settings(max_examples=500)
@given(world=WORLDS)
def test_it_is_told_as_offered_if_and_only_if_there_is_an_offer(world: World) -> None:
    catalogue, person, views = world
    profile = catalogue.profiles[SLUG]
    offers = profile_offers(catalogue, person, profile, views)
    explanation = told(catalogue, person, views)
    assert explanation.offered == bool(offers)
    if all(finding.holds for finding in explanation.findings):
        offered = {
            (place.cluster, payer.account, size.rule.removeprefix("size "))
            for place in explanation.places
            for payer in place.payers
            for size in payer.sizes
            if place.offered and payer.offered and size.holds
        }
        assert offered == {(offer.cluster, offer.allocation, offer.size) for offer in offers}


def test_every_rule_decides_in_some_of_these_worlds() -> None:
    decided: set[str] = set()

    @settings(max_examples=400, database=None, derandomize=True)
    @given(world=WORLDS)
    def look(world: World) -> None:
        explanation = told(*world)
        decided.update(finding.rule for finding in failing(explanation))
        decided.update(["offered"] if explanation.offered else [])

    look()
    assert decided >= {rule for rule, *_ in ROWS} | {"offered"}
