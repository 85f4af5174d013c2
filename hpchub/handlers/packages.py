"""``/hub/hpchub/environment/NAME?cluster=CLUSTER`` for people: all packages of an environment on a cluster."""

from __future__ import annotations

from jupyterhub.handlers import BaseHandler
from jupyterhub.utils import url_path_join
from tornado import web

from hpchub.catalogue.model import Catalogue, Environment, in_language
from hpchub.pages.failure import PageError
from hpchub.pages.page import Page
from hpchub.text import Sentence


def place_of(catalogue: Catalogue, environment: Environment, cluster: str) -> str:
    """Give the cluster whose packages are shown: the one that is asked for, or the first that has any.

    Raises:
        PageError: no lock says what is there.
    """
    clusters = catalogue.site.clusters
    known = [name for name, each in clusters.items() if each.software_target in environment.packages]
    asked = cluster or next(iter(known), "")
    if asked not in known:
        raise PageError(404, Sentence("There is no list of the packages that this environment has there."))
    return asked


def way_back(start: str, asked: str) -> str:
    """Give the address of the start page that somebody came from: no link may lead from here to anywhere else."""
    within = asked == start or asked.startswith((f"{start}/", f"{start}?"))
    return asked if within and "/.." not in asked else start


class PackagesPageHandler(Page, BaseHandler):  # type: ignore[misc]  # JupyterHub has no types
    """For everybody who is signed in: what a site offers is no secret among its people."""

    @web.authenticated
    async def get(self, name: str) -> None:
        """Show them."""
        catalogue = self.engine.catalogue
        environment = catalogue.environments.get(name)
        if environment is None:
            raise PageError(404, Sentence("There is no such environment."))
        cluster = place_of(catalogue, environment, self.get_argument("cluster", ""))
        target = catalogue.site.clusters[cluster].software_target
        html = await self.render_template(
            "packages.html",
            title=in_language(environment.title, self.speech.language),
            description=in_language(environment.description, self.speech.language),
            cluster=cluster,
            target=target,
            python=environment.python,
            packages=sorted(environment.packages[target].items()),
            back=way_back(url_path_join(self.hub.base_url, "spawn"), self.get_argument("back", "")),
        )
        self.finish(html)
