"""What a site file says: the place, its clusters, and where the hub listens.

One class a thing; each field is one line of ``site.yaml``.  Unknown fields are refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from hpchub.catalogue.fields import (
    AbsolutePath,
    ClusterName,
    IpAddress,
    Language,
    Line,
    Model,
    Positive,
    PosixName,
    ProfilePattern,
    SlurmName,
    SoftwareTarget,
    SshPath,
    Text,
    Url,
    Variable,
    plain_path,
)

# A socket's address has 107 characters, and ssh makes it under a name that is 17 longer (mux.c).
_LONGEST_SOCKET = 90


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
                socket = plain_path(self.ssh_socket(name))
                if len(str(socket)) > _LONGEST_SOCKET:
                    raise ValueError(f"{socket} has more than {_LONGEST_SOCKET} characters; shorten state_folder")
        return self


class Site(SiteFile):
    """A loaded site file; ``profiles`` is absolute."""

    file: Path
