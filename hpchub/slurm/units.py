"""Slurm's spellings of time, memory, GPUs, resources and node lists, as values.  Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product

_TIME = re.compile(r"(?:(?P<days>\d+)-)?(?P<first>\d+)(?::(?P<second>\d+))?(?::(?P<third>\d+))?")
# A type may begin with a digit (1g.10gb, a slice of a GPU); another resource's name may end in "gpu".
_UNITS = {"k": 1 / 1024, "m": 1.0, "g": 1024.0, "t": 1024.0**2, "p": 1024.0**3}
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


def amounts(text: str) -> tuple[tuple[str, float], ...]:
    """Read a list of resources, names in lower case and memory in MB.

    >>> amounts("cpu=4,gres/gpu:a100=8,mem=30G")
    (('cpu', 4.0), ('gres/gpu:a100', 8.0), ('mem', 30720.0))

    Raises:
        ValueError: an amount is none.
    """
    found = []
    for item in text.split(",") if text else ():
        name, _, value = item.lower().partition("=")
        number, unit = (value[:-1], value[-1]) if value[-1:] in _UNITS else (value, "m")
        found.append((name, float(number) * _UNITS[unit]))
    return tuple(found)


def weights(text: str) -> tuple[tuple[str, float], ...]:
    """Read ``TRESBillingWeights``: what one of each resource costs, memory by the MB.

    Raises:
        ValueError: a weight is none.
    """
    found = []
    for item in text.split(",") if text else ():
        name, _, value = item.lower().partition("=")
        # The weight is of a whole unit: Mem=0.25G is a quarter for a GB.
        number, unit = (value[:-1], value[-1]) if value[-1:] in _UNITS else (value, "m")
        found.append((name, float(number) / _UNITS[unit]))
    return tuple(found)


def node_names(text: str) -> frozenset[str]:
    """Write out a list of nodes.

    >>> sorted(node_names("n[01-02,5],login"))
    ['login', 'n01', 'n02', 'n5']

    Raises:
        ValueError: it is none.
    """
    names = []
    # A comma inside brackets belongs to a node's numbers.
    for item in re.findall(r"(?:[^,\[]|\[[^\]]*\])+", text):
        parts = re.split(r"\[([^\]]*)\]", item)
        choices = [list(_numbers(part)) if nth % 2 else [part] for nth, part in enumerate(parts)]
        names += ["".join(chosen) for chosen in product(*choices)]
    return frozenset(names)


def _numbers(ranges: str) -> Iterator[str]:
    for each in ranges.split(","):
        first, _, last = each.partition("-")
        for number in range(int(first), int(last or first) + 1):
            yield f"{number:0{len(first)}}"


def tres_value(text: str, name: str) -> int | None:
    """Read one number out of a TRES list such as ``cpu=4,gres/gpu=8,mem=30800M``; None where it is not named."""
    for item in text.split(","):
        key, _, value = item.partition("=")
        if key == name and value.isdigit():
            return int(value)
    return None
