"""The parts of the benchmark, each measured for itself, and what each leaves behind: its figures, when and on what.

A section is one file of figures in a folder, so that one can be measured anew and the page put together from all.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from benchmarks.engine.click import Clicks
from benchmarks.engine.idle import Rest
from benchmarks.engine.pages import Pages
from benchmarks.engine.restart import Restart
from benchmarks.engine.room import Room
from benchmarks.engine.rush import Rush

T = TypeVar("T")


class Ring(BaseModel):
    """How a ring of tests ended."""

    passed: int
    failed: int
    skipped: int


class Section(BaseModel, Generic[T]):
    """What one section found."""

    model_config = ConfigDict(frozen=True)

    facts: Annotated[Mapping[str, str], Field(min_length=1)]
    """Date, machine and versions."""
    found: T


MEASURED: Mapping[str, Any] = {
    "clicks": Section[Clicks],
    "idle": Section[Rest],
    "restart": Section[Restart],
    "rush": Section[Rush],
    "event": Section[Room],
    "pages": Section[Pages],
    "idle-batchspawner": Section[Rest],
    "rush-batchspawner": Section[Rush],
}
"""What can be measured, in this order."""


def path_of(folder: Path, name: str) -> Path:
    """Where a section's figures lie."""
    return folder / f"{name}.json"


def write(folder: Path, name: str, section: Section[Any]) -> None:
    """Keep what a section found."""
    folder.mkdir(parents=True, exist_ok=True)
    path_of(folder, name).write_text(section.model_dump_json(indent=1) + "\n")


def read(folder: Path) -> dict[str, Section[Any]]:
    """Read what was measured; a section without a file was not."""
    paths = {name: path_of(folder, name) for name in MEASURED}
    return {name: MEASURED[name].model_validate_json(path.read_text()) for name, path in paths.items() if path.exists()}


def read_rings(folder: Path) -> dict[str, Section[Ring]]:
    """Read how the rings of tests ended, in the order of their names."""
    paths = sorted(folder.glob("ring-*.json"))
    return {path.stem.removeprefix("ring-"): Section[Ring].model_validate_json(path.read_text()) for path in paths}
