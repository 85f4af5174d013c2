"""A cluster behind ``ssh``: the queries and the launcher run on its login node.

The hub keeps one connection to each login node and sends every command through it (``ControlMaster``), so signing in
is rare, cheap for the login node, and happens in one place that knows why it failed.  A command never opens a
connection of its own: what was not sent is then known, and a submission is never sent twice.

A certificate that expires ends no connection.  A new one fails until the file was renewed from outside; then it
succeeds without the help of anybody.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
import re
import shlex
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from hpchub.catalogue.site import Ssh
from hpchub.errors import Unreachable

log = logging.getLogger(__name__)

LOCAL_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
"""For ``ssh`` itself and its tools; nothing of it reaches the login node."""
NO_ANSWER_STATUSES = frozenset({137, 255})
"""What a query ends with that ``timeout`` killed there, and ``ssh`` when the connection failed."""
SSH_FAILED = 255

_SIGN_IN_SECONDS = 20
"""How long signing in may take; ``ConnectTimeout`` ends sooner where nobody answers at all."""
_CHECK_SECONDS = 5
"""How long our own end of a connection may take to say that it lives."""
_LONGEST_PAUSE_SECONDS = 60
"""Between two failed tries to sign in: more would look like an attack, and login nodes lock out who does that."""
_WARN_SECONDS = 3600
"""How long before its end a certificate that nobody has renewed is worth a warning."""

_NOT_SENT = "hpchub-has-no-connection"
"""What ``ssh`` says where it would have to make a connection for a command: the one that is there did not take it."""

# A hub that dies takes its connections along, however it dies.
_DIES_WITH_THE_HUB = ("setpriv", "--pdeathsig", "KILL", "--")


def ssh_argv(settings: Ssh, socket: Path) -> list[str]:
    """Give ``ssh`` with everything but the host: no file of the user or the machine adds to it."""
    options = {
        "BatchMode": "yes",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": settings.known_hosts_file,
        "GlobalKnownHostsFile": "/dev/null",
        "UpdateHostKeys": "no",
        "PreferredAuthentications": "publickey",
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "IdentityFile": settings.identity_file,
        **({"CertificateFile": settings.certificate_file} if settings.certificate_file else {}),
        "ForwardAgent": "no",
        "ClearAllForwardings": "yes",
        "PermitLocalCommand": "no",
        "ControlPath": socket,
        "ConnectTimeout": 10,
        # A network that is gone is noticed in 30 s.
        "ServerAliveInterval": 10,
        "ServerAliveCountMax": 3,
        "LogLevel": "ERROR",
    }
    words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    return ["ssh", "-F", "none", "-T", *words, "-p", str(settings.port), "-l", settings.user]


def through_ssh(settings: Ssh, socket: Path, argv: Sequence[str]) -> list[str]:
    """Give the command that runs ``argv`` on the login node, through the connection that is there or not at all.

    The login shell there has to be one that reads quotes as POSIX says.
    """
    # Without a connection ssh would make one of its own, and send a request that was perhaps sent already.
    never_its_own = ("-o", "ControlMaster=no", "-o", f"ProxyCommand=sh -c 'echo {_NOT_SENT} >&2'")
    return [*ssh_argv(settings, socket), *never_its_own, "--", settings.host, shlex.join(argv)]


def query_argv(argv: Sequence[str], environment: Mapping[str, str], seconds: float) -> list[str]:
    """Give a query as it is to run there: with exactly this environment, and not longer than we wait for it.

    A process there outlives the ``ssh`` that started it, and keeps one of the connection's sessions.
    """
    variables = [f"{name}={value}" for name, value in environment.items()]
    return ["env", "-i", *variables, "timeout", "-s", "KILL", str(math.ceil(seconds)), *argv]


def never_sent(words: str) -> bool:
    """Tell from ``ssh``'s words whether a command certainly did not reach the login node."""
    if _NOT_SENT not in words:
        return False
    # What else mux.c says of a request for a session comes after it was handed over.
    return re.search(r"mux_client_request_session: (?!session request failed)", words) is None


def valid_until(listing: str) -> float | None:
    """Read from ``ssh-keygen -L`` (in UTC) when a certificate ends; None if it never does."""
    found = re.search(r"^\s*Valid: (?:from \S+ to|before) (\S+)\s*$", listing, re.MULTILINE)
    return datetime.fromisoformat(found[1]).replace(tzinfo=UTC).timestamp() if found else None


def utc(epoch: float) -> str:
    """Write a time for the log."""
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def explained(words: str, settings: Ssh, until_epoch: float | None, now: float) -> str:
    """Say to an admin why there is no connection, and what to do where that is known."""
    if "Host key verification failed" in words:
        return (
            f"the host key of {settings.host} is not the one in {settings.known_hosts_file}; nothing was sent. "
            "Ask the administrators of the login node which key it has"
        )
    if "Permission denied" in words and until_epoch is not None and until_epoch <= now:
        return f"the certificate {settings.certificate_file} expired at {utc(until_epoch)}; it has to be renewed"
    if "Permission denied" in words:
        key = settings.certificate_file or settings.identity_file
        return f"{settings.host} does not let {settings.user} in with {key}"
    return f"ssh to {settings.host} said: {words[-400:]}" if words else f"ssh to {settings.host} gave no reason"


class LoginNode:
    """One connection to the login node of a cluster, made when it is needed and again when it is gone.

    Args:
        cluster: its name, for the log.
        settings: how to sign in, and what to run there.
        socket: where ``ssh`` listens for more commands; its folder belongs to the hub alone.
    """

    def __init__(self, cluster: str, settings: Ssh, socket: Path) -> None:
        self.cluster = cluster
        self.environment = settings.environment
        self._settings = settings
        self._socket = socket
        # sshd limits the commands at once (MaxSessions): a controller that hangs must not keep queries and
        # requests from each other.
        self._queries = asyncio.Semaphore(settings.sessions // 2)
        self._requests = asyncio.Semaphore(settings.sessions - settings.sessions // 2)
        self._turn = asyncio.Lock()
        self._master: asyncio.subprocess.Process | None = None
        self._words: IO[bytes] | None = None
        self._doubtful = False
        self._pause_seconds = 0.0
        self._not_before = 0.0
        self._why = ""
        self._certificate: tuple[float, float | None] = (0, None)
        self._warned_of: float | None = None

    @contextlib.asynccontextmanager
    async def query(
        self, argv: Sequence[str], environment: Mapping[str, str], seconds: float
    ) -> AsyncIterator[list[str]]:
        """Give the command that runs a query there; an error while it runs casts doubt on the connection.

        Raises:
            Unreachable: there is no connection, and none can be made now.
        """
        async with self._queries, self._connection():
            yield through_ssh(self._settings, self._socket, query_argv(argv, environment, seconds))

    @contextlib.asynccontextmanager
    async def request(self) -> AsyncIterator[list[str]]:
        """Give the command that runs the launcher there; an error while it runs casts doubt on the connection.

        Raises:
            Unreachable: there is no connection, and none can be made now.
        """
        async with self._requests, self._connection():
            yield through_ssh(self._settings, self._socket, self._settings.launcher)

    @contextlib.asynccontextmanager
    async def _connection(self) -> AsyncIterator[None]:
        async with self._turn:
            await self._mind_certificate()
            if self._master is None or self._master.returncode is not None or await self._hangs():
                await self._end()
                await self._sign_in()
        try:
            yield
        except BaseException:
            self._doubtful = True
            raise

    async def _hangs(self) -> bool:
        """After a failure, ask our own end of the connection whether it lives."""
        if not self._doubtful:
            return False
        argv = [*ssh_argv(self._settings, self._socket), "-O", "check", "--", self._settings.host]
        status, _ = await _run(argv, _CHECK_SECONDS)
        self._doubtful = status != 0
        if self._doubtful:
            log.warning("%s: the connection to its login node hangs and is made anew", self.cluster)
        return self._doubtful

    async def _end(self) -> None:
        if self._master is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._master.kill()
        await self._master.wait()
        self._master, self._doubtful = None, False
        log.warning("%s: the connection to its login node is gone: %s", self.cluster, self._said() or "no reason")

    async def _sign_in(self) -> None:
        """Make the connection, after a pause that doubles with each failure.

        Raises:
            Unreachable: it cannot be made now.
        """
        if time.monotonic() < self._not_before:
            raise Unreachable(self._why)
        try:
            await self._start_master()
        except Unreachable as error:
            self._forget_words()
            self._pause_seconds = min(max(1.0, self._pause_seconds * 2), _LONGEST_PAUSE_SECONDS)
            self._not_before = time.monotonic() + self._pause_seconds
            if str(error) != self._why:
                self._why = str(error)
                log.error("%s: no connection to its login node: %s", self.cluster, self._why)
            raise
        self._why, self._pause_seconds = "", 0
        log.info("%s: connected to %s", self.cluster, self._settings.host)

    async def _start_master(self) -> None:
        """Start the ``ssh`` that holds the connection; its socket appears when it has signed in."""
        self._socket.parent.mkdir(mode=0o700, exist_ok=True)
        self._socket.unlink(missing_ok=True)
        self._forget_words()
        self._words = tempfile.TemporaryFile()
        argv = [*_DIES_WITH_THE_HUB, *ssh_argv(self._settings, self._socket), "-N", "-o", "ControlMaster=yes"]
        try:
            master = await asyncio.create_subprocess_exec(
                *argv,
                "--",
                self._settings.host,
                env=LOCAL_ENVIRONMENT,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=self._words,
            )
        except OSError as error:
            raise Unreachable(f"{argv[0]} cannot be started: {error.strerror}") from error
        try:
            async with asyncio.timeout(_SIGN_IN_SECONDS):
                while master.returncode is None and not self._socket.is_socket():  # noqa: ASYNC110 - ssh tells nobody
                    await asyncio.sleep(0.02)
        except BaseException as error:
            with contextlib.suppress(ProcessLookupError):
                master.kill()
            await master.wait()
            if isinstance(error, TimeoutError):
                host = self._settings.host
                raise Unreachable(f"ssh to {host} could not sign in within {_SIGN_IN_SECONDS} s") from error
            raise
        if master.returncode is not None:
            raise Unreachable(explained(self._said(), self._settings, self._certificate[1], time.time()))
        self._master = master

    def _forget_words(self) -> None:
        if self._words is not None:
            self._words.close()
            self._words = None

    def _said(self) -> str:
        if self._words is None:
            return ""
        # Read by position: the file's own is shared with ssh, which writes there.
        return os.pread(self._words.fileno(), 4000, 0).decode(errors="replace").strip()

    async def _mind_certificate(self) -> None:
        """Read a certificate that is new, try it at once, and warn when its end is near."""
        path = self._settings.certificate_file
        if path is None:
            return
        try:
            changed = path.stat().st_mtime
        except OSError:
            return  # signing in fails and says so
        if changed != self._certificate[0]:
            _, listing = await _run(["ssh-keygen", "-L", "-f", str(path)], _CHECK_SECONDS)
            self._certificate = (changed, valid_until(listing))
            self._not_before = self._pause_seconds = 0
        until = self._certificate[1]
        if until is not None and until - _WARN_SECONDS < time.time() < until and until != self._warned_of:
            self._warned_of = until
            log.warning("%s: the certificate %s ends at %s and was not renewed", self.cluster, path, utc(until))


async def _run(argv: Sequence[str], seconds: float) -> tuple[int | None, str]:
    """Run one of ssh's tools for so long at most; give its status (None: it had to be killed) and its output."""
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            env=LOCAL_ENVIRONMENT,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError:
        return None, ""
    try:
        out, _ = await asyncio.wait_for(process.communicate(), seconds)
    except BaseException as error:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        if isinstance(error, TimeoutError):
            return None, ""
        raise
    return process.returncode, out.decode(errors="replace")
