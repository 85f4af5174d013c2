"""How long: the steps that are offered, between a quarter of an hour and the longest time.  Pure."""

from __future__ import annotations

STEPS = (15, 30, 60, 120, 180, 240, 360, 480, 720, 1080, 1440, 2160, 2880, 4320, 5760)
"""Minutes that people ask for."""
_ROUNDED = 5


def steps(longest_minutes: int, *others: int | None) -> tuple[int, ...]:
    """Give the minutes to choose from, the longest time among them.

    Args:
        longest_minutes: what the offer allows.
        others: minutes that must be there as well, such as the usual time; those that are not possible are left out.
    """
    wished = {minutes for minutes in others if minutes is not None}
    return tuple(sorted(m for m in {*STEPS, *wished, longest_minutes} if 1 <= m <= longest_minutes))


def whole(minutes: int) -> int:
    """Round down so that a step stays the same for some minutes while time goes by."""
    return minutes - minutes % _ROUNDED if minutes > _ROUNDED else minutes
