"""The hub's copy of the active events: the console pushes them, and a copy on disk outlives a restart of either."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from hpchub.catalogue.event import Event, Message
from hpchub.whole import write_whole

log = logging.getLogger(__name__)

EVENTS = TypeAdapter(tuple[Event, ...])


class EventKeeper:
    """Keeps the active events, and their file.

    Args:
        file: where they are kept; a file that cannot be read is reported, left as it is, and means no events.
        changed: is called whenever they may have become others.
    """

    def __init__(self, file: Path, changed: Callable[[], None] = lambda: None) -> None:
        self._file = file
        self._changed = changed
        self.events: tuple[Event, ...] = ()
        self.problem = ""
        """What is wrong with the file that was found at the start; empty once events were pushed again."""
        try:
            self.events = EVENTS.validate_json(file.read_bytes())
        except FileNotFoundError:
            pass
        except (OSError, ValidationError) as error:
            self.problem = f"{file}: {error.strerror if isinstance(error, OSError) else wrong_in(error)}"
            log.error("the events cannot be read, so there are none until they are pushed again: %s", self.problem)

    def replace(self, events: tuple[Event, ...]) -> None:
        """Take a new set into service, once it is on disk.

        Raises:
            OSError: it cannot be written; the old set stays.
        """
        write_whole(self._file, EVENTS.dump_json(events, indent=1))
        self.events, self.problem = events, ""
        self._changed()

    def note_hand(self, slug: str, user: str, up: bool) -> None:
        """Note what the console was just told, until it pushes the events again."""
        self.events = tuple(event.with_hand(user, up) if event.slug == slug else event for event in self.events)
        self._changed()

    def of(self, user: str, groups: Iterable[str]) -> tuple[Event, ...]:
        """Give the events that a person is a member of, open or not, each as it is for them."""
        groups = frozenset(groups)
        return tuple(event.for_person(user) for event in self.events if event.has(user, groups))

    def last_message(self, user: str, groups: Iterable[str], now_epoch: float) -> tuple[Event, Message] | None:
        """Give what a trainer said last to a person in an event that is open, with the event."""
        said = [
            (event, message)
            for event in self.of(user, groups)
            if event.is_open(now_epoch)
            for message in event.messages
            if message.is_for(user)
        ]
        return max(said, key=lambda each: each[1].epoch, default=None)


def wrong_in(error: ValidationError) -> str:
    """Name the places and what is wrong there, without repeating what was sent."""
    found = error.errors(include_url=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, each['loc'])) or 'the body'}: {each['msg']}" for each in found)[:1000]
