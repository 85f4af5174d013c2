"""``user_options``: what is accepted and how it is completed, what is refused and with which words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpchub.catalogue.choice import accept, default_offer
from hpchub.catalogue.model import Catalogue
from hpchub.catalogue.offers import Person, offers
from hpchub.errors import ChoiceRefused
from hpchub.slurm.model import ClusterView, Limits, Qos
from tests.unit.data.world import (
    ADA,
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
PYTORCH = "general/pytorch"
DEMO = demo_catalogue()
FULL: dict[str, object] = {
    "profile": AGRI,
    "cluster": "leonardo",
    "allocation": "aifac_agri01",
    "size": "small",
    "minutes": 120,
    "qos": "normal",
    "event": None,
}
ACCEPTED = [
    ("everything named", {}, {}),
    ("only the profile", {key: ... for key in FULL if key != "profile"}, {}),
    ("qos null", {"qos": None}, {}),
    ("account in mixed case", {"allocation": "AIFAC_Agri01"}, {}),
    ("longest time", {"minutes": 720}, {"minutes": 720}),
    ("one minute", {"minutes": 1}, {"minutes": 1}),
    ("debug qos", {"qos": "boost_qos_dbg", "minutes": 30}, {"qos": "boost_qos_dbg", "minutes": 30}),
    (
        "default time is cut by the qos",
        {"qos": "boost_qos_dbg", "minutes": ...},
        {"qos": "boost_qos_dbg", "minutes": 30},
    ),
    ("default time of the size", {"size": "large", "minutes": ...}, {"size": "large", "minutes": 60}),
    ("other cluster", {"cluster": "it4lia", "qos": ...}, {"cluster": "it4lia"}),
    ("first allocation of several", {"profile": PYTORCH, "allocation": ...}, {"profile": PYTORCH}),
]


def changed(changes: Mapping[str, object]) -> dict[str, object]:
    """The full choice with some fields changed; ``...`` leaves a field out."""
    return {key: value for key, value in {**FULL, **changes}.items() if value is not ...}


@pytest.mark.parametrize(("asked", "given"), [pytest.param(a, g, id=name) for name, a, g in ACCEPTED])
def test_accepted_and_completed(asked: Mapping[str, object], given: Mapping[str, object]) -> None:
    accepted = accept(changed(asked), DEMO, ADA, VIEWS)
    assert accepted.as_user_options() == {**FULL, **given}


MALFORMED = [
    ("list", [FULL], "is a JSON object", "found a list"),
    ("text", '{"profile": "x"}', "is a JSON object", "found '{"),
    ("null", None, "is a JSON object", "found null"),
    ("number", 7, "is a JSON object", "found 7"),
    (
        "unknown key",
        changed({"partition": "boost_usr_prod"}),
        "'partition' is not a field",
        "Possible: profile, cluster",
    ),
    ("hostile key", changed({"x\n#SBATCH --uid=0": 1}), r"'x\n#SBATCH --uid=0' is not a field", "Possible: "),
    ("key that is no text", {1: 2}, "1 is not a field", "Possible: "),
    ("profile is a number", changed({"profile": 5}), "field profile must be text", "found 5"),
    ("profile is null", changed({"profile": None}), "field profile must be text", "found null"),
    ("cluster is null", changed({"cluster": None}), "field cluster must be text", "found null"),
    ("allocation is null", changed({"allocation": None}), "field allocation must be text", "found null"),
    ("size is null", changed({"size": None}), "field size must be text", "found null"),
    ("minutes is null", changed({"minutes": None}), "minutes must be a whole number of at least 1", "found null"),
    ("minutes is text", changed({"minutes": "60"}), "minutes must be a whole number", "found '60'"),
    ("minutes is true", changed({"minutes": True}), "minutes must be a whole number", "found true"),
    ("minutes is a float", changed({"minutes": 60.0}), "minutes must be a whole number", "found 60.0"),
    ("minutes is nan", changed({"minutes": float("nan")}), "minutes must be a whole number", "found nan"),
    ("minutes is zero", changed({"minutes": 0}), "at least 1", "found 0"),
    ("minutes is negative", changed({"minutes": -5}), "at least 1", "found -5"),
    ("qos is a list", changed({"qos": ["normal"]}), "qos must be text or null", "found a list"),
    ("event is an object", changed({"event": {"a": 1}}), "event must be text or null", "found an object"),
]


@pytest.mark.parametrize(("raw", "asked", "possible"), [pytest.param(*row[1:], id=row[0]) for row in MALFORMED])
def test_malformed_is_refused(raw: object, asked: str, possible: str) -> None:
    assert_refused(raw, asked, possible)


REFUSED = [
    ("no profile", {"profile": ...}, "must name a profile", "Yours: agrifood/crop-models, agrifood/remote-sensing, "),
    (
        "nothing at all",
        dict.fromkeys(FULL, ...),
        "must name a profile",
        "Yours: agrifood/crop-models, agrifood/remote-sensing, ",
    ),
    ("unknown profile", {"profile": "agrifood/nope"}, "Profile 'agrifood/nope' is not known", f", {AGRI}, "),
    ("profile as a path", {"profile": "../../etc/passwd"}, "'../../etc/passwd' is not known", "Yours: "),
    ("empty profile", {"profile": ""}, "Profile '' is not known", "Yours: "),
    (
        "profile of others",
        {"profile": "cybersecurity/log-analysis"},
        "is for the allocations aifac_cyber*",
        "yours: aifac_agri01, aifac_clima01",
    ),
    ("unknown cluster", {"cluster": "galileo"}, "Cluster 'galileo' is not known", "Possible: leonardo, it4lia"),
    (
        "cluster of others",
        {"profile": "general/data-preparation", "cluster": "it4lia"},
        "'it4lia' is not one for general/data-preparation",
        "Possible: leonardo.",
    ),
    (
        "foreign allocation",
        {"allocation": "aifac_cyber01"},
        f"Allocation 'aifac_cyber01' is not one of yours for {AGRI} on leonardo",
        "Yours: aifac_agri01.",
    ),
    (
        "allocation of another sector",
        {"allocation": "aifac_clima01"},
        "'aifac_clima01' is not one of yours for",
        "Yours: aifac_agri01.",
    ),
    ("empty allocation", {"allocation": ""}, "Allocation '' is not one of yours", "Yours: aifac_agri01."),
    (
        "pattern as allocation",
        {"allocation": "aifac_*"},
        "Allocation 'aifac_*' is not one of yours",
        "Yours: aifac_agri01.",
    ),
    ("option as allocation", {"allocation": "x --uid=0"}, "Allocation 'x --uid=0' is not", "Yours: aifac_agri01."),
    (
        "newline in allocation",
        {"allocation": "aifac_agri01\n#SBATCH -w n1"},
        r"'aifac_agri01\n#SBATCH -w n1'",
        "Yours: ",
    ),
    ("dotted capital i", {"allocation": "a\u0130fac_agri01"}, "is not one of yours", "Yours: "),
    ("right-to-left override", {"allocation": "\u202eabc"}, r"'\u202eabc'", "Yours: "),
    ("lone surrogate", {"allocation": "\ud800"}, r"'\ud800'", "Yours: "),
    ("nul", {"size": "small\0"}, r"Size 'small\x00' is not one of", "Possible: small, medium, large."),
    ("unknown size", {"size": "huge"}, f"Size 'huge' is not one of {AGRI}", "Possible: small, medium, large."),
    (
        "unknown qos",
        {"qos": "root"},
        f"QOS 'root' is not one of {AGRI} on leonardo",
        "Possible: normal, boost_qos_dbg.",
    ),
    ("empty qos", {"qos": ""}, "QOS '' is not one of", "Possible: normal, boost_qos_dbg."),
    (
        "qos of the other cluster",
        {"cluster": "it4lia", "qos": "boost_qos_dbg"},
        "QOS 'boost_qos_dbg' is not one of",
        "Possible: normal.",
    ),
    ("too long", {"minutes": 721}, "721 minutes are too many for size small", "at most 720 with QOS normal"),
    (
        "too long for the qos",
        {"qos": "boost_qos_dbg", "minutes": 31},
        "31 minutes are too many",
        "at most 30 with QOS boost_qos_dbg",
    ),
    ("far too long", {"minutes": 10**5000}, "more than 20 digits minutes are too many", "at most 720"),
    ("event", {"event": "hack"}, "Event 'hack' is not one of yours that are open now", "Yours: none."),
    ("very long text", {"size": "s" * 100_000}, "Size '" + "s" * 80 + "'…", "Possible: small"),
]


@pytest.mark.parametrize(("changes", "asked", "possible"), [pytest.param(*row[1:], id=row[0]) for row in REFUSED])
def test_what_is_no_offer_is_refused(changes: Mapping[str, object], asked: str, possible: str) -> None:
    assert_refused(changed(changes), asked, possible)


NORMAL_ONLY = associations(frozenset({"normal"}))
ANNOUNCED = with_cluster("leonardo", state="announced")
SILENT = {"leonardo": replace(LEONARDO, taken_epoch=None)}
FEW_GPUS = leonardo(qos={"normal": Qos("normal", Limits(job=(("gres/gpu", 1),)))}, associations=NORMAL_ONLY)
REASONS = [
    ("never answered", {}, DEMO, SILENT, "Slurm on leonardo has not answered yet"),
    ("no view", {}, DEMO, {}, "Slurm on leonardo has not answered yet"),
    ("announced", {}, ANNOUNCED, VIEWS, "leonardo is announced and not open yet"),
    (
        "announced, elsewhere too long",
        {"cluster": ..., "minutes": 999},
        ANNOUNCED,
        VIEWS,
        "999 minutes are too many for size small of agrifood/remote-sensing on it4lia",
    ),
    (
        "no build",
        {},
        with_cluster("leonardo", software_target="x86_64-none"),
        VIEWS,
        "agrifood of agrifood/remote-sensing has no build for leonardo",
    ),
    ("partition down", {}, DEMO, boost(up=False), "Partition boost_usr_prod of leonardo is down"),
    ("partition gone", {}, DEMO, leonardo(partitions={}), "has no partition boost_usr_prod"),
    (
        "account not admitted",
        {},
        DEMO,
        boost(allow_accounts=frozenset({"eufus"})),
        "does not admit your allocations: aifac_agri01",
    ),
    (
        "one account not admitted",
        {"profile": PYTORCH},
        DEMO,
        boost(deny_accounts=frozenset({"aifac_agri01"})),
        "does not admit allocation 'aifac_agri01'. Yours: aifac_clima01.",
    ),
    (
        "qos not of the account",
        {"qos": "boost_qos_dbg"},
        DEMO,
        leonardo(associations=NORMAL_ONLY),
        "QOS 'boost_qos_dbg' cannot be used with allocation aifac_agri01 on leonardo: "
        "it is not allowed for this allocation, which has: normal. Possible: normal.",
    ),
    (
        "qos not in the partition",
        {"qos": "boost_qos_dbg"},
        DEMO,
        boost(deny_qos=frozenset({"boost_qos_dbg"})),
        "it is not allowed in partition boost_usr_prod. Possible: normal.",
    ),
    (
        "no qos at all",
        {},
        DEMO,
        leonardo(associations=associations(frozenset())),
        "No QOS of agrifood/remote-sensing on leonardo can be used",
    ),
    (
        "node too small",
        {"size": "medium"},
        DEMO,
        boost_node(gpus={"a100": 1}),
        "No node of boost_usr_prod on leonardo is large enough for size 'medium'. Possible there: small.",
    ),
    ("no node large enough", {}, DEMO, boost_node(gpus={}), "No node of boost_usr_prod on leonardo is large enough"),
    (
        "size beyond the qos",
        {"size": "large"},
        DEMO,
        FEW_GPUS,
        "Size 'large' is more than the QOS of your allocation on leonardo allow: normal allows at most 1 GPU in a job",
    ),
    ("group", {}, with_profile(AGRI, access={"groups": ["course"]}), VIEWS, "is for members of course"),
]


@pytest.mark.parametrize(("changes", "catalogue", "views", "reason"), [pytest.param(*r[1:], id=r[0]) for r in REASONS])
def test_the_reason_is_the_true_one(
    changes: Mapping[str, object], catalogue: Catalogue, views: Mapping[str, ClusterView], reason: str
) -> None:
    assert_refused(changed(changes), reason, catalogue=catalogue, views=views)


def assert_refused(
    raw: object, *parts: object, catalogue: Catalogue = DEMO, views: Mapping[str, ClusterView] = VIEWS
) -> None:
    with pytest.raises(ChoiceRefused) as refusal:
        accept(raw, catalogue, ADA, views)
    sentence = str(refusal.value)
    assert [part for part in parts if str(part) not in sentence] == [], sentence
    assert sentence.isprintable()
    assert len(sentence) < 600


def test_an_open_cluster_is_taken_where_the_first_is_not() -> None:
    accepted = accept({"profile": AGRI}, ANNOUNCED, ADA, VIEWS)
    assert accepted.offer.cluster == "it4lia"


def test_the_time_decides_the_qos() -> None:
    debug_first = with_profile(
        AGRI,
        runs_on=[
            {
                "cluster": "leonardo",
                "partition": "boost_usr_prod",
                "gpu_type": "a100",
                "qos": ["boost_qos_dbg", "normal"],
            }
        ],
    )
    chosen = {minutes: accept({"profile": AGRI, "minutes": minutes}, debug_first, ADA, VIEWS) for minutes in (30, 31)}
    assert {minutes: accepted.offer.qos for minutes, accepted in chosen.items()} == {30: "boost_qos_dbg", 31: "normal"}


def test_accepting_again_changes_nothing() -> None:
    for offer in offers(DEMO, ADA, VIEWS):
        once = accept(
            {"profile": offer.profile, "cluster": offer.cluster, "allocation": offer.allocation, "size": offer.size},
            DEMO,
            ADA,
            VIEWS,
        )
        assert accept(once.as_user_options(), DEMO, ADA, VIEWS) == once


def test_exactly_the_offers_are_accepted() -> None:
    for offer in offers(DEMO, ADA, VIEWS):
        choice = {field: getattr(offer, field) for field in ("profile", "cluster", "allocation", "size", "qos")}
        assert accept({**choice, "minutes": offer.max_minutes}, DEMO, ADA, VIEWS).offer == offer
        with pytest.raises(ChoiceRefused, match="at most"):
            accept({**choice, "minutes": offer.max_minutes + 1}, DEMO, ADA, VIEWS)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(json_values | st.fixed_dictionaries({}, optional={key: json_values for key in FULL}))
def test_whatever_is_sent_gets_a_sentence(raw: object) -> None:
    with pytest.raises(ChoiceRefused) as refusal:
        accept(raw, DEMO, ADA, VIEWS)
    assert str(refusal.value).isprintable()


@given(st.fixed_dictionaries({key: st.just(value) | json_values for key, value in FULL.items()}))
def test_what_is_accepted_is_an_offer(raw: dict[str, object]) -> None:
    try:
        accepted = accept(raw, DEMO, ADA, VIEWS)
    except ChoiceRefused:
        return
    assert accepted.offer in offers(DEMO, ADA, VIEWS)
    assert 1 <= accepted.minutes <= accepted.offer.max_minutes


DEFAULTS = [
    ("ada", AGRI),
    ("bruno", "cybersecurity/log-analysis"),
    ("carla", PYTORCH),
    ("dario", "manufacturing/predictive-maintenance"),
]


@pytest.mark.parametrize(("person", "profile"), DEFAULTS)
def test_the_default_is_the_persons_own_sector(person: str, profile: str) -> None:
    assert default_offer(DEMO, Person(person), VIEWS).offer.profile == profile


def test_the_default_takes_another_size_where_the_usual_one_is_no_offer() -> None:
    too_small = with_profile(AGRI, default_size="large")
    accepted = default_offer(too_small, ADA, boost_node(gpus={"a100": 1}))
    assert (accepted.offer.profile, accepted.offer.size) == (AGRI, "small")


DOWN = {
    name: replace(view, partitions={p: replace(partition, up=False) for p, partition in view.partitions.items()})
    for name, view in VIEWS.items()
}
NOTHING_GENERAL = replace(DEMO, profiles={AGRI: DEMO.profiles[AGRI]})
NO_OFFERS = [
    ("nobody's allocation", DEMO, Person("admin"), VIEWS, "You (admin) have no allocation on leonardo or it4lia"),
    ("not answered yet", DEMO, ADA, SILENT, "Slurm on leonardo, it4lia has not answered yet"),
    ("one has not answered yet", DEMO, Person("admin"), leonardo(), "Slurm on it4lia has not answered yet"),
    ("partitions are down", DEMO, Person("bruno"), DOWN, "Partition boost_usr_prod of leonardo is down"),
    (
        "no profile fits",
        NOTHING_GENERAL,
        Person("carla"),
        VIEWS,
        "No profile of this site is for your allocations (tra26_hack)",
    ),
]


@pytest.mark.parametrize(("catalogue", "person", "views", "reason"), [pytest.param(*r[1:], id=r[0]) for r in NO_OFFERS])
def test_a_person_without_offers_reads_why(
    catalogue: Catalogue, person: Person, views: Mapping[str, ClusterView], reason: str
) -> None:
    with pytest.raises(ChoiceRefused) as refusal:
        default_offer(catalogue, person, views)
    assert reason in str(refusal.value)
