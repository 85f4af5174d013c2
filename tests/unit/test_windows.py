"""A profile with a date window: days are whole, in the site's zone, and nobody has to reload anything for them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from hpchub.catalogue.choice import accept
from hpchub.catalogue.model import Access, Catalogue
from hpchub.catalogue.moments import read_moment
from hpchub.catalogue.offers import offers
from hpchub.catalogue.site import SiteFile
from hpchub.errors import ChoiceRefused
from tests.unit.data.world import ADA, VIEWS, with_profile

AGRI = "agrifood/remote-sensing"
ROME = ZoneInfo("Europe/Rome")


def at(text: str, zone: str = "Europe/Rome") -> float:
    """A moment on the clock of a place."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def with_window(zone: str = "Europe/Rome", **window: str) -> Catalogue:
    catalogue = with_profile(AGRI, access=window)
    return replace(catalogue, site=catalogue.site.model_copy(update={"timezone": zone}))


def is_offered(catalogue: Catalogue, epoch: float) -> bool:
    return any(offer.profile == AGRI for offer in offers(catalogue, replace(ADA, asks_epoch=epoch), VIEWS))


COURSE = {"from": "2026-03-02", "until": "2026-03-06"}
HOURS = {"from": "2026-03-02T09:00:00+01:00", "until": "2026-03-02T17:30:00+01:00"}


@pytest.mark.parametrize(
    ("window", "moment", "offered"),
    [
        (COURSE, "2026-03-01T23:59:59", False),
        (COURSE, "2026-03-02T00:00:00", True),
        (COURSE, "2026-03-06T23:59:59", True),
        (COURSE, "2026-03-07T00:00:00", False),
        ({"from": "2026-03-02"}, "2030-01-01T00:00:00", True),
        ({"from": "2026-03-02"}, "2026-03-01T12:00:00", False),
        ({"until": "2026-03-06"}, "2020-01-01T00:00:00", True),
        ({"until": "2026-03-06"}, "2026-03-07T00:00:01", False),
        ({"from": "2026-03-02", "until": "2026-03-02"}, "2026-03-02T12:00:00", True),
        (HOURS, "2026-03-02T08:59:59", False),
        (HOURS, "2026-03-02T09:00:00", True),
        (HOURS, "2026-03-02T17:29:59", True),
        (HOURS, "2026-03-02T17:30:00", False),
        # The day on which summer time begins has 23 hours.
        ({"until": "2026-03-29"}, "2026-03-29T23:59:59", True),
        ({"until": "2026-03-29"}, "2026-03-30T00:00:00", False),
        ({}, "2026-03-01T00:00:00", True),
    ],
)
def test_when_it_is_offered(window: dict[str, str], moment: str, offered: bool) -> None:
    assert is_offered(with_window(**window), at(moment)) == offered


def test_a_day_is_the_site_s_and_not_the_machine_s() -> None:
    midnight_in_rome = at("2026-03-02T00:00:00")
    assert is_offered(with_window(**COURSE), midnight_in_rome)
    assert not is_offered(with_window("Atlantic/Azores", **COURSE), midnight_in_rome)


def test_a_window_opens_and_closes_without_a_reload() -> None:
    catalogue = with_window(**COURSE)
    moments = ("2026-03-01T12:00:00", "2026-03-02T12:00:00", "2026-03-07T12:00:00")
    assert [is_offered(catalogue, at(moment)) for moment in moments] == [False, True, False]


def test_form_and_rest_say_the_same() -> None:
    catalogue, person = with_window(**COURSE), replace(ADA, asks_epoch=at("2026-03-07T12:00:00"))
    assert not any(offer.profile == AGRI for offer in offers(catalogue, person, VIEWS))
    with pytest.raises(ChoiceRefused) as refusal:
        accept({"profile": AGRI}, catalogue, person, VIEWS)
    assert str(refusal.value) == f"Profile {AGRI} can be started from 2026-03-02 until 2026-03-06 only."


def test_a_time_is_told_with_its_zone() -> None:
    with pytest.raises(ChoiceRefused) as refusal:
        accept(
            {"profile": AGRI},
            with_window(until=HOURS["until"]),
            replace(ADA, asks_epoch=at("2026-03-03T00:00:00")),
            VIEWS,
        )
    assert str(refusal.value) == f"Profile {AGRI} can be started until 2026-03-02 17:30 +0100 only."


@pytest.mark.parametrize(
    ("window", "words"),
    [
        ({"from": "2026-03-06", "until": "2026-03-02"}, "until: 2026-03-02 is before 2026-03-06"),
        ({"from": "2026-02-30"}, "a day (2026-03-01), or a time with its zone"),
        ({"from": "2 March"}, "a day (2026-03-01), or a time with its zone"),
        ({"until": "2026-03-02T10:00:00"}, "a day (2026-03-01), or a time with its zone"),
        ({"until": 20260302}, "a day (2026-03-01), or a time with its zone"),
        ({"from": True}, "a day (2026-03-01), or a time with its zone"),
        ({"form": "2026-03-02"}, "Extra inputs are not permitted"),
    ],
)
def test_what_is_no_window_is_refused(window: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as error:
        Access.model_validate(window)
    assert words in str(error.value)


def test_yaml_s_own_dates_are_taken() -> None:
    moment = datetime(2026, 3, 2, 9, tzinfo=ROME)
    assert read_moment(moment) == moment
    assert read_moment(moment.date()) == moment.date()


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../etc/passwd", "/etc/localtime"])
def test_a_zone_that_is_none_is_refused(zone: str) -> None:
    fields = SiteFile.model_fields["timezone"]
    assert fields.default == ""
    with pytest.raises(ValidationError, match="timezone"):
        SiteFile.model_validate({**dict(with_window().site), "timezone": zone})
