"""What the checks of a deployment look at, gathered once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hpchub.catalogue.model import Catalogue
from hpchub.catalogue.site import Site
from hpchub.checks.targets import Payer
from hpchub.jobs.launcher import Launcher
from hpchub.slurm.client import SlurmClient


@dataclass(frozen=True, slots=True)
class Deployment:
    """One site as its hub sees it."""

    site: Site
    catalogue: Catalogue | None
    """None where its files are wrong; ``problems`` says what."""
    problems: str
    hub_user: str
    """Who runs the hub, and this process too."""
    token: str
    """Of the hub's API for admins; empty where there is none."""
    payer: Payer | None
    """Who runs the jobs of the checks; None: no job is run."""
    clients: Mapping[str, SlurmClient]
    """Of the open clusters."""
    launcher: Launcher
