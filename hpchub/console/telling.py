"""What the hub is told of all events, each by itself: one that the hub's model refuses keeps no other from it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from pydantic import ValidationError

from hpchub.catalogue.event import Event as HubEvent
from hpchub.catalogue.seats import FILES_SUFFIX
from hpchub.console.help_store import HelpStore
from hpchub.console.lending import for_files
from hpchub.console.plans import Event, live
from hpchub.console.store import Store
from hpchub.events import wrong_in

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class News:
    """What the hub is told."""

    events: list[HubEvent]
    left_out: frozenset[str]
    """Slugs of those that the hub would refuse: it keeps what it has of them."""


class Telling:
    """Gives what the hub is told, and reports what it cannot be told, once.

    Args:
        store: the console's memory.
    """

    def __init__(self, store: Store) -> None:
        self._store, self._help = store, HelpStore(store)
        self._troubles: dict[str, str] = {}

    def news(self, now_epoch: float, files_days: int, files_profile: str | None) -> News:
        """Give the events that take place or will, and the times for files after others, in a fixed order.

        Args:
            now_epoch: in seconds since 1970.
            files_days: as in :meth:`~hpchub.console.plans.Event.kept_until_epoch`.
            files_profile: as ``profile`` of :func:`~hpchub.console.lending.for_files`.
        """
        troubles: dict[str, str] = {}
        told, left_out = [], set()

        def add(slug: str, make: Callable[[], list[HubEvent]]) -> None:
            try:
                told.extend(make())
            except ValidationError as error:
                troubles[slug] = wrong_in(error)
                left_out.add(slug)

        def whole(event: Event) -> list[HubEvent]:
            bare = event.for_the_hub(files_days)
            try:
                return [self._help.with_help(bare, now_epoch)]
            except ValidationError as error:
                troubles[event.slug] = f"its messages, hands and consents: {wrong_in(error)}"
                return [bare]

        for event in live(self._store.not_over(now_epoch), now_epoch):
            add(event.slug, partial(whole, event))
        for event in self._store.lending():
            files = partial(for_files, [event], now_epoch, files_days, files_profile)
            add(f"{event.slug}{FILES_SUFFIX}", files)
        self._report(troubles)
        return News(told, frozenset(left_out))

    def _report(self, troubles: dict[str, str]) -> None:
        for slug, trouble in troubles.items():
            # The same trouble every few seconds is said once.
            if self._troubles.get(slug) != trouble:
                log.error("the hub cannot be told of event %s: %s", slug, trouble)
        self._troubles = troubles
