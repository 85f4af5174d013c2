"""``/hub/api/hpchub/deployment``: the running hub's own settings and versions, for ``hpchub doctor``."""

from __future__ import annotations

import json
import sys
import time

import jupyterhub
from jupyterhub.apihandlers import APIHandler
from jupyterhub.app import JupyterHub
from jupyterhub.scopes import needs_scope

from hpchub.engine import WithEngine


class DeploymentHandler(WithEngine, APIHandler):  # type: ignore[misc]  # JupyterHub has no types
    """What only the running hub knows: its files may have changed since, or another file may override them."""

    @needs_scope("read:hub")  # type: ignore[untyped-decorator]  # JupyterHub has no types
    async def get(self) -> None:
        engine = self.engine
        app = JupyterHub.instance()
        told = {
            "hub_id": engine.catalogue.site.hub_id,
            "site_file": str(engine.catalogue.site.file),
            "jupyterhub": jupyterhub.__version__,
            "python": ".".join(map(str, sys.version_info[:3])),
            "started_epoch": engine.started_epoch,
            "now_epoch": time.time(),
            "cleanup_servers": app.cleanup_servers,
            "cleanup_proxy": app.cleanup_proxy,
            "concurrent_spawn_limit": app.concurrent_spawn_limit,
            "database": self.db.get_bind().dialect.name,
            "catalogue_problems": engine.keeper.problems,
        }
        self.finish(json.dumps(told))
