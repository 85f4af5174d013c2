"""``python3 -m demo VERB``: up, stop, clean, status; and fetch and uv, which the tests prepare themselves with."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from demo import cache, console, door, environments, hub, sign_in, site, software, work
from demo.place import PASSWORD, PYTHON, REPOSITORY, Place
from demo.steps import DemoError, system_environment


def up(place: Place) -> int:
    """Start the demo, or what of it does not run."""
    place.check_reachable()
    hub.check_ports(place)
    spec = ["--clusters", "demo/clusters.toml", "--people", "demo/people.toml"]
    if devcluster("up", place, *spec) != 0:
        raise DemoError("The demo's Slurm did not start; what is above says why.")
    fetch_own(place)
    software.install(place)
    door.install(place)
    site.install(place)
    environments.lay(place)
    work.install(place)
    sign_in.start(place)
    hub.start(place)
    console.start(place)
    print(WELCOME.format(place=place, people=", ".join(place.people.names[:5]), password=PASSWORD))
    return 0


WELCOME = """
The hub answers at {place.url}

  people    {people} and the seats seat01 to seat40 for events; password for all: {password}
  events    {place.url}/services/events/, where carla is a trainer
  API       Authorization: token $(sudo cat {place.folder}/admin-token)
  Slurm     . {place.folder}/env; squeue -M leonardo,it4lia
  files     {place.folder}; its profiles are copied from profiles/ at each start
  GPUs      device files without a GPU behind them: Slurm counts and hands them out, nothing computes on them

./run stop    stops it; running sessions end
./run clean   also removes everything that it put on this machine"""


def stop(place: Place) -> int:
    """Stop the demo; running sessions end."""
    if not place.folder.is_dir():
        print(f"There is no demo in {place.folder}.")
        return 0
    hub.console(place).stop()
    hub.hub(place).stop()
    hub.proxy(place).stop()
    hub.provider(place).stop()
    return devcluster("down", place)


def clean(place: Place) -> int:
    """Stop the demo and remove everything that it put on the machine, its users included."""
    if not place.folder.is_dir():
        print(f"There is no demo in {place.folder}.")
        return 0
    hub.console(place).stop()
    hub.hub(place).stop()
    hub.proxy(place).stop()
    hub.provider(place).stop()
    door.remove(place)
    environments.remove(place)
    return devcluster("clean", place)


def status(place: Place) -> int:
    """Say what runs; the exit status is 1 where something does not."""
    if not place.folder.is_dir():
        print(f"There is no demo in {place.folder}.")
        return 1
    wanted = [
        hub.hub(place),
        hub.proxy(place),
        hub.console(place),
        *([hub.provider(place)] if place.auth == "oidc" else []),
    ]
    daemons = [(daemon.name, daemon.pid()) for daemon in wanted]
    for name, pid in daemons:
        print(f"{name:<16} {pid or '-':>8} {'up' if pid else 'down'}")
    print(f"{place.url} {'answers' if hub.answers(place) else 'does not answer'}", flush=True)
    slurm = devcluster("status", place)
    return 1 if slurm or not all(pid for _, pid in daemons) or not hub.answers(place) else 0


def fetch_own(place: Place) -> None:
    """Fetch what `up` needs from package registries, and nothing else."""
    cache.fetch(place)
    if place.auth == "oidc":
        cache.fetch_provider(place)
    environments.fetch(place)


def fetch(place: Place) -> int:
    """Fetch what `up` needs, and make ready what tests need besides."""
    fetch_own(place)
    software.compile_fetched(place)
    if place.auth == "oidc":
        cache.fetch_for_tests(place)
    return 0


def devcluster(verb: str, place: Place, *options: str) -> int:
    """Run a verb of the demo's Slurm on the demo's folder."""
    environment = system_environment()
    if "HPCHUB_ISOLATED" in os.environ:
        environment["HPCHUB_ISOLATED"] = os.environ["HPCHUB_ISOLATED"]
    command = [PYTHON, "-B", "-m", "devcluster", verb, str(place.folder), *options]
    return subprocess.run(command, cwd=REPOSITORY, env=environment, stdin=subprocess.DEVNULL, check=False).returncode


@contextmanager
def alone(place: Place) -> Iterator[None]:
    """Let one command at a time work on the demo's folder.

    The lock is a socket's name, which leaves nothing behind and goes with the process.
    """
    with socket.socket(socket.AF_UNIX) as lock:
        try:
            lock.bind(f"\0hpchub-demo:{place.folder}")
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise DemoError(f"Another command works on {place.folder} right now; wait for its end.") from None
        yield


VERBS: dict[str, Callable[[Place], int]] = {"up": up, "stop": stop, "clean": clean, "status": status, "fetch": fetch}
WITHOUT_ROOT = {"fetch"}


def main(arguments: list[str]) -> int:
    """Run one verb and return the exit status."""
    place = Place.from_environment()
    if arguments[:1] == ["uv"]:
        cache.fetch_uv(place)
        os.execve(cache.uv(place), ["uv", *arguments[1:]], cache.uv_environment(place))  # noqa: S606 - an argv list
    if len(arguments) != 1 or arguments[0] not in VERBS:
        raise DemoError(f"usage: {PYTHON} -m demo {'|'.join(VERBS)}, or {PYTHON} -m demo uv ARGUMENTS…")
    (verb,) = arguments
    if verb not in WITHOUT_ROOT and os.geteuid() != 0:
        raise DemoError("The demo makes users and starts their jobs: run this as root or with sudo.")
    os.umask(0o022)
    with alone(place):
        return VERBS[verb](place)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except DemoError as error:
        sys.exit(f"demo: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
