"""What JupyterHub connects and serves with: read once, with our authorities alone, in each of its modules."""

from __future__ import annotations

import os
import ssl
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from jupyterhub import app, objects, user
from jupyterhub.services import auth

from hpchub import internal_tls, tls_contexts
from hpchub.console.signin import SignIn
from hpchub.lab.hpchub_session import hub
from tests.unit.test_internal_tls import site_of


@pytest.fixture(autouse=True)
def jupyterhub_s_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """JupyterHub's modules as they are, and again afterwards."""
    for module in (app, objects, user, auth):
        monkeypatch.setattr(module, "make_ssl_context", module.make_ssl_context)


@pytest.fixture
def files(tmp_path: Path) -> Iterator[tuple[str, str, str]]:
    """Key, certificate and accepted authorities of the hub."""
    made = site_of(tmp_path)
    internal_tls.prepare(made)
    folder = made.hub.internal_tls_folder
    pair = folder / "hub-internal"
    names = (pair / "hub-internal.key", pair / "hub-internal.crt", folder / "hub-ca" / "hub-ca.crt")
    yield tuple(map(str, names))  # type: ignore[misc]


@pytest.mark.parametrize("purpose", [ssl.Purpose.SERVER_AUTH, ssl.Purpose.CLIENT_AUTH])
def test_the_authorities_of_the_machine_are_not_among_ours(files: tuple[str, str, str], purpose: ssl.Purpose) -> None:
    context = tls_contexts.make_ssl_context(*files, purpose=purpose)
    assert context is not None and context.verify_mode is ssl.CERT_REQUIRED
    assert [one["subject"] for one in context.get_ca_certs()] == [((("commonName", "hub-ca"),),)]
    assert context.check_hostname is (purpose is ssl.Purpose.SERVER_AUTH)


def test_it_is_read_once_and_again_when_a_file_was_written(files: tuple[str, str, str]) -> None:
    first = tls_contexts.make_ssl_context(*files)
    assert tls_contexts.make_ssl_context(*files) is first
    os.utime(files[1], (1, 1))
    assert tls_contexts.make_ssl_context(*files) is not first


def test_without_certificates_nothing_is_encrypted() -> None:
    assert tls_contexts.make_ssl_context(None, "") is None


def test_all_of_the_hub_uses_it() -> None:
    tls_contexts.in_the_hub()
    of_a_hub = [name for name in sys.modules if name.startswith("jupyterhub.") and ".singleuser" not in name]
    others = [
        name
        for name in of_a_hub
        if getattr(sys.modules[name], "make_ssl_context", tls_contexts.make_ssl_context)
        is not tls_contexts.make_ssl_context
    ]
    assert others == ["jupyterhub.utils"], "where it is made, and nobody asks"


def test_the_console_uses_it_too() -> None:
    SignIn("http://127.0.0.1:8081/hub/api", "f" * 64, "0" * 64)
    assert auth.make_ssl_context is tls_contexts.make_ssl_context


def test_a_notebook_asks_the_hub_about_people_with_what_it_has_read_once(files: tuple[str, str, str]) -> None:
    names = ("JUPYTERHUB_SSL_KEYFILE", "JUPYTERHUB_SSL_CERTFILE", "JUPYTERHUB_SSL_CLIENT_CA")
    context = hub.ssl_context(dict(zip(names, files, strict=True)))
    hub.read_once(context)
    assert auth.make_ssl_context(*files[:2], cafile=files[2]) is context
