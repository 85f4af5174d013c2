"""The spawn page: what it shows is what can be started, and what it sends back is what was shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import product

import pytest

from hpchub.catalogue.choice import accept
from hpchub.catalogue.model import Catalogue
from hpchub.catalogue.offers import Offer, Person, offers
from hpchub.errors import ChoiceRefused
from hpchub.slurm.model import ClusterView
from spawners.form import choice_from_form, form_html, lanes, time_text
from tests.unit.data.world import ADA, VIEWS, boost, demo_catalogue, leonardo, with_profile

DEMO = demo_catalogue()
HOSTILE = '"><script>alert(1)</script>'


@dataclass
class Page(HTMLParser):
    """What a browser without JavaScript has of a page: fields with their values, buttons, labels."""

    html: str
    fields: dict[str, list[str]] = field(default_factory=dict)
    selected: dict[str, str] = field(default_factory=dict)
    buttons: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    labelled: list[str] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)
    tags: set[str] = field(default_factory=set)
    attributes: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()
        self._select = ""
        self.feed(self.html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.tags.add(tag)
        self.attributes |= set(values)
        if tag == "input":
            self.fields[values["name"]] = [values["value"]]
        elif tag == "select":
            self._select = values["name"]
            self.fields[self._select] = []
            self.ids.append(values["id"])
        elif tag == "option":
            self.fields[self._select].append(values["value"])
            if "selected" in values:
                self.selected[self._select] = values["value"]
        elif tag == "button":
            self.buttons.append(values["value"])
        elif tag == "label":
            self.labelled.append(values["for"])
        elif tag == "details" and "open" in values:
            self.opened.append(values["data-profile"])

    def submissions(self, button: str) -> list[dict[str, list[str]]]:
        """Everything that can be sent by a button: each combination of its lane, with the other lanes' fields."""
        lane = [name for name in self.fields if name.startswith(f"{button}.")]
        others = {name: values[:1] for name, values in self.fields.items() if name not in lane}
        combinations = product(*(self.fields[name] for name in lane))
        return [
            {**others, "start": [button], **{name: [value] for name, value in zip(lane, values, strict=True)}}
            for values in combinations
        ]


def page(
    person: Person = ADA,
    catalogue: Catalogue = DEMO,
    views: Mapping[str, ClusterView] = VIEWS,
    **more: object,
) -> Page:
    return Page(form_html(catalogue, offers(catalogue, person, views), "en", **more))  # type: ignore[arg-type]


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


@pytest.mark.parametrize(("person", "catalogue", "views"), WORLDS)
def test_everything_that_can_be_sent_is_accepted(
    person: Person, catalogue: Catalogue, views: Mapping[str, ClusterView]
) -> None:
    shown = page(person, catalogue, views)
    for button in shown.buttons:
        for formdata in shown.submissions(button):
            choice = choice_from_form(formdata)
            accepted = accept(choice, catalogue, person, views).as_user_options()
            assert {key: accepted[key] for key in choice} == choice


def amount(offer: Offer) -> tuple[str, str, str, str]:
    return offer.profile, offer.cluster, offer.allocation, offer.size


@pytest.mark.parametrize(("person", "catalogue", "views"), WORLDS)
def test_every_offer_can_be_chosen_up_to_its_longest_time(
    person: Person, catalogue: Catalogue, views: Mapping[str, ClusterView]
) -> None:
    shown = page(person, catalogue, views)
    longest: dict[tuple[str, str, str, str], int] = {}
    for button in shown.buttons:
        for formdata in shown.submissions(button):
            accepted = accept(choice_from_form(formdata), catalogue, person, views)
            longest[amount(accepted.offer)] = max(accepted.minutes, longest.get(amount(accepted.offer), 0))
    expected: dict[tuple[str, str, str, str], int] = {}
    for offer in offers(catalogue, person, views):
        expected[amount(offer)] = max(offer.max_minutes, expected.get(amount(offer), 0))
    assert longest == expected


def test_usually_a_profile_is_one_lane() -> None:
    mine = [offer for offer in offers(DEMO, ADA, VIEWS) if offer.profile == "general/pytorch"]
    assert [(lane.clusters, lane.allocations, lane.sizes) for lane in lanes(mine)] == [
        (("leonardo", "it4lia"), ("aifac_agri01", "aifac_clima01"), ("small", "medium", "large"))
    ]


def test_a_single_cluster_is_not_asked_for() -> None:
    shown = page(views=leonardo())
    assert not any(name.endswith("-cluster") for name in shown.ids)
    assert {values[0] for name, values in shown.fields.items() if name.endswith(".cluster")} == {"leonardo"}


def test_the_profiles_defaults_are_selected() -> None:
    shown = page(Person("bruno"))
    assert [shown.selected[f"1.{name}"] for name in ("cluster", "size", "minutes")] == ["leonardo", "small", "120"]


def test_every_field_has_its_own_label() -> None:
    shown = page()
    assert shown.ids == shown.labelled
    assert len(set(shown.ids)) == len(shown.ids)


def test_the_page_has_no_inline_script_or_style() -> None:
    shown = page()
    assert not shown.tags & {"script", "style", "form"}
    assert not [name for name in shown.attributes if name == "style" or name.startswith("on")]


LAST: dict[str, object] = {
    "profile": "agrifood/remote-sensing",
    "cluster": "leonardo",
    "allocation": "aifac_agri01",
    "size": "small",
    "minutes": 90,
    "qos": "normal",
    "event": None,
}


def test_the_last_choice_comes_first_and_starts_the_same_again() -> None:
    shown = page(last=LAST)
    (formdata,) = shown.submissions(shown.buttons[0])
    assert accept(choice_from_form(formdata), DEMO, ADA, VIEWS).as_user_options() == LAST
    assert "Remote sensing, Leonardo (demo), aifac_agri01, small (1 GPU, 8 cores, 117 GB), 1 h 30 min" in shown.html


@pytest.mark.parametrize(
    "change",
    [{"allocation": "aifac_cyber01"}, {"minutes": 999}, {"minutes": HOSTILE}, {"size": None}, {"profile": "gone/gone"}],
    ids=str,
)
def test_a_last_choice_that_is_no_offer_any_more_is_not_shown(change: Mapping[str, object]) -> None:
    assert "last" not in page(last={**LAST, **change}).buttons


def test_a_link_opens_its_card_and_selects_in_it() -> None:
    shown = page(preset={"profile": "agrifood/remote-sensing", "size": "large", "minutes": "60", "cluster": "it4lia"})
    assert shown.opened == ["agrifood/remote-sensing"]
    assert [shown.selected[f"2.{name}"] for name in ("cluster", "size", "minutes")] == ["it4lia", "large", "60"]


def test_a_link_cannot_bring_in_what_is_no_offer() -> None:
    hostile = dict.fromkeys(("cluster", "allocation", "size", "minutes"), HOSTILE)
    assert page(preset={"profile": "agrifood/remote-sensing", **hostile}).selected == page().selected
    assert page(preset={"profile": HOSTILE}).html == page().html


def test_text_of_files_is_escaped() -> None:
    shown = page(catalogue=with_profile("agrifood/remote-sensing", title={"en": HOSTILE}), last=LAST)
    assert "script" not in shown.tags
    assert "&lt;script&gt;" in shown.html


def test_without_offers_the_page_says_why() -> None:
    shown = page(Person("admin"), message="You have no allocation <here>.")
    assert "You have no allocation &lt;here&gt;." in shown.html
    assert shown.buttons == []


def test_the_page_speaks_the_persons_language_where_the_files_do() -> None:
    html = form_html(DEMO, offers(DEMO, ADA, VIEWS), "it")
    assert "Telerilevamento" in html
    assert "Agroalimentare" in html


NOTHING_PICKED = [
    ("empty", {}),
    ("only the protection", {"_xsrf": ["x"]}),
    ("unknown lane", {"start": ["99"], "1.profile": ["general/pytorch"]}),
    ("no button", {"1.profile": ["general/pytorch"]}),
    ("button twice", {"start": ["1", "2"], "1.profile": ["general/pytorch"]}),
    ("field twice", {"start": ["1"], "1.profile": ["general/pytorch", "x/y"]}),
    ("button without a value", {"start": [""], "1.profile": ["general/pytorch"]}),
]


@pytest.mark.parametrize("formdata", [pytest.param(row[1], id=row[0]) for row in NOTHING_PICKED])
def test_a_form_without_one_clear_choice_is_refused(formdata: Mapping[str, list[str]]) -> None:
    with pytest.raises(ChoiceRefused):
        choice_from_form(formdata)


def test_unknown_fields_are_ignored() -> None:
    formdata = {
        "start": ["1"],
        "1.profile": ["general/pytorch"],
        "1.partition": ["x"],
        "minutes": ["5"],
        "2.size": ["y"],
    }
    assert choice_from_form(formdata) == {"profile": "general/pytorch"}


@pytest.mark.parametrize("minutes", ["", "-5", "1e3", "٣", "9" * 5000, " 60", "60.0"], ids=lambda text: text[:10])
def test_minutes_that_are_no_number_stay_text_and_are_refused(minutes: str) -> None:
    choice = choice_from_form({"start": ["1"], "1.profile": ["general/pytorch"], "1.minutes": [minutes]})
    with pytest.raises(ChoiceRefused, match="minutes must be a whole number"):
        accept(choice, DEMO, ADA, VIEWS)


@pytest.mark.parametrize(("minutes", "text"), [(15, "15 min"), (60, "1 h"), (90, "1 h 30 min"), (1440, "24 h")])
def test_times_are_written_as_people_do(minutes: int, text: str) -> None:
    assert time_text(minutes) == text
