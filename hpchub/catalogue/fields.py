"""What a single field of a file may be.

Numbers are never guessed from text, and every name that later reaches Slurm is limited to characters that mean nothing
to a shell.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints


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


def plain_path(path: Path) -> Path:
    """Give the path, unless it has what ssh's options would replace or split."""
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
SshPath = Annotated[Path, AfterValidator(plain_path)]
"""A path without what ssh's options would replace or split."""
Variable = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")]
# Strict: a YAML `yes` is true, and a lax `int` would take that for 1.
Count = Annotated[int, Field(strict=True, ge=0, le=1_000_000)]
Positive = Annotated[int, Field(strict=True, ge=1, le=100_000_000)]


class Model(BaseModel):
    """Base of all: unknown fields are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)
