"""What the hub keeps of a sign-in, out of its database with its own key: what must be in no log."""

from __future__ import annotations

import base64
import json
import sqlite3

from cryptography.fernet import Fernet

from tests.support.site import Site


def kept_tokens(site: Site, name: str) -> list[str]:
    """Give the tokens of the provider's that are kept of a person."""
    with sqlite3.connect(site.folder / "hub" / "jupyterhub.sqlite") as database:
        ((sealed,),) = database.execute("select encrypted_auth_state from users where name = ?", (name,)).fetchall()
    key = bytes.fromhex((site.folder / "hub" / "secrets" / "auth-state-key").read_text())
    state = json.loads(Fernet(base64.urlsafe_b64encode(key)).decrypt(sealed))
    return [state["access_token"], state["refresh_token"], state["id_token"]]
