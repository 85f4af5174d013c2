"""What the files of a catalogue may say: sectors, profiles, sizes, environments, and who may use them.

One class a thing, named by the words of the design; each field is one line of a YAML file.  Unknown fields are
refused.  Memory is in MB as Slurm counts it (1 MB = 1 MiB), time in minutes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from hpchub.catalogue.fields import (
    AbsolutePath,
    AllocationPattern,
    ClusterName,
    Count,
    DayOrTime,
    EventPattern,
    Line,
    Model,
    ModuleName,
    Positive,
    Slug,
    SlurmName,
    SoftwareModule,
    SoftwareTarget,
    Text,
    Wrong,
)
from hpchub.catalogue.moments import begin_epoch, end_epoch
from hpchub.catalogue.problems import Problem, out_of
from hpchub.catalogue.site import Site
from hpchub.text import When


class Access(Model):
    """Who may use a profile: an allocation that matches, and a group where groups are named."""

    allocations: tuple[AllocationPattern, ...] | None = None
    """Patterns of the accounts that may pay; absent: those of the profile's sector."""
    groups: tuple[Line, ...] = ()
    """The person must be in one of them; empty: everybody."""
    from_: DayOrTime | None = Field(default=None, alias="from")
    """The first day on which it can be started, or a time with its zone; absent: no beginning."""
    until: DayOrTime | None = None
    """The last day on which it can be started, or a time with its zone; absent: no end."""
    events: tuple[EventPattern, ...] = ()
    """Patterns of events: the person must be in one that is open now; empty: no event is needed."""

    @model_validator(mode="after")
    def _begins_before_it_ends(self) -> Self:
        # Both in one zone: whether a day of the site's own zone has begun is of no matter for a slip of the pen.
        if self.from_ and self.until and begin_epoch(self.from_, UTC) >= end_epoch(self.until, UTC):
            raise Wrong(("until",), f"{When(self.until)} is before {When(self.from_)}", "a later day, or no until")
        return self


class Size(Model):
    """A named amount for one job on one node."""

    gpus: Count
    """GPUs, all on one node; 0 for none."""
    cores: Positive
    """Cores."""
    memory_mb: Positive
    """Memory in MB as Slurm counts it (1 MB = 1 MiB)."""
    default_minutes: Positive
    """The time that is selected at first."""
    max_minutes: Positive
    """The longest time; what is offered is the least of this, the partition's and the QOS's."""

    @model_validator(mode="after")
    def _default_within_most(self) -> Self:
        if self.default_minutes > self.max_minutes:
            found = f"{self.default_minutes} is more than max_minutes {self.max_minutes}"
            raise Wrong(("default_minutes",), found, f"at most {self.max_minutes}, or a larger max_minutes")
        return self


class Run(Model):
    """One place that can run a profile."""

    cluster: ClusterName
    """A cluster of the site file; each at most once."""
    partition: SlurmName
    """Slurm's partition."""
    gpu_type: SlurmName | None
    """The type in ``--gres=gpu:<type>:<n>``; null where the partition has no GPU."""
    qos: tuple[SlurmName, ...] = Field(min_length=1)
    """In order of preference: the first one that the allocation has and that allows the time is taken."""


class ProfileFile(Model):
    """``<sector>/<profile>.yaml``."""

    title: Text
    """What people call it, by language."""
    description: Text
    """A sentence for those who choose, by language."""
    environment: Slug
    """The name of its environment, a folder below ``environments/``."""
    runs_on: tuple[Run, ...] = Field(min_length=1)
    """The places that can run it, in order of preference; each cluster at most once."""
    sizes: Mapping[Slug, Size] = Field(min_length=1)
    """The amounts that people choose from, by name."""
    default_size: Slug
    """The size that is selected at first."""
    access: Access = Access()
    """Who may use it; absent: everybody of the sector."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.default_size not in self.sizes:
            found = f"{self.default_size!r} is not one of the sizes"
            raise Wrong(("default_size",), found, out_of(self.sizes, self.default_size))
        with_gpu = [name for name, size in self.sizes.items() if size.gpus]
        clusters: set[str] = set()
        for position, run in enumerate(self.runs_on):
            if with_gpu and run.gpu_type is None:
                found = f"is null, but size {with_gpu[0]!r} has GPUs"
                raise Wrong(("runs_on", position, "gpu_type"), found, "Slurm's name of the type, or sizes with gpus: 0")
            if run.cluster in clusters:
                # A choice names the cluster, not the partition: two partitions of one cluster would be ambiguous.
                place = ("runs_on", position, "cluster")
                raise Wrong(place, f"{run.cluster!r} is there twice", "one partition here, and a second profile")
            clusters.add(run.cluster)
        return self


class Profile(ProfileFile):
    """What a person picks; ``slug`` is ``<sector>/<file name>``."""

    slug: str
    sector: str


class Sector(Model):
    """A field of work, and the allocations that it is for."""

    title: Text
    """What people call it, by language."""
    allocations: tuple[AllocationPattern, ...] = Field(min_length=1)
    """Patterns of the Slurm accounts that it is for, compared without regard to case."""


class SectorsFile(Model):
    """``sectors.yaml``, in the order in which pages show them."""

    sectors: Mapping[Slug, Sector] = Field(min_length=1)
    """By name, which is the name of the folder of its profiles; in the order of the page."""


class EnvironmentFile(Model):
    """``environments/<name>/environment.yaml``."""

    title: Text
    """What people call it, by language."""
    description: Text
    """A sentence about it, by language."""
    python: Annotated[str, StringConstraints(pattern=r"^3\.\d{1,2}$")]
    """The Python that the locks were made for, such as ``"3.11"`` (quoted: YAML reads 3.10 as a number)."""
    contents: tuple[Line, ...] = Field(min_length=1)
    """What people look for in it, as a package or as ``Name (package)``; the complete list is in the locks."""
    imports: tuple[ModuleName, ...] = ()
    """Modules that must be importable in a build; a build that fails this is never switched to."""
    kind: Literal["venv", "module", "apptainer"] = "venv"
    """What a build is: made here from a lock, modules that the cluster has already, or an image that lies there."""
    modules: Mapping[SoftwareTarget, Annotated[tuple[SoftwareModule, ...], Field(min_length=1)]] = Field(
        default_factory=dict
    )
    """For the kind ``module``: what is loaded, in this order, by software target."""
    images: Mapping[SoftwareTarget, AbsolutePath] = Field(default_factory=dict)
    """For the kind ``apptainer``: the path of the image on the compute nodes, by software target."""

    @model_validator(mode="after")
    def _only_what_its_kind_has(self) -> Self:
        for kind, field in (("module", "modules"), ("apptainer", "images")):
            if getattr(self, field) and self.kind != kind:
                raise Wrong((field,), f"is there, but the kind is {self.kind}", f"kind: {kind}")
            if self.kind == kind and not getattr(self, field):
                raise Wrong(("kind",), f"is {kind}, but there are no {field}", f"{field}, by software target")
        return self


class Environment(EnvironmentFile):
    """The software of a profile, by name."""

    name: str
    targets: frozenset[str]
    """The software targets that it is there for: a lock (``<target>.txt``), modules or an image."""
    packages: Mapping[str, Mapping[str, str]] = Field(default_factory=dict)
    """What its locks pin: by software target, versions by package (:mod:`hpchub.catalogue.packages`)."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """A site with all that it offers; every name in it that refers to something refers to something that is there."""

    site: Site
    sectors: Mapping[str, Sector]
    profiles: Mapping[str, Profile]
    """By slug, sector by sector in the order of ``sectors.yaml``."""
    environments: Mapping[str, Environment]
    warnings: tuple[Problem, ...] = ()
    """What is no mistake and worth a word: texts that are not translated, profiles without a build."""
    base: Catalogue | None = None
    """Of one person's: the catalogue of everybody, which it was made from."""

    @property
    def shared(self) -> Catalogue:
        """The catalogue of everybody: what is worked out from it holds for one person's too."""
        return self.base or self


def in_language(text: Mapping[str, str], language: str) -> str:
    """Give a text in a language, or in English where it was not translated."""
    return text.get(language, text["en"])
