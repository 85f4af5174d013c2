"""A profile on the start page: what can be picked can be started, and what cannot says why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest

from hpchub.catalogue.budget import Budget
from hpchub.catalogue.choice import accept
from hpchub.catalogue.event import Event
from hpchub.catalogue.model import Catalogue
from hpchub.catalogue.offers import Person, offers
from hpchub.errors import ChoiceRefused
from hpchub.pages.start.panel import LEVELS, Panel
from hpchub.slurm.model import ClusterView, Reservation
from tests.support.start import look, scene
from tests.unit.data.world import (
    ADA,
    BOOST_NODE,
    LEONARDO,
    SERIAL_NODE,
    VIEWS,
    boost,
    demo_catalogue,
    leonardo,
    with_profile,
)

DEMO = demo_catalogue()
HOSTILE = '"><script>alert(1)</script>'
NOW = 1_000_000.0
PYTORCH = {"profile": "general/pytorch"}
REMOTE = {"profile": "agrifood/remote-sensing"}
UNEVEN = with_profile(
    "general/pytorch",
    sizes={
        "small": {"gpus": 1, "cores": 8, "memory_mb": 120000, "default_minutes": 120, "max_minutes": 720},
        "short": {"gpus": 2, "cores": 8, "memory_mb": 120000, "default_minutes": 10, "max_minutes": 45},
    },
)
WORLDS = [
    pytest.param(ADA, DEMO, VIEWS, id="ada"),
    pytest.param(Person("bruno"), DEMO, VIEWS, id="bruno"),
    pytest.param(Person("carla"), DEMO, VIEWS, id="carla"),
    pytest.param(ADA, UNEVEN, VIEWS, id="sizes with different times"),
    pytest.param(
        ADA, DEMO, {**VIEWS, "leonardo": boost(max_minutes=100)["leonardo"]}, id="clusters with different times"
    ),
    pytest.param(
        ADA,
        DEMO,
        {**VIEWS, "leonardo": boost(deny_accounts=frozenset({"aifac_agri01"}))["leonardo"]},
        id="one allocation less",
    ),
]
each_world = pytest.mark.parametrize(("person", "catalogue", "views"), WORLDS)


def panel(
    wanted: Mapping[str, object],
    person: Person = ADA,
    catalogue: Catalogue = DEMO,
    views: Mapping[str, ClusterView] = VIEWS,
    language: str = "en",
) -> Panel:
    found = look(scene(person, catalogue, views, language), wanted).panel
    assert found is not None
    return found


def reached(
    slug: str, person: Person, catalogue: Catalogue, views: Mapping[str, ClusterView]
) -> Iterator[tuple[dict[str, str], Panel]]:
    """Every panel that is reached by picking what is possible, level by level, with what was picked."""
    states: list[dict[str, str]] = [{"profile": slug}]
    for name, options in (("allocation", "allocations"), ("cluster", "clusters"), ("size", "sizes"), ("qos", "qos")):
        states = [
            {**state, name: option.value} if option.value else state
            for state in states
            for option in getattr(panel(state, person, catalogue, views), options)
            if not option.obstacle
        ]
    for state in states:
        yield state, panel(state, person, catalogue, views)


@each_world
def test_everything_that_can_be_picked_is_accepted_as_it_was_picked(
    person: Person, catalogue: Catalogue, views: Mapping[str, ClusterView]
) -> None:
    for slug in dict.fromkeys(group.profile.slug for group in offers(catalogue, person, views).groups):
        for state, shown in reached(slug, person, catalogue, views):
            assert (shown.notice, shown.obstacle) == ("", "")
            assert shown.choice is not None and {name: shown.choice[name] for name in state} == state
            for time in shown.times:
                asked = {**shown.choice, "minutes": int(time.value)}
                accepted = accept(asked, catalogue, person, views).as_user_options()
                assert {name: accepted[name] for name in asked} == asked


@each_world
def test_every_offer_can_be_picked_up_to_its_longest_time(
    person: Person, catalogue: Catalogue, views: Mapping[str, ClusterView]
) -> None:
    fields = ("profile", "allocation", "cluster", "size", "qos")
    for offer in offers(catalogue, person, views):
        wanted = {name: getattr(offer, name) for name in fields}
        shown = panel(wanted, person, catalogue, views)
        assert shown.notice == ""
        assert shown.choice is not None and {name: shown.choice[name] for name in fields} == wanted
        assert int(shown.times[-1].value) == offer.max_minutes


def test_without_anything_picked_it_is_what_a_start_would_give() -> None:
    shown = panel(PYTORCH, Person("bruno"))
    default = accept(PYTORCH, DEMO, Person("bruno"), VIEWS).as_user_options()
    assert shown.choice == {name: default[name] for name in ("profile", "allocation", "cluster", "size", "minutes")}


def test_what_cannot_be_picked_says_what_a_start_would_be_refused_with() -> None:
    views = boost(deny_accounts=frozenset({"aifac_agri01"}))
    shown = panel(PYTORCH, views=views)
    (refused,) = (option for option in shown.allocations if option.obstacle)
    with pytest.raises(ChoiceRefused) as refusal:
        accept({**PYTORCH, "allocation": "aifac_agri01"}, DEMO, ADA, views)
    assert (refused.value, refused.obstacle) == ("aifac_agri01", str(refusal.value))
    assert [option.value for option in shown.allocations if option.selected] == ["aifac_clima01"]


def test_a_size_that_no_node_holds_is_shown_with_the_reason() -> None:
    views = leonardo(nodes=(replace(BOOST_NODE, gpus={"a100": 2}), SERIAL_NODE))
    sizes = {option.value: option.obstacle for option in panel(PYTORCH, views=views).sizes}
    assert sizes["small"] == sizes["medium"] == ""
    assert "No node of boost_usr_prod on leonardo is large enough" in sizes["large"]


def test_accounts_that_the_profile_is_not_for_are_no_choice() -> None:
    assert [option.value for option in panel(REMOTE).allocations] == ["aifac_agri01"]


# A link brings a part of a choice


def test_a_link_picks_what_it_names() -> None:
    wanted = {**REMOTE, "size": "large", "minutes": "60", "cluster": "it4lia", "allocation": "AIFAC_Agri01"}
    shown = panel(wanted)
    assert shown.notice == ""
    assert shown.choice == {**wanted, "minutes": 60, "allocation": "aifac_agri01"}


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"allocation": "aifac_cyber01"}, "Allocation 'aifac_cyber01' is not one of yours"),
        ({"cluster": "moon"}, "Cluster 'moon' is not known. Possible: leonardo, it4lia."),
        ({"size": "huge"}, "Size 'huge' is not one of agrifood/remote-sensing."),
        ({"qos": "gold"}, "QOS 'gold' is not one of"),
        ({"minutes": "99999"}, "99999 minutes are too many"),
        ({"minutes": "two hours"}, "The field minutes must be a whole number of at least 1; found 'two hours'."),
        ({"minutes": "0"}, "The field minutes must be a whole number of at least 1; found 0."),
        ({"event": "gone"}, "Event 'gone' is not one of yours that are open now."),
        ({"cluster": HOSTILE, "size": HOSTILE, "allocation": HOSTILE, "minutes": HOSTILE}, "is not one of yours"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_is_impossible_in_a_link_is_said_and_the_nearest_is_picked(wanted: dict[str, str], words: str) -> None:
    shown = panel({**REMOTE, **wanted})
    assert words in shown.notice
    assert shown.choice is not None
    accept(shown.choice, DEMO, ADA, VIEWS)


def test_too_long_a_time_becomes_the_longest() -> None:
    shown = panel({**REMOTE, "minutes": "99999"})
    assert shown.choice is not None and shown.choice["minutes"] == int(shown.times[-1].value)


def test_the_rest_of_a_link_decides_what_it_leaves_open() -> None:
    """Both allocations may pay; only one of them where the link wants to run."""
    views = {**VIEWS, "leonardo": boost(deny_accounts=frozenset({"aifac_agri01"}))["leonardo"]}
    shown = panel({**PYTORCH, "cluster": "leonardo"}, views=views)
    assert shown.choice is not None
    assert (shown.choice["allocation"], shown.choice["cluster"], shown.notice) == ("aifac_clima01", "leonardo", "")


def test_a_profile_that_cannot_be_started_says_why_and_has_no_form() -> None:
    shown = panel(REMOTE, views=boost(up=False))
    assert "Partition boost_usr_prod of leonardo is down." in shown.obstacle
    assert (shown.choice, shown.summary, shown.sizes) == (None, None, ())


def test_an_event_decides_and_says_so() -> None:
    event = Event(
        slug="school",
        title="GPU school",
        opens_epoch=0,
        closes_epoch=int(NOW) + 90 * 60,
        members=("ada",),
        cluster="it4lia",
        allocation="aifac_clima01",
        profiles=("general/*",),
    )
    shown = panel({**PYTORCH, "event": "school"}, replace(ADA, events=(event,), asks_epoch=NOW))
    assert shown.choice is not None and shown.event == "GPU school"
    assert (shown.choice["event"], shown.choice["cluster"], shown.choice["allocation"]) == (
        "school",
        "it4lia",
        "aifac_clima01",
    )
    assert int(shown.times[-1].value) == 90
    assert {option.value for option in shown.clusters if not option.obstacle} == {"it4lia"}


# Money and time

RICH = Budget("aifac_agri01", 40_000, 0, NOW)


def paid(*budgets: Budget) -> Person:
    return replace(ADA, asks_epoch=NOW, budgets={"leonardo": {each.account: each for each in budgets}})


def test_it_says_what_it_costs_and_which_part_of_what_is_left_that_is() -> None:
    summary = panel({**REMOTE, "cluster": "leonardo", "minutes": "120"}, paid(RICH)).summary
    assert summary is not None
    assert (summary.cost, summary.share) == ("2 h × 1 GPU = 16 core-hours", "less than 0.1 % of what is left")
    longer = panel({**REMOTE, "cluster": "leonardo", "minutes": "720"}, paid(RICH)).summary
    assert longer is not None and longer.share == "0.2 % of what is left"


def test_it_warns_where_the_money_ends_before_the_time() -> None:
    shown = panel({**REMOTE, "cluster": "leonardo", "minutes": "720"}, paid(replace(RICH, total_core_hours=40)))
    assert shown.summary is not None
    assert shown.summary.share == "more than what is left, which is enough for 5 h"
    assert [option.warning for option in shown.allocations] == ["enough for 5 h of size small"]


def test_what_is_free_of_charge_is_said_to_be() -> None:
    shown = panel({"profile": "general/data-preparation"}, paid(RICH))
    assert shown.summary is not None
    assert (shown.summary.cost, shown.summary.share) == ("Free of charge", "")


def test_a_spent_budget_is_shown_and_cannot_be_picked() -> None:
    spent = Budget("aifac_agri01", 100, 100, NOW)
    shown = panel({**PYTORCH, "cluster": "leonardo"}, paid(spent), views=leonardo())
    options = {option.value: option.obstacle for option in shown.allocations}
    assert "The budget of aifac_agri01 on leonardo is used up" in options["aifac_agri01"]
    assert options["aifac_clima01"] == ""


def test_the_longest_time_before_a_maintenance_is_a_step_of_its_own() -> None:
    begins = int(NOW) + 5 * 3600 + 7 * 60
    nodes = frozenset({BOOST_NODE.name, SERIAL_NODE.name})
    maintenance = Reservation("m", begins, begins + 3600, nodes, cores=36, flags=frozenset({"MAINT"}))
    views = {**VIEWS, "leonardo": replace(LEONARDO, reservations=(maintenance,))}
    shown = panel({**REMOTE, "cluster": "leonardo"}, replace(ADA, asks_epoch=NOW), views=views)
    assert [(time.value, time.detail) for time in shown.times if time.detail] == [
        ("305", "the longest that ends before the maintenance")
    ]
    assert shown.summary is not None and "Maintenance of partition boost_usr_prod" in shown.summary.notes[0]


def test_a_silent_cluster_is_shown_and_starts_nothing() -> None:
    shown = panel(REMOTE, views={"leonardo": replace(LEONARDO, silent_since_epoch=NOW)})
    assert shown.summary is not None
    assert "Slurm on leonardo has not answered since" in shown.summary.obstacle
    assert (shown.summary.starts, shown.summary.as_of_epoch) == ("", 1.0)


def test_it_speaks_the_readers_language() -> None:
    shown = panel({**REMOTE, "cluster": "leonardo"}, paid(RICH), language="it")
    assert shown.title == "Telerilevamento"
    assert shown.summary is not None and shown.summary.cost == "2 h × 1 GPU = 16 core-ore"
    assert shown.allocations[0].detail == "restano 40.000 core-ore su 40.000"


def test_the_levels_are_those_of_a_choice() -> None:
    assert {"profile", "minutes", "event", *LEVELS} == set(accept(PYTORCH, DEMO, ADA, VIEWS).as_user_options())
