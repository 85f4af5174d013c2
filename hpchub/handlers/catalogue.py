"""``/hub/api/hpchub/catalogue``: which catalogue is in service, and what is wrong with the files if they are."""

from __future__ import annotations

import json

from jupyterhub.apihandlers import APIHandler
from jupyterhub.scopes import needs_scope

from hpchub.engine import WithEngine


class CatalogueHandler(WithEngine, APIHandler):  # type: ignore[misc]  # JupyterHub has no types
    """For admins and scripts: a change is live once ``loaded_epoch`` is later than the change."""

    @needs_scope("read:hub")  # type: ignore[untyped-decorator]  # JupyterHub has no types
    async def get(self) -> None:
        keeper = self.engine.keeper
        told = {
            "loaded_epoch": keeper.loaded_epoch,
            "profiles": list(keeper.catalogue.profiles),
            "problems": keeper.problems,
        }
        self.finish(json.dumps(told))
