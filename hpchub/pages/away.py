"""The hub's database is away: whoever asks hears that, instead of being judged by what cannot be read.

JupyterHub, where it cannot read who asks, goes on as if nobody had signed in.  A job that reports would then hear that
its token is not known and end itself, and a notebook would turn its own person away.
"""

from __future__ import annotations

from typing import Any

from jupyterhub.apihandlers.hub import RootAPIHandler
from jupyterhub.handlers.pages import HealthCheckHandler

from hpchub.pages.failure import PageError
from hpchub.text import Sentence

AWAY = Sentence(
    "The hub's database does not answer at the moment. Notebooks that run go on, and nothing is lost. "
    "Try again in a minute."
)

WITHOUT = (HealthCheckHandler, RootAPIHandler)
"""Handlers that need no database: they say that the hub lives."""


class WithDatabase:
    """To be put before a handler of JupyterHub's in the bases of a class: without a database it says so."""

    async def prepare(self: Any) -> None:
        """Refuse before anybody is judged by what cannot be read."""
        if not isinstance(self, WITHOUT) and not self.settings["hpchub"].database.answers(self.db):
            raise PageError(503, AWAY)
        await super().prepare()  # type: ignore[misc]  # of the handler that it is mixed into


def needing_database(handler: type) -> type:
    """Make an API handler of JupyterHub's or of ours one that says where there is no database."""
    if issubclass(handler, WithDatabase) or not hasattr(handler, "db"):
        return handler
    return type(handler.__name__, (WithDatabase, handler), {"__module__": __name__, "__doc__": handler.__doc__})
