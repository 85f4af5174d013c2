"""How busy the job's GPUs are, as nvidia-smi says it."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import Mapping

SECONDS = 30
"""How often it is asked."""
PATIENCE_SECONDS = 10
_IDS = re.compile(r"[0-9A-Za-z-]+(,[0-9A-Za-z-]+)*")


def mean(printed: str) -> int | None:
    """Read a line with a percentage for each GPU; those that tell none (``[N/A]``, parts of a GPU) do not count."""
    percents = [int(line) for line in printed.split("\n") if line.strip().isdecimal()]
    return round(sum(percents) / len(percents)) if percents else None


def command(environment: Mapping[str, str]) -> list[str]:
    """Give the words of the command; nothing where there is no such program, or the job has no GPU.

    Only the job's own GPUs are asked for: on a node whose devices Slurm does not close, all can be seen.
    """
    program, ids = shutil.which("nvidia-smi"), environment.get("CUDA_VISIBLE_DEVICES", "")
    if program is None or not _IDS.fullmatch(ids):
        return []
    return [program, "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "--id=" + ids]


class Use:
    """Asks again and again; what it is told goes to the hub with the next question to that."""

    def __init__(self) -> None:
        self._percents: list[int] = []
        self._mean: int | None = None

    def take(self) -> int | None:
        """Give the mean since the last time, or again the last one."""
        if self._percents:
            self._mean = round(sum(self._percents) / len(self._percents))
            self._percents = []
        return self._mean

    async def run(self) -> None:
        """Ask until the server ends."""
        words = command(os.environ)
        while words:
            percent = await _ask(words)
            if percent is not None:
                self._percents.append(percent)
            await asyncio.sleep(SECONDS)


async def _ask(words: list[str]) -> int | None:
    nothing = asyncio.subprocess.DEVNULL
    try:
        process = await asyncio.create_subprocess_exec(
            *words, stdin=nothing, stdout=asyncio.subprocess.PIPE, stderr=nothing
        )
    except OSError:
        return None
    try:
        printed, _ = await asyncio.wait_for(process.communicate(), PATIENCE_SECONDS)
    except asyncio.TimeoutError:  # noqa: UP041 - in Python 3.9 it is not the built-in one
        process.kill()
        await process.wait()
        return None
    return mean(printed.decode(errors="replace"))
