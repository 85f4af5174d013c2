"""How hub and proxy come to an encrypted notebook: by its scheme and name, and with patience where it is slow."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jupyterhub.proxy import ConfigurableHTTPProxy

from hpchub import internal_tls
from hpchub.errors import CertificatesUnreadable
from hpchub.jobs.endings import Ending
from hpchub.jobs.session import Phase, Session
from hpchub.proxy import LastingProxy
from hpchub.tls_client import to_notebook
from spawners import slurm
from spawners.lasting import LastingSpawner
from spawners.slurm import HPCSlurmSpawner
from spawners.takeup import TakeUp
from tests.unit.data.job_request import REQUEST
from tests.unit.test_internal_tls import server_context, site_of


def session(**facts: Any) -> Session:
    known = {"token_id": 5, "begun_epoch": 0.0, "address": "127.0.0.1", "port": 4711, "encrypted": True}
    return Session(request=REQUEST, **{**known, **facts})


@pytest.mark.parametrize(("encrypted", "scheme"), [(True, "https"), (False, "http")])
async def test_a_server_taken_up_is_asked_as_its_session_speaks(encrypted: bool, scheme: str) -> None:
    server = SimpleNamespace(proto="unknown", base_url="/user/ada/")
    spawner: Any = SimpleNamespace(session=session(encrypted=encrypted), server=server)
    assert await LastingSpawner.get_url(spawner) == f"{scheme}://127.0.0.1:4711/user/ada/"
    assert server.proto == scheme


class Servers(dict[str, Any]):
    """A person's servers, as JupyterHub has them."""

    def __missing__(self, name: str) -> Any:
        raise ValueError(f"orm_spawner not found for {name}")


async def test_a_route_of_a_server_that_is_no_more_keeps_nobody_from_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = internal_tls.name_of(REQUEST.session_id)
    ada = SimpleNamespace(name="ada", spawners=Servers({"": SimpleNamespace(session=session())}))
    proxy = LastingProxy(certificates={"key.pem": "/k"}, app=SimpleNamespace(users={1: ada}))

    async def routes(_: Any) -> dict[str, Any]:
        return {
            path: {"target": f"https://127.0.0.1:4711/#{name}", "data": {"user": user, "server_name": server}}
            for path, user, server in (("/a/", "ada", ""), ("/b/", "ada", "gone"), ("/c/", "gone", ""))
        }

    monkeypatch.setattr(ConfigurableHTTPProxy, "get_all_routes", routes)
    found = {path: "#" in route["target"] for path, route in (await proxy.get_all_routes()).items()}
    assert found == {"/a/": False, "/b/": True, "/c/": True}


@contextlib.contextmanager
def accepting_and_silent() -> Iterator[int]:
    """A port where connections are accepted by the kernel, for a program that is too busy to say anything."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield int(listening.getsockname()[1])


async def test_a_notebook_that_is_slow_to_shake_hands_is_no_unreachable_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slurm, "CONNECT_SECONDS", 0.2)
    monkeypatch.setattr(slurm, "ANSWER_SECONDS", 0.5)
    site = site_of(tmp_path)
    internal_tls.prepare(site)
    trust = to_notebook(site.hub.internal_tls_folder, internal_tls.name_of(REQUEST.session_id))
    with accepting_and_silent() as port:
        spawner: Any = SimpleNamespace(
            session=session(port=port, phase=Phase.STARTING),
            owner=SimpleNamespace(server=SimpleNamespace(base_url="/user/ada/")),
        )
        with pytest.raises(TimeoutError):
            await HPCSlurmSpawner._ask_server(spawner, trust)


async def test_a_notebook_that_answers_is_reached_by_its_session_s_name(tmp_path: Path) -> None:
    site = site_of(tmp_path)
    internal_tls.prepare(site)
    asked: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readline())
        writer.write(b"HTTP/1.0 200 OK\r\n\r\n")
        writer.close()

    notebook = server_context(tmp_path, internal_tls.for_session(site, REQUEST.session_id, 60))
    serving = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=notebook)
    async with serving:
        spawner: Any = SimpleNamespace(
            session=session(port=serving.sockets[0].getsockname()[1]),
            owner=SimpleNamespace(server=SimpleNamespace(base_url="/user/ada/")),
        )
        folder = site.hub.internal_tls_folder
        await HPCSlurmSpawner._ask_server(spawner, to_notebook(folder, internal_tls.name_of(REQUEST.session_id)))
        with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
            await HPCSlurmSpawner._ask_server(spawner, to_notebook(folder, internal_tls.name_of("c" * 32)))
    assert asked == [b"GET /user/ada/api HTTP/1.0\r\n"]


def unreadable() -> Any:
    raise CertificatesUnreadable("Too many open files")


class Owner(SimpleNamespace):
    """What a job needs of its server, on a hub that cannot read its certificates."""

    def __init__(self, **facts: Any) -> None:
        super().__init__(
            session=session(**facts),
            changed=lambda: None,
            let_the_next_in=lambda: None,
            job_environment=unreadable,
            trust=unreadable,
            engine=SimpleNamespace(launcher=SimpleNamespace(submit=None)),
        )


async def test_certificates_that_cannot_be_read_are_why_a_job_is_not_submitted() -> None:
    owner = Owner()
    await HPCSlurmSpawner(owner=owner)._submit()
    assert owner.session.ending is Ending.CERTIFICATES_UNREADABLE


async def test_certificates_that_cannot_be_read_are_no_fault_of_the_node(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slurm, "_REACH_SECONDS", 0)
    owner = Owner(phase=Phase.STARTING)
    await HPCSlurmSpawner(owner=owner)._reach()
    assert owner.session.ending is Ending.CERTIFICATES_UNREADABLE


@pytest.mark.parametrize("encrypted", [True, False])
@pytest.mark.parametrize("phase", [Phase.QUEUED, Phase.STARTING, Phase.READY])
async def test_a_session_that_speaks_otherwise_than_the_hub_is_ended(encrypted: bool, phase: Phase) -> None:
    cancelled: list[Ending | None] = []

    async def cancel() -> None:
        cancelled.append(taken_up.session.ending)

    taken_up = SimpleNamespace(
        session=session(encrypted=encrypted, phase=phase, job_id="17"),
        engine=SimpleNamespace(encrypts=not encrypted),
        changed=lambda: None,
        construct_child=lambda: SimpleNamespace(cancel_what_is_left=cancel),
    )
    assert await TakeUp(taken_up).run() == 0
    assert cancelled == [Ending.ENCRYPTION_CHANGED]
    assert "saved files are there" in taken_up.session.says
