"""Slurm's spellings of time, memory, GPUs and node lists, as numbers.  Pure."""

from __future__ import annotations

import re

_TIME = re.compile(r"(?:(?P<days>\d+)-)?(?P<first>\d+)(?::(?P<second>\d+))?(?::(?P<third>\d+))?")
# A type may begin with a digit (1g.10gb, a slice of a GPU); another resource's name may end in "gpu".
_GPU = re.compile(r"(?:^|,)gpu(?::(?P<type>[^:,()]+))?:(?P<count>\d+)(?=[(,]|$)")


def minutes_from_slurm(text: str) -> int | None:
    """Turn a Slurm time into whole minutes, rounded down; None where it says that there is no limit.

    Slurm's accepted forms (``man sbatch``, ``--time``): minutes, minutes:seconds, hours:minutes:seconds, days-hours,
    days-hours:minutes and days-hours:minutes:seconds.

    Raises:
        ValueError: it is none of them.
    """
    if text.upper() in {"UNLIMITED", "INFINITE", "NONE", "N/A", "NOT_SET", ""}:
        return None
    match = _TIME.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a time in Slurm's form (for example 30, 4:00:00 or 1-12:00:00)")
    first, second = int(match["first"]), int(match["second"] or 0)
    if match["days"] is not None:
        return int(match["days"]) * 1440 + first * 60 + second
    if match["third"] is not None:
        return first * 60 + second
    return first


def slurm_time(minutes: int) -> str:
    """Write minutes as ``days-hours:minutes:seconds``, the form that no one can misread as seconds."""
    days, rest = divmod(minutes, 1440)
    hours, left = divmod(rest, 60)
    return f"{days}-{hours:02d}:{left:02d}:00"


def gpus_from_gres(text: str) -> dict[str, int]:
    """Count GPUs by type in a ``Gres`` or ``GresUsed`` field; untyped ones are under ``""``.

    >>> gpus_from_gres("gpu:a100:4(S:0-1),tmpfs:3T")
    {'a100': 4}
    """
    counts: dict[str, int] = {}
    # Commas also stand inside the index list: gpu:a100:2(IDX:0,2)
    for match in _GPU.finditer(text):
        gpu_type = match["type"] or ""
        counts[gpu_type] = counts.get(gpu_type, 0) + int(match["count"])
    return counts


def tres_value(text: str, name: str) -> int | None:
    """Read one number out of a TRES list such as ``cpu=4,gres/gpu=8,mem=30800M``; None where it is not named."""
    for item in text.split(","):
        key, _, value = item.partition("=")
        if key == name and value.isdigit():
            return int(value)
    return None
