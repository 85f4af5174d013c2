"""The job request: an accepted choice in Slurm's terms, and the only input of the job script.

What must hold, whatever a browser, the REST API or a file of ours sent:

- every value that becomes an ``#SBATCH`` directive is one word of letters, digits and ``_ . -`` that does not begin
  with a hyphen, so it can neither end its line nor become another option;
- free text (a server's name) reaches Slurm percent-encoded only;
- paths are absolute, normal and printable; they reach the shell quoted and never become a directive.
"""

from __future__ import annotations

import posixpath
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl, quote_plus, urlencode

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from hpchub.jobs.files import EventFiles

COMMENT_VERSION = "1"
SERVER_NAME_BYTES = 700
"""The longest server name as it stands in a comment: Slurm refuses comments of more than 1024 bytes."""

Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$")]
PosixName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}$")]
HubId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]
Build = Annotated[
    str, StringConstraints(pattern=r"^([a-z0-9][a-z0-9_-]*(/[A-Za-z0-9][A-Za-z0-9_.-]*){2})?$", max_length=120)
]
"""``<environment>/<target>/<id>``, or nothing."""
SoftwareModule = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+/-]{0,127}$")]
SessionId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]


def _safe_path(path: str) -> str:
    if not path.isprintable():
        raise ValueError("a path of printable characters is needed")
    if not path.startswith("/") or path.startswith("//") or posixpath.normpath(path) != path:
        raise ValueError("an absolute path without '.', '..' or doubled slashes is needed")
    return path


def _encodable(text: str) -> str:
    # A lone surrogate would pass every other check and fail when the script is written.
    text.encode("utf-8")
    return text


def _fits_a_comment(name: str) -> str:
    if len(quote_plus(_encodable(name))) > SERVER_NAME_BYTES:
        raise ValueError(f"a name of at most {SERVER_NAME_BYTES} bytes, percent-encoded, is needed")
    return name


AbsolutePath = Annotated[
    str, StringConstraints(max_length=1024), AfterValidator(_encodable), AfterValidator(_safe_path)
]
ServerName = Annotated[str, StringConstraints(max_length=255), AfterValidator(_fits_a_comment)]


class JobRequest(BaseModel):
    """One job to be, validated field by field.

    Raises:
        pydantic.ValidationError: a value that cannot be written into a job script exactly as it is.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    session_id: SessionId
    hub_id: HubId
    user: PosixName
    server_name: ServerName
    profile: str
    cluster: Word
    partition: Word
    account: Word
    qos: Word
    gpus: Annotated[int, Field(ge=0, le=1024)]
    gpu_type: Word | None
    cores: Annotated[int, Field(ge=1, le=4096)]
    memory_mb: Annotated[int, Field(ge=1, le=100_000_000)]
    minutes: Annotated[int, Field(ge=1, le=525_600)]
    reservation: Word | None = None
    """Slurm's reservation of the event that it belongs to."""
    event: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")] | None = None
    """The event that it belongs to, by its slug."""
    files: EventFiles | None = None
    """What of that event's files is put in place before the notebook server starts."""
    environment: AbsolutePath
    """As the compute node sees it: the folder of a build, an image, or for modules what defines ``module``."""
    kind: Literal["venv", "module", "apptainer"] = "venv"
    # Not strict: a stored session has a list here.
    modules: Annotated[tuple[SoftwareModule, ...], Field(strict=False, max_length=50)] = ()
    build: Build = ""
    """The build by its name, for whoever asks Slurm which builds are in use."""

    @model_validator(mode="after")
    def _gpus_have_a_type(self) -> JobRequest:
        if (self.gpus > 0) != (self.gpu_type is not None):
            raise ValueError("gpu_type is needed for GPUs, and only for GPUs")
        return self

    @property
    def comment(self) -> str:
        """The job's machine-readable comment: whatever the hub forgets can be found again from it."""
        return job_comment(self.hub_id, self.user, self.server_name, self.session_id, self.build)


def job_comment(hub_id: str, user: str, server_name: str, session_id: str, build: str = "") -> str:
    """Write the identity of a session as a job's comment (a query string: one word of safe characters)."""
    pairs = {"hpchub": COMMENT_VERSION, "hub": hub_id, "user": user, "server": server_name, "session": session_id}
    return urlencode({**pairs, "build": build} if build else pairs)


def read_comment(comment: str) -> dict[str, str] | None:
    """Read a job's comment; None if it is not one of ours.

    A comment is a hint: any user can write one.  Compare the job's own Slurm user and the session id before you act.
    """
    try:
        pairs: dict[str, Any] = dict(parse_qsl(comment, keep_blank_values=True, strict_parsing=True))
    except ValueError:
        return None
    if pairs.get("hpchub") != COMMENT_VERSION or not {"hub", "user", "server", "session"} <= pairs.keys():
        return None
    return pairs
