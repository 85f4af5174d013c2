"""What the files of a catalogue may say: sectors, profiles, sizes, environments, and who may use them.

One class a thing, named by the words of the design; each field is one line of a YAML file.  Unknown fields are
refused.  Memory is in MB as Slurm counts it (1 MB = 1 MiB), time in minutes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from hpchub.catalogue.fields import AllocationPattern, ClusterName, Count, Line, Model, Positive, Slug, SlurmName, Text
from hpchub.catalogue.site import Site


class Access(Model):
    """Who may use a profile: an allocation that matches, and a group where groups are named."""

    allocations: tuple[AllocationPattern, ...] | None = None
    """Patterns of the accounts that may pay; absent: those of the profile's sector."""
    groups: tuple[Line, ...] = ()
    """The person must be in one of them; empty: everybody."""


class Size(Model):
    """A named amount for one job on one node."""

    gpus: Count
    cores: Positive
    memory_mb: Positive
    default_minutes: Positive
    max_minutes: Positive

    @model_validator(mode="after")
    def _default_within_most(self) -> Self:
        if self.default_minutes > self.max_minutes:
            raise ValueError(f"default_minutes {self.default_minutes} is more than max_minutes {self.max_minutes}")
        return self


class Run(Model):
    """One place that can run a profile."""

    cluster: ClusterName
    partition: SlurmName
    gpu_type: SlurmName | None
    """The type in ``--gres=gpu:<type>:<n>``; null where the partition has no GPU."""
    qos: tuple[SlurmName, ...] = Field(min_length=1)
    """In order of preference: the first one that the allocation has and that allows the time is taken."""


class ProfileFile(Model):
    """``<sector>/<profile>.yaml``."""

    title: Text
    description: Text
    environment: Slug
    runs_on: tuple[Run, ...] = Field(min_length=1)
    """In order of preference."""
    sizes: Mapping[Slug, Size] = Field(min_length=1)
    default_size: Slug
    access: Access = Access()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.default_size not in self.sizes:
            raise ValueError(f"default_size {self.default_size!r} is not one of the sizes: {', '.join(self.sizes)}")
        with_gpu = [name for name, size in self.sizes.items() if size.gpus]
        for run in self.runs_on:
            if with_gpu and run.gpu_type is None:
                raise ValueError(f"size {with_gpu[0]!r} has GPUs, but {run.cluster}/{run.partition} names no gpu_type")
        if len({run.cluster for run in self.runs_on}) < len(self.runs_on):
            # A choice names the cluster, not the partition: two partitions of one cluster would be ambiguous.
            raise ValueError("runs_on names a cluster twice; make two profiles instead")
        return self


class Profile(ProfileFile):
    """What a person picks; ``slug`` is ``<sector>/<file name>``."""

    slug: str
    sector: str


class Sector(Model):
    """A field of work, and the allocations that it is for."""

    title: Text
    allocations: tuple[AllocationPattern, ...] = Field(min_length=1)


class SectorsFile(Model):
    """``sectors.yaml``, in the order in which pages show them."""

    sectors: Mapping[Slug, Sector] = Field(min_length=1)


class EnvironmentFile(Model):
    """``environments/<name>/environment.yaml``."""

    title: Text
    description: Text
    python: Annotated[str, StringConstraints(pattern=r"^3\.\d{1,2}$")]
    """The Python that the locks were made for, such as ``"3.11"`` (quoted: YAML reads 3.10 as a number)."""
    contents: tuple[Line, ...] = Field(min_length=1)
    """What people look for in it; the complete list is in the locks."""


class Environment(EnvironmentFile):
    """The software of a profile, by name."""

    name: str
    targets: frozenset[str]
    """The software targets that it has a lock for (``<target>.txt``), and so a build."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """A site with all that it offers; every name in it that refers to something refers to something that is there."""

    site: Site
    sectors: Mapping[str, Sector]
    profiles: Mapping[str, Profile]
    """By slug, sector by sector in the order of ``sectors.yaml``."""
    environments: Mapping[str, Environment]


def in_language(text: Mapping[str, str], language: str) -> str:
    """Give a text in a language, or in English where it was not translated."""
    return text.get(language, text["en"])
