"""Whether an environment of somebody's own can be started, from what the launcher saw of it.  Pure.

Nothing of it runs before its job does: the launcher may stand on the hub's own machine, where people have no shell.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hpchub.errors import UserError
from hpchub.text import Sentence

MACHINES = {21: "ppc64le", 62: "x86_64", 183: "aarch64", 243: "riscv64"}
"""``e_machine`` of an ELF header (elf.h), by the name that ``uname -m`` has for it."""


@dataclass(frozen=True, slots=True)
class Probed:
    """What is known of an environment that can be started."""

    python: str
    jupyterhub: str


def judged(seen: Mapping[str, Any], path: str, target: str, hub_version: str) -> Probed:
    """Judge an environment.

    Args:
        seen: the launcher's answer to ``probe``.
        path: its folder.
        target: the software target of its cluster; what stands before the hyphen is the architecture.
        hub_version: JupyterHub's, in this hub.

    Raises :class:`UserError` with what is wrong and what to do.
    """
    if seen["problem"]:
        raise UserError(
            Sentence(
                "{path} cannot be used: {problem}. Give the folder of an environment, with bin/python in it.",
                path=path,
                problem=seen["problem"],
            )
        )
    machine = _machine(str(seen["head"]))
    wanted = target.partition("-")[0]
    if machine is None or not seen.get("runs"):
        raise UserError(Sentence("{path}/bin/python is not a program that you can run.", path=path))
    if machine != wanted:
        raise UserError(
            Sentence(
                "{path}/bin/python is for {machine}, and this cluster is {wanted}. Make one for {wanted}.",
                path=path,
                machine=machine,
                wanted=wanted,
            )
        )
    major = hub_version.partition(".")[0]
    packages = [_package(each) for each in seen["packages"]]
    servers = [(python, version) for python, name, version in packages if name == "jupyterhub"]
    remedy = f'{path}/bin/python -m pip install "jupyterhub~={major}.0" jupyterlab'
    if not seen["server"] or not servers:
        raise UserError(Sentence("{path} has no jupyterhub-singleuser. Add it: {remedy}", path=path, remedy=remedy))
    python, version = servers[0]
    if version.partition(".")[0] != major:
        raise UserError(
            Sentence(
                "{path} has JupyterHub {version}, and this hub is {hub_version}. Change it: {remedy}",
                path=path,
                version=version,
                hub_version=hub_version,
                remedy=remedy,
            )
        )
    if not any(name == "jupyterlab" for _, name, _ in packages):
        raise UserError(Sentence("{path} has no JupyterLab. Add it: {remedy}", path=path, remedy=remedy))
    return Probed(python, version)


def _machine(head: str) -> str | None:
    raw = bytes.fromhex(head)
    if len(raw) < 20 or raw[:4] != b"\x7fELF":
        return None
    number = int.from_bytes(raw[18:20], "little" if raw[5] == 1 else "big")
    return MACHINES.get(number, f"machine {number}")


def _package(found: str) -> tuple[str, str, str]:
    """Take ``python3.11/jupyterhub-6.1.1.dist-info`` apart."""
    python, _, folder = found.partition("/")
    name, _, version = folder.removesuffix(".dist-info").partition("-")
    return python.removeprefix("python"), name, version
