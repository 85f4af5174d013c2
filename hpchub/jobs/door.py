"""The hub's side of the narrow doors: one JSON request to a program with more rights, one JSON answer.

A door is a command from the site's data (in the demo ``sudo -n …/hpchub-launch``).  What passes through it is checked
again on the other side.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hpchub.errors import HpchubError

Said = tuple[int | None, str, str]
"""A program's exit status, its output and its errors."""


@dataclass(frozen=True, slots=True)
class Door:
    """What is behind a door, and what its failures are.

    Args:
        program: its name, for the texts of errors.
        timeout_seconds: how long one request may take; longer than the program's own limit for a Slurm command.
        failed: raised where nothing was carried out.
        unclear: raised where the answer got lost, and the request may have been carried out.
    """

    program: str
    timeout_seconds: float
    failed: type[HpchubError]
    unclear: type[HpchubError]

    async def send(self, command: Sequence[str], request: bytes) -> Said:
        """Run the command with a request on its standard input.  Raises ``failed``, ``unclear``."""
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                env={"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL": "C.UTF-8"},
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
        except OSError as error:
            raise self.failed(f"{command[0]} cannot be started: {error.strerror}") from error
        try:
            out, err = await asyncio.wait_for(process.communicate(request), self.timeout_seconds)
        except TimeoutError:
            # Behind sudo the process belongs to somebody else and cannot be killed; it has a time limit of its own.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                process.kill()
                await process.wait()
            raise self.unclear(f"{self.program} gave no answer in {self.timeout_seconds:.0f} s") from None
        return process.returncode, out.decode(errors="replace"), err.decode(errors="replace")

    def read(self, said: Said) -> dict[str, Any]:
        """Read an answer, which has ``ok`` at least.  Raises ``failed``, ``unclear``."""
        status, out, err = said
        try:
            answer = json.loads(out)
        except ValueError:
            words = f"{self.program} gave no answer: {err.strip()[-400:]}"
            # A door that refuses says so with 1 (sudo); the program itself always answers, unless it is killed.
            raise (self.failed if status == 1 and not out else self.unclear)(words) from None
        if not isinstance(answer, dict) or "ok" not in answer:
            raise self.unclear(f"{self.program} gave an answer of another form")
        return answer
