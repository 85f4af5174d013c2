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

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    StringConstraints,
    WithJsonSchema,
)

from hpchub.catalogue.moments import Moment, read_moment, zone_of


class Wrong(ValueError):
    """What a model finds wrong in one of its parts, for :func:`hpchub.catalogue.checked.checked`.

    Args:
        place: the keys and positions of the part inside the model.
        found: what it has, as a sentence without its subject.
        possible: what to write instead.
    """

    def __init__(self, place: tuple[str | int, ...], found: str, possible: str) -> None:
        super().__init__(f"{'.'.join(map(str, place))}: {found}; possible: {possible}")
        self.place, self.found, self.possible = place, found, possible


def _with_english(text: Mapping[str, str]) -> Mapping[str, str]:
    if "en" not in text:
        raise Wrong(("en",), "English is missing", 'en: "…", which is shown where another language is missing')
    return text


def _ip_address(text: str) -> str:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        raise ValueError("an address in numbers: 10.0.0.5, fd00::5, or 0.0.0.0 for all") from None
    return text


def _absolute(path: Path) -> Path:
    if not path.is_absolute():
        raise ValueError("an absolute path, with a slash in front")
    return path


def plain_path(path: Path) -> Path:
    """Give the path, unless it has what ssh's options would replace or split."""
    if not re.fullmatch(r"(/[A-Za-z0-9@_+.-]+)+", str(path)):
        raise ValueError("an absolute path, made of letters, digits and @ _ + - .")
    return path


def _work_folder(path: str) -> str:
    plain = path.replace("{allocation}", "x")
    if not re.fullmatch(r"(/[A-Za-z0-9@_+.-]+)+", plain) or {".", ".."} & set(plain.split("/")):
        raise ValueError("an absolute path, in which {allocation} stands for the account: /leonardo_work/{allocation}")
    return path


def _zone_name(name: str) -> str:
    zone_of(name)
    return name


Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Z]{2})?$")]
Line = Annotated[str, StringConstraints(min_length=1, max_length=2000, strip_whitespace=True)]
Text = Annotated[Mapping[Language, Line], AfterValidator(_with_english)]
"""The same text by language; English is compulsory."""
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
ProfilePattern = Annotated[str, StringConstraints(pattern=r"^[a-z0-9*?-]+/[a-z0-9*?-]+$")]
EventPattern = Annotated[str, StringConstraints(pattern=r"^[a-z0-9*?-]{1,63}$")]
"""A shell-style pattern of events' names."""
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
ModuleName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*){0,9}$")]
"""A module as Python's ``import`` names it."""
SoftwareModule = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+/-]{0,127}$")]
"""A module as ``module load`` names it: ``python/3.11.7``."""
SshPath = Annotated[Path, AfterValidator(plain_path)]
"""A path without what ssh's options would replace or split."""
WorkFolder = Annotated[str, StringConstraints(max_length=500), AfterValidator(_work_folder)]
"""The folder of an allocation on the nodes; ``{allocation}`` stands for its name."""
ZoneName = Annotated[str, AfterValidator(_zone_name)]
DayOrTime = Annotated[
    Moment, PlainValidator(read_moment), WithJsonSchema({"type": "string", "pattern": r"^\d{4}-\d\d-\d\d"})
]
"""A whole day, or a time with its zone."""
Variable = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")]
# Strict: a YAML `yes` is true, and a lax `int` would take that for 1.
Count = Annotated[int, Field(strict=True, ge=0, le=1_000_000)]
Percent = Annotated[int, Field(strict=True, ge=0, le=100)]
Positive = Annotated[int, Field(strict=True, ge=1, le=100_000_000)]


class Model(BaseModel):
    """Base of all: unknown fields are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


WORDS = {
    r"^[a-z]{2,3}(-[A-Z]{2})?$": "a language code: en, it, pt-BR",
    r"^[a-z0-9][a-z0-9-]{0,62}$": "a name of a-z, 0-9 and hyphens, at most 63",
    r"^[a-z0-9*?-]+/[a-z0-9*?-]+$": "sector/profile, where * and ? stand for anything: climate/*",
    r"^[a-z0-9][a-z0-9_-]{0,39}$": "the name that sacctmgr knows: a-z, 0-9, _ and hyphens, at most 40",
    r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$": "a name of Slurm's: letters, digits and _ . - without spaces, at most 64",
    r"^[a-z0-9_]+-[a-z0-9]+$": "architecture, hyphen, driver: x86_64-cuda12, aarch64-cuda13",
    r"^[A-Za-z0-9_.*?-]{1,64}$": "an account of Slurm's, where * and ? stand for anything: aifac_agri*",
    r"^[a-z_][a-z0-9_-]{0,31}$": "the name of an account on the machine: a-z, 0-9, _ and hyphens, at most 32",
    r"^[a-z_][a-z0-9_-]{0,31}(\[[0-9,-]{1,200}\])?$": "the name of an account, or several: seat07, seat[01-40]",
    r"^[0-9a-f]{64}$": "a SHA-256 digest: 64 digits of 0-9 and a-f",
    r"^[a-z0-9-]{1,32}$": "a-z, 0-9 and hyphens, at most 32",
    r"^[a-z][a-z0-9]{0,14}_$": "a letter, more letters and digits, and a _ at the end, at most 16: hpchub_",
    r"^https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~/-]*)?$": "an address such as http://10.0.0.5:8081",
    r"^[A-Za-z_][A-Za-z0-9_]{0,127}$": "the name of a variable: letters, digits and _",
    r"^#[0-9a-fA-F]{6}$": 'a colour in quotes: "#0b5c8f"',
    r"^(https?://|mailto:)[!#-;=?-\[\]_a-z~]{1,500}$": "https://… or mailto:…, without spaces",
    r"^\d{4}-\d\d-\d\d": "a day, or a time with its zone: 2026-05-04, 2026-05-04T09:00+02:00",
    r"^[a-z0-9*?-]{1,63}$": "the name of an event, where * and ? stand for anything",
    r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*){0,9}$": "a module as Python imports it: sklearn.tree",
    r"^[A-Za-z0-9][A-Za-z0-9._+/-]{0,127}$": "a module as `module load` names it: python/3.11.7",
    r"^3\.\d{1,2}$": 'a version of Python in quotes: "3.11"',
}
"""What a pattern means to people; a field whose pattern is not here is described by the pattern itself."""
