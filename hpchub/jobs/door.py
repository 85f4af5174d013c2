"""The hub's side of the narrow doors: one JSON request to a program with more rights, one JSON answer.

A door is a command from the site's data (in the demo ``sudo -n …/hpchub-launch``), or a Unix socket on which systemd
listens: for each connection it starts the program, with the connection as its standard input and output.  What passes
through a door is checked again on the other side.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpchub.errors import HpchubError

Way = Sequence[str] | Path
"""How a program is reached: the words of a command, or the socket of a systemd unit."""
Said = tuple[int | None, str, str]
"""A program's exit status (None where a socket tells none), its output and its errors."""
_PART_BYTES = 64 * 1024


def last_word(way: Way) -> str:
    """Name what is behind a door, for the texts of errors."""
    return str(way) if isinstance(way, Path) else way[-1]


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

    async def send(self, way: Way, request: bytes) -> Said:
        """Hand one request over and wait for what is said.  Raises ``failed``, ``unclear``."""
        if isinstance(way, Path):
            try:
                async with asyncio.timeout(self.timeout_seconds):
                    return await self._ask_socket(way, request)
            except TimeoutError:
                raise self._silence() from None
        return await self._run(way, request)

    async def _run(self, command: Sequence[str], request: bytes) -> Said:
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
            raise self._silence() from None
        return process.returncode, out.decode(errors="replace"), err.decode(errors="replace")

    async def _ask_socket(self, path: Path, request: bytes) -> Said:
        loop, said, sent = asyncio.get_running_loop(), bytearray(), False
        with socket.socket(socket.AF_UNIX) as door:
            door.setblocking(False)
            try:
                await loop.sock_connect(door, str(path))
            except OSError as error:
                raise self.failed(f"{path} cannot be connected to: {error.strerror}") from error
            try:
                # Whoever refuses before having read all has answered all the same.
                with contextlib.suppress(OSError):
                    await loop.sock_sendall(door, request)
                    door.shutdown(socket.SHUT_WR)
                    sent = True
                while part := await loop.sock_recv(door, _PART_BYTES):
                    said += part
            except OSError:
                # The kernel says so where the other end was closed with something unread (unix_release_sock), and the
                # program acts on nothing that it has not read to its end.
                sent = False
        if not sent and not said:
            raise self.failed(f"{path} was closed before the request was read; nothing was carried out")
        return None, said.decode(errors="replace"), "" if said else "the connection ended without a word"

    def _silence(self) -> HpchubError:
        return self.unclear(f"{self.program} gave no answer in {self.timeout_seconds:.0f} s")

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
