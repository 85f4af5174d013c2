"""Sign-in of the demo: the people of the site file, all with one password.

It protects nothing, so it refuses to serve anything but the machine that it runs on.
"""

from __future__ import annotations

import ipaddress
from secrets import compare_digest
from typing import Any
from urllib.parse import urlsplit

from jupyterhub.auth import Authenticator
from traitlets import Set, Unicode

from hpchub.errors import CatalogueError
from hpchub.pages.failure import PageError
from hpchub.pages.page import WithOurPages
from hpchub.signin import record
from hpchub.signin.lent import LendsSeats
from hpchub.signin.refusal import SignInRefused


class DemoAuthenticator(LendsSeats, WithOurPages, Authenticator):  # type: ignore[misc]  # JupyterHub has no types
    """Lets the demo's people in, and nobody else."""

    password = Unicode(help="The password of all the demo's people.", config=True)
    trainers = Set(Unicode(), help="Who is in the group ``trainers``.", config=True)
    manage_groups = True

    async def authenticate(self, handler: Any, data: dict[str, str]) -> dict[str, Any] | None:
        """Check a name and the demo's password; people who are not named are not told apart from a wrong password."""
        name = data.get("username", "")
        right = compare_digest(data.get("password", "").encode(), self.password.encode())
        if not (right and self.password and name in self.allowed_users):
            return None
        try:
            self.check_not_lent(name)
        except SignInRefused as refused:
            record.write(self._eventlog, "refused", reason=refused.reason)
            raise PageError(refused.status_code, refused.sentence) from None
        return {"name": name, "groups": ["trainers"] if name in self.trainers else []}

    async def refresh_user(self, user: Any, handler: Any = None, **values: Any) -> bool:
        """Send whoever is in a seat without its card to sign in again; of others nothing changes."""
        return self.standing(user.name) is not False


def refuse_other_machines(bind_url: str) -> None:
    """Stop a hub with the demo's sign-in that listens on more than this machine's own address.

    Raises:
        CatalogueError: naming the address and what is possible.
    """
    host = urlsplit(bind_url).hostname or ""
    try:
        local = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = False
    if not local:
        raise CatalogueError(
            f"hub.bind_url {bind_url}: sign_in of kind 'demo' has one password for all and is for one machine only. "
            "Listen on 127.0.0.1, or configure a real sign-in."
        )
