"""The demo's hub as processes: start it in the background, wait until it answers, find it again, stop it.

The hub starts the proxy itself and restarts it when it dies; here it is only looked at, and stopped with the hub.
"""

from __future__ import annotations

import os
import pwd
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from demo.cache import HUB, digest
from demo.place import REPOSITORY, Place
from demo.software import PROJECT
from demo.steps import (
    LINES_OF_A_FAILURE,
    SYSTEM_PATH,
    Argv,
    DemoError,
    acting_as,
    put_before_jobs,
    step,
    system_environment,
)

START_SECONDS = 180.0
"""For a machine that does much else; a hub that dies is told at once."""
STOP_SECONDS = 15.0


@dataclass(frozen=True)
class Daemon:
    """A background process of the demo: its name, its pid file, and the words that its command line must have."""

    name: str
    pid_file: Path
    words: tuple[str, ...]
    user: str

    def pid(self) -> int | None:
        """Return its process id; None where it does not run.

        A pid file may be older than the machine's last start: the process must run as the right user and have the
        right words on its command line.
        """
        try:
            pid = int(self.pid_file.read_text())
            process = Path("/proc") / str(pid)
            ours = process.stat().st_uid == pwd.getpwnam(self.user).pw_uid
            line = process.joinpath("cmdline").read_text()
        except (OSError, ValueError, KeyError):
            # no file, no number, no such process, no such user
            return None
        return pid if ours and all(word in line for word in self.words) else None

    def launch(self, argv: Argv, folder: Path, environment: Mapping[str, str], log: Path) -> None:
        """Start it in the background, in a session of its own; the log is opened with its user's rights."""
        entry = pwd.getpwnam(self.user)
        with acting_as(self.user):
            output = open(log, "ab")
        with output:
            process = subprocess.Popen(
                argv,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                user=entry.pw_uid,
                group=entry.pw_gid,
                extra_groups=os.getgrouplist(entry.pw_name, entry.pw_gid),
                umask=0o077,
                start_new_session=True,
            )
        self.pid_file.write_text(f"{process.pid}\n")

    def stop(self) -> None:
        """End it by its id: ask, wait, insist."""
        pid = self.pid()
        if pid is None:
            return
        for word, seconds in ((signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, STOP_SECONDS)):
            os.kill(pid, word)
            deadline = time.monotonic() + seconds
            while self.pid() is not None:
                if time.monotonic() > deadline:
                    break
                time.sleep(0.05)
            else:
                return
        raise DemoError(f"{self.name} (process {pid}) does not end, not even by SIGKILL.")


def hub(place: Place) -> Daemon:
    """Return the hub's process."""
    words = (str(place.venv), "jupyterhub")
    return Daemon("hub", place.folder / "hub.pid", words, place.people.hub_user)


def proxy(place: Place) -> Daemon:
    """Return the proxy's process; its pid file is a link to the one that the hub writes."""
    words = ("configurable-http-proxy", f"--api-port\0{place.proxy_port}")
    return Daemon("proxy", place.folder / "proxy.pid", words, place.people.hub_user)


def console(place: Place) -> Daemon:
    """Return the console's process."""
    words = (str(place.venv), "console\0serve")
    return Daemon("console", place.folder / "console.pid", words, place.people.hub_user)


def provider(place: Place) -> Daemon:
    """Return the process of the provider of identities, which runs where people sign in at one."""
    return Daemon("provider", place.folder / "provider.pid", ("provider.mjs",), place.people.hub_user)


def start(place: Place) -> None:
    """Start the hub where it does not run, restart it where what it was started from has changed, wait for its answer.

    Raises :class:`DemoError` with the end of the hub's log when it does not answer in time.
    """
    mark = place.folder / "hub.started-from"
    # Not the profiles: the hub takes those up by itself.
    settings = sorted(place.site.parent.glob("*.*"))
    wanted = digest(HUB, *PROJECT, *settings, REPOSITORY / "jupyterhub_config.py")
    running = hub(place).pid() is not None
    if running and mark.is_file() and mark.read_text() == wanted:
        _wait_for_answer(place)
        return
    with step("restarting the hub" if running else "starting the hub"):
        hub(place).stop()
        _launch(place)
        _wait_for_answer(place)
        for daemon in (hub(place), proxy(place)):
            if pid := daemon.pid():
                put_before_jobs(pid)
        mark.write_text(wanted)


def check_ports(place: Place) -> None:
    """Raise :class:`DemoError` where somebody else listens on a port of the demo."""
    if any(daemon.pid() is not None for daemon in (hub(place), proxy(place))):
        return
    ports = [(place.port, "the demo"), (place.hub_port, "its hub"), (place.proxy_port, "its proxy")]
    if console(place).pid() is None:
        ports.append((place.console_port, "its console"))
    if place.auth == "oidc" and provider(place).pid() is None:
        ports.append((place.provider_port, "its provider of identities"))
    for port, use in ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                raise DemoError(
                    f"Port {port} ({use}) is taken by another program. Choose another first port, "
                    f"for example: HPCHUB_DEMO_PORT={place.port + 1000} ./run demo"
                ) from None


def _launch(place: Place) -> None:
    log = place.hub / "hub.log"
    link = place.folder / "proxy.pid"
    if not link.is_symlink():
        link.symlink_to(place.hub / "proxy.pid")
    # A program started from a script's background ignores SIGINT and hands that on to all that it starts; a handler
    # of ours becomes the default again when the hub is executed.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    program: Argv = [place.venv / "bin" / "python", place.venv / "bin" / "jupyterhub", "-f", "jupyterhub_config.py"]
    environment = system_environment(
        PATH=f"{place.venv / 'bin'}:{place.proxy / 'node_modules' / '.bin'}:{SYSTEM_PATH}",
        HOME=str(place.hub),
        HPCHUB_SITE=str(place.site),
        SLURM_CONF=place.slurm_conf(),
    )
    hub(place).launch(program, place.hub, environment, log)


def _wait_for_answer(place: Place) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not answers(place):
        died = hub(place).pid() is None
        if died or time.monotonic() > deadline:
            log = place.hub / "hub.log"
            # The folder is the hub's: with root's rights a link there could show any file.
            with acting_as(place.people.hub_user):
                tail = "\n".join(log.read_text(errors="replace").splitlines()[-LINES_OF_A_FAILURE:])
            what = "died at its start" if died else f"did not answer within {START_SECONDS:.0f} s"
            raise DemoError(f"The hub {what}. The end of {log}:\n{tail}")
        time.sleep(0.05)


def answers(place: Place) -> bool:
    """Tell whether the hub answers, through the proxy."""
    # a proxy of the machine is not asked for what lies on the machine itself
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{place.url}/hub/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False
