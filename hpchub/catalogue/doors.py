"""What a site file says about the doors to the two programs with more rights: how each is reached, and for how long."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, StringConstraints, model_validator

from hpchub.catalogue.fields import Line, Model, Positive, Wrong, plain_path

_LONGEST_ADDRESS = 107
"""Of a Unix socket, in characters: ``sun_path`` of unix(7)."""


def _address(path: Path) -> Path:
    plain_path(path)
    if len(str(path)) > _LONGEST_ADDRESS:
        raise ValueError(f"a shorter path: a socket's address has at most {_LONGEST_ADDRESS} characters")
    return path


class _Door(Model):
    door: tuple[Line, ...] = ()
    """The command, as an argument list; no shell reads it.  Either this or ``socket``."""
    socket: Annotated[Path, AfterValidator(_address)] | None = None
    """Where the program's systemd unit listens; the hub then needs no sudo, which its hardened unit rules out."""
    timeout_seconds: Positive = 75
    """How long one request may take; more than the 60 s that the program gives a command of Slurm's."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.socket is None and not self.door:
            raise Wrong(("door",), "is missing", "door: [command, argument], or socket: /run/….sock")
        if self.socket is not None and self.door:
            raise Wrong(("socket",), "stands beside a `door`, and only one of them can be used", "one of the two")
        return self

    @property
    def way(self) -> tuple[str, ...] | Path:
        """How the program is reached: a command, or a socket."""
        return self.socket or self.door

    @property
    def named(self) -> str:
        """The way, as one types it."""
        return str(self.socket) if self.socket else " ".join(self.door)


class LauncherSettings(_Door):
    """The door to the program that acts as a user."""


class ReserverSettings(_Door):
    """The door to ``hpchub-reserve``, which makes reservations for events; most sites keep that for themselves."""

    prefix: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]{0,14}_$")] = "hpchub_"
    """What the names of its reservations begin with; it touches no others."""
