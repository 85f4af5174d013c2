"""The material of an event: which git repository its people get, and what of it opens.  Pure."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, StringConstraints

from hpchub.catalogue.fields import Model

OURS = frozenset({"shared", "team", "teams"})
"""What else lies beside the material in the folder of an event."""
_SEGMENT = r"[A-Za-z0-9@_+~.-]+"
_PATH = re.compile(rf"(?:file://)?(?:/{_SEGMENT})+")
# Neither `@` nor `?` anywhere: a name, a password or a token in the address would be read by the whole room.
_HTTPS = re.compile(r"https://[A-Za-z0-9][A-Za-z0-9.-]*(?::[0-9]{1,5})?(?:/[A-Za-z0-9_+~.-]+)+")
_FOLDER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_+.-]{0,99}")


def _repository(text: str) -> str:
    if not (_HTTPS.fullmatch(text) or _PATH.fullmatch(text)) or {".", ".."} & set(text.split("/")):
        raise ValueError("https://host/name without a user or a password, or the absolute path of a shared folder")
    folder = folder_of(text)
    if not _FOLDER.fullmatch(folder) or folder.lower() in OURS:
        raise ValueError("an address whose last part can be the name of a folder, other than shared, team and teams")
    return text


def _branch(text: str) -> str:
    # git-check-ref-format(1); what nbgitpuller finds by its name alone
    if ".." in text or "//" in text or text.endswith((".", "/", ".lock")) or "/." in text:
        raise ValueError("the name of a branch or a tag")
    return text


def _opens(text: str) -> str:
    if not text.isprintable() or text.startswith("/") or {"", ".", ".."} & set(text.split("/")):
        raise ValueError("the path of a file inside the repository, such as day1/start.ipynb")
    text.encode()  # a lone surrogate could not be written into an address
    return text


def folder_of(repository: str) -> str:
    """Give the name of the folder that a repository becomes: its last part, without ``.git``."""
    return repository.rpartition("/")[2].removesuffix(".git")


Repository = Annotated[str, StringConstraints(max_length=500), AfterValidator(_repository)]
Branch = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_./+-]{0,99}$"), AfterValidator(_branch)]
Opens = Annotated[str, StringConstraints(min_length=1, max_length=255), AfterValidator(_opens)]


class Material(Model):
    """A git repository that every session of an event finds in its home, brought up to date at each start."""

    repository: Repository
    """``https://…``, ``file://…`` or an absolute path: many compute nodes reach nothing but shared folders."""
    branch: Branch | None = None
    """The branch or tag; null for the repository's own default."""
    opens: Opens | None = None
    """What JupyterLab opens, by its path in the repository; null for the folder itself."""

    @property
    def folder(self) -> str:
        """The folder that it becomes, below that of the event."""
        return folder_of(self.repository)

    @property
    def path(self) -> str | None:
        """Where it lies, if that is a folder that sessions see; None for an address of the network."""
        return None if self.repository.startswith("https://") else self.repository.removeprefix("file://")
