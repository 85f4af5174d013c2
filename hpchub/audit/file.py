"""The file of the audit record: one for each day, removed when they are too old."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from io import TextIOWrapper
from logging.handlers import TimedRotatingFileHandler
from pathlib import Path


class DailyFile(TimedRotatingFileHandler):
    """Appends to a file that only its owner can read; at midnight (UTC) the day's events go into one with its date.

    Args:
        path: the file of today; ``PATH.2026-11-22`` has those of that day.
        days: how long files are kept, by their dates: the standard library counts files, and a quiet year has few.
    """

    def __init__(self, path: Path, days: int) -> None:
        self._days = days
        super().__init__(path, when="midnight", utc=True, backupCount=days, encoding="utf-8", delay=True)

    def _open(self) -> TextIOWrapper:
        return open(self.baseFilename, "a", encoding=self.encoding, opener=_for_its_owner)

    def getFilesToDelete(self) -> list[str]:
        """List the files of days that are too long ago."""
        path = Path(self.baseFilename)
        oldest = f"{path.name}.{datetime.now(UTC).date() - timedelta(days=self._days)}"
        return [str(each) for each in path.parent.glob(f"{path.name}.????-??-??") if each.name < oldest]


def _for_its_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
