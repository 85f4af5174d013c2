"""The content security policies of our pages (https://www.w3.org/TR/CSP3/).

Notebook servers answer under the same host, where every person can put files of their own: so scripts and styles are
let in by the nonce of this one answer and by nothing else, not even by ``'self'``.
"""

from __future__ import annotations

import secrets

OF_JUPYTERHUB = frozenset({"accept-share.html", "admin.html", "oauth.html", "token.html"})
"""Pages whose templates are JupyterHub's own: they have scripts and styles inside, which a nonce cannot mark."""

OPENER = "noopener-allow-popups"
"""The ``Cross-Origin-Opener-Policy`` of our pages: a window that a notebook server's script opens, it cannot read
(https://html.spec.whatwg.org/multipage/browsers.html#the-coop-headers).  Browsers heed it with https only, and those
that do not know this word heed nothing."""

_COMMON = {
    "default-src": "'none'",
    "connect-src": "'self'",
    "font-src": "'self'",
    # Bootstrap's marks of checkboxes and selects are images inside its style sheet.
    "img-src": "'self' data:",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
}


def new_nonce() -> str:
    """Give what marks the scripts and styles of one answer."""
    return secrets.token_urlsafe(18)


def strict(nonce: str) -> str:
    """Give the policy of a page of ours."""
    return _written({"script-src": f"'nonce-{nonce}'", "style-src": f"'nonce-{nonce}'"})


def loose() -> str:
    """Give the policy of a page of JupyterHub's own: no other host, and nothing of ours is weaker for it."""
    return _written({"script-src": "'self' 'unsafe-inline'", "style-src": "'self' 'unsafe-inline'"})


def _written(more: dict[str, str]) -> str:
    return "; ".join(f"{name} {value}" for name, value in {**_COMMON, **more}.items())
