"""What the files of a site and its catalogue may say.

One class a thing, named by the words of the design; each field is one line of a YAML file.  Unknown fields are
refused, numbers are never guessed from text, and every name that later reaches Slurm is limited to characters that
mean nothing to a shell.  Memory is in MB as Slurm counts it (1 MB = 1 MiB), time in minutes.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator


def _with_english(text: Mapping[str, str]) -> Mapping[str, str]:
    if "en" not in text:
        raise ValueError("English ('en') is missing; it is shown where another language is")
    return text


def _ip_address(text: str) -> str:
    ipaddress.ip_address(text)
    return text


def _absolute(path: Path) -> Path:
    if not path.is_absolute():
        raise ValueError("the path must be absolute, with a slash in front")
    return path


def _plain(path: Path) -> Path:
    if not re.fullmatch(r"(/[A-Za-z0-9@_+.-]+)+", str(path)):
        raise ValueError("the path must be absolute, made of letters, digits and @ _ + - .")
    return path


Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Z]{2})?$")]
Line = Annotated[str, StringConstraints(min_length=1, max_length=2000, strip_whitespace=True)]
Text = Annotated[Mapping[Language, Line], AfterValidator(_with_english)]
"""The same text by language; English is compulsory."""
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
ProfilePattern = Annotated[str, StringConstraints(pattern=r"^[a-z0-9*?-]+/[a-z0-9*?-]+$")]
ClusterName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]
SlurmName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$")]
SoftwareTarget = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+-[a-z0-9]+$")]
"""Architecture as ``uname -m`` says it, then what the GPU driver carries: ``aarch64-cuda13``."""
AllocationPattern = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.*?-]{1,64}$")]
"""A shell-style pattern (``aifac_agri*``), compared without regard to case."""
PosixName = Annotated[str, StringConstraints(pattern=r"^[a-z_][a-z0-9_-]{0,31}$")]
Url = Annotated[str, StringConstraints(pattern=r"^https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~/-]*)?$")]
IpAddress = Annotated[str, AfterValidator(_ip_address)]
AbsolutePath = Annotated[Path, AfterValidator(_absolute)]
SshPath = Annotated[Path, AfterValidator(_plain)]
"""A path without what ssh's options would replace or split."""
Variable = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")]
# Strict: a YAML `yes` is true, and a lax `int` would take that for 1.
Count = Annotated[int, Field(strict=True, ge=0, le=1_000_000)]
Positive = Annotated[int, Field(strict=True, ge=1, le=100_000_000)]


# A socket's address has 107 characters, and ssh makes it under a name that is 17 longer (mux.c).
_LONGEST_SOCKET = 90


class Model(BaseModel):
    """Base of all: unknown fields are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


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


class Watching(Model):
    """How often a cluster is asked, in seconds; whatever the number of sessions, each is one query."""

    busy_seconds: Positive = 1
    """Jobs, while somebody waits for one: what a person feels as at once."""
    idle_seconds: Positive = 20
    """Jobs, while nobody waits: the safety net for ends that a job cannot report itself (a dead node)."""
    nodes_seconds: Positive = 10
    """Nodes and their free GPUs: figures on pages, shown with their age."""
    queue_seconds: Positive = 5
    """Everybody's waiting jobs, while one of ours waits: its position and expected start change slowly."""
    accounts_seconds: Positive = 60
    """Partitions, associations and QOS: a new member or a project's end is effective after so long."""
    retry_seconds: Positive = 3
    """After a failed query; while a daemon is silent the pauses double from 1 s to `longest_pause_seconds`."""
    longest_pause_seconds: Positive = 10
    """Between two tries of a silent daemon, one query at a time: a recovery is noticed so much late at most."""
    command_seconds: Positive = 15
    """How long one command may take; Slurm's own message time-out is 10 s by default."""


class Ssh(Model):
    """The login node of a cluster that the hub reaches by ``ssh`` only: its queries and the launcher run there."""

    host: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9.:-]{0,252}$")]
    """Its name or address, as it stands in the file of known hosts."""
    port: Annotated[int, Field(strict=True, ge=1, le=65535)] = 22
    user: PosixName
    """The account of the hub there; its shell reads quotes as POSIX says."""
    identity_file: SshPath
    """The private key; only the hub's user may read it."""
    certificate_file: SshPath | None = None
    """The certificate of that key, where the login node wants one; renewed from outside, read at each sign-in."""
    known_hosts_file: SshPath
    """The host keys, or the authority of the host keys; no other is accepted, and none is learned."""
    launcher: tuple[Line, ...] = Field(("sudo", "-n", "/usr/local/libexec/hpchub-launch"), min_length=1)
    """The command that runs ``hpchub-launch`` as root there, as an argument list."""
    environment: Mapping[Variable, Line] = Field(default_factory=dict)
    """Added to the small environment of the queries there, for example ``SLURM_CONF``."""
    sessions: Annotated[int, Field(strict=True, ge=2, le=1000)] = 8
    """How many commands may run there at once: less than the ``MaxSessions`` of its sshd, which is 10 by default."""


class Cluster(Model):
    """One Slurm controller, by the name that ``sacctmgr`` knows, or a system that is only announced."""

    title: Text
    description: Text | None = None
    state: Literal["open", "announced"]
    """An announced cluster is shown and makes no offers; its other fields may be absent."""
    backend: Literal["slurm"] = "slurm"
    software_target: SoftwareTarget | Literal[""] = ""
    notebook_address: IpAddress | Literal[""] = ""
    """The address that notebook servers listen on, on the compute node."""
    gpus: Mapping[SlurmName, Line] = Field(default_factory=dict)
    """What people call a GPU, by Slurm's type name."""
    contact_seconds: Positive = 60
    """How long a job may run without speaking to the hub: what a cold parallel file system needs to start a Python."""
    start_seconds: Positive = 300
    """How long a job may run before its notebook server listens."""
    watching: Watching = Watching()
    slurm_conf: SshPath | None = None
    """Its own ``slurm.conf``, where its commands run: they then need no slurmdbd to find the controller."""
    ssh: Ssh | None = None
    """The login node, where Slurm's commands do not work on the hub's own machine."""

    @model_validator(mode="after")
    def _open_is_complete(self) -> Self:
        lacking = [name for name in ("software_target", "notebook_address") if not getattr(self, name)]
        if self.state == "open" and lacking:
            raise ValueError(f"an open cluster needs {' and '.join(lacking)}")
        return self


class HubSettings(Model):
    """Where the hub listens and keeps its state."""

    bind_url: Url
    """What browsers reach: the public side of the proxy."""
    hub_url: Url
    """The hub's own address; jobs must reach it."""
    proxy_api_url: Url
    state_folder: AbsolutePath


class LauncherSettings(Model):
    """The door to the program that acts as a user."""

    door: tuple[Line, ...] = Field(min_length=1)
    """The command, as an argument list; no shell reads it."""
    timeout_seconds: Positive = 75
    """How long one request may take; more than the 60 s that the launcher gives a command of Slurm's."""


class SignIn(Model):
    """How people sign in.  Kind ``demo``: the people named here, all with one password."""

    kind: Literal["demo"]
    password: str = Field(default="", repr=False)
    people: tuple[PosixName, ...] = ()
    admins: tuple[PosixName, ...] = ()
    trainers: tuple[PosixName, ...] = ()

    @model_validator(mode="after")
    def _people_need_a_password(self) -> Self:
        if (self.people or self.admins or self.trainers) and not self.password:
            raise ValueError("people are named, but no password is set")
        return self


class SiteFile(Model):
    """``site.yaml``: the place, and nothing about what it offers."""

    title: Text
    hub_id: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,32}$")]
    """Goes into the comment of every job, so that this hub finds its own jobs again."""
    languages: tuple[Language, ...] = Field(min_length=1)
    environments_root: AbsolutePath
    """Where builds lie, at the same path on the hub and on every node."""
    profiles: Path
    """The folder of the catalogue; a relative path begins at the site file."""
    session_limit: Positive = 3
    """The most sessions of one person at a time."""
    default_profiles: tuple[ProfilePattern, ...] = ()
    """Slugs or patterns: the first with an offer is what a start without a choice gives."""
    hub: HubSettings
    launcher: LauncherSettings
    sign_in: SignIn
    clusters: Mapping[ClusterName, Cluster] = Field(min_length=1)

    def ssh_socket(self, cluster: str) -> Path:
        """Where the hub's connection to the login node of a cluster listens for commands."""
        return self.hub.state_folder / "ssh" / cluster

    @model_validator(mode="after")
    def _sockets_are_possible(self) -> Self:
        for name, cluster in self.clusters.items():
            if cluster.ssh is not None:
                socket = _plain(self.ssh_socket(name))
                if len(str(socket)) > _LONGEST_SOCKET:
                    raise ValueError(f"{socket} has more than {_LONGEST_SOCKET} characters; shorten state_folder")
        return self


class Site(SiteFile):
    """A loaded site file; ``profiles`` is absolute."""

    file: Path


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
