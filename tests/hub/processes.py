"""What root can read of a session's processes on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.support.site import Site
from tests.support.wait import until


def all_processes() -> Iterator[Path]:
    """The folder in /proc of every process."""
    return (folder for folder in Path("/proc").iterdir() if folder.name.isdigit())


def read(path: Path) -> bytes:
    """The content of a file; empty where the process has ended meanwhile."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def environments_of(session_id: str) -> list[dict[str, str]]:
    """The environment of every process of a session's job."""
    wanted = f"HPCHUB_SESSION={session_id}".encode()
    return [
        dict(pair.decode().partition("=")[::2] for pair in items)
        for folder in all_processes()
        if wanted in (items := read(folder / "environ").split(b"\0"))
    ]


def token_of(session_id: str) -> str:
    """The token of a running session's server."""
    environments = until(lambda: environments_of(session_id), f"processes of session {session_id}")
    tokens = {environment["JUPYTERHUB_API_TOKEN"] for environment in environments}
    assert len(tokens) == 1
    return tokens.pop()


def report(site: Site, session_id: str, body: object, token: str) -> tuple[int, str]:
    """Send a report as a job does; return status and sentence."""
    answer = site.api("POST", f"/hpchub/sessions/{session_id}", body, token=token)
    return answer.status, "" if answer.status == 204 else answer.message
