"""Which software a session starts with, decided when it is submitted: a build, modules, an image, or one's own."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal

from hpchub.catalogue.model import Catalogue
from hpchub.environments.build import environment_path
from hpchub.environments.own import OwnEnvironment
from hpchub.errors import ChoiceRefused
from hpchub.text import Sentence


@dataclass(frozen=True, slots=True)
class Software:
    """What the job script needs to know of an environment; the fields are those of the job request."""

    kind: Literal["venv", "module", "apptainer"]
    environment: str
    modules: tuple[str, ...] = ()
    build: str = ""


def software_of(catalogue: Catalogue, name: str, cluster_name: str) -> Software:
    """Give the software of an environment on a cluster.

    A build is named itself and not by the link to the current one, so that a session keeps what it started with.

    Raises :class:`ChoiceRefused` if it is not built where this machine can see it.
    """
    environment = catalogue.environments[name]
    cluster = catalogue.site.clusters[cluster_name]
    target = cluster.software_target
    if isinstance(environment, OwnEnvironment):
        return Software("venv", environment.path)
    if environment.kind == "module":
        return Software("module", str(cluster.module_init), modules=environment.modules[target])
    if environment.kind == "apptainer":
        return Software("apptainer", str(environment.images[target]))
    root = catalogue.site.environments_root
    build = environment_path(root, name, target)
    if not root.is_dir():
        # Behind ssh the builds may be nowhere but there: the job takes what is current when it starts.
        return Software("venv", str(build), build=f"{name}/{target}/{build.name}")
    if not (build / "bin" / "python").exists():
        raise ChoiceRefused(
            Sentence(
                "The environment {environment} is not built for {cluster}: there is no {build}. Choose another "
                "profile, or tell the people who run this service.",
                environment=name,
                cluster=cluster_name,
                build=build,
            )
        )
    real = os.path.realpath(build)
    return Software("venv", real, build=f"{name}/{target}/{os.path.basename(real)}")
