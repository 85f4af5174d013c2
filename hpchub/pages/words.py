"""Amounts in words, the same on all pages.  Pure."""

from __future__ import annotations

from hpchub.text import Speech


def amount(gpus: int, cores: int, memory_mb: int, speech: Speech) -> str:
    """Say what a size has: ``1 GPU, 8 cores, 117 GB``."""
    said = [
        speech.say_number("{n} GPU", "{n} GPUs", gpus) if gpus else speech.say("no GPU"),
        speech.say_number("{n} core", "{n} cores", cores),
        f"{memory_mb // 1024} GB",
    ]
    return ", ".join(said)
