"""A server that answers in a notebook's place, with whatever certificate it is given, and counts who speaks to it."""

from __future__ import annotations

import os
import signal
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.hub.processes import all_processes, environments_of, read
from tests.support.wait import until

KINDS = ("JUPYTERHUB_SSL_KEYFILE", "JUPYTERHUB_SSL_CERTFILE", "JUPYTERHUB_SSL_CLIENT_CA")


def files_of(session_id: str) -> tuple[str, str, str]:
    """Give where a running session has its key, its certificate and whom it trusts."""

    def laid() -> list[dict[str, str]]:
        return [each for each in environments_of(session_id) if all(kind in each for kind in KINDS)]

    environment = until(laid, f"the certificate of session {session_id}")[0]
    key, certificate, trusted = (environment[kind] for kind in KINDS)
    return key, certificate, trusted


def contents(paths: tuple[str, str, str], folder: Path) -> tuple[str, str, str]:
    """Copy a session's files, which go with its job."""
    copies = tuple(str(folder / Path(path).name) for path in paths)
    for path, copy in zip(paths, copies, strict=True):
        Path(copy).write_bytes(Path(path).read_bytes())
    key, certificate, trusted = copies
    return key, certificate, trusted


def end_the_server(session_id: str) -> int:
    """Kill a session's notebook server, and hold its bootstrap so that nobody hears of it; give whom to let go."""
    wanted = f"HPCHUB_SESSION={session_id}".encode()
    mine = [int(each.name) for each in all_processes() if wanted in read(each / "environ").split(b"\0")]
    server = next(pid for pid in mine if b"jupyterhub-singleuser" in read(Path(f"/proc/{pid}/cmdline")))
    parent = int(Path(f"/proc/{server}/stat").read_text().rsplit(")", 1)[1].split()[1])
    os.kill(parent, signal.SIGSTOP)
    os.kill(server, signal.SIGKILL)
    # its parent is held and cannot take it away; what it had open is closed before it is a zombie
    until(lambda: _state(server) == "Z", f"process {server} to have ended")
    return parent


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]


class _Server(ThreadingHTTPServer):
    allow_reuse_address = True
    asked: list[str]

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a connection that was refused."""


class _Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """Note who asks for what."""
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"thief")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def answering(address: str, port: int, files: tuple[str, str, str]) -> Iterator[list[str]]:
    """Serve there with these files; give the list of paths that were asked for."""
    key, certificate, trusted = files
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=trusted)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(certificate, key)
    server = _Server((address, port), _Answer)
    server.asked = []
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
