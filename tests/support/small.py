"""Small notebook servers: real jobs with the real bootstrap, in which a small program stands for JupyterLab.

JupyterLab takes seconds of a core to start.  Where a test looks at what hub, Slurm and job do with a session, and not
at the notebook server, this one serves: it listens on the port that it is given, answers everything, and ends when it
is asked to.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.support.cheap import SYSTEM_PYTHON, another_build

SERVER = '''\
"""Stands for a notebook server."""

import os
import socketserver
import ssl
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit


class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "17")
        self.end_headers()
        self.wfile.write(b'{"version": "0"}\\n')

    def log_message(self, *_):
        """Say nothing."""


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True  # the bootstrap holds the port until we have it
    daemon_threads = True


url = urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
server = Server((url.hostname, url.port), Answer)
if "JUPYTERHUB_SSL_CERTFILE" in os.environ:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=os.environ["JUPYTERHUB_SSL_CLIENT_CA"])
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(os.environ["JUPYTERHUB_SSL_CERTFILE"], os.environ["JUPYTERHUB_SSL_KEYFILE"])
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
server.serve_forever()
'''


@contextmanager
def small_servers(environments: Path) -> Iterator[None]:
    """Let new sessions get a small server instead of the current build, whatever their environment.

    Args:
        environments: the folder of all builds of a site.
    """
    with ExitStack() as undo:
        for builds in sorted(environments.glob("*/*/current")):
            programs = undo.enter_context(another_build(builds.parent, "small"))
            if not (programs / "python").is_symlink():
                (programs / "python").symlink_to(SYSTEM_PYTHON)
                (programs / "jupyterhub-singleuser").write_text(SERVER)
        yield
