"""``/hub/api/hpchub/environments``: the environments that a person brought."""

from __future__ import annotations

import json
import time
from typing import Any

from jupyterhub import __version__ as hub_version
from jupyterhub.apihandlers import APIHandler
from pydantic import BaseModel, ConfigDict, ValidationError
from tornado import web

from hpchub.catalogue.fields import Slug
from hpchub.catalogue.reasons import echo
from hpchub.engine import WithEngine
from hpchub.environments.own import PREFIX, Registration
from hpchub.environments.probe import judged
from hpchub.errors import LauncherError, SubmitUnclear, UserError
from hpchub.jobs.request import AbsolutePath
from hpchub.text import listed


class Wish(BaseModel):
    """What a person sends to register an environment."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: Slug
    cluster: str
    path: AbsolutePath


class _Handler(WithEngine, APIHandler):  # type: ignore[misc]  # JupyterHub has no types
    def person(self) -> str:
        """Give the caller's name, if the token may start servers: what is registered here is what they start."""
        user = self.current_user
        if user is None or getattr(user, "kind", "user") != "user":
            raise web.HTTPError(403, "This is for people: use a token or a cookie of yours.")
        if not self.has_scope(f"servers!user={user.name}"):
            raise web.HTTPError(403, "This needs the scope servers of your own.")
        return str(user.name)


class EnvironmentsHandler(_Handler):
    """All environments of the caller; a new one."""

    async def get(self) -> None:
        """List them."""
        self.finish(json.dumps([public(each) for each in self.engine.own.of(self.person())]))

    async def post(self) -> None:
        """Look at an environment, as its person, and remember it if it can be started."""
        person = self.person()
        try:
            wish = Wish.model_validate_json(self.request.body)
        except ValidationError as error:
            wrong = "; ".join(f"{'.'.join(map(str, each['loc'])) or 'body'}: {each['msg']}" for each in error.errors())
            raise web.HTTPError(400, f"Not an environment: {wrong[:400]}") from None
        try:
            target = self._target(person, wish)
            seen = await self.engine.launcher.probe(person, wish.cluster, wish.path)
            probed = judged(seen, wish.path, target, hub_version)
        except UserError as error:
            raise web.HTTPError(400, str(error)) from None
        except SubmitUnclear as error:
            self.log.warning("an environment of %s on %s cannot be looked at: %s", person, wish.cluster, error)
            raise web.HTTPError(503, f"{wish.path} cannot be looked at at the moment; try again.") from None
        except LauncherError as error:
            raise web.HTTPError(409, f"{wish.path} cannot be looked at: {error}") from None
        registration = Registration(
            **wish.model_dump(), python=probed.python, jupyterhub=probed.jupyterhub, registered_epoch=int(time.time())
        )
        self.engine.own.add(person, registration)
        self.set_status(201)
        self.finish(json.dumps(public(registration)))

    def _target(self, person: str, wish: Wish) -> str:
        catalogue = self.engine.catalogue
        settings = catalogue.site.own_environments
        if settings is None:
            raise UserError("This site has no environments of people's own.")
        if PREFIX + wish.name in catalogue.profiles:
            raise UserError(f"There is a profile {PREFIX}{wish.name} already; take another name.")
        places = [run.cluster for run in catalogue.profiles[settings.like].runs_on]
        possible = [name for name in places if catalogue.site.clusters[name].state == "open"]
        if wish.cluster not in possible:
            raise UserError(f"Cluster {echo(wish.cluster)} takes no environments. Possible: {listed(possible)}.")
        others = [each.name for each in self.engine.own.of(person) if each.name != wish.name]
        if len(others) >= settings.most:
            raise UserError(f"You have {len(others)} environments, and {settings.most} is the most. Remove one first.")
        return catalogue.site.clusters[wish.cluster].software_target


class EnvironmentHandler(_Handler):
    """One environment of the caller."""

    async def get(self, name: str) -> None:
        """Show it."""
        found = [each for each in self.engine.own.of(self.person()) if each.name == name]
        if not found:
            raise web.HTTPError(404, "You have no such environment.")
        self.finish(json.dumps(public(found[0])))

    async def delete(self, name: str) -> None:
        """Forget it; its folder stays, and a session that runs in it too."""
        if not self.engine.own.remove(self.person(), name):
            raise web.HTTPError(404, "You have no such environment.")
        self.set_status(204)


def public(registration: Registration) -> dict[str, Any]:
    """Give what its person reads of an environment."""
    return {**registration.model_dump(), "profile": PREFIX + registration.name}
