"""Environments that people bring: judged before anything queues, remembered, and offered to their person alone."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from hpchub.catalogue.choice import accept
from hpchub.catalogue.model import Catalogue
from hpchub.catalogue.offers import Person, offers
from hpchub.environments.own import Registration, Registry, with_own
from hpchub.environments.probe import Probed, judged
from hpchub.errors import ChoiceRefused, UserError
from hpchub.jobs.resolve import job_request
from tests.unit.data.world import ADA, VIEWS, demo_catalogue, with_profile

PATH = "/home/ada/mine"
HEAD = {
    "x86_64": "7f454c460201010000000000000000000300" + "3e00",
    "aarch64": "7f454c4602010100" + "00" * 8 + "0300b700",
}
GOOD: dict[str, Any] = {
    "problem": "",
    "head": HEAD["x86_64"],
    "runs": True,
    "server": True,
    "packages": ["python3.11/jupyterhub-6.1.1.dist-info", "python3.11/jupyterlab-4.4.0.dist-info"],
}
MINE = Registration(name="mine", cluster="leonardo", path=PATH, python="3.11", jupyterhub="6.1.1", registered_epoch=1)
CHOICE = {"profile": "own/mine"}


def test_what_can_be_started_is_known_by_its_versions() -> None:
    assert judged(GOOD, PATH, "x86_64-demo", "6.1.1") == Probed("3.11", "6.1.1")


@pytest.mark.parametrize(
    ("changes", "target", "sentence"),
    [
        (
            {"problem": f"{PATH}/bin/python: No such file"},
            "x86_64-demo",
            f"{PATH} cannot be used: {PATH}/bin/python: No",
        ),
        ({"runs": False}, "x86_64-demo", "bin/python is not a program that you can run"),
        ({"head": ""}, "x86_64-demo", "bin/python is not a program that you can run"),
        ({"head": b"#!/bin/sh\necho hello".hex()}, "x86_64-demo", "bin/python is not a program that you can run"),
        ({}, "aarch64-cuda13", "bin/python is for x86_64, and this cluster is aarch64. Make one for aarch64."),
        ({"head": HEAD["aarch64"]}, "x86_64-demo", "bin/python is for aarch64, and this cluster is x86_64"),
        ({"head": HEAD["x86_64"][:-4] + "0800"}, "x86_64-demo", "bin/python is for machine 8"),
        ({"server": False}, "x86_64-demo", 'has no jupyterhub-singleuser. Add it: .*pip install "jupyterhub~=6.0"'),
        ({"packages": []}, "x86_64-demo", "has no jupyterhub-singleuser"),
        (
            {"packages": ["python3.9/jupyterhub-4.1.6.dist-info", "python3.9/jupyterlab-4.4.0.dist-info"]},
            "x86_64-demo",
            r"has JupyterHub 4\.1\.6, and this hub is 6\.1\.1",
        ),
        ({"packages": GOOD["packages"][:1]}, "x86_64-demo", "has no JupyterLab"),
    ],
)
def test_what_cannot_be_started_says_why(changes: dict[str, Any], target: str, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        judged({**GOOD, **changes}, PATH, target, "6.1.1")


def test_registrations_are_remembered_in_a_file_that_only_the_hub_reads(tmp_path: Path) -> None:
    folder = tmp_path / "own"
    Registry(folder).add("ada", MINE)
    assert Registry(folder).of("ada") == (MINE,)
    assert stat.S_IMODE((folder / "ada.json").stat().st_mode) == 0o600
    assert [path.name for path in folder.iterdir()] == ["ada.json"]


def test_a_second_registration_of_a_name_replaces_the_first(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "own")
    registry.add("ada", MINE)
    registry.add("ada", MINE.model_copy(update={"path": "/home/ada/other"}))
    assert [each.path for each in registry.of("ada")] == ["/home/ada/other"]


def test_what_is_forgotten_stays_forgotten(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "own")
    registry.add("ada", MINE)
    assert (registry.remove("ada", "mine"), registry.remove("ada", "mine")) == (True, False)
    assert Registry(tmp_path / "own").of("ada") == ()


@pytest.mark.parametrize("text", ["", "{", "[1]", '[{"name": "mine"}]'])
def test_a_file_that_cannot_be_read_takes_nothing_else_away(text: str, tmp_path: Path) -> None:
    (tmp_path / "ada.json").write_text(text)
    assert Registry(tmp_path).of("ada") == ()


@pytest.mark.parametrize("user", ["../ada", "ada/../bruno", "", ".", "Ada", "a" * 33])
def test_a_name_that_is_no_users_never_becomes_a_path(user: str, tmp_path: Path) -> None:
    registry = Registry(tmp_path / "own")
    assert registry.of(user) == ()
    with pytest.raises(UserError, match="is not the name of a user on the clusters"):
        registry.add(user, MINE)
    assert not (tmp_path / "own").exists()


@pytest.mark.parametrize("path", ["relative", "/a/../b", "/a\n", "//a"])
def test_only_a_plain_path_is_remembered(path: str) -> None:
    with pytest.raises(ValidationError, match="path"):
        Registration(**{**MINE.model_dump(), "path": path})


def of_ada(*registrations: Registration) -> Catalogue:
    """The demo's catalogue as ada has it."""
    return with_own(demo_catalogue(), registrations)


def test_what_somebody_brought_is_offered_like_the_profile_that_the_site_names() -> None:
    mine = [offer for offer in offers(of_ada(MINE), ADA, VIEWS) if offer.profile == "own/mine"]
    like = [offer for offer in offers(demo_catalogue(), ADA, VIEWS) if offer.profile == "general/pytorch"]
    assert [(each.cluster, each.qos, each.allocation, each.size) for each in mine] == [
        (each.cluster, each.qos, each.allocation, each.size) for each in like if each.cluster == "leonardo"
    ]


def test_nobody_else_has_it() -> None:
    of_ada(MINE)
    with pytest.raises(ChoiceRefused, match="Profile 'own/mine' is not known"):
        accept(CHOICE, demo_catalogue(), Person("bruno"), VIEWS)
    assert all(not offer.profile.startswith("own/") for offer in offers(demo_catalogue(), Person("bruno"), VIEWS))


def test_it_runs_where_it_lies() -> None:
    accepted = accept(CHOICE, of_ada(MINE), ADA, VIEWS)
    asked = job_request(accepted, of_ada(MINE), "ada", "", "0" * 32)
    assert (asked.cluster, asked.environment, asked.kind, asked.build) == ("leonardo", PATH, "venv", "")


def test_it_comes_after_all_that_the_site_offers() -> None:
    assert [*of_ada(MINE).profiles][-1] == "own/mine"
    assert [*of_ada(MINE).profiles][:-1] == [*demo_catalogue().profiles]


def test_it_is_not_offered_where_the_site_has_no_place_for_it() -> None:
    catalogue = with_profile("general/pytorch", runs_on=demo_catalogue().profiles["general/pytorch"].runs_on[1:])
    assert "own/mine" not in with_own(catalogue, [MINE]).profiles


def test_a_site_that_allows_none_offers_none() -> None:
    catalogue = demo_catalogue()
    site = catalogue.site.model_copy(update={"own_environments": None})
    assert with_own(Catalogue(site, catalogue.sectors, catalogue.profiles, catalogue.environments), [MINE]).base is None


def test_what_is_worked_out_for_everybody_serves_one_person_too() -> None:
    assert of_ada(MINE).shared is demo_catalogue()
    assert demo_catalogue().shared is demo_catalogue()
