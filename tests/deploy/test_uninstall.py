"""The end of a deployment: what the playbook has put there is gone, and what people have made is not."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from tests.deploy.conftest import Deployed

UNINSTALL = "ansible/playbooks/uninstall.yml"
KEY = "/etc/hpchub/keys/id_ed25519"
GONE = (
    "/opt/hpchub",
    "/etc/hpchub/site.yaml",
    "/etc/hpchub/profiles",
    "/etc/hpchub/catalogues",
    "/etc/hpchub/proxy.env",
    "/etc/nginx/conf.d/hpchub.conf",
    "/etc/systemd/system/postgresql@.service.d/hpchub.conf",
    "/etc/ssl/hpchub/privkey.pem",
    "/usr/local/sbin/hpchub-backup",
)
LEFT = ("/var/lib/hpchub/secrets/admin-token", "/var/backups/hpchub", KEY)


def test_a_machine_that_has_nothing_of_it_is_no_failure(deployed: Deployed, tmp_path: Path) -> None:
    """Neither nginx nor PostgreSQL is there: whatever a run has left half-way can be taken away."""
    more = tmp_path / "more.yml"
    more.write_text("hub: {hosts: {node1.test: {}}}\nsubmit: {hosts: {node1.test: {}}}\n")
    run = deployed.fleet.play(
        UNINSTALL, "-i", str(more), "--limit", "node1.test", "-e", '{"hub_remove_state": true}', good=False
    )
    assert run.status == 0, run.output[-3000:]
    assert run.summary["node1.test"]["changed"] == 0


def test_what_was_installed_is_taken_away_and_the_state_stays(deployed: Deployed) -> None:
    hub = deployed.fleet.machines["hub"]
    assert hub.run("install", "-D", "-m", "600", "/dev/null", KEY).status == 0
    assert hub.run("/usr/local/sbin/hpchub-backup").status == 0
    deployed.fleet.play(UNINSTALL)
    assert [path for path in GONE if there(deployed, path)] == []
    assert hub.run("sh", "-c", "ls -d /etc/systemd/system/hpchub* /usr/local/libexec/hpchub* 2>&-").output == ""
    assert hub.run("systemctl", "list-units", "--plain", "--no-legend", "hpchub*").output == ""
    assert [path for path in LEFT if not there(deployed, path)] == []
    assert hub.run("getent", "passwd", "hpchub").status == 0
    assert "jupyterhub" in databases(deployed)


def test_environments_below_the_software_stay(deployed: Deployed, tmp_path: Path) -> None:
    site = yaml.safe_load((deployed.fleet.folder / "files" / "site.yaml").read_text())
    site["environments_root"] = "/opt/hpchub/environments"
    (tmp_path / "site.yaml").write_text(yaml.safe_dump(site, allow_unicode=True))
    hub = deployed.fleet.machines["hub"]
    for folder in ("environments/base", "releases/one"):
        assert hub.run("mkdir", "-p", f"/opt/hpchub/{folder}").status == 0
    deployed.fleet.play(UNINSTALL, "-e", json.dumps({"catalogue_site_file": str(tmp_path / "site.yaml")}))
    assert hub.run("find", "/opt/hpchub").output.split() == [
        "/opt/hpchub",
        "/opt/hpchub/environments",
        "/opt/hpchub/environments/base",
    ]
    deployed.fleet.play(UNINSTALL)
    assert not there(deployed, "/opt/hpchub")


def test_twice_is_no_failure_and_takes_the_state_away_where_it_is_told_to(deployed: Deployed) -> None:
    deployed.fleet.play(UNINSTALL, "-e", '{"hub_remove_state": true}')
    hub = deployed.fleet.machines["hub"]
    assert not there(deployed, "/var/lib/hpchub")
    assert hub.run("getent", "passwd", "hpchub").status != 0
    assert databases(deployed) & {"jupyterhub", "console"} == set()
    assert hub.run("ls", "/var/backups/hpchub").output.count("hpchub-") > 0


def there(deployed: Deployed, path: str) -> bool:
    return deployed.fleet.machines["hub"].run("test", "-e", path).status == 0


def databases(deployed: Deployed) -> set[str]:
    command = ("runuser", "-u", "postgres", "--", "psql", "-tAc", "SELECT datname FROM pg_database")
    return set(deployed.fleet.machines["hub"].run(*command, folder="/").output.split())
