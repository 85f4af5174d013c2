"""What goes wrong for real: each is so as long as its context lasts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.site import Site

EXITS_AT_ONCE = """
import pathlib, sys, time
print("this server <script>document.title='taken over'</script> stops here", file=sys.stderr, flush=True)
pathlib.Path.home().joinpath("exited-at").write_text(str(time.time()))
sys.exit(3)
"""
"""Settings of a notebook server that end it, and leave the time at which they did."""


@contextmanager
def closed_nodes(site: Site) -> Iterator[None]:
    """Jobs on leonardo wait in the queue; what may be started there stays the same."""
    site.slurm("scontrol -M leonardo update NodeName=ALL State=DRAIN Reason=test")
    try:
        yield
    finally:
        site.slurm("scontrol -M leonardo update NodeName=ALL State=UNDRAIN")


@contextmanager
def settings_that_end_the_server(site: Site, user: str) -> Iterator[Path]:
    """A person's notebook server ends at once; gives the file that then holds when (epoch)."""
    home = Path(site.slurm(f"echo ~{user}").strip())
    site.slurm(f"mkdir -p ~{user}/.jupyter && chown {user}: ~{user}/.jupyter")
    settings = home / ".jupyter" / "jupyter_server_config.py"
    exited_at = home / "exited-at"
    settings.write_text(EXITS_AT_ONCE)
    try:
        yield exited_at
    finally:
        settings.unlink()
        exited_at.unlink(missing_ok=True)


@contextmanager
def moved_away(path: Path) -> Iterator[None]:
    """Nothing is at this path."""
    elsewhere = path.with_name(f"{path.name}.away")
    path.rename(elsewhere)
    try:
        yield
    finally:
        elsewhere.rename(path)


@contextmanager
def hub_address_of_jobs(site: Site, address: str) -> Iterator[None]:
    """Jobs look for the hub at another address; afterwards no server is left."""
    local = site.folder / "site" / "jupyterhub_local.py"
    before = local.read_text()
    local.write_text(f"{before}c.SiteSpawner.hub_connect_url = {address!r}\n")
    site.restart_hub()
    try:
        yield
    finally:
        site.stop_servers()
        local.write_text(before)
        site.restart_hub()
