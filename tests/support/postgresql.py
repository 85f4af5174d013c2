"""A PostgreSQL of the tests' own: a new folder, a socket in it, no port, gone afterwards."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from tests.support.wait import until

ACCOUNT = "postgres"
"""Of Debian's package; the server refuses to run as root."""


class PostgreSQL:
    """A server that can be stopped and started.

    Args:
        folder: an empty one that its account owns.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._server: subprocess.Popen[bytes] | None = None
        self._as_its_account(_program("initdb"), "--auth=trust", "--no-sync", "-D", str(folder / "data"))

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={self.folder}", "-c", "fsync=off"]
        program = [*_as(ACCOUNT), _program("postgres"), "-D", str(self.folder / "data"), *options]
        with (self.folder / "log").open("ab") as log:
            self._server = subprocess.Popen(program, stdout=log, stderr=log, cwd="/")
        ask = [*_as(ACCOUNT), _program("pg_isready"), "-q", "-h", str(self.folder)]
        until(lambda: subprocess.run(ask, cwd="/").returncode == 0, "PostgreSQL to answer")

    def stop(self) -> None:
        """Stop it as an administrator who is in a hurry: connections are cut."""
        if self._server is not None:
            self._server.send_signal(signal.SIGINT)
            self._server.wait(60)
            self._server = None

    def database(self, name: str) -> str:
        """Make an empty database; give its address for SQLAlchemy."""
        self._as_its_account(_program("createdb"), "-h", str(self.folder), name)
        return f"postgresql+psycopg://{ACCOUNT}@/{name}?host={quote(str(self.folder), safe='')}"

    def _as_its_account(self, *argv: str) -> None:
        subprocess.run([*_as(ACCOUNT), *argv], check=True, capture_output=True, cwd="/")


@contextmanager
def postgresql() -> Iterator[PostgreSQL]:
    """Give a server that runs; it and its folder are gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="hpchub-postgresql-"))
    shutil.chown(folder, ACCOUNT)
    server = PostgreSQL(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


def _as(account: str) -> list[str]:
    return ["setpriv", f"--reuid={account}", f"--regid={account}", "--init-groups"] if os.getuid() == 0 else []


def _program(name: str) -> str:
    # Debian keeps the programs of each version apart, and puts no server on the path
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    assert found, f"PostgreSQL's {name} is not installed"
    return str(found[-1])
