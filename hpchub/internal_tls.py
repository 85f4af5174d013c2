"""The certificates by which hub, proxy, console and notebooks know each other, where `hub.internal_tls` is on.

All of it lies in the folder ``internal-tls`` of the hub's state folder, laid out as JupyterHub's ``internal_ssl``
finds it (certipy's store), with authorities that nobody outside knows.  JupyterHub would make certificates for a year
and never renew them; these are made for ten, and again in their last one, at a start of the hub or by ``hpchub proxy
certificates``.

A notebook's certificate is of its session and names no node, which is not known when the job is submitted:
``<session id>.hpchub.internal``.  Whoever connects to a notebook compares that name, and not the address.
"""

from __future__ import annotations

import datetime
import fcntl
import ipaddress
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hpchub.catalogue.site import Site
from hpchub.tls_client import PROXY_FILES, SERVICES, Files
from hpchub.whole import write_whole

YEARS = 10
RENEW_DAYS = 365
"""A certificate is made again when it ends so soon: no hub and no proxy runs longer without a restart."""
SKEW = datetime.timedelta(hours=1)
"""By so much a node's clock may be late."""
QUEUE = datetime.timedelta(days=31)
"""By so much a session's certificate outlives its job's time limit: the job may wait for so long."""
DOMAIN = "hpchub.internal"
VARIABLE = "HPCHUB_TLS"
"""The variable of a job that has its certificate, as JSON; the bootstrap takes it away from what it starts."""
AUTHORITIES = ("hub-ca", "proxy-api-ca", "proxy-client-ca", "notebooks-ca", "services-ca")
"""JupyterHub's own names (``JupyterHub.init_internal_ssl``)."""
TRUSTED_BY_NOTEBOOKS = ("hub-ca", "proxy-client-ca")
"""Nobody else may ask a notebook, and least of all another notebook."""
TRUSTED_BY_PROXY = ("hub-ca", "notebooks-ca")
_CLIENT, _SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A certificate of a part of the hub: who signs it, and what it is for."""

    name: str
    authority: str
    uses: tuple[x509.ObjectIdentifier, ...]


LEAVES = (
    _Leaf("hub-internal", "hub-ca", (_SERVER, _CLIENT)),
    # JupyterHub would make these two itself; the proxy's API stays on this machine, where nothing is encrypted.
    _Leaf("proxy-api", "proxy-api-ca", (_SERVER, _CLIENT)),
    _Leaf("proxy-client", "proxy-client-ca", (_CLIENT,)),
    _Leaf(SERVICES, "services-ca", (_CLIENT,)),
)


def name_of(session_id: str) -> str:
    """Give the name that is in the certificate of a session."""
    return f"{session_id}.{DOMAIN}"


def prepare(site: Site) -> list[str]:
    """Make what is missing, names the hub no longer, or ends soon; give the names of what was made.

    Raises:
        OSError: the folder cannot be written, or something in it not be read.
        ValueError: an authority is not what it should be; a new one would cut off all sessions.
    """
    folder = site.hub.internal_tls_folder
    folder.mkdir(mode=0o700, exist_ok=True)
    made = []
    with _alone(folder):
        for name in AUTHORITIES:
            if not _is_good(folder, name, name, ()):
                _write_pair(folder, name, *_make_authority(name))
                made.append(name)
        names = _names_of_the_hub(site)
        for leaf in LEAVES:
            if leaf.authority in made or not _is_good(folder, leaf.name, leaf.authority, names):
                _write_pair(folder, leaf.name, *_make_leaf(folder, leaf, names))
                made.append(leaf.name)
        for file, trusted in ((Files.TRUSTED_BY_PROXY, TRUSTED_BY_PROXY), (Files.TRUSTED_BY_SERVICES, ("hub-ca",))):
            _write_changed(folder / file, _bundle(folder, trusted).encode())
        _write_changed(folder / "certipy.json", json.dumps(_store(folder), indent=1).encode())
    return made


def for_session(site: Site, session_id: str, minutes: int) -> str:
    """Make the certificate of a session whose job may run so long; give the value of :data:`VARIABLE`.

    Raises:
        OSError: the authority cannot be read.
    """
    folder = site.hub.internal_tls_folder
    key = ec.generate_private_key(ec.SECP256R1())
    until = _now() + QUEUE + datetime.timedelta(minutes=minutes)
    name = name_of(session_id)
    certificate = _signed(folder, "notebooks-ca", key, name, [x509.DNSName(name)], (_SERVER, _CLIENT), until)
    return json.dumps(
        {
            "JUPYTERHUB_SSL_KEYFILE": _key_pem(key).decode(),
            "JUPYTERHUB_SSL_CERTFILE": _pem(certificate).decode(),
            "JUPYTERHUB_SSL_CLIENT_CA": _bundle(folder, TRUSTED_BY_NOTEBOOKS),
        }
    )


def days_left(site: Site) -> dict[str, float]:
    """Tell in how many days each certificate ends.

    Raises:
        OSError: one is missing, or cannot be read.
        ValueError: one is not what it should be; the text says what.
    """
    folder, days = site.hub.internal_tls_folder, {}
    signers = {**{name: name for name in AUTHORITIES}, **{leaf.name: leaf.authority for leaf in LEAVES}}
    for name, authority in signers.items():
        flaw = _flaw(folder, name, authority)
        if flaw:
            raise ValueError(flaw)
        days[name] = (_read(folder, name).not_valid_after_utc - _now()).total_seconds() / 86400
    return days


def hand_to_proxy(site: Site) -> dict[str, Path]:
    """Name the files that a proxy of its own needs, by the names that it has them under."""
    folder = site.hub.internal_tls_folder
    paths = (
        _path(folder, "proxy-client", "key"),
        _path(folder, "proxy-client", "crt"),
        folder / Files.TRUSTED_BY_PROXY,
    )
    return dict(zip(PROXY_FILES, paths, strict=True))


def _path(folder: Path, name: str, kind: str) -> Path:
    return folder / name / f"{name}.{kind}"


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let the hub and a command not make the same thing at once."""
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _names_of_the_hub(site: Site) -> list[x509.GeneralName]:
    host = urlsplit(site.hub.hub_url).hostname or ""
    hosts = dict.fromkeys((host, "localhost", "127.0.0.1", "::1"))
    return [_general_name(each) for each in hosts]


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _is_good(folder: Path, name: str, authority: str, names: list[x509.GeneralName] | tuple[()]) -> bool:
    """Tell whether a certificate is there with its key, has these names, and ends late enough.

    Raises:
        OSError: it is there, and cannot be read now.
        ValueError: it is an authority, and not what it should be.
    """
    try:
        flaw = _flaw(folder, name, authority)
    except FileNotFoundError:
        return False
    except ValueError as error:
        flaw = f"{_path(folder, name, 'crt')} or its key is no such file: {error}"
    if flaw and name == authority:
        raise ValueError(f"{flaw}. Put it back from a backup; a new authority would cut off all sessions")
    if flaw:
        return False
    certificate = _read(folder, name)
    if certificate.not_valid_after_utc - _now() < datetime.timedelta(days=RENEW_DAYS):
        return False
    if not names:
        return True
    has = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return list(has) == list(names)


def _flaw(folder: Path, name: str, authority: str) -> str:
    """Say what is wrong with a certificate and its key; an empty text where nothing is.

    Raises:
        OSError, ValueError: one of them is missing, or cannot be read.
    """
    certificate, path = _read(folder, name), _path(folder, name, "crt")
    if _read_key(folder, name).public_key() != certificate.public_key():
        return f"{path} is not the certificate of the key beside it"
    try:
        certificate.verify_directly_issued_by(_read(folder, authority))
    except (InvalidSignature, TypeError, ValueError):
        return f"{path} is not signed by {authority}"
    if certificate.not_valid_before_utc > _now():
        return (
            f"{path} counts from {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC: is this machine's clock right?"
        )
    return ""


def _read(folder: Path, name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(_path(folder, name, "crt").read_bytes())


def _read_key(folder: Path, name: str) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(_path(folder, name, "key").read_bytes(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError(f"{_path(folder, name, 'key')} is no key of an elliptic curve")
    return key


def _make_authority(name: str) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_now() - SKEW)
        .not_valid_after(_now() + datetime.timedelta(days=365 * YEARS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(authority=True), critical=True)
        .add_extension(identifier, critical=False)
    )
    return key, builder.sign(key, hashes.SHA256())


def _make_leaf(
    folder: Path, leaf: _Leaf, names: list[x509.GeneralName]
) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    until = _now() + datetime.timedelta(days=365 * YEARS)
    return key, _signed(folder, leaf.authority, key, leaf.name, names, leaf.uses, until)


def _signed(
    folder: Path,
    authority: str,
    key: ec.EllipticCurvePrivateKey,
    name: str,
    names: list[x509.GeneralName] | list[x509.DNSName],
    uses: tuple[x509.ObjectIdentifier, ...],
    until: datetime.datetime,
) -> x509.Certificate:
    by = _read(folder, authority)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    of_authority = by.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(by.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_now() - SKEW)
        .not_valid_after(min(until, by.not_valid_after_utc))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(list(uses)), critical=False)
        .add_extension(identifier, critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(of_authority),
            critical=False,
        )
    )
    return builder.sign(_read_key(folder, authority), hashes.SHA256())


def _key_usage(authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    none = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, none)


def _write_pair(folder: Path, name: str, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
    (folder / name).mkdir(mode=0o700, exist_ok=True)
    # The certificate last: a key without its certificate is made again.
    _path(folder, name, "crt").unlink(missing_ok=True)
    write_whole(_path(folder, name, "key"), _key_pem(key))
    write_whole(_path(folder, name, "crt"), _pem(certificate))


def _write_changed(path: Path, content: bytes) -> None:
    try:
        if path.read_bytes() == content:
            return
    except FileNotFoundError:
        pass
    write_whole(path, content)


def _bundle(folder: Path, names: tuple[str, ...]) -> str:
    return "".join(_path(folder, name, "crt").read_text() for name in names)


def _store(folder: Path) -> dict[str, object]:
    """Write down what there is as certipy does, so that JupyterHub takes it for its own."""

    def record(name: str, authority: str, signees: list[str]) -> dict[str, object]:
        files = {kind: str(_path(folder, name, end)) for kind, end in (("key", "key"), ("cert", "crt"))}
        files["ca"] = str(_path(folder, authority, "crt")) if authority else ""
        signed = {each: 1 for each in signees} or None
        return {"serial": 0, "is_ca": not authority, "parent_ca": authority, "signees": signed, "files": files}

    records: dict[str, object] = {}
    for name in AUTHORITIES:
        records[name] = record(name, "", [leaf.name for leaf in LEAVES if leaf.authority == name])
    for leaf in LEAVES:
        records[leaf.name] = record(leaf.name, leaf.authority, [])
    return records
