"""Whether munge works on the hub's machine: without it Slurm's commands do not fail, they hang."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path

from hpchub.checks.doctor.deployment import Deployment
from hpchub.checks.finding import Finding, fault, fine, not_checked

SECONDS = 5
_SOCKET = re.compile(r"^\s*AuthInfo\s*=\s*(?:[^#\s]*,)?socket=([^,\s#]+)", re.MULTILINE | re.IGNORECASE)
_OTHER_AUTH = re.compile(r"^\s*AuthType\s*=\s*auth/(?!munge)", re.MULTILINE | re.IGNORECASE)


async def munge(deployment: Deployment) -> list[Finding]:
    """Make a credential, as each of Slurm's commands does."""
    here = [cluster for cluster in map(deployment.site.clusters.get, deployment.clients) if cluster and not cluster.ssh]
    if not here:
        return []
    named = next((cluster.slurm_conf for cluster in here if cluster.slurm_conf), None)
    settings = await asyncio.to_thread(_read, Path(named or os.environ.get("SLURM_CONF") or "/etc/slurm/slurm.conf"))
    if _OTHER_AUTH.search(settings):
        return [not_checked("munge", "Slurm does not use it here (AuthType).")]
    socket = _SOCKET.search(settings)
    problem = await _problem([f"--socket={socket[1]}"] if socket else [])
    if problem:
        remedy = "`systemctl restart munge`; `munge -n | unmunge` shows whether it works."
        return [fault("munge", f"munge does not work on this machine: {problem}", remedy)]
    return [fine("munge", "it makes credentials on this machine.")]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""  # a machine that gets its settings from slurmctld has none


async def _problem(options: list[str]) -> str:
    try:
        process = await asyncio.create_subprocess_exec(
            *("munge", "--no-input", *options),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
    except OSError as error:
        return f"{error.strerror}: munge"
    try:
        _, said = await asyncio.wait_for(process.communicate(), SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()
        return f"no answer in {SECONDS} s"
    return said.decode(errors="replace").strip() if process.returncode else ""
