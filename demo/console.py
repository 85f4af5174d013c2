"""The demo's console as a process: started beside the hub, and again when what it was started from has changed."""

from __future__ import annotations

import time
import urllib.error
import urllib.request

from demo.cache import HUB, digest
from demo.hub import console
from demo.place import Place
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

START_SECONDS = 60.0


def start(place: Place) -> None:
    """Start the console where it does not run, restart it where what it was started from has changed.

    Raises :class:`DemoError` with the end of its log when it does not answer within a minute.
    """
    daemon, mark = console(place), place.folder / "console.started-from"
    wanted = digest(HUB, *PROJECT, place.site)
    running = daemon.pid() is not None
    if running and mark.is_file() and mark.read_text() == wanted:
        return
    with step("restarting the console" if running else "starting the console"):
        daemon.stop()
        _launch(place)
        _wait_for_answer(place)
        if pid := daemon.pid():
            put_before_jobs(pid)
        mark.write_text(wanted)


def _launch(place: Place) -> None:
    program: Argv = [place.venv / "bin" / "python", place.venv / "bin" / "hpchub", "console", "serve"]
    environment = system_environment(
        PATH=f"{place.venv / 'bin'}:{SYSTEM_PATH}", HOME=str(place.hub), HPCHUB_SITE=str(place.site)
    )
    console(place).launch(program, place.hub, environment, place.hub / "console.log")


def _wait_for_answer(place: Place) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    address = f"http://127.0.0.1:{place.console_port}/services/events/health"
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with opener.open(address, timeout=5):
                return
        except (OSError, urllib.error.URLError):
            died = console(place).pid() is None
            if died or time.monotonic() > deadline:
                with acting_as(place.people.hub_user):
                    lines = (place.hub / "console.log").read_text(errors="replace").splitlines()
                what = "died at its start" if died else f"did not answer within {START_SECONDS:.0f} s"
                tail = "\n".join(lines[-LINES_OF_A_FAILURE:])
                raise DemoError(f"The console {what}. The end of its log:\n{tail}") from None
        time.sleep(0.05)
