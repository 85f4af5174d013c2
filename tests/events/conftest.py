"""What the tests of events share: the trainer, and browsers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.chromium import browser, italian_visitor, visitor
from tests.support.events import Trainer
from tests.support.site import Site

__all__ = ["browser", "italian_visitor", "visitor"]


@pytest.fixture
def trainer(site: Site) -> Iterator[Trainer]:
    """Carla; whatever she created is over afterwards."""
    carla = Trainer(site)
    yield carla
    for event in carla.ask("GET", "/events").json:
        if event["state"] in ("planned", "open"):
            carla.ask("POST", f"/events/{event['slug']}/close")
