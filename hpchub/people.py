"""What is known of one person by a command that runs beside the hub."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping

from hpchub.budgets import BudgetKeeper
from hpchub.catalogue.limits import Held
from hpchub.catalogue.model import Catalogue
from hpchub.catalogue.rules import Person
from hpchub.catalogue.site import Site
from hpchub.clusters import apart
from hpchub.environments.own import Registry, with_own
from hpchub.events import EventKeeper
from hpchub.jobs.request import read_comment
from hpchub.slurm.model import ClusterView, Job, JobState

log = logging.getLogger(__name__)


def catalogue_of(catalogue: Catalogue, user: str) -> Catalogue:
    """Give a person's catalogue, with the environments that they brought; those that cannot be read are logged."""
    folder = catalogue.site.hub.own_environments_folder
    try:
        return with_own(catalogue, Registry(folder).of(user))
    except OSError as error:
        log.warning("%s: %s, so what %s brought is missing", folder, error.strerror, user)
        return catalogue


def person_now(site: Site, views: Mapping[str, ClusterView], name: str, groups: Iterable[str]) -> Person:
    """Give what the hub would know of a person, apart from the groups that only a sign-in tells.

    Their sessions are those of Slurm's jobs, their events those that the hub has kept, and the sources of budgets are
    asked now.  What cannot be read or asked is logged, and is missing.
    """
    groups = frozenset(groups)
    with apart(site) as (launcher, clients):
        budgets = asyncio.run(BudgetKeeper(lambda: site, clients.__getitem__, launcher).once(name))
    return Person(
        name,
        groups,
        budgets=budgets,
        events=EventKeeper(site.hub.events_file).of(name, groups),
        held=tuple(_held(view.cluster, job) for view in views.values() for job in view.jobs.values() if _is(job, name)),
    )


def _is(job: Job, user: str) -> bool:
    return job.user == user and job.state in (JobState.PENDING, JobState.RUNNING)


def _held(cluster: str, job: Job) -> Held:
    server = (read_comment(job.comment) or {}).get("server", "")
    return Held(server, cluster, job.partition, job.account, job.qos)
