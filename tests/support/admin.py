"""What an admin does at a shell: the command ``hpchub`` of the running site, also on a copy of its files."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.support.site import Site


@dataclass(frozen=True)
class Done:
    """A command that is over."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.out, self.err
        return json.loads(self.out)

    def findings(self, subject: str = "") -> list[str]:
        """What the findings of ``--json`` say that are not fine, those of one subject if it is named."""
        told = self.json["findings"] if isinstance(self.json, dict) else self.json
        bad = [each for each in told if each["verdict"] != "fine" and subject in ("", each["subject"])]
        return [f"{each['verdict']}: {each['says']} {each['remedy']}" for each in bad]


def argv(site: Site, *words: str, file: Path | None = None) -> list[str]:
    """Give the command, as root, in the environment in which Slurm's commands reach the site's clusters."""
    command = [str(site.folder / "venv/bin/hpchub"), *words, "--site", str(file or site.folder / "site/site.yaml")]
    # A ring that was started in the background ignores Ctrl-C, and so would all that it starts.
    return [
        *("env", "--default-signal=INT", "/bin/sh", "-c"),
        f". {shlex.quote(str(site.folder / 'env'))}; exec {shlex.join(command)}",
    ]


def hpchub(site: Site, *words: str, file: Path | None = None) -> Done:
    """Run it to its end."""
    done = subprocess.run(argv(site, *words, file=file), capture_output=True, text=True, check=False, cwd="/")
    return Done(done.returncode, done.stdout, done.stderr)


class Files:
    """A copy of the site's files, to plant mistakes in; the running hub reads its own."""

    def __init__(self, site: Site, folder: Path) -> None:
        self.site = folder / "site.yaml"
        self.profiles = folder / "profiles"
        shutil.copytree(site.folder / "site", folder)
        # It may hold settings of JupyterHub's; only the hub's own counts.
        (folder / "jupyterhub_local.py").unlink(missing_ok=True)

    def change_site(self, **fields: Any) -> None:
        """Set fields of the site file; a name with two underscores leads into another: ``hub__hub_url``."""
        values = yaml.safe_load(self.site.read_text())
        for name, value in fields.items():
            *above, last = name.split("__")
            place = values
            for each in above:
                place = place[each]
            place[last] = value
        self.site.write_text(yaml.safe_dump(values, allow_unicode=True, sort_keys=False))

    def add_profile(self, slug: str, like: str = "general/pytorch", **fields: Any) -> None:
        """Add a profile that is like another but for some fields."""
        values = yaml.safe_load((self.profiles / f"{like}.yaml").read_text())
        text = yaml.safe_dump({**values, **fields}, allow_unicode=True, sort_keys=False)
        (self.profiles / f"{slug}.yaml").write_text(text)

    def add_environment(self, name: str, like: str = "base") -> None:
        """Add an environment with the files of another; nothing is built."""
        shutil.copytree(self.profiles / "environments" / like, self.profiles / "environments" / name)


@contextmanager
def copied(site: Site, name: str) -> Iterator[Files]:
    """Copy the site's files for a while."""
    folder = site.folder / name
    try:
        yield Files(site, folder)
    finally:
        shutil.rmtree(folder)
