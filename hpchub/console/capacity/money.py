"""Whether the allocation of a planned event can pay for all its sessions.  Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import date

from hpchub.catalogue.budget import Budget, left_in_words, spent_obstacle, warnings_of
from hpchub.catalogue.moments import day_of, zone_of
from hpchub.catalogue.site import Cluster, Site
from hpchub.catalogue.terms import core_hours_an_hour
from hpchub.console.capacity import commands
from hpchub.console.capacity.places import Place
from hpchub.console.capacity.planned import About, Finding, Planned, fine, missing, sessions, warning
from hpchub.pages.moments import duration
from hpchub.slurm.model import ClusterView
from hpchub.text import Number, Sentence, When


def core_hours(planned: Planned, site: Site, view: ClusterView, places: list[Place]) -> float:
    """Give what the event costs if every session takes the dearest of its profiles for all its time."""
    cluster = site.clusters[planned.cluster]
    dearest = max((core_hours_an_hour(cluster, place.run, view, place.size) for place in places), default=0.0)
    return dearest * planned.sessions * planned.session_minutes / 60


def budget_findings(
    planned: Planned, site: Site, view: ClusterView, places: list[Place], budget: Budget | None, now_epoch: float
) -> Iterator[Finding]:
    """Judge what is left of the allocation against what the event costs."""
    cluster, cost = site.clusters[planned.cluster], core_hours(planned, site, view, places)
    if not places:
        return
    facts: dict[str, object] = {
        "sessions": sessions(planned.sessions),
        "time": duration(planned.session_minutes),
        "cost": Number(cost),
        "account": planned.allocation,
        "cluster": planned.cluster,
    }
    if cost == 0:
        yield fine(About.BUDGET, Sentence("The event costs nothing there."))
    elif budget is None:
        says = Sentence(
            "The event costs {cost} core-hours ({sessions} of {time}); nothing is known of the budget of {account} on "
            "{cluster}.",
            **facts,
        )
        yield (fine if cluster.budget.source == "none" else warning)(About.BUDGET, says)
    else:
        yield from _known(planned, site, cluster, budget, cost, facts, now_epoch)


def _known(
    planned: Planned,
    site: Site,
    cluster: Cluster,
    budget: Budget,
    cost: float,
    facts: dict[str, object],
    now_epoch: float,
) -> Iterator[Finding]:
    zone = zone_of(site.timezone)
    today, last_day = day_of(now_epoch, zone), day_of(planned.closes_epoch - 1, zone)
    if budget.end_date is not None and last_day > budget.end_date:
        yield missing(About.BUDGET, _ends(budget, planned, today))
    facts["left"] = left_in_words(budget)
    if cost > budget.left_core_hours:
        says = Sentence(
            "The event costs {cost} core-hours ({sessions} of {time}), more than {account} has on {cluster}: {left}.",
            **facts,
        )
        yield missing(About.BUDGET, says, _more(planned, cluster, budget, cost))
        return
    yield fine(
        About.BUDGET,
        Sentence(
            "The event costs {cost} core-hours ({sessions} of {time}); {account} has enough on {cluster}: {left}.",
            **facts,
        ),
    )
    for note in warnings_of(budget, planned.cluster, cluster.budget, today):
        yield warning(About.BUDGET, note)


def _ends(budget: Budget, planned: Planned, today: date) -> Sentence:
    if budget.end_date is not None and today > budget.end_date:
        ended = spent_obstacle(budget, planned.cluster, today)
        if ended is not None:
            return ended
    return Sentence(
        "Allocation {account} on {cluster} ends on {day}, before the event is over.",
        account=budget.account,
        cluster=planned.cluster,
        day=When(budget.end_date or today),
    )


def _more(planned: Planned, cluster: Cluster, budget: Budget, cost: float) -> commands.Argv:
    """Give the command that makes the budget large enough, where Slurm keeps it."""
    limit = budget.set_by
    if limit is None:
        return ()
    core_hours_an_hour_of_it = cluster.budget.core_hours_a_gpu_hour if limit.tres == "gres/gpu" else 1
    lacking = cost - (budget.total_core_hours - budget.used_core_hours)
    minutes = limit.limit_minutes + math.ceil(lacking * 60 / core_hours_an_hour_of_it)
    return commands.set_budget(planned.cluster, limit.account or planned.allocation, limit.tres, minutes)
