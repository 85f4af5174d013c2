"""The start page as a whole: one click for those who come back, all profiles for the others, and nothing that harms."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from hpchub.catalogue.choice import accept
from hpchub.catalogue.offers import Person
from hpchub.errors import ChoiceRefused
from hpchub.pages.assets import FOLDER
from hpchub.pages.start.again import MOST_KEPT, recent, remembered
from hpchub.pages.start.cards import MOST_CARDS, PORTION
from hpchub.pages.start.wanted import address, choice_from_form, wanted_of
from tests.support.start import PATH, drawn, look, scene
from tests.unit.data.world import ADA, LEONARDO, VIEWS, boost, demo_catalogue, with_profile

DEMO = demo_catalogue()
HOSTILE = '"><script>alert(1)</script>'
LAST: dict[str, Any] = {
    "profile": "agrifood/remote-sensing",
    "cluster": "leonardo",
    "allocation": "aifac_agri01",
    "size": "small",
    "minutes": 90,
    "qos": "normal",
    "event": None,
}
ADAS = scene(ADA, DEMO, VIEWS)
MOST_BYTES = 150_000
"""Of the page with our own files, beyond what JupyterHub has."""


class Html(HTMLParser):
    """What a browser without scripts has of a page: forms with their fields, ids, labels and what is forbidden."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.forms: list[dict[str, str]] = []
        self.ids: list[str] = []
        self.labelled: set[str] = set()
        self.controls: set[str] = set()
        self.inline: list[str] = []
        self._script = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.inline += [name for name in values if name == "style" or name.startswith("on")]
        self.inline += [tag] if tag == "style" or (tag == "script" and "src" not in values) else []
        self.ids += [values["id"]] if "id" in values else []
        if tag == "form":
            self.forms.append({"action": values.get("action", "")})
        elif tag == "label":
            self.labelled.add(values["for"])
        elif tag in ("input", "select") and values.get("type") != "hidden" and "id" in values:
            self.controls.add(values["id"])
        if tag == "input" and values.get("type") == "hidden":
            self.forms[-1][values["name"]] = values["value"]


def html_of(wanted: Mapping[str, object] | None = None, **more: Any) -> str:
    return drawn(ADAS, look(ADAS, wanted, **more))


# What comes first


def test_the_last_choice_comes_first_and_starts_the_same_again() -> None:
    html = Html(html_of(earlier=[LAST]))
    form = next(form for form in html.forms if form.get("profile"))
    choice = choice_from_form({"start": ["1"], **{name: [value] for name, value in form.items()}})
    assert accept(choice, DEMO, ADA, VIEWS).as_user_options() == LAST
    (again,) = look(ADAS, earlier=[LAST]).again
    assert again.title == "Remote sensing"
    assert again.facts == ("1 × NVIDIA A100 64 GB", "1 h 30 min", "aifac_agri01", "Leonardo (demo)")
    assert (again.cost, again.starts, again.obstacle) == ("1 h 30 min × 1 GPU = 12 core-hours", "starts now", "")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"allocation": "aifac_cyber01"}, "Allocation 'aifac_cyber01' is not one of yours"),
        ({"minutes": 99999}, "99999 minutes are too many"),
        ({"minutes": HOSTILE}, "The field minutes must be a whole number"),
        ({"qos": "gone"}, "QOS 'gone' is not one of"),
    ],
    ids=str,
)
def test_a_last_choice_that_is_no_offer_any_more_is_shown_with_the_reason(
    change: Mapping[str, object], reason: str
) -> None:
    (again,) = look(ADAS, earlier=[{**LAST, **change}]).again
    assert reason in again.obstacle
    html = html_of(earlier=[{**LAST, **change}])
    assert re.search(r'id="hpchub-again-1"[^>]* disabled', html)
    assert "<script>alert" not in html


def test_a_last_choice_whose_profile_is_gone_is_left_out() -> None:
    page = look(ADAS, earlier=[{**LAST, "profile": "gone/gone"}])
    assert page.again == () and page.begin is not None


def test_somebody_new_is_offered_the_sites_default() -> None:
    page = look(ADAS)
    assert page.begin is not None and page.begin.choice["profile"] == "agrifood/remote-sensing"
    assert accept(dict(page.begin.choice), DEMO, ADA, VIEWS)


def test_recent_choices_are_kept_once_each_and_the_newest_first() -> None:
    kept: list[dict[str, Any]] = []
    for epoch, name in enumerate("abcadefg"):
        kept = remembered(kept, {"profile": name}, epoch)
    assert [each["choice"]["profile"] for each in kept] == ["g", "f", "e", "d"] and len(kept) == MOST_KEPT
    assert remembered(kept, {"profile": "e"}, 99)[0] == {"choice": {"profile": "e"}, "epoch": 99}


def test_the_recent_choices_of_all_servers_follow_the_servers_own_last_one() -> None:
    one = [{"choice": {"profile": "b"}, "epoch": 5}, {"choice": {"profile": "a"}, "epoch": 1}]
    other = [{"choice": {"profile": "c"}, "epoch": 3}, {"choice": {"profile": "b"}, "epoch": 2}]
    assert recent([one, other], {"profile": "a"}) == [{"profile": name} for name in "abc"]
    assert recent([one, other], None) == [{"profile": name} for name in "bca"]


def test_a_chosen_profile_comes_first_and_nothing_beside_it() -> None:
    page = look(ADAS, {"profile": "general/pytorch"}, earlier=[LAST])
    assert page.panel is not None and page.panel.profile == "general/pytorch"
    assert (page.again, page.begin) == ((), None)


def test_what_is_blocked_starts_nothing_and_says_why() -> None:
    html = html_of({"profile": "general/pytorch"}, blocked="You have 3 sessions.")
    assert "You have 3 sessions." in html
    assert re.search(r'id="hpchub-start"[^>]* disabled', html)


def test_who_may_start_nothing_is_told_why_and_whom_to_ask() -> None:
    nobody = scene(Person("admin"), DEMO, VIEWS)
    page = look(nobody)
    assert "You (admin) have no allocation" in page.nothing
    html = drawn(nobody, page)
    assert "You (admin) have no allocation" in html
    assert 'name="start"' not in html


def test_an_unknown_profile_of_a_link_is_said_to_be() -> None:
    page = look(ADAS, {"profile": HOSTILE})
    assert page.panel is None and "is not known. Yours: " in page.notice
    assert "<script>alert" not in drawn(ADAS, page)


def test_a_silent_cluster_has_a_banner_and_its_figures_their_age() -> None:
    where = scene(ADA, DEMO, {"leonardo": replace(LEONARDO, silent_since_epoch=5.0)})
    page = look(where)
    assert len(page.banners) == 1 and page.banners[0].startswith("Slurm on leonardo has not answered since")
    (card, *_) = page.shelf.sections[0].cards
    assert [(place.free, place.as_of_epoch) for place in card.places] == [(4, 1.0)]
    html = drawn(where, page)
    assert "free now" not in html and re.search(r"4 free <time [^>]*data-age>", html)


# What else there is


def test_ones_own_sectors_and_no_others() -> None:
    page = look(scene(Person("bruno"), DEMO, VIEWS))
    assert [section.name for section in page.shelf.sections] == ["cybersecurity", "general"]


@pytest.mark.parametrize("words", ["torch", "TORCH", "  Tórch ", "pytorch hugging"])
def test_words_find_profiles_by_what_is_inside(words: str) -> None:
    page = look(ADAS, {"search": words})
    found = [card.slug for section in page.shelf.sections for card in section.cards]
    assert "general/pytorch" in found and "general/data-preparation" not in found
    assert page.shelf.found == len(found)


def test_words_that_nothing_has_find_nothing() -> None:
    page = look(ADAS, {"search": "torch fortran77"})
    assert (page.shelf.sections, page.shelf.found) == ((), 0)
    assert "Nothing has all of these words." in drawn(ADAS, page)


def test_one_sector_is_shown_and_an_unknown_one_is_all() -> None:
    assert [each.name for each in look(ADAS, {"sector": "climate"}).shelf.sections] == ["climate"]
    assert len(look(ADAS, {"sector": "moon"}).shelf.sections) == 3


def test_a_long_sector_shows_its_first_profiles_and_the_way_to_the_others() -> None:
    copies = {
        f"general/p{number}": DEMO.profiles["general/pytorch"].model_copy(update={"slug": f"general/p{number}"})
        for number in range(20)
    }
    where = scene(ADA, replace(DEMO, profiles=copies), VIEWS)
    (section,) = look(where).shelf.sections
    assert (len(section.cards), section.count) == (MOST_CARDS, 20)
    assert "All 20 of General" in drawn(where, look(where))
    (everything,) = look(where, {"sector": "general"}).shelf.sections
    assert len(everything.cards) == 20


def test_a_portion_of_what_was_found_is_shown_at_a_time() -> None:
    copies = {
        f"general/p{number}": DEMO.profiles["general/pytorch"].model_copy(update={"slug": f"general/p{number}"})
        for number in range(2 * PORTION + 5)
    }
    where = scene(ADA, replace(DEMO, profiles=copies), VIEWS)
    wanted = {"search": "torch", "more": "2"}
    page = look(where, wanted)
    (section,) = page.shelf.sections
    assert len(section.cards) == 2 * PORTION
    assert "5 more of General" in drawn(where, page)
    assert "search=torch&amp;more=3" in drawn(where, page)


@pytest.mark.parametrize("more", ["0", "-1", "101", "9" * 50, "٣", "x"])
def test_a_portion_that_there_cannot_be_is_the_first(more: str) -> None:
    assert look(ADAS, {"more": more}).wanted.more == 1


def test_a_card_says_how_many_gpus_are_free() -> None:
    node = replace(LEONARDO.nodes[0], gpus_used={"a100": 1})
    page = look(scene(ADA, DEMO, {"leonardo": replace(LEONARDO, nodes=(node, *LEONARDO.nodes[1:]))}))
    places = {card.slug: card.places for section in page.shelf.sections for card in section.cards}
    (place,) = places["agrifood/remote-sensing"]
    assert (place.gpu, place.free, place.as_of_epoch, place.charged) == ("NVIDIA A100 64 GB", 3, None, True)
    (place,) = places["general/data-preparation"]
    assert (place.gpu, place.free, place.charged) == ("", None, False)


def test_a_profile_that_cannot_be_started_now_is_shown_with_the_reason() -> None:
    where = scene(ADA, DEMO, boost(up=False))
    cards = {card.slug: card for section in look(where).shelf.sections for card in section.cards}
    assert "Partition boost_usr_prod of leonardo is down." in cards["general/pytorch"].obstacle
    assert cards["general/data-preparation"].obstacle == ""


# What a form sends

NOTHING_PICKED = [
    ("empty", {}),
    ("only the protection", {"_xsrf": ["x"]}),
    ("no profile", {"start": ["1"]}),
    ("no button", {"profile": ["general/pytorch"]}),
    ("button twice", {"start": ["1", "1"], "profile": ["general/pytorch"]}),
    ("field twice", {"start": ["1"], "profile": ["general/pytorch", "x/y"]}),
    ("button without a value", {"start": [""], "profile": ["general/pytorch"]}),
]


@pytest.mark.parametrize("formdata", [pytest.param(row[1], id=row[0]) for row in NOTHING_PICKED])
def test_a_form_without_one_clear_choice_is_refused(formdata: Mapping[str, list[str]]) -> None:
    with pytest.raises(ChoiceRefused):
        choice_from_form(formdata)


def test_fields_that_are_none_of_a_choice_are_ignored_and_an_open_qos_stays_open() -> None:
    formdata = {"start": ["1"], "profile": ["general/pytorch"], "partition": ["x"], "_xsrf": ["y"], "qos": [""]}
    assert choice_from_form(formdata) == {"profile": "general/pytorch"}


@pytest.mark.parametrize("minutes", ["", "-5", "1e3", "٣", "9" * 5000, " 60", "60.0"], ids=lambda text: text[:10])
def test_minutes_that_are_no_number_stay_text_and_are_refused(minutes: str) -> None:
    choice = choice_from_form({"start": ["1"], "profile": ["general/pytorch"], "minutes": [minutes]})
    with pytest.raises(ChoiceRefused, match="minutes must be a whole number"):
        accept(choice, DEMO, ADA, VIEWS)


def test_an_address_brings_back_what_it_was_made_of() -> None:
    choice = {"profile": "general/pytorch", "size": "a&b=c d", "minutes": 60, "qos": None}
    made = address(PATH, choice, next="/hub/user/ada/lab?x=1")
    assert made == "/hub/spawn?profile=general/pytorch&size=a%26b%3Dc+d&minutes=60&next=/hub/user/ada/lab%3Fx%3D1"
    wanted = wanted_of({"profile": ["x", "general/pytorch"], "size": ["a&b=c d"], "minutes": ["60"], "qos": [""]})
    assert wanted.choice == {"profile": "general/pytorch", "size": "a&b=c d", "minutes": "60"}
    assert address(PATH) == PATH


# What a browser gets

STATES = [
    pytest.param({}, id="overview"),
    pytest.param({"profile": "general/pytorch"}, id="chosen"),
    pytest.param({"search": HOSTILE, "sector": HOSTILE, "next": HOSTILE}, id="hostile search"),
    pytest.param({"profile": "general/pytorch", "size": HOSTILE, "next": HOSTILE}, id="hostile choice"),
]


@pytest.mark.parametrize("wanted", STATES)
def test_the_page_is_sound(wanted: Mapping[str, object]) -> None:
    source = html_of(wanted, earlier=[LAST])
    html = Html(source)
    assert html.inline == []
    assert len(set(html.ids)) == len(html.ids)
    assert html.controls <= html.labelled
    assert "<script>alert" not in source
    assert {form["action"] for form in html.forms} == {PATH}


def test_what_files_say_is_text_on_the_page() -> None:
    catalogue = with_profile("agrifood/remote-sensing", title={"en": HOSTILE}, description={"en": HOSTILE})
    where = scene(ADA, catalogue, VIEWS)
    for wanted in ({}, {"profile": "agrifood/remote-sensing"}):
        html = drawn(where, look(where, wanted, earlier=[LAST]))
        assert "<script>alert" not in html
        assert "&lt;script&gt;alert" in html


def test_without_scripts_the_forms_protection_is_never_in_an_address() -> None:
    for form in re.findall(r"<form [^>]*>", html_of({"profile": "general/pytorch"})):
        assert 'method="post"' in form or 'role="search"' in form
    assert "formmethod" not in html_of({"profile": "general/pytorch"})


@pytest.mark.parametrize("wanted", STATES[:2])
def test_the_page_weighs_less_than_150_kb(wanted: Mapping[str, object]) -> None:
    html = html_of(wanted, earlier=[LAST])
    ours = {*re.findall(r"/hub/hpchub/static/0/([a-z0-9.-]+)", html), "live.js", "clock.js"}
    assert {"start.js", "hpchub.css", "theme.js", "page.js", "icon.svg"} <= ours
    assert len(html.encode()) + sum((FOLDER / name).stat().st_size for name in ours) < MOST_BYTES
