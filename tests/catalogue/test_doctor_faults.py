"""`hpchub doctor` names each of these faults, planted for real, with its remedy."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.support.admin import copied, hpchub
from tests.support.site import Site
from tests.support.trouble import answers, process_of, silent
from tests.support.wait import until

Plant = Callable[[Site], AbstractContextManager[Path | None]]
"""Makes a fault for a while; gives the site file to look at where the fault is in it."""


@contextmanager
def mode(path: Path, wrong: int) -> Iterator[None]:
    right = path.stat().st_mode & 0o7777
    path.chmod(wrong)
    yield
    path.chmod(right)


@contextmanager
def text(path: Path, change: Callable[[str], str]) -> Iterator[None]:
    right = path.read_text()
    path.write_text(change(right))
    yield
    path.write_text(right)


@contextmanager
def slurm_conf(site: Site, line: str) -> Iterator[None]:
    name = line.partition("=")[0]
    with text(
        site.folder / "etc/leonardo/slurm.conf",
        lambda right: "\n".join([each for each in right.splitlines() if not each.startswith(f"{name}=")] + [line, ""]),
    ):
        site.slurm("scontrol reconfigure")
        yield
    site.slurm("scontrol reconfigure")


@contextmanager
def killed(site: Site, daemon: str) -> Iterator[None]:
    """A daemon of the site's Slurm is dead; starting the site starts it again."""
    os.kill(process_of(site, daemon), signal.SIGKILL)
    yield
    site.up()
    until(lambda: answers(site), "both clusters to answer", 90)


@contextmanager
def launcher_that_others_can_write(site: Site) -> Iterator[None]:
    with mode(site.folder / "libexec/hpchub-launch", 0o775):
        yield


@contextmanager
def broken_policy(site: Site) -> Iterator[None]:
    with text(site.folder / "libexec/hpchub-launch.json", lambda right: right[:-20]):
        yield


@contextmanager
def open_state_folder(site: Site) -> Iterator[None]:
    with mode(site.folder / "hub", 0o755):
        yield


@contextmanager
def open_secret(site: Site) -> Iterator[None]:
    with mode(site.folder / "hub/secrets/proxy-token", 0o644):
        yield


@contextmanager
def closed_environment(site: Site) -> Iterator[None]:
    with mode(site.folder / "environments/base", 0o700):
        yield


@contextmanager
def private_jobs(site: Site) -> Iterator[None]:
    with slurm_conf(site, "PrivateData=jobs"):
        yield


@contextmanager
def kept_environments(site: Site) -> Iterator[None]:
    with slurm_conf(site, "AccountingStoreFlags=job_comment,job_env"):
        yield


@contextmanager
def dead_munge(site: Site) -> Iterator[None]:
    with killed(site, "munged"):
        yield


@contextmanager
def dead_accounting(site: Site) -> Iterator[None]:
    with killed(site, "slurmdbd"):
        yield


@contextmanager
def silent_controller(site: Site) -> Iterator[None]:
    with silent(site):
        yield
    until(lambda: answers(site), "both clusters to answer", 90)


@contextmanager
def partition_down(site: Site) -> Iterator[None]:
    site.slurm("scontrol update PartitionName=lrd_all_serial State=DOWN")
    yield
    site.slurm("scontrol update PartitionName=lrd_all_serial State=UP")


@contextmanager
def hanging_proxy(site: Site) -> Iterator[None]:
    pid = int((site.folder / "proxy.pid").read_text())
    os.kill(pid, signal.SIGSTOP)
    yield
    os.kill(pid, signal.SIGCONT)


@contextmanager
def wrong_door(site: Site) -> Iterator[Path]:
    with copied(site, "planted") as files:
        files.change_site(launcher__door=["sudo", "-n", "/usr/local/libexec/hpchub-lunch"])
        yield files.site


@contextmanager
def wrong_door_of_reservations(site: Site) -> Iterator[Path]:
    with copied(site, "planted") as files:
        files.change_site(reservations__door=["sudo", "-n", str(site.folder / "libexec" / "hpchub-reserve")])
        yield files.site


@contextmanager
def other_prefix_of_reservations(site: Site) -> Iterator[Path]:
    with copied(site, "planted") as files:
        files.change_site(reservations__prefix="event_")
        yield files.site


@contextmanager
def wrong_catalogue(site: Site) -> Iterator[Path]:
    with copied(site, "planted") as files:
        files.add_profile("general/wrong", default_size="huge")
        yield files.site


FAULTS: list[tuple[Plant, str, str, str]] = [
    (launcher_that_others_can_write, "launcher", "others than root can write it", "chmod go-w"),
    (broken_policy, "policy", "is no JSON", "Correct that line"),
    (open_state_folder, "state folder", "has the mode 755", "chmod 700"),
    (open_secret, "secrets", "can be read or written by others: mode 644", "chmod 600"),
    (closed_environment, "environments", "environments/base is closed to others", "chmod -R o+rX"),
    (private_jobs, "PrivateData", "hides everybody's jobs from hpchub-demo-hub", "adminlevel=Operator"),
    (kept_environments, "AccountingStoreFlags", "keeps every job's environment", "Take job_env out of slurm.conf"),
    (dead_munge, "munge", "munge does not work on this machine", "systemctl restart munge"),
    (dead_accounting, "slurmdbd", "slurmdbd does not answer", "Is it running, and its database?"),
    (silent_controller, "slurmctld", "Slurm on leonardo does not answer", "Is slurmctld running"),
    (partition_down, "partitions", "Partition lrd_all_serial is down", "State=UP"),
    (wrong_door, "door", "there is no /usr/local/libexec/hpchub-lunch", "Set `launcher.door` in the site file"),
    (wrong_door_of_reservations, "reservations", "a password is required", "a line in sudoers for exactly this"),
    (other_prefix_of_reservations, "reservations", "does not begin with hpchub_", "in its policy be the same"),
    (wrong_catalogue, "catalogue", "default_size", "hpchub profiles lint"),
]


@pytest.mark.parametrize(
    ("plant", "subject", "sentence", "remedy"), FAULTS, ids=lambda value: getattr(value, "__name__", None)
)
def test_a_planted_fault_is_named_with_its_remedy(
    site: Site, plant: Plant, subject: str, sentence: str, remedy: str
) -> None:
    with plant(site) as file:
        done = hpchub(site, "doctor", "--quick", "--json", file=file)
    assert done.status == 1
    findings = done.findings(subject)
    assert any(each.startswith("fault: ") and sentence in each and remedy in each for each in findings), "\n".join(
        done.findings()
    )


def test_a_proxy_that_hangs_is_told_from_both_of_its_sides(site: Site) -> None:
    with hanging_proxy(site):
        done = hpchub(site, "doctor", "--quick", "--json")
    (in_front,) = done.findings("proxy")
    assert "nothing answers at bind_url http://127.0.0.1:8000" in in_front
    (behind,) = done.findings("proxy API")
    assert "Is the proxy running, does its API listen at http://127.0.0.1:8001" in behind


def test_a_hub_that_nodes_cannot_reach_is_found_by_a_job(site: Site) -> None:
    with copied(site, "planted") as files:
        files.change_site(hub__hub_url="http://127.0.0.1:8999")
        done = hpchub(site, "doctor", "--json", file=files.site)
    assert done.status == 1
    (from_here,) = done.findings("hub")
    assert "Nothing answers at hub_url http://127.0.0.1:8999" in from_here
    from_nodes = done.findings("node to hub")
    assert len(from_nodes) == 2
    assert all("does not reach the hub at hub_url http://127.0.0.1:8999" in each for each in from_nodes)
    assert all("Set `hub_url` to an address that nodes reach" in each for each in from_nodes)


def test_a_notebook_address_that_nodes_do_not_have_is_found_by_a_job(site: Site) -> None:
    with copied(site, "planted") as files:
        files.change_site(clusters__leonardo__notebook_address="192.0.2.1")
        done = hpchub(site, "doctor", "--json", file=files.site)
    (finding,) = done.findings("hub to node")
    assert "it could not listen at notebook_address 192.0.2.1" in finding


def test_after_all_these_repairs_the_site_is_in_order(site: Site) -> None:
    until(lambda: hpchub(site, "doctor", "--quick").status == 0, "the site to be in order", 60)
