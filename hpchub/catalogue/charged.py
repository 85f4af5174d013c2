"""What a job that has ended was charged, in the site's core-hours, by what Slurm's accounting has of it.  Pure."""

from __future__ import annotations

from collections.abc import Mapping, Set

from hpchub.catalogue.cost import shared
from hpchub.catalogue.model import Size
from hpchub.catalogue.rules import Shape
from hpchub.catalogue.site import Cluster
from hpchub.slurm.accounted import Accounted
from hpchub.slurm.model import Partition

_HOUR_SECONDS = 3600


def core_hours(
    job: Accounted, cluster: Cluster, partition: Partition | None, shapes: Mapping[str, Set[Shape]]
) -> float | None:
    """Give what was charged; None for a job of a partition that is not known any more.

    Where a partition has ``TRESBillingWeights``, Slurm itself has counted (``billing``); where it has none, the largest
    of the shares of a node's cores, memory and GPUs counts, as on the pages before a start.
    """
    if not job.seconds or job.partition in cluster.free_partitions:
        return 0.0
    if partition is None:
        return None
    held, hours = dict(job.tres), job.seconds / _HOUR_SECONDS
    if partition.billing_weights and "billing" in held:
        return held["billing"] * hours
    cores, memory_mb = int(held.get("cpu", 0)), int(held.get("mem", 0))
    if not cores:
        return None
    size = Size(gpus=job.gpus or 0, cores=cores, memory_mb=max(memory_mb, 1), default_minutes=1, max_minutes=1)
    return shared(size, shapes.get(job.partition, ())) * hours
