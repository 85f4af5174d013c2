"""A planned event against what its cluster says at this moment, for commands that run without the console."""

from __future__ import annotations

import asyncio
import time

from hpchub.budgets import BudgetKeeper
from hpchub.catalogue.model import Catalogue
from hpchub.clusters import apart, look_once
from hpchub.console.capacity import Finding, Planned, findings
from hpchub.slurm.model import ClusterView


def findings_now(planned: Planned, catalogue: Catalogue) -> tuple[Finding, ...]:
    """Ask the event's cluster and its source of budgets once, and judge the event; other events are not known here.

    Where budgets are asked for person by person, those of the first who takes part are taken.
    """
    name = planned.cluster
    # Another cluster that is silent shall not hold this one up.
    alone = {each: cluster for each, cluster in catalogue.site.clusters.items() if each == name}
    site = catalogue.site.model_copy(update={"clusters": alone})
    view = look_once(site).get(name, ClusterView(name))
    person = planned.members[0] if planned.members else ""
    with apart(site) as (launcher, clients):
        budgets = asyncio.run(BudgetKeeper(lambda: site, clients.__getitem__, launcher).once(person))
    return findings(planned, view, catalogue, time.time(), budgets.get(name))
