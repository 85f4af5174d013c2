"""What is inside: versions from the locks, on the panel, on the page of an environment and in what a search finds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hpchub.catalogue.model import Environment
from hpchub.catalogue.packages import normal_name, package_of, pins
from hpchub.handlers.packages import place_of, way_back
from hpchub.pages.failure import PageError
from hpchub.pages.start.cards import Card
from hpchub.pages.start.inside import Content, contents_of, found_in
from tests.support.start import drawn, look, scene
from tests.unit.data.world import ADA, VIEWS, demo_catalogue

DEMO = demo_catalogue()
ADAS = scene(ADA, DEMO, VIEWS)
HASH = "--hash=sha256:" + 64 * "a"
TARGET = "x86_64-demo"


@pytest.mark.parametrize(
    ("lock", "found"),
    [
        (f"numpy==2.3.5 \\\n    {HASH}\n", {"numpy": "2.3.5"}),
        (f"numpy==2.3.5 {HASH}\nscipy==1.16.0 \\\n {HASH}", {"numpy": "2.3.5", "scipy": "1.16.0"}),
        (f"numpy==2.3.5 \\\r\n    {HASH}\r\n", {"numpy": "2.3.5"}),
        ("Ruamel.YAML==0.18.6\nscikit_learn == 1.7.2", {"ruamel-yaml": "0.18.6", "scikit-learn": "1.7.2"}),
        ("uvicorn[standard]==0.38.0", {"uvicorn": "0.38.0"}),
        ("torch==2.9.0+cu126 ; sys_platform == 'linux' \\", {"torch": "2.9.0+cu126"}),
        ("jax==1!0.8.0rc1.post2", {"jax": "1!0.8.0rc1.post2"}),
        ("", {}),
        (f"# numpy==1.0\n    {HASH}\n-r other.txt\n--index-url https://example.org/==1", {}),
        ("numpy>=2\nscipy~=1.0\npandas==2.*\nxarray===2025\nzarr @ https://example.org/zarr==3.whl", {}),
        ("numpy==<script>alert(1)</script>\nnumpy==2.3.5<script>\n<b>==1\n==1\nnumpy==\n", {}),
        ("numpy==2.3.5;rm -rf /\nnumpy==$(id)", {"numpy": "2.3.5"}),
        ("n==1\x00\n\u043f==1\nnumpy==\uff12.0", {}),
        ("a" * 100_000 + "\n" + "a[" * 50_000 + "\nnumpy==" + "1." * 50_000 + "*", {}),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_lock_is_read_as_exact_versions_and_nothing_else(lock: str, found: dict[str, str]) -> None:
    assert pins(lock) == found


@pytest.mark.parametrize(
    ("content", "read"),
    [
        ("scikit-image", ("scikit-image", "scikit-image")),
        ("GeoPandas", ("GeoPandas", "geopandas")),
        ("Adversarial Robustness Toolbox", ("Adversarial Robustness Toolbox", "adversarial-robustness-toolbox")),
        ("PyTorch (torch)", ("PyTorch", "torch")),
        ("PyTorch", ("PyTorch", "")),
        ("GDAL (gdal)", ("GDAL (gdal)", "")),
        ("Maps (with borders)", ("Maps (with borders)", "")),
    ],
    ids=str,
)
def test_a_content_is_a_package_by_its_own_name_or_by_the_one_in_brackets(content: str, read: tuple[str, str]) -> None:
    packages = {"scikit-image", "geopandas", "adversarial-robustness-toolbox", "torch"}
    assert package_of(content, packages) == read


def test_names_are_compared_as_pep_503_says() -> None:
    assert {normal_name(name) for name in ("Foo-Bar", "foo_bar", "FOO.bar", "foo-_-bar")} == {"foo-bar"}


def test_all_that_the_shipped_environments_name_are_packages_of_theirs() -> None:
    unknown = {
        name: [content for content, package in contents_of(each) if not package]
        for name, each in DEMO.environments.items()
    }
    assert unknown == {name: [] for name in DEMO.environments}


@pytest.mark.parametrize(
    "what",
    [
        {"kind": "module", "modules": {TARGET: ("cineca-ai/4.3.0",)}},
        {"kind": "apptainer", "images": {TARGET: "/images/a.sif"}},
    ],
    ids=["modules", "an image"],
)
def test_what_is_no_lock_is_shown_without_versions_and_leads_nowhere(what: dict[str, Any]) -> None:
    """Locks that lie beside it mean nothing then."""
    base = DEMO.environments["base"]
    without = Environment.model_validate({**dict(base), **what, "packages": {}})
    catalogue = replace(DEMO, environments={**DEMO.environments, "base": without})
    where = scene(ADA, catalogue, VIEWS)
    page = look(where, {"profile": "general/data-preparation"})
    assert page.panel is not None and page.panel.inside.packages == 0
    assert page.panel.inside.contents == tuple(Content(name) for name in base.contents)
    assert "hpchub-packages" not in drawn(where, page)


# The panel


def test_the_panel_has_the_versions_of_the_cluster_that_is_chosen() -> None:
    page = look(ADAS, {"profile": "agrifood/remote-sensing", "cluster": "leonardo"})
    packages = DEMO.environments["agrifood"].packages[TARGET]
    assert page.panel is not None
    inside = page.panel.inside
    shown = {each.name: each.version for each in inside.contents}
    assert shown["rasterio"] == packages["rasterio"] and shown["GeoPandas"] == packages["geopandas"]
    # the demo's builds leave out what needs a GPU
    assert "PyTorch" not in shown and inside.missing[0] == "PyTorch" and "torch" not in packages
    html = drawn(ADAS, page)
    assert f'rasterio <span class="hpchub-version">{packages["rasterio"]}</span>' in html
    assert "Not on this cluster: PyTorch, " in html
    assert f">All {len(packages)} packages<" in html and inside.packages == len(packages)
    assert 'href="/hub/hpchub/environment/agrifood?cluster=leonardo&amp;back=/hub/spawn%3Fprofile%3D' in html


def test_another_cluster_has_other_versions() -> None:
    agrifood = DEMO.environments["agrifood"]
    locks = {TARGET: {"rasterio": "8.8"}, "aarch64-cuda13": {"rasterio": "9.9", "torch": "2.9"}}
    other = DEMO.site.clusters["it4lia"].model_copy(update={"software_target": "aarch64-cuda13"})
    site = DEMO.site.model_copy(update={"clusters": {**DEMO.site.clusters, "it4lia": other}})
    there = agrifood.model_copy(update={"packages": locks, "targets": frozenset(locks)})
    catalogue = replace(DEMO, site=site, environments={**DEMO.environments, "agrifood": there})
    versions = {}
    for cluster in ("leonardo", "it4lia"):
        page = look(scene(ADA, catalogue, VIEWS), {"profile": "agrifood/remote-sensing", "cluster": cluster})
        assert page.panel is not None
        inside = page.panel.inside
        versions[cluster] = {each.name: each.version for each in inside.contents if each.version}, inside.missing
    assert versions == {
        "leonardo": ({"rasterio": "8.8"}, ("PyTorch",)),
        "it4lia": ({"rasterio": "9.9", "PyTorch": "2.9"}, ()),
    }


# The search


def cards(words: str) -> dict[str, Card]:
    return {card.slug: card for section in look(ADAS, {"search": words}).shelf.sections for card in section.cards}


def test_a_package_that_no_card_names_is_found_and_shown() -> None:
    found = cards("shapely")
    having = {
        name for name, each in DEMO.environments.items() if any("shapely" in lock for lock in each.packages.values())
    }
    assert found and {DEMO.profiles[slug].environment for slug in found} <= having
    versions = {slug: DEMO.environments[DEMO.profiles[slug].environment].packages[TARGET]["shapely"] for slug in found}
    assert {slug: card.found for slug, card in found.items()} == {
        slug: (Content("shapely", version),) for slug, version in versions.items()
    }
    version = next(iter(versions.values()))
    html = drawn(ADAS, look(ADAS, {"search": "Shapely"}))
    assert f'aria-label="What is inside"><li class="hpchub-found">shapely {version}</li><li>' in html


def test_what_a_card_shows_anyway_is_not_shown_twice() -> None:
    assert {card.found for card in cards("rasterio").values() if card.slug == "agrifood/remote-sensing"} == {()}


def test_a_content_behind_the_number_is_found_under_its_own_name() -> None:
    (found,) = found_in(DEMO.environments["agrifood"], ["x86_64-cuda12"], ["pytorch"])
    assert found == Content("PyTorch", DEMO.environments["agrifood"].packages["x86_64-cuda12"]["torch"])


@pytest.mark.parametrize(
    ("word", "name"),
    [("numpy", "numpy"), ("nump", "numpy"), ("scikit_learn", "scikit-learn"), ("nbgit", "nbgitpuller")],
)
def test_the_beginning_of_a_name_is_enough(word: str, name: str) -> None:
    (found,) = found_in(DEMO.environments["cybersecurity"], [TARGET], [word])
    assert found.name == name and found.version


@pytest.mark.parametrize("word", ["ackaging", "<script>", "no-such-package"])
def test_the_inside_of_a_word_finds_no_package(word: str) -> None:
    assert list(found_in(DEMO.environments["base"], [TARGET], [word])) == []
    assert cards(word) == {}


# The page of an environment


def test_the_page_shows_the_cluster_that_is_asked_for_or_the_first() -> None:
    base = DEMO.environments["base"]
    assert [place_of(DEMO, base, asked) for asked in ("", "leonardo", "it4lia")] == ["leonardo", "leonardo", "it4lia"]


@pytest.mark.parametrize("cluster", ["moon", "<script>", "../.."])
def test_a_cluster_without_a_lock_has_no_page(cluster: str) -> None:
    with pytest.raises(PageError) as error:
        place_of(DEMO, DEMO.environments["base"], cluster)
    assert error.value.status_code == 404
    without = DEMO.environments["base"].model_copy(update={"packages": {}})
    with pytest.raises(PageError):
        place_of(DEMO, without, "")


@pytest.mark.parametrize(
    ("asked", "back"),
    [
        ("/hub/spawn?profile=general/pytorch", "/hub/spawn?profile=general/pytorch"),
        ("/hub/spawn/ada/crop-maps?cluster=it4lia", "/hub/spawn/ada/crop-maps?cluster=it4lia"),
        ("/hub/spawn", "/hub/spawn"),
        ("", "/hub/spawn"),
        ("//example.org/hub/spawn", "/hub/spawn"),
        ("https://example.org/hub/spawn", "/hub/spawn"),
        ("javascript:alert(1)", "/hub/spawn"),
        ("/hub/spawning", "/hub/spawn"),
        ("/hub/spawn/../logout", "/hub/spawn"),
    ],
)
def test_the_way_back_leads_to_a_start_page_and_nowhere_else(asked: str, back: str) -> None:
    assert way_back("/hub/spawn", asked) == back
