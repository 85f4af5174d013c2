"""Whom a question of the API is about: oneself, or with ``?user=NAME`` somebody whose servers one may read."""

from __future__ import annotations

from jupyterhub.apihandlers import APIHandler
from tornado import web

from hpchub.catalogue.rules import Person
from hpchub.engine import WithEngine


class OfPerson(WithEngine, APIHandler):  # type: ignore[misc]  # JupyterHub has no types
    """Base of the handlers that tell what a person has."""

    async def person_asked_about(self, what: str) -> Person:
        """Give the person, once every cluster has said whose allocations are whose: a hub that has just started waits.

        Raises 403 without credentials, and 404 for who does not exist or whose ``what`` one may not read.
        """
        if self.current_user is None:
            raise web.HTTPError(403, "Missing or invalid credentials.")
        name = self.get_argument("user", "") or self.current_user.name
        user = self.find_user(name)
        if user is None or not self.has_scope(f"read:servers!user={name}"):
            raise web.HTTPError(404, f"There is no such user, or none whose {what} you may read; give ?user=NAME.")
        await self.engine.first_views()
        return self.engine.person(name, (group.name for group in user.orm_user.groups))
