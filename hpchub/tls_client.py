"""How our own programs connect where `hub.internal_tls` is on: to the hub, which wants a certificate of theirs, and
from the hub to notebooks.

It imports the standard library alone, because programs that start often use it.
"""

from __future__ import annotations

import ssl
from enum import StrEnum
from pathlib import Path
from typing import Protocol

SERVICES = "services"
"""The pair of the console and of the commands for administrators."""
PROXY_FILES = ("key.pem", "certificate.pem", "authorities.pem")
"""What a proxy has, in a folder of its own: its key, its certificate, and whose certificates it accepts."""


class Files(StrEnum):
    """Bundles of authorities in the folder."""

    TRUSTED_BY_PROXY = "trusted-by-proxy.pem"
    TRUSTED_BY_SERVICES = "trusted-by-services.pem"


class TlsSettings(Protocol):
    """What of the site file's block `hub` counts here."""

    @property
    def internal_tls(self) -> bool: ...
    @property
    def internal_tls_folder(self) -> Path: ...


def pair_of_services(folder: Path) -> tuple[Path, Path, Path]:
    """Give key, certificate and accepted authorities of the console and of commands."""
    pair = folder / SERVICES
    return pair / f"{SERVICES}.key", pair / f"{SERVICES}.crt", folder / Files.TRUSTED_BY_SERVICES


def client(key: Path, certificate: Path, authorities: Path) -> ssl.SSLContext:
    """Make what a program connects with: it shows this certificate, and accepts those of these authorities alone.

    Raises:
        OSError: a file is missing, or is not for the one who asks.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(authorities)
    context.load_cert_chain(certificate, key)
    return context


def of_services(hub: TlsSettings) -> ssl.SSLContext | None:
    """Give what the console and commands connect to the hub with; None where nothing is encrypted inside.

    Raises:
        OSError: the files are missing, or are not for the one who asks.
    """
    return client(*pair_of_services(hub.internal_tls_folder)) if hub.internal_tls else None


class OfOneName(ssl.SSLContext):
    """Compares certificates with one name, whatever address was connected to."""

    name: str

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """Do what asyncio asks for, with our name in place of the address."""
        return super().wrap_bio(incoming, outgoing, server_side, self.name, session)


def to_notebook(folder: Path, name: str) -> OfOneName:
    """Make what the hub connects to a notebook with, which has to have this name in its certificate.

    Raises:
        OSError: a file is missing.
    """
    context = OfOneName(ssl.PROTOCOL_TLS_CLIENT)
    context.name = name
    context.load_verify_locations(folder / "notebooks-ca" / "notebooks-ca.crt")
    context.load_cert_chain(folder / "hub-internal" / "hub-internal.crt", folder / "hub-internal" / "hub-internal.key")
    return context
