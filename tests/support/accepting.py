"""A Unix socket behind which a program is started for each connection, as systemd does with ``Accept=yes``."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def accepting(path: Path, program: Sequence[str | Path]) -> Iterator[Path]:
    """Listen, and start the program with each connection as its standard input and output; give the socket's path."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    started: list[subprocess.Popen[bytes]] = []

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection:
                    started.append(subprocess.Popen(program, stdin=connection.fileno(), stdout=connection.fileno()))

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield path
    finally:
        # A close alone does not wake who waits in accept().
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
        for process in started:
            process.kill()
            process.wait()
        path.unlink()
