"""The data that we ship: it loads, and it is what the demo promises."""

from __future__ import annotations

import re
from pathlib import Path
from string import Template

import pytest

from hpchub.catalogue.load import environments_without_build, load_catalogue, load_site
from hpchub.catalogue.model import in_language
from hpchub.catalogue.offers import Person, offers
from tests.unit.data.world import REPOSITORY, VIEWS, demo_catalogue

LOCKS = sorted((REPOSITORY / "profiles" / "environments").glob("*/*.txt"))
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
    assert environments_without_build(demo_catalogue()) == []


def test_the_demo_template_has_exactly_the_promised_placeholders() -> None:
    names = {"demo_dir", "demo_port", "hub_port", "proxy_port", "people", "admins", "trainers"}
    assert set(Template((REPOSITORY / "demo" / "site.yaml").read_text()).get_identifiers()) == names


def test_the_promised_profiles_are_there() -> None:
    assert sorted(demo_catalogue().profiles) == sorted([*GPU_PROFILES, "general/data-preparation"])


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


def test_everything_has_an_italian_title() -> None:
    catalogue = demo_catalogue()
    titles = {
        **{name: sector.title for name, sector in catalogue.sectors.items()},
        **{slug: profile.title for slug, profile in catalogue.profiles.items()},
        **{name: environment.title for name, environment in catalogue.environments.items()},
    }
    assert [name for name, title in titles.items() if "it" not in title] == []
    assert in_language(catalogue.sectors["agrifood"].title, "it") == "Agroalimentare"
    assert in_language(catalogue.sectors["agrifood"].title, "de") == "Agri-food"


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: f"{lock.parent.name}/{lock.stem}")
def test_locks_are_hashed_and_name_no_host(lock: Path) -> None:
    text = lock.read_text()
    pinned = [line for line in text.splitlines() if not line.startswith((" ", "#"))]
    assert all(re.fullmatch(r"[a-z0-9.-]+==[^ ]+( ; .*)? \\", line) for line in pinned)
    assert "--hash=sha256:" in text
    assert "://" not in text
