"""Which announcements are shown now.  Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import tzinfo

from hpchub.catalogue.appearance import Announcement
from hpchub.catalogue.model import in_language
from hpchub.catalogue.moments import begin_epoch, end_epoch

_ORDER = ("danger", "warning", "info")


@dataclass(frozen=True, slots=True)
class Notice:
    """An announcement in the reader's language."""

    key: str
    """The same as long as the announcement is: by it a browser remembers that its reader has closed it."""
    text: str
    severity: str
    link_text: str
    link_url: str
    """Empty where there is no link."""


def shown(announcements: Iterable[Announcement], epoch: float, zone: tzinfo | None, language: str) -> list[Notice]:
    """Give what is announced at a moment, what matters most first.

    Args:
        announcements: of the site file.
        epoch: the moment, in seconds since 1970.
        zone: of days; None for the machine's own.
        language: of the text, English where it was not translated.
    """
    current = [each for each in announcements if _lasts(each, epoch, zone)]
    return [_notice(each, language) for each in sorted(current, key=lambda each: _ORDER.index(each.severity))]


def _lasts(announcement: Announcement, epoch: float, zone: tzinfo | None) -> bool:
    starts, ends = announcement.starts, announcement.ends
    return (starts is None or begin_epoch(starts, zone) <= epoch) and (ends is None or epoch < end_epoch(ends, zone))


def _notice(announcement: Announcement, language: str) -> Notice:
    link = announcement.link
    return Notice(
        key=hashlib.sha256(repr(announcement).encode()).hexdigest()[:16],
        text=in_language(announcement.text, language),
        severity=announcement.severity,
        link_text=in_language(link.text, language) if link else "",
        link_url=link.url if link else "",
    )
