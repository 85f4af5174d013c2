"""The certificates of `hub.internal_tls`: what is made, when it is made again, whom the hub takes for a notebook."""

from __future__ import annotations

import asyncio
import datetime
import json
import ssl
from pathlib import Path
from typing import Any

import pytest
from certipy import Certipy  # type: ignore[import-untyped]
from cryptography import x509

from hpchub import internal_tls, tls_client
from hpchub.catalogue.load import load_site
from hpchub.catalogue.site import Site
from hpchub.errors import CatalogueError
from hpchub.proxy import LastingProxy
from tests.unit.data.world import REPOSITORY, demo_site_text

SESSION, OTHER = "a" * 32, "b" * 32


def site_of(folder: Path, **changes: str) -> Site:
    """The demo's site with internal TLS; changes are texts in place of others."""
    text = demo_site_text(str(folder)).replace('hub_url: "http:', 'hub_url: "https:')
    text = text.replace("  state_folder:", "  internal_tls: true\n  state_folder:")
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    (folder / "site.yaml").write_text(text)
    (folder / "profiles").symlink_to(REPOSITORY / "profiles")
    (folder / "hub").mkdir(exist_ok=True)
    return load_site(folder / "site.yaml")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = site_of(tmp_path)
    internal_tls.prepare(made)
    return made


def later(monkeypatch: pytest.MonkeyPatch, days: float) -> None:
    """Let it be so many days later."""
    now = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)
    monkeypatch.setattr(internal_tls, "_now", lambda: now)


def test_a_second_start_makes_nothing(site: Site) -> None:
    assert internal_tls.prepare(site) == []


def test_keys_are_their_owner_s_alone(site: Site) -> None:
    keys = list(site.hub.internal_tls_folder.glob("*/*.key"))
    assert len(keys) == 9
    assert all(key.stat().st_mode & 0o077 == 0 for key in keys)


def test_jupyterhub_finds_all_that_it_would_make(site: Site) -> None:
    store = Certipy(store_dir=str(site.hub.internal_tls_folder)).store
    names = {*internal_tls.AUTHORITIES, "hub-internal", "proxy-api", "proxy-client"}
    assert all(Path(store.get_record(name)["files"]["cert"]).is_file() for name in names)


def test_a_start_in_the_last_year_makes_the_certificates_again(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    later(monkeypatch, 365 * internal_tls.YEARS - 400)
    assert internal_tls.prepare(site) == []
    later(monkeypatch, 365 * internal_tls.YEARS - 300)
    assert set(internal_tls.prepare(site)) >= {"hub-internal", "proxy-client", tls_client.SERVICES}


def test_another_address_of_the_hub_needs_another_certificate_and_no_other_authority(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    internal_tls.prepare(site_of(first))
    (first / "hub").rename(second / "hub")
    moved = site_of(second, **{"https://127.0.0.1": "https://hub.example.org"})
    made = internal_tls.prepare(moved)
    assert "hub-internal" in made and not set(made) & set(internal_tls.AUTHORITIES)
    certificate = moved.hub.internal_tls_folder / "hub-internal" / "hub-internal.crt"
    names = x509.load_pem_x509_certificate(certificate.read_bytes()).extensions
    hosts = names.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)
    assert hosts == ["hub.example.org", "localhost"]


def test_a_key_that_was_not_written_whole_is_made_again(site: Site) -> None:
    (site.hub.internal_tls_folder / "proxy-client" / "proxy-client.crt").unlink()
    assert internal_tls.prepare(site) == ["proxy-client"]


def test_a_session_s_certificate_is_valid_for_its_job_and_before_a_slow_clock(site: Site) -> None:
    given = json.loads(internal_tls.for_session(site, SESSION, minutes=90))
    certificate = x509.load_pem_x509_certificate(given["JUPYTERHUB_SSL_CERTFILE"].encode())
    now = datetime.datetime.now(datetime.UTC)
    assert certificate.not_valid_before_utc < now - datetime.timedelta(minutes=59)
    assert certificate.not_valid_after_utc > now + datetime.timedelta(days=30, minutes=90)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [f"{SESSION}.hpchub.internal"]


def broken(site: Site, kind: str) -> Path:
    """Break an authority, as a half restored copy or a full table of open files would; give what is broken."""
    folder = site.hub.internal_tls_folder
    certificate = folder / "notebooks-ca" / "notebooks-ca.crt"
    if kind == "nonsense":
        certificate.write_text("-----BEGIN")
    elif kind == "another's":
        certificate.write_bytes((folder / "hub-ca" / "hub-ca.crt").read_bytes())
    else:
        certificate.unlink()
        certificate.mkdir()
    return certificate


@pytest.mark.parametrize(
    ("kind", "error"),
    [("nonsense", ValueError), ("another's", ValueError), ("unreadable", OSError)],
)
def test_an_authority_that_is_broken_is_not_made_again(site: Site, kind: str, error: type[Exception]) -> None:
    key = site.hub.internal_tls_folder / "notebooks-ca" / "notebooks-ca.key"
    before = key.read_bytes()
    broken(site, kind)
    with pytest.raises(error, match="notebooks-ca"):
        internal_tls.prepare(site)
    with pytest.raises(error):
        internal_tls.days_left(site)
    assert key.read_bytes() == before


def test_an_authority_of_the_future_is_not_made_again(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    later(monkeypatch, -2)
    with pytest.raises(ValueError, match="clock right"):
        internal_tls.prepare(site)


@pytest.mark.parametrize("part", ["key", "crt"])
def test_a_pair_that_does_not_fit_is_made_again(site: Site, part: str) -> None:
    folder = site.hub.internal_tls_folder
    (folder / "hub-internal" / f"hub-internal.{part}").write_bytes(
        (folder / "services" / f"services.{part}").read_bytes()
    )
    assert internal_tls.prepare(site) == ["hub-internal"]
    assert min(internal_tls.days_left(site).values()) > 3000


def test_a_certificate_of_another_authority_is_made_again(site: Site, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = site_of(tmp_path / "other")
    internal_tls.prepare(other)
    for part in ("key", "crt"):
        name = f"hub-internal/hub-internal.{part}"
        (site.hub.internal_tls_folder / name).write_bytes((other.hub.internal_tls_folder / name).read_bytes())
    assert internal_tls.prepare(site) == ["hub-internal"]


def test_a_proxy_that_started_with_other_certificates_is_not_taken_up(site: Site) -> None:
    def command() -> list[str]:
        return list(LastingProxy(certificates={n: str(p) for n, p in internal_tls.hand_to_proxy(site).items()}).command)

    before = command()
    assert internal_tls.prepare(site) == [] and command() == before
    (site.hub.internal_tls_folder / "notebooks-ca" / "notebooks-ca.crt").unlink()
    assert internal_tls.prepare(site) == ["notebooks-ca"]
    assert command()[2] != before[2]


def server_context(folder: Path, given: str) -> ssl.SSLContext:
    """What a notebook serves with."""
    files = {name: folder / name for name in json.loads(given)}
    for name, text in json.loads(given).items():
        files[name].write_text(text)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(files["JUPYTERHUB_SSL_CLIENT_CA"]))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(files["JUPYTERHUB_SSL_CERTFILE"], files["JUPYTERHUB_SSL_KEYFILE"])
    return context


async def ask(server: ssl.SSLContext, client: ssl.SSLContext) -> bytes:
    """Connect to a server that greets; give the greeting."""

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello\n")
        await writer.drain()
        writer.close()

    serving: Any = await asyncio.start_server(greet, "127.0.0.1", 0, ssl=server)
    async with serving:
        port = serving.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client, server_hostname="127.0.0.1")
        try:
            return await reader.readline()
        finally:
            writer.close()


def test_the_hub_takes_a_notebook_by_its_session_s_name_wherever_it_runs(site: Site, tmp_path: Path) -> None:
    notebook = server_context(tmp_path, internal_tls.for_session(site, SESSION, 60))
    folder = site.hub.internal_tls_folder
    assert asyncio.run(ask(notebook, tls_client.to_notebook(folder, internal_tls.name_of(SESSION)))) == b"hello\n"
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        asyncio.run(ask(notebook, tls_client.to_notebook(folder, internal_tls.name_of(OTHER))))


def test_the_hub_takes_nobody_whom_another_authority_has_signed(site: Site, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    stranger = site_of(elsewhere)
    internal_tls.prepare(stranger)
    notebook = server_context(tmp_path, internal_tls.for_session(stranger, SESSION, 60))
    with pytest.raises(ssl.SSLCertVerificationError):
        asyncio.run(ask(notebook, tls_client.to_notebook(site.hub.internal_tls_folder, internal_tls.name_of(SESSION))))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({'hub_url: "https:': 'hub_url: "http:'}, "hub_url"),
        ({"  internal_tls: true\n": ""}, "which the hub speaks with internal_tls alone"),
        ({'proxy_api_url: "http://127.0.0.1': 'proxy_api_url: "http://192.0.2.1'}, "proxy_api_url"),
        ({'console:\n  url: "http://127.0.0.1': 'console:\n  url: "http://192.0.2.1'}, "internal_tls does not encrypt"),
    ],
)
def test_addresses_that_do_not_fit_are_refused(tmp_path: Path, changes: dict[str, str], says: str) -> None:
    with pytest.raises(CatalogueError, match=says):
        site_of(tmp_path, **changes)
