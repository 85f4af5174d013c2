"""The text of a session's log, made safe to show to its own user.  Pure.

Anything may be in it: the user's own programs write there too.  It stays plain text, which pages escape.
"""

from __future__ import annotations

import re

LONGEST_TAIL = 8000
"""Characters of a log that a session keeps."""

_COLOURS_AND_CURSORS = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
"""Escape sequences of terminals (ECMA-48): CSI, OSC and the two-character ones."""
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters other than newline and tab, those that turn the direction of text, and halves of characters."""
_TOKENS = re.compile(r"(?i)(token[\"']?\s{0,3}[=:]\s{0,3}[\"']?)[^\s\"'&]{8,}|(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])")
"""What follows ``token=`` (with few spaces between, or a hostile text would cost seconds), and any 32 hexadecimal
digits, the form of JupyterHub's tokens: after a restart the hub does not know a session's token itself.  Session ids
have the same form and are masked with them."""


def readable(text: str) -> str:
    """Give a log's text without control characters and without anything that may be a token."""
    text = _COLOURS_AND_CURSORS.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
    return _TOKENS.sub(lambda found: f"{found[1] or ''}…", _CONTROLS.sub("", text))


def tail(text: str, characters: int = LONGEST_TAIL) -> str:
    """Give the readable end of a log, from the beginning of a line on where that is possible."""
    # More than enough for what is taken away from it.
    text = readable(text[-4 * characters :]).strip("\n")
    if len(text) <= characters:
        return text
    end = text[-characters:]
    _, newline, lines = end.partition("\n")
    return lines if newline and lines else end


_KILLED_FOR_MEMORY = r"^(?:slurmstepd(?:-\S+)?:|\[[^]\n]*\]) error: .*exceeded memory limit \("


def killed_for_memory(text: str) -> bool:
    """Tell whether Slurm wrote into the log that it killed the job's processes for their memory.

    On clusters without cgroups nothing else says so: there a job ends as FAILED by signal 9.  The words are those of
    slurmstepd (jobacct_gather.c, Slurm 22.05 to 26.05).
    """
    # up to 24.11 the line begins with the daemon's name, in 26.05 with the time in brackets
    return re.search(_KILLED_FOR_MEMORY, text, re.MULTILINE) is not None
