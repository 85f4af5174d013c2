"""What JupyterHub serves and connects with where `hub.internal_tls` is on, in place of its own ``make_ssl_context``.

JupyterHub's reads the files at each request and at each start of a server, and with them all authorities that the
machine trusts: the hub would stand still for that, and would answer whoever has a certificate of any of them.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from types import ModuleType
from typing import Any

_Files = tuple[str, str, str]
_kept: dict[tuple[_Files, ssl.Purpose], tuple[list[int], ssl.SSLContext]] = {}


def make_ssl_context(
    keyfile: str | None,
    certfile: str | None,
    cafile: str | None = None,
    *,
    purpose: ssl.Purpose = ssl.Purpose.SERVER_AUTH,
) -> ssl.SSLContext | None:
    """Give a context that shows this certificate and accepts those of these authorities alone; None without one.

    It is read again when one of its files was written.

    Raises:
        OSError: a file is missing, or cannot be read.
    """
    if not keyfile or not certfile:
        return None
    files = (keyfile, certfile, cafile or "")
    written = [Path(file).stat().st_mtime_ns for file in files if file]
    before, context = _kept.get((files, purpose), (None, None))
    if context is None or before != written:
        context = _read(files, purpose)
        _kept[files, purpose] = written, context
    return context


def _read(files: _Files, purpose: ssl.Purpose) -> ssl.SSLContext:
    connects = purpose is ssl.Purpose.SERVER_AUTH
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT if connects else ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_REQUIRED
    key, certificate, authorities = files
    if authorities:
        context.load_verify_locations(authorities)
    context.load_cert_chain(certificate, key)
    return context


def in_place_of_jupyterhub_s(*modules: ModuleType) -> None:
    """Have these modules of JupyterHub's use :func:`make_ssl_context` of here."""
    for module in modules:
        taken: Any = module
        taken.make_ssl_context = make_ssl_context


def in_the_hub() -> None:
    """Have all modules use it that a hub connects or serves with."""
    from jupyterhub import app, objects, user
    from jupyterhub.services import auth

    in_place_of_jupyterhub_s(app, objects, user, auth)
