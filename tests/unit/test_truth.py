"""The truth table: what is offered, why not the rest, and that page, form and REST say the same of every row."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from traitlets.config import Config

from hpchub.catalogue.choice import Accepted, accept
from hpchub.catalogue.offers import offers
from hpchub.errors import ChoiceRefused
from spawners.site import SiteSpawner
from tests.support.start import look, scene
from tests.unit.data.truth import Row
from tests.unit.data.truth_access import ACCESS, PLACES
from tests.unit.data.truth_limits import LIMITS

ROWS = [*ACCESS, *PLACES, *LIMITS]
each_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
FIELDS = ("profile", "cluster", "allocation", "size")


def spawner_of(row: Row) -> SiteSpawner:
    """The spawner of the row's person, in the row's world."""
    engine = SimpleNamespace(
        catalogue_of=lambda name: row.catalogue, views=row.views, person=lambda name, groups: row.person
    )
    user = SimpleNamespace(name=row.person.name, settings={"hpchub": engine}, orm_user=SimpleNamespace(groups=[]))
    return SiteSpawner(user=user, config=Config())


def answer(spawner: SiteSpawner, asked: dict[str, object]) -> Accepted | str:
    try:
        return spawner._accept(asked)
    except ChoiceRefused as refusal:
        return str(refusal)


def test_the_table_is_long_enough_and_names_each_row_once() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS) >= 100


@each_row
def test_a_row_is_offered_for_so_long_or_refused_in_these_words(row: Row) -> None:
    if isinstance(row.expected, int):
        accepted = accept(row.asked, row.catalogue, row.person, row.views)
        assert accepted.offer.max_minutes == row.expected
        assert accepted.offer in list(offers(row.catalogue, row.person, row.views))
    else:
        with pytest.raises(ChoiceRefused) as refusal:
            accept(row.asked, row.catalogue, row.person, row.views)
        assert str(refusal.value) == row.expected


@each_row
def test_form_and_rest_agree(row: Row) -> None:
    """The same choice as a browser and as a script would send it."""
    spawner = spawner_of(row)
    fields = {"start": ["1"], **{name: [str(value)] for name, value in row.asked.items()}}
    from_form = spawner.run_options_from_form(fields)
    assert isinstance(from_form, dict)
    assert answer(spawner, from_form) == answer(spawner, row.asked)


@each_row
def test_the_page_shows_exactly_what_rest_accepts(row: Row) -> None:
    """A link to a choice picks it if it is an offer; else the page says what a start is refused with."""
    asked = {field: str(row.asked[field]) for field in FIELDS}
    page = look(scene(row.person, row.catalogue, row.views), asked)
    said = answer(spawner_of(row), dict(asked))
    if isinstance(said, Accepted):
        assert page.panel is not None and page.panel.choice is not None
        assert {field: page.panel.choice[field] for field in FIELDS} == {
            **asked,
            "allocation": asked["allocation"].lower(),
        }
        assert (page.notice, page.panel.notice) == ("", "")
    elif page.panel is None:
        assert page.notice
    else:
        assert page.panel.obstacle or page.panel.notice
        assert page.panel.choice is None or any(
            page.panel.choice[field] != value.lower() for field, value in asked.items()
        )
