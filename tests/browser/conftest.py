"""Every journey is somebody's in front of a browser."""

from __future__ import annotations

from tests.support.chromium import browser, italian_visitor, visitor, visitor_without_scripts

__all__ = ["browser", "italian_visitor", "visitor", "visitor_without_scripts"]
