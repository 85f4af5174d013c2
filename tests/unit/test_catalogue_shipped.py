"""The data that we ship: it loads, and it is what the demo promises."""

from __future__ import annotations

from string import Template

import pytest

from hpchub.catalogue.choice import default_offer
from hpchub.catalogue.load import load_catalogue, load_site
from hpchub.catalogue.model import in_language
from hpchub.catalogue.offers import Person, offers
from tests.unit.data.world import REPOSITORY, VIEWS, demo_catalogue

GPU_PROFILES = [
    "agrifood/remote-sensing",
    "climate/weather-data",
    "cybersecurity/log-analysis",
    "general/pytorch",
    "manufacturing/predictive-maintenance",
]


def test_the_shipped_site_loads() -> None:
    catalogue = load_catalogue(load_site(REPOSITORY / "profiles" / "site.yaml"))
    assert [name for name, cluster in catalogue.site.clusters.items() if cluster.state == "open"] == ["leonardo"]


def test_nobody_can_sign_in_before_the_site_says_who() -> None:
    sign_in = load_site(REPOSITORY / "profiles" / "site.yaml").sign_in
    assert (sign_in.people, sign_in.admins, sign_in.trainers, sign_in.password) == ((), (), (), "")


def test_the_demo_has_a_build_for_every_profile() -> None:
    assert demo_catalogue().warnings == ()


def test_the_demo_template_has_exactly_the_promised_placeholders() -> None:
    names = {"demo_dir", "demo_port", "hub_port", "proxy_port", "people", "admins", "trainers", "console_port"}
    assert set(Template((REPOSITORY / "demo" / "site.yaml").read_text()).get_identifiers()) == names


def test_the_promised_profiles_are_there() -> None:
    assert {*GPU_PROFILES, "general/data-preparation"} <= set(demo_catalogue().profiles)


@pytest.mark.parametrize("sector", ["agrifood", "cybersecurity", "climate", "manufacturing", "general"])
def test_every_sector_has_something_to_choose_from(sector: str) -> None:
    assert len([slug for slug in demo_catalogue().profiles if slug.startswith(f"{sector}/")]) >= 2


def test_a_full_node_is_all_that_a_job_can_have_of_a_booster_node() -> None:
    node = demo_catalogue().profiles["general/multi-gpu"].sizes["node"]
    assert (node.gpus, node.cores, node.memory_mb) == (4, 32, 480000)


def test_data_preparation_is_within_the_limits_of_the_serial_partition() -> None:
    sizes = demo_catalogue().profiles["general/data-preparation"].sizes.values()
    assert {size.gpus for size in sizes} == {0}
    assert max((size.cores, size.memory_mb, size.max_minutes) for size in sizes) == (4, 30800, 240)


def test_a_start_without_a_choice_gives_what_a_sector_is_known_for() -> None:
    assert default_offer(demo_catalogue(), Person("ada"), VIEWS).offer.profile == "agrifood/remote-sensing"
    assert default_offer(demo_catalogue(), Person("bruno"), VIEWS).offer.profile == "cybersecurity/log-analysis"


@pytest.mark.parametrize("slug", GPU_PROFILES)
def test_small_is_one_gpu_and_eight_cores(slug: str) -> None:
    small = demo_catalogue().profiles[slug].sizes["small"]
    assert (small.gpus, small.cores) == (1, 8)


@pytest.mark.parametrize("slug", GPU_PROFILES)
def test_gpu_profiles_run_on_both_clusters(slug: str) -> None:
    profile = demo_catalogue().profiles[slug]
    assert [(run.cluster, run.partition, run.gpu_type) for run in profile.runs_on] == [
        ("leonardo", "boost_usr_prod", "a100"),
        ("it4lia", "gb200_usr_prod", "gb200"),
    ]


def test_every_size_is_an_offer_on_every_cluster_of_its_profile() -> None:
    catalogue = demo_catalogue()
    sizes = {
        (slug, run.cluster, size) for slug, p in catalogue.profiles.items() for run in p.runs_on for size in p.sizes
    }
    people = [Person(name) for name in ("ada", "bruno", "carla", "dario")]
    assert {(o.profile, o.cluster, o.size) for person in people for o in offers(catalogue, person, VIEWS)} == sizes


def test_texts_that_people_choose_by_are_there_in_italian_and_differ_from_the_english() -> None:
    catalogue = load_catalogue(load_site(REPOSITORY / "profiles" / "site.yaml"))
    texts = {f"title of {name}": sector.title for name, sector in catalogue.sectors.items()}
    for slug, profile in catalogue.profiles.items():
        texts |= {f"title of {slug}": profile.title, f"description of {slug}": profile.description}
    for name, environment in catalogue.environments.items():
        texts |= {f"title of {name}": environment.title, f"description of {name}": environment.description}
    for name, cluster in catalogue.site.clusters.items():
        texts[f"description of {name}"] = cluster.description or {}
    assert [name for name, text in texts.items() if set(text) != {"en", "it"} or text["en"] == text["it"]] == []


def test_a_language_that_we_do_not_have_gives_english() -> None:
    title = demo_catalogue().sectors["agrifood"].title
    assert (in_language(title, "it"), in_language(title, "de")) == ("Agroalimentare", "Agri-food")


def test_systems_that_are_not_public_yet_are_announced() -> None:
    clusters = load_site(REPOSITORY / "profiles" / "site.yaml").clusters
    announced = [name for name, cluster in clusters.items() if cluster.state == "announced"]
    assert announced == ["it4lia", "it4lia-inference", "lisa", "megaride", "gaia"]
