"""What goes wrong for real: each is so as long as its context lasts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.support.site import Site
from tests.support.wait import until

EXITS_AT_ONCE = """
import pathlib, sys, time
print("this server <script>document.title='taken over'</script> stops here", file=sys.stderr, flush=True)
pathlib.Path.home().joinpath("exited-at").write_text(str(time.time()))
sys.exit(3)
"""
"""Settings of a notebook server that end it, and leave the time at which they did."""


CLIMATE_CORE_HOURS = 88
"""Of aifac_clima01 on each cluster (demo/clusters.toml)."""


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
    """Jobs look for the hub at another address, and it waits 3 s for their word; afterwards no server is left."""
    local, file = (site.folder / "site" / name for name in ("jupyterhub_local.py", "site.yaml"))
    before = {path: path.read_text() for path in (local, file)}
    local.write_text(f"{before[local]}c.SiteSpawner.hub_connect_url = {address!r}\n")
    # The demo's own patience is for jobs that do reach it, on a machine that is busy.
    file.write_text(before[file].replace("contact_seconds: 6", "contact_seconds: 3"))
    site.restart_hub()
    try:
        yield
    finally:
        site.stop_servers()
        for path, text in before.items():
            path.write_text(text)
        site.restart_hub()


@contextmanager
def crowded(site: Site) -> Iterator[None]:
    """One GPU is left on leonardo and none on it4lia, and the hub knows."""
    for where in (
        "-M leonardo -p boost_usr_prod -N 9 --exclusive",
        "-M leonardo -p boost_usr_prod -N 1 -n 24 --mem=360000 --gres=gpu:a100:3",
        "-M it4lia -p gb200_usr_prod -N 2 --exclusive",
    ):
        job = "-A aifac_manif01 -t 60 -J filler -o /dev/null --wrap='sleep 3600'"
        site.slurm(f"sbatch {where} {job}", as_user="dario")
    try:
        until(lambda: (free_gpus(site, "leonardo"), free_gpus(site, "it4lia")) == (1, 0), "one GPU to be left", 90)
        yield
    finally:
        for cluster in ("leonardo", "it4lia"):
            site.slurm(f"scancel -M {cluster} -n filler", as_user="dario")
        # whoever comes next is not told of a crowd that has gone
        until(lambda: free_gpus(site, "leonardo") > 1 and free_gpus(site, "it4lia") > 1, "the crowd to be gone", 90)


def free_gpus(site: Site, cluster: str) -> int:
    """How many GPUs of a cluster are free, as the hub knows it."""
    partitions = site.api("GET", "/hpchub/snapshot").json[cluster]["partitions"]
    return sum(free for each in partitions.values() for free in each["free_gpus"].values())


@contextmanager
def spent(site: Site, account: str, core_hours: int) -> Iterator[None]:
    """Nothing is left of an allocation on either cluster, and the hub knows; afterwards it has so much again."""
    limit = f"sacctmgr -i modify account {account} set GrpTRESMins=billing="
    with files_in_service(site, {"site.yaml": lambda text: text.replace("refresh_seconds: 30", "refresh_seconds: 1")}):
        site.slurm(f"{limit}0")
        try:
            until(lambda: levels(site, account) == {"spent"}, "the hub to know that nothing is left", 60)
            yield
        finally:
            site.slurm(f"{limit}{core_hours * 60}")
            until(lambda: "spent" not in levels(site, account), "the hub to know that something is left", 60)


def levels(site: Site, account: str) -> set[str]:
    """How much is left of ada's allocation, on each cluster, in the API's words."""
    return {each["level"] for each in site.api("GET", "/hpchub/budgets?user=ada").json if each["account"] == account}


@contextmanager
def files_in_service(site: Site, changes: Mapping[str, Callable[[str], str]]) -> Iterator[None]:
    """Files of the site are changed, and the hub has taken them up.

    Args:
        site: the site.
        changes: by the path below the folder of the site file: makes the new text from the old one, which is empty for
            a file that is not there.
    """
    folder = site.folder / "site"
    before = {path: path.read_text() if path.exists() else None for path in map(folder.joinpath, changes)}
    try:
        with _taken_up(site):
            for path, change in zip(before, changes.values(), strict=True):
                path.write_text(change(before[path] or ""))
        yield
    finally:
        with _taken_up(site):
            for path, text in before.items():
                if text is None:
                    path.unlink(missing_ok=True)
                else:
                    path.write_text(text)


@contextmanager
def _taken_up(site: Site) -> Iterator[None]:
    """Wait until the hub has read, without a mistake, what was written or removed inside."""
    yield
    changed = max(path.stat().st_mtime for path in (site.folder / "site").rglob("*"))

    def read() -> bool:
        told = site.api("GET", "/hpchub/catalogue").json
        return told["loaded_epoch"] > changed and not told["problems"]

    until(read, "the hub to read its files again", 30)
