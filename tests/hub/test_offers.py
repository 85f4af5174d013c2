"""What one may start, as scripts and pages read it: one's own, or for who may read somebody's servers."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.choices import ADA
from tests.support.site import Site

PATH = "/hpchub/offers"


def of(site: Site, user: str) -> dict[str, Any]:
    """A person's own answer, by profile."""
    answer = site.api("GET", PATH, token=site.token_of(user))
    assert answer.status == 200, answer.message
    return {entry["profile"]: entry for entry in answer.json}


def test_a_person_reads_what_they_may_start_and_its_price(site: Site) -> None:
    places = of(site, "ada")[ADA["profile"]]["places"]
    (leonardo,) = [place for place in places if place["cluster"] == "leonardo"]
    (choice,) = leonardo["choices"]
    assert ADA["allocation"] in choice["allocations"]
    (small,) = [size for size in choice["sizes"] if (size["size"], size["qos"]) == ("small", "normal")]
    # the demo's weights are Leonardo's: 8 core-hours for an hour of a GPU
    assert (small["core_hours_an_hour"], small["gpu_hours_an_hour"], small["max_minutes"]) == (8.0, 1, 720)


def test_the_serial_partition_costs_nothing(site: Site) -> None:
    (place,) = of(site, "ada")["general/data-preparation"]["places"]
    assert {size["core_hours_an_hour"] for size in place["choices"][0]["sizes"]} == {0.0}


def test_nobody_sees_profiles_of_other_sectors(site: Site) -> None:
    assert "cybersecurity/log-analysis" not in of(site, "ada")
    assert "cybersecurity/log-analysis" in of(site, "bruno")


def test_an_admin_reads_those_of_others_and_nobody_else_does(site: Site) -> None:
    answer = site.api("GET", f"{PATH}?user=bruno")
    assert {entry["profile"] for entry in answer.json} == set(of(site, "bruno"))
    assert site.api("GET", f"{PATH}?user=bruno", token=site.token_of("ada")).status == 404
    assert site.api("GET", f"{PATH}?user=nobody").status == 404


@pytest.mark.parametrize("token", ["0" * 32, "x"])
def test_a_token_that_is_none_gives_nothing(site: Site, token: str) -> None:
    assert site.api("GET", PATH, token=token).status == 403


@pytest.mark.usefixtures("small_servers")
def test_every_choice_in_it_can_be_started(site: Site) -> None:
    (place,) = of(site, "ada")["general/data-preparation"]["places"]
    choice = place["choices"][0]
    account, (qos, *_) = next(iter(choice["allocations"].items()))
    size = next(each for each in choice["sizes"] if each["qos"] == qos)
    session = site.run(
        "ada",
        {
            "profile": "general/data-preparation",
            "cluster": place["cluster"],
            "allocation": account,
            "size": size["size"],
            "minutes": size["max_minutes"],
            "qos": qos,
        },
    )
    assert (session["account"], session["qos"], session["minutes"]) == (account, qos, size["max_minutes"])
