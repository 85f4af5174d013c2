"""The figures as one page of tables, and what machine and which versions they are of."""

from __future__ import annotations

import os
import platform
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.engine import slurm
from benchmarks.engine.sections import Section

REPOSITORY = Path(__file__).parents[2]


@dataclass
class Table:
    """One table of the page."""

    title: str
    text: str
    columns: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)

    def markdown(self) -> str:
        """Give the table as Markdown."""
        lines = [f"## {self.title}", "", *([self.text, ""] if self.text else [])]
        lines.append("| " + " | ".join(self.columns) + " |")
        lines.append("| " + " | ".join(["---"] + ["---:"] * (len(self.columns) - 1)) + " |")
        lines += ["| " + " | ".join(row) + " |" for row in self.rows]
        return "\n".join(lines) + "\n"


def plain(table: Table) -> str:
    """Give the table for a terminal."""
    rows = [list(table.columns), *map(list, table.rows)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(table.columns))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([f"\n== {table.title}", *lines])


def milliseconds(value: float | None) -> str:
    """Write a time of an answer."""
    return "–" if value is None else f"{value:.0f} ms"


def seconds(value: float) -> str:
    """Write a duration."""
    return f"{value:.2f} s" if value < 10 else f"{value:.1f} s"


def a_minute(count: int, in_seconds: float) -> str:
    """Write how often something happened."""
    each = count * 60 / in_seconds
    return f"{each:.1f}" if each < 100 else f"{each:,.0f}"


def facts() -> dict[str, str]:
    """Tell when and where something was measured, without naming the machine, and in which versions."""
    cpu = re.search(r"^model name\s*:\s*(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    memory = re.search(r"^MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text(), re.MULTILINE)
    locks = [REPOSITORY / "requirements" / "hub.txt", REPOSITORY / "benchmarks" / "requirements.txt"]
    found = dict(re.findall(r"^([a-z-]+)==([^ ]+)", "".join(lock.read_text() for lock in locks), re.MULTILINE))
    return {
        "Date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "Machine": f"{cpu[1] if cpu else platform.machine()}, {os.cpu_count()} cores, "
        f"{int(memory[1]) // 1024 if memory else 0:,} MB of memory",
        "System": f"Linux {platform.release()}, Python {platform.python_version()}",
        "Slurm": slurm.version(),
        "JupyterHub": found["jupyterhub"],
        "batchspawner": found["batchspawner"],
        "jupyterhub-moss": found["jupyterhub-moss"],
        "Ours": version("jupyterhub-hpc"),
    }


def page(kind: str, measured: Mapping[str, Section[Any]], tables: Sequence[Table]) -> str:
    """Write the whole page; what all sections have in common stands at its top."""
    every = [section.facts for section in measured.values()]
    names = list(every[0]) if every else []
    common = {name: every[0][name] for name in names if len({facts.get(name) for facts in every}) == 1}
    lines = [
        "# Results",
        "",
        f"Written by `./run {kind}`; [performance](../docs/explanation/performance.md) says what is measured and how. "
        "Each section can be measured for itself, and keeps its own date.",
        "",
        "| | |",
        "| --- | --- |",
        *(f"| {name} | {value} |" for name, value in common.items()),
        "",
    ]
    own = [name for name in names if name not in common]
    sections = Table("When each section was measured", "", ("section", *own))
    sections.rows = [(name, *(each.facts.get(fact, "") for fact in own)) for name, each in measured.items()]
    shown = [*tables, *([sections] if own else [])]
    return "\n".join(lines) + "\n" + "\n".join(table.markdown() for table in shown)
