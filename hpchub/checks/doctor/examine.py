"""All checks of a deployment, side by side, in the order in which a person reads them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any

from hpchub.checks.doctor import certificates, files
from hpchub.checks.doctor.deployment import Deployment
from hpchub.checks.doctor.door import door, reservations
from hpchub.checks.doctor.hub import certificate, hub
from hpchub.checks.doctor.munge import munge
from hpchub.checks.doctor.node import node
from hpchub.checks.doctor.slurm import accounting, controller
from hpchub.checks.finding import Finding, fault

FILES: tuple[Callable[[Deployment], Iterator[Finding]], ...] = (
    files.catalogue,
    files.launcher,
    files.reserver,
    files.state_folder,
    files.secrets,
    certificates.inside,
    files.environments,
)
HUB: tuple[Callable[[Deployment], Awaitable[list[Finding]]], ...] = (hub, certificate, munge)
OF_A_CLUSTER: tuple[Callable[[Deployment, str], Awaitable[list[Finding] | Finding]], ...] = (
    door,
    reservations,
    controller,
    accounting,
)
JOBS: tuple[Callable[[Deployment, str], Awaitable[list[Finding] | Finding]], ...] = (node,)


async def examine(deployment: Deployment, quick: bool) -> list[Finding]:
    """Make all checks; the jobs are left out if it has to be quick."""
    of_a_cluster = (*OF_A_CLUSTER, *(() if quick else JOBS))
    work = [
        *(_guarded(check.__name__, asyncio.to_thread(_all, check, deployment)) for check in FILES),
        *(_guarded(check.__name__, check(deployment)) for check in HUB),
        *(
            _guarded(check.__name__, check(deployment, cluster), cluster)
            for cluster in deployment.clients
            for check in of_a_cluster
        ),
    ]
    return [finding for findings in await asyncio.gather(*work) for finding in findings]


def _all(check: Callable[[Deployment], Iterable[Finding]], deployment: Deployment) -> list[Finding]:
    return list(check(deployment))


async def _guarded(name: str, check: Awaitable[Any], place: str = "") -> list[Finding]:
    """Make one check; what it cannot read is a finding, and no reason to leave out the others."""
    try:
        found = await check
    except OSError as error:
        return [fault(name.replace("_", " "), f"This could not be looked at: {error}.", "Make it readable.", place)]
    return [found] if isinstance(found, Finding) else list(found)
