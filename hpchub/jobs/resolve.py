"""An accepted choice in Slurm's terms: one function for the hub, which submits it, and for commands that show it."""

from __future__ import annotations

from dataclasses import asdict

from pydantic import ValidationError

from hpchub.catalogue.choice import Accepted
from hpchub.catalogue.model import Catalogue
from hpchub.environments.software import software_of
from hpchub.errors import ChoiceRefused
from hpchub.jobs.files import files_of
from hpchub.jobs.request import JobRequest
from hpchub.text import Sentence


def job_request(accepted: Accepted, catalogue: Catalogue, user: str, server_name: str, session_id: str) -> JobRequest:
    """Make the job request of an accepted choice.

    Raises :class:`ChoiceRefused` if the environment is not built where this machine can see it, or if a value cannot
    be written into a job script.
    """
    offer = accepted.offer
    software = software_of(catalogue, offer.environment, offer.cluster)
    try:
        return JobRequest(
            session_id=session_id,
            hub_id=catalogue.site.hub_id,
            user=user,
            server_name=server_name,
            profile=offer.profile,
            cluster=offer.cluster,
            partition=offer.partition,
            account=offer.allocation,
            qos=offer.qos,
            gpus=offer.gpus,
            gpu_type=offer.gpu_type,
            cores=offer.cores,
            memory_mb=offer.memory_mb,
            minutes=accepted.minutes,
            reservation=accepted.event.reservation if accepted.event else None,
            event=accepted.event.slug if accepted.event else None,
            files=files_of(accepted.event, user, catalogue.site.clusters[offer.cluster]) if accepted.event else None,
            **asdict(software),
        )
    except ValidationError as error:
        field = ".".join(map(str, error.errors()[0]["loc"]))
        raise ChoiceRefused(
            Sentence("This choice cannot be written into a job: {field} is not of a safe form.", field=field)
        ) from None
