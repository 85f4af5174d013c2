"""``GET /hub/api/hpchub/offers``: what a page or a script reads of a person's offers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from hpchub.catalogue.model import Catalogue
from hpchub.catalogue.offers import Person, offers
from hpchub.handlers.offers import told
from hpchub.slurm.model import ClusterView
from tests.unit.data.truth import AGRI, Row, access, ada
from tests.unit.data.truth_access import ACCESS, PLACES
from tests.unit.data.truth_limits import LIMITS
from tests.unit.data.world import LEONARDO, VIEWS, boost, demo_catalogue
from tests.unit.test_docs import API, first_words, table

HEADING = "`GET /hub/api/hpchub/offers`"


def entries(
    person: Person | None = None,
    catalogue: Catalogue | None = None,
    views: Mapping[str, ClusterView] = VIEWS,
    language: str = "en",
) -> dict[str, Any]:
    """The answer by profile, as JSON brings it."""
    answer = told(catalogue or demo_catalogue(), person or ada(), views, language)
    return {entry["profile"]: entry for entry in json.loads(json.dumps(answer))}


def test_a_profile_has_its_places_sizes_and_prices() -> None:
    leonardo, it4lia = entries()[AGRI]["places"]
    assert (leonardo["cluster"], it4lia["cluster"]) == ("leonardo", "it4lia")
    assert (leonardo["free_gpus"], leonardo["fits_minutes"], leonardo["notes"], leonardo["reason"]) == (
        4,
        None,
        [],
        None,
    )
    (choice,) = leonardo["choices"]
    assert choice["allocations"] == {"aifac_agri01": ["normal", "boost_qos_dbg"]}
    assert choice["sizes"][0] == {
        "size": "small",
        "qos": "normal",
        "gpus": 1,
        "cores": 8,
        "memory_mb": 120000,
        "default_minutes": 120,
        "max_minutes": 720,
        "core_hours_an_hour": 8.0,
        "gpu_hours_an_hour": 1,
    }


@pytest.mark.parametrize("row", [*ACCESS, *PLACES, *LIMITS], ids=lambda row: row.name)
def test_the_answer_has_exactly_the_offers(row: Row) -> None:
    found = {
        (profile, place["cluster"], allocation, size["size"], qos, size["max_minutes"])
        for profile, entry in entries(row.person, row.catalogue, row.views).items()
        for place in entry["places"]
        for choice in place["choices"]
        for allocation, allowed in choice["allocations"].items()
        for size in choice["sizes"]
        for qos in [size["qos"]]
        if qos in allowed
    }
    assert found == {
        (offer.profile, offer.cluster, offer.allocation, offer.size, offer.qos, offer.max_minutes)
        for offer in offers(row.catalogue, row.person, row.views)
    }


def test_a_place_where_nothing_can_be_started_says_why() -> None:
    leonardo, it4lia = entries(views={**boost(up=False), "it4lia": VIEWS["it4lia"]})[AGRI]["places"]
    assert (leonardo["choices"], leonardo["reason"]) == ([], "Partition boost_usr_prod of leonardo is down.")
    assert it4lia["choices"] and it4lia["reason"] is None


def test_profiles_for_others_are_not_in_it() -> None:
    assert "cybersecurity/log-analysis" not in entries()
    assert AGRI not in entries(catalogue=access(groups=["course"]))
    assert entries(Person("admin")) == {}


def test_titles_and_sentences_are_in_the_language_that_was_asked_for() -> None:
    entry = entries(views={**boost(up=False), "it4lia": VIEWS["it4lia"]}, language="it")[AGRI]
    assert entry["title"] == demo_catalogue().profiles[AGRI].title["it"]
    assert entry["places"][0]["reason"] == "La partizione boost_usr_prod di leonardo è fuori servizio."


def test_nothing_known_of_a_cluster_is_a_reason_and_no_error() -> None:
    unheard = {"leonardo": replace(LEONARDO, taken_epoch=None)}
    for place in entries(views=unheard)[AGRI]["places"]:
        assert (place["choices"], place["notes"]) == ([], [])
        assert "has not answered yet" in place["reason"]


def test_the_api_page_has_every_field() -> None:
    entry = entries()[AGRI]
    place = entry["places"][0]
    choice = place["choices"][0]
    for nth, fields in enumerate((entry, place, choice, choice["sizes"][0])):
        assert first_words(table(API, HEADING, nth)) == list(fields)
