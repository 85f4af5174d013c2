"""``/hub/hpchub/me`` for people: who the hub takes them for, so that nobody has to guess why a profile is not there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jupyterhub.handlers import BaseHandler
from tornado import web

from hpchub.catalogue.model import in_language
from hpchub.pages.page import Page
from hpchub.signin.rules import TRAINERS
from hpchub.slurm.model import ClusterView


def accounts_of(name: str, views: Mapping[str, ClusterView]) -> Mapping[str, Sequence[str] | None]:
    """Give the Slurm accounts of a person by cluster; None where its accounting has not been heard yet."""
    return {
        cluster: sorted({each.account for each in view.associations.get(name, ())}) if view.associations else None
        for cluster, view in views.items()
    }


class MePageHandler(Page, BaseHandler):  # type: ignore[misc]  # JupyterHub has no types
    """What the sign-in and Slurm say of whoever asks, and of nobody else."""

    @web.authenticated
    async def get(self) -> None:
        """Show it."""
        user = self.current_user
        groups = sorted(group.name for group in user.orm_user.groups)
        rules, seat = getattr(self.authenticator, "rules", None), self.engine.seats.lent(user.name)
        html = await self.render_template(
            "me.html",
            administrator=user.admin,
            trainer=TRAINERS in groups,
            groups=groups,
            accounts=accounts_of(user.name, self.engine.views),
            seat=seat,
            service=in_language(rules.title, self.speech.language) if rules and not seat else "",
            refresh_seconds=rules.refresh_seconds if rules else 0,
        )
        self.finish(html)
