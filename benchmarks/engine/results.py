"""The figures as one page of tables.  Pure, apart from reading what machine and which versions these are."""

from __future__ import annotations

import os
import platform
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from benchmarks.engine import slurm


@dataclass
class Table:
    """One table of the page."""

    title: str
    text: str
    columns: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)

    def markdown(self) -> str:
        """Give the table as Markdown."""
        lines = [f"## {self.title}", "", self.text, ""]
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


def machine() -> Mapping[str, str]:
    """Tell what ran where, without naming the machine."""
    cpu = re.search(r"^model name\s*:\s*(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    memory = re.search(r"^MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text(), re.MULTILINE)
    return {
        "Date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "Machine": f"{cpu[1] if cpu else platform.machine()}, {os.cpu_count()} cores, "
        f"{int(memory[1]) // 1024 if memory else 0:,} MB of memory",
        "System": f"Linux {platform.release()}, Python {platform.python_version()}",
        "Slurm": slurm.run("sinfo", "--version").strip().removeprefix("slurm").removeprefix("-wlm").strip(),
    }


def peers_versions(hub_requirements: Path, own_requirements: Path) -> Mapping[str, str]:
    """Read the versions of what is measured from the locks."""
    locked = hub_requirements.read_text() + own_requirements.read_text()
    found = dict(re.findall(r"^([a-z-]+)==([^ ]+)", locked, re.MULTILINE))
    return {
        "JupyterHub": found["jupyterhub"],
        "batchspawner": found["batchspawner"],
        "MOSS": f"jupyterhub-moss {found['jupyterhub-moss']}",
        "Ours": version("jupyterhub-hpc"),
    }


def page(kind: str, facts: Mapping[str, str], tables: Sequence[Table]) -> str:
    """Write the whole page."""
    lines = [
        "# Results",
        "",
        f"Written by `./run {kind}`; [performance](../docs/explanation/performance.md) says what is measured and how.",
        "",
        "| | |",
        "| --- | --- |",
        *(f"| {name} | {value} |" for name, value in facts.items()),
        "",
    ]
    return "\n".join(lines) + "\n" + "\n".join(table.markdown() for table in tables)
