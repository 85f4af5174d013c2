"""What a site file says: the place, its clusters, and where the hub listens.

One class a thing; each field is one line of ``site.yaml``.  Unknown fields are refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from hpchub.catalogue.appearance import Announcement, Branding
from hpchub.catalogue.console import ConsoleSettings
from hpchub.catalogue.doors import LauncherSettings, ReserverSettings
from hpchub.catalogue.fields import (
    AbsolutePath,
    ClusterName,
    Count,
    IpAddress,
    Language,
    Line,
    Model,
    Percent,
    Positive,
    PosixName,
    ProfilePattern,
    SlurmName,
    SoftwareTarget,
    SshPath,
    Text,
    Url,
    Variable,
    WorkFolder,
    Wrong,
    ZoneName,
    plain_path,
)
from hpchub.catalogue.sign_in import OpenIdConnect, is_encrypted, is_here

# A socket's address has 107 characters, and ssh makes it under a name that is 17 longer (mux.c).
_LONGEST_SOCKET = 90


class Watching(Model):
    """How often a cluster is asked, in seconds; whatever the number of sessions, each is one query."""

    busy_seconds: Positive = 1
    """Jobs, while one starts or ends before somebody's eyes: what a person feels as at once."""
    waiting_seconds: Positive = 15
    """Jobs, while some only wait in the queue: a job tells by itself when it starts, so this finds a new reason."""
    idle_seconds: Positive = 20
    """Jobs, while nobody waits: the safety net for ends that a job cannot report itself (a dead node)."""
    nodes_seconds: Positive = 30
    """Nodes and their free GPUs: figures on pages, shown with their age."""
    queue_seconds: Positive = 30
    """Everybody's waiting jobs, while one of ours waits or somebody looks at a choice: they change slowly."""
    estimates_a_minute: Positive = 3
    """Questions for an expected start, while jobs wait without one in the scheduler's plan, or somebody looks at a
    choice that would wait: each has the scheduler try the whole queue, and one answer serves all who asked for the
    same."""
    accounts_seconds: Positive = 60
    """Partitions, associations, QOS and reservations: a new member or a project's end is effective after so long."""
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
    """Of its sshd."""
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


class Budgets(Model):
    """Where a cluster's budgets come from, and when they are worth a warning."""

    source: Literal["none", "slurm", "command"] = "none"
    """``slurm``: the limits of accounts in the accounting (``GrpTRESMins``); ``command``: a program like ``saldo``."""
    command: tuple[Line, ...] = ()
    """What the hub's user runs, as a list; ``{user}`` in it becomes the person's name, and without it one answer is
    for everybody.  Without a command the launcher runs the one of its policy, as the person."""
    refresh_seconds: Positive = 300
    """How old an answer may be: Slurm adds up what was used every 5 minutes (``PriorityCalcPeriod``); 3600 is often
    enough for ``saldo``, which is worked out overnight."""
    low_percent: Percent = 80
    """From so much used on a page says that the budget runs low."""
    nearly_spent_percent: Percent = 95
    """From so much used on it says that the budget is nearly spent."""
    few_core_hours: Count = 100
    """With less than this left it says so too, whatever the percentage: a long day on one GPU costs about as much."""
    core_hours_a_gpu_hour: Positive = 8
    """What a GPU-hour is worth, where Slurm limits an account's GPUs (``gres/gpu``)."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.command and self.source != "command":
            raise Wrong(("command",), f"is there, but the source is {self.source}", "source: command")
        if self.low_percent > self.nearly_spent_percent:
            found = f"{self.low_percent} is more than nearly_spent_percent {self.nearly_spent_percent}"
            raise Wrong(("low_percent",), found, f"at most {self.nearly_spent_percent}")
        return self


class NodeShape(Model):
    """What a node has that a job can have in all."""

    cores: Positive
    """Cores."""
    memory_mb: Positive
    """Memory that Slurm gives to jobs (``RealMemory``)."""
    gpus: Count = 0
    """GPUs."""


class Builds(Model):
    """How builds are made by a job on a cluster, where the hub's machine cannot make them."""

    user: PosixName
    """Whose the builds are: may write below ``environments_root`` there; the launcher's policy must allow it."""
    account: SlurmName
    """The account that pays."""
    partition: SlurmName
    """A partition whose nodes reach the package registry, or whose uv has all packages in its cache."""
    qos: SlurmName | None = None
    """The QOS; absent: the account's default."""
    minutes: Positive = 60
    """How long a build may take."""
    cores: Positive = 4
    """Cores; uv compiles with all of them."""
    memory_mb: Positive = 8000
    """Memory."""
    python: SshPath = Path("/usr/bin/python3")
    """The Python of the builds there, which every user can execute."""
    uv: SshPath
    """Where uv is there."""
    variables: Mapping[Variable, Line] = Field(default_factory=dict)
    """The job's environment, for uv: ``UV_CACHE_DIR``, ``UV_DEFAULT_INDEX``, a proxy."""


class Cluster(Model):
    """One Slurm controller, by the name that ``sacctmgr`` knows, or a system that is only announced."""

    title: Text
    """What people call it, by language."""
    description: Text | None = None
    """A sentence about it, by language."""
    state: Literal["open", "announced"]
    """An announced cluster is shown and makes no offers; its other fields may be absent."""
    backend: Literal["slurm"] = "slurm"
    """What runs its jobs."""
    software_target: SoftwareTarget | Literal[""] = ""
    """Which builds of the environments run there; an open cluster needs it."""
    notebook_address: IpAddress | Literal[""] = ""
    """The address that notebook servers listen on, on the compute node."""
    gpus: Mapping[SlurmName, Line] = Field(default_factory=dict)
    """What people call a GPU, by Slurm's type name."""
    nodes: Mapping[SlurmName, NodeShape] = Field(default_factory=dict)
    """The largest node of a partition, by partition: files with a larger size are refused before Slurm is asked."""
    contact_seconds: Positive = 60
    """How long a job may run without speaking to the hub: what a cold parallel file system needs to start a Python."""
    start_seconds: Positive = 300
    """How long a job may run before its notebook server listens."""
    watching: Watching = Watching()
    """How often it is asked."""
    free_partitions: tuple[SlurmName, ...] = ()
    """Partitions that charge nothing: they do not count budgets, and can be used after an allocation has ended."""
    charge: Literal["largest", "sum"] = "largest"
    """What a job costs by ``TRESBillingWeights``: the largest of its resources (Slurm's ``PriorityFlags=MAX_TRES``)
    or their ``sum``."""
    gpu_device: Annotated[str, StringConstraints(pattern=r"^/[A-Za-z0-9/._-]*\{\}[A-Za-z0-9/._-]*$")] = "/dev/nvidia{}"
    """The device file of a GPU on the nodes, ``{}`` for its number: a smoke test looks whether it is there."""
    budget: Budgets = Budgets()
    """Where the budgets of its allocations come from."""
    module_init: SshPath = Path("/etc/profile")
    """What a batch shell reads before it knows ``module``, for environments of that kind."""
    builds: Builds | None = None
    """How builds are made by a job there; absent: they are made on the machine of ``hpchub environments build``."""
    work_folder: WorkFolder | None = None
    """Where allocations keep their data on its nodes, ``{allocation}`` for the account: events get folders there that
    their people share; absent: they get none."""
    slurm_conf: SshPath | None = None
    """Its own ``slurm.conf``, where its commands run: they then need no slurmdbd to find the controller."""
    ssh: Ssh | None = None
    """The login node, where Slurm's commands do not work on the hub's own machine."""

    @model_validator(mode="after")
    def _open_is_complete(self) -> Self:
        lacking = [name for name in ("software_target", "notebook_address") if not getattr(self, name)]
        if self.state == "open" and lacking:
            raise Wrong((lacking[0],), "is missing", f"an open cluster needs {' and '.join(lacking)}")
        return self


class OwnEnvironments(Model):
    """Environments that people bring: each becomes a profile ``own/<name>`` of its person."""

    like: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+/[a-z0-9-]+$")]
    """The slug of the profile whose places, sizes and access they have."""
    most: Positive = 10
    """How many one person may have."""


class HubSettings(Model):
    """Where the hub listens and keeps its state."""

    bind_url: Url
    """What browsers reach: the public side of the proxy."""
    hub_url: Url
    """The hub's own address; jobs must reach it."""
    proxy_api_url: Url
    """Where the hub steers the proxy."""
    starts_proxy: bool = True
    """Whether the hub starts the proxy, and again when it dies; false: a unit of systemd's does."""
    proxy: Literal["chp", "traefik"] = "chp"
    """``chp``: configurable-http-proxy; ``traefik``: Traefik, which a unit of systemd's starts."""
    routes_folder: AbsolutePath | None = None
    """Where the routes are kept for Traefik, which watches this folder: one below ``/run``, which a start of the
    machine empties; with ``proxy: traefik`` alone."""
    state_folder: AbsolutePath
    """The database, the cookie secret and the folder ``secrets``; for the hub's user alone."""
    database_url_file: AbsolutePath | None = None
    """A file with the database's address as SQLAlchemy writes it (``postgresql+psycopg://…``), closed to other users;
    absent: SQLite in the state folder."""
    internal_tls: bool = False
    """Whether hub, proxy and notebooks encrypt what they say to each other from machine to machine, and know each other
    by certificates of the hub's own; ``hub_url`` then begins with https."""
    audit_days: Positive = 190
    """How long the audit record is kept: somewhat more than the six months for which the Italian data protection
    authority wants administrators' accesses to be known (27 November 2008)."""

    @model_validator(mode="after")
    def _proxy_is_complete(self) -> Self:
        if self.proxy == "chp" and self.routes_folder is not None:
            raise Wrong(("routes_folder",), "is there, but the proxy is chp, which has none", "proxy: traefik")
        if self.proxy == "traefik" and self.routes_folder is None:
            raise Wrong(("routes_folder",), "is missing, but the proxy is traefik", "a folder that Traefik watches")
        if self.proxy == "traefik" and self.starts_proxy:
            raise Wrong(("starts_proxy",), "is true, but the hub does not start Traefik", "starts_proxy: false")
        if self.proxy == "traefik" and self.internal_tls:
            raise Wrong(("proxy",), "is traefik, which cannot tell the certificates of internal_tls apart", "chp")
        return self

    @property
    def own_environments_folder(self) -> Path:
        """What people brought."""
        return self.state_folder / "own-environments"

    @property
    def events_file(self) -> Path:
        """The active events, as they were pushed last."""
        return self.state_folder / "events.json"

    @property
    def internal_tls_folder(self) -> Path:
        """The certificates of ``internal_tls``, and the authorities that sign them."""
        return self.state_folder / "internal-tls"

    @model_validator(mode="after")
    def _addresses_fit_internal_tls(self) -> Self:
        encrypted = is_encrypted(self.hub_url)
        if self.internal_tls and not encrypted:
            raise Wrong(("hub_url",), f"is {self.hub_url}, but internal_tls is true", "an address with https")
        if encrypted and not self.internal_tls:
            raise Wrong(("hub_url",), "has https, which the hub speaks with internal_tls alone", "internal_tls: true")
        if self.internal_tls and not is_here(self.proxy_api_url):
            found = f"is {self.proxy_api_url}, which internal_tls does not encrypt"
            raise Wrong(("proxy_api_url",), found, "http://127.0.0.1 with a port: the proxy on the hub's machine")
        return self


class SignIn(Model):
    """How people sign in.  Kind ``demo``: the people named here, all with one password; ``oidc``: at a provider."""

    kind: Literal["demo", "oidc"]
    """How people sign in."""
    oidc: OpenIdConnect | None = None
    """The provider, for kind ``oidc``."""
    password: str = Field(default="", repr=False)
    """The one of all people."""
    people: tuple[PosixName, ...] = ()
    """Who may sign in."""
    admins: tuple[PosixName, ...] = ()
    """Who is JupyterHub's administrator; may sign in too."""
    trainers: tuple[PosixName, ...] = ()
    """Who is in the group ``trainers``; may sign in too."""

    @model_validator(mode="after")
    def _kind_is_complete(self) -> Self:
        if self.kind == "oidc" and self.oidc is None:
            raise Wrong(("oidc",), "is missing, but the kind is oidc", "the block `oidc` with the provider")
        if self.kind == "demo" and self.oidc is not None:
            raise Wrong(("kind",), "is demo, but there is a block oidc", "kind: oidc")
        if self.kind == "oidc" and (self.password or self.people or self.admins or self.trainers):
            raise Wrong(("kind",), "is oidc, but people or a password are named", "groups of the provider, in `oidc`")
        return self

    @model_validator(mode="after")
    def _people_need_a_password(self) -> Self:
        if (self.people or self.admins or self.trainers) and not self.password:
            raise Wrong(("password",), "is missing, but people are named", "a password, or no people")
        return self


class Checks(Model):
    """Who runs the jobs of smoke tests and of the doctor: they take some minutes and are paid for like all others."""

    user: PosixName
    """The jobs run with this person's rights; the launcher's policy must allow it."""
    allocation: SlurmName | None = None
    """The account that pays; absent: one of this person's that the partition admits."""


class SiteFile(Model):
    """``site.yaml``: the place, and nothing about what it offers."""

    title: Text
    """The name of the service, on its pages, by language."""
    hub_id: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,32}$")]
    """Goes into the comment of every job, so that this hub finds its own jobs again."""
    languages: tuple[Language, ...] = Field(min_length=1)
    """The languages of the site's texts; `hpchub profiles lint` names what is not translated."""
    environments_root: AbsolutePath
    """Where builds lie, at the same path on the hub and on every node."""
    profiles: Path
    """The folder of the catalogue; a relative path begins at the site file."""
    branding: Branding = Branding()
    """The look of the pages."""
    announcements: tuple[Announcement, ...] = ()
    """Sentences for everybody, on all pages."""
    session_limit: Positive = 3
    """The most sessions of one person at a time."""
    timezone: ZoneName = ""
    """In which days begin and end, by its IANA name; absent: the zone of the hub's machine."""
    own_environments: OwnEnvironments | None = None
    """Whether people may bring environments of their own, and what these are offered with; absent: they may not."""
    default_profiles: tuple[ProfilePattern, ...] = ()
    """Slugs or patterns: the first with an offer is what a start without a choice gives."""
    hub: HubSettings
    """The hub's addresses, and where it keeps its state."""
    launcher: LauncherSettings
    """How the hub reaches the program that acts as a user."""
    reservations: ReserverSettings | None = None
    """How reservations for events are made; absent: administrators of Slurm make them by hand."""
    sign_in: SignIn
    """Who may sign in, and how."""
    checks: Checks | None = None
    """Who runs the jobs of `hpchub profiles smoke` and `hpchub doctor`; absent: who is named there."""
    console: ConsoleSettings | None = None
    """The web service of trainers, with events; absent: there is none."""
    clusters: Mapping[ClusterName, Cluster] = Field(min_length=1)
    """By the name that ``sacctmgr`` knows."""

    def ssh_socket(self, cluster: str) -> Path:
        """Where the hub's connection to the login node of a cluster listens for commands."""
        return self.hub.state_folder / "ssh" / cluster

    @model_validator(mode="after")
    def _console_is_beside_the_proxy(self) -> Self:
        if self.hub.internal_tls and self.console is not None and not is_here(self.console.url):
            found = f"is {self.console.url}, which internal_tls does not encrypt"
            raise Wrong(("console", "url"), found, "http://127.0.0.1 with a port: the console on the hub's machine")
        return self

    @model_validator(mode="after")
    def _sockets_are_possible(self) -> Self:
        for name, cluster in self.clusters.items():
            if cluster.ssh is not None:
                try:
                    socket = plain_path(self.ssh_socket(name))
                except ValueError as error:
                    found = f"is not for clusters with ssh, like {name}"
                    raise Wrong(("hub", "state_folder"), found, str(error)) from None
                if len(str(socket)) > _LONGEST_SOCKET:
                    found = f"gives the socket {socket}, which has more than {_LONGEST_SOCKET} characters"
                    raise Wrong(("hub", "state_folder"), found, "a shorter path")
        return self


class Site(SiteFile):
    """A loaded site file; ``profiles`` is absolute."""

    file: Path
