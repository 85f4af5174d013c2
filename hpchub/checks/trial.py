"""Slurm's own judgement of the profiles: ``sbatch --test-only`` as somebody who has an offer; nothing is submitted."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterable, Mapping

from hpchub.catalogue.choice import Accepted
from hpchub.catalogue.model import Catalogue, Profile, Run
from hpchub.catalogue.offers import Offer, profile_offers
from hpchub.catalogue.reasons import why_not_here
from hpchub.catalogue.rules import Person
from hpchub.checks.finding import Finding, fault, fine, not_checked
from hpchub.checks.profiles import place_name
from hpchub.errors import ChoiceRefused, LauncherError, SubmitRefused
from hpchub.jobs import script
from hpchub.jobs.launcher import Launcher
from hpchub.jobs.resolve import job_request
from hpchub.slurm.model import ClusterView


async def try_out(
    catalogue: Catalogue,
    profiles: Iterable[Profile],
    views: Mapping[str, ClusterView],
    user: str,
    launcher: Launcher,
) -> list[Finding]:
    """Give Slurm's judgement of each profile in each place, in the size and the time that the user gets by default."""
    known = catalogue.site.clusters
    places = [(profile, run) for profile in profiles for run in profile.runs_on if known[run.cluster].state == "open"]
    return await asyncio.gather(*(_tried(catalogue, profile, run, views, user, launcher) for profile, run in places))


async def _tried(
    catalogue: Catalogue,
    profile: Profile,
    run: Run,
    views: Mapping[str, ClusterView],
    user: str,
    launcher: Launcher,
) -> Finding:
    # Whether Slurm takes the job has nothing to do with the groups that sign-in gives.
    person = Person(user, frozenset(profile.access.groups))
    offer = _offer(catalogue, person, profile, run, views)
    if offer is None:
        reason = why_not_here(catalogue, person, views.get(run.cluster), profile, run)
        return not_checked(
            profile.slug, f"Slurm was not asked, because {user} has no offer: {reason}", "", place_name(run)
        )
    try:
        accepted = Accepted(offer, offer.default_minutes)
        request = job_request(accepted, catalogue, user, "", secrets.token_hex(16))
        await launcher.try_out(user, run.cluster, request.session_id, script.render(request))
    except ChoiceRefused as error:
        return not_checked(profile.slug, f"Slurm was not asked: {error}", "", place_name(run))
    except SubmitRefused as error:
        says = f"Slurm would refuse this job of {user}, {offer.allocation}, {offer.qos}: {error.slurm_message}"
        return fault(profile.slug, says, "Correct what it names, in the profile or in Slurm.", place_name(run))
    except LauncherError as error:
        return not_checked(profile.slug, f"Slurm could not be asked: {error}", "", place_name(run))
    return fine(profile.slug, f"Slurm would take the job of {user}.", place_name(run))


def _offer(
    catalogue: Catalogue, person: Person, profile: Profile, run: Run, views: Mapping[str, ClusterView]
) -> Offer | None:
    here = [
        offer
        for offer in profile_offers(catalogue, person, profile, views)
        if (offer.cluster, offer.partition) == (run.cluster, run.partition)
    ]
    return next((offer for offer in here if offer.size == profile.default_size), here[0] if here else None)
