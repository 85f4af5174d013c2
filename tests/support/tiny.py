"""The smallest environment that there can be: one wheel, made here, that needs no network."""

from __future__ import annotations

import base64
import hashlib
import platform
import re
import subprocess
import zipfile
from pathlib import Path

PROFILE = """\
title: {en: B}
description: {en: B}
environment: tiny
default_size: s
runs_on: [{cluster: it4lia, partition: gb200_usr_prod, gpu_type: null, qos: [normal]}]
sizes: {s: {gpus: 0, cores: 1, memory_mb: 1000, default_minutes: 1, max_minutes: 1}}
"""
PYTHON = Path("/usr/bin/python3")
TARGET = f"{platform.machine()}-demo"


def python_minor() -> str:
    """Give the version of the system's Python as an environment declares it."""
    command = [str(PYTHON), "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def declare(catalogue: Path) -> None:
    """Write the declaration of the environment ``tiny``."""
    folder = catalogue / "environments" / "tiny"
    folder.mkdir(parents=True)
    (folder / "environment.yaml").write_text(
        f'title: {{en: Tiny}}\ndescription: {{en: Tiny}}\npython: "{python_minor()}"\n'
        "contents: [tiny]\nimports: [tiny]\n"
    )


def wheel(folder: Path, version: str) -> Path:
    """Write a wheel with one module, one command, which both say their version, and a notebook server's name."""
    info = f"tiny-{version}.dist-info"
    files = {
        "tiny.py": f"def main():\n    print('tiny {version}')\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: tiny\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[console_scripts]\ntiny = tiny:main\njupyterhub-singleuser = tiny:main\n",
    }
    digests = {
        name: base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        for name, text in files.items()
    }
    record = "".join(f"{name},sha256={digest},{len(files[name])}\n" for name, digest in digests.items())
    path = folder / f"tiny-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in {**files, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            archive.writestr(name, text)
    return path


def lock(catalogue: Path, version: str = "1.0", digest: str | None = None) -> None:
    """Write the lock of ``tiny`` for a version of the wheel, which is made too."""
    path = wheel(catalogue, version)
    digest = digest or hashlib.sha256(path.read_bytes()).hexdigest()
    (catalogue / "environments" / "tiny" / f"{TARGET}.txt").write_text(
        f"tiny @ {path.as_uri()} --hash=sha256:{digest}\n"
    )


def offer(catalogue: Path) -> None:
    """Make a whole catalogue of it: one sector, and the one profile ``a/b`` for the environment ``tiny``."""
    (catalogue / "sectors.yaml").write_text('sectors: {a: {title: {en: A}, allocations: ["*"]}}\n')
    (catalogue / "a").mkdir()
    (catalogue / "a" / "b.yaml").write_text(PROFILE)


def site_text(text: str) -> str:
    """Change the demo's site file to one of this catalogue: it names other profiles."""
    text = re.sub(r"^default_profiles:.*(\n +-.*)*", "default_profiles: [a/b]", text, flags=re.MULTILINE)
    return re.sub(r"(like|files_profile): [a-z/-]+", r"\1: a/b", text)
