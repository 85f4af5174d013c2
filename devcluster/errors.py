"""The one error of this package."""

from __future__ import annotations


class DevclusterError(Exception):
    """Something that the caller can put right; the text is one sentence that says what to do."""
