"""The end of a deployment: what the playbook has put there is gone, and what people have made is not."""

from __future__ import annotations

from tests.deploy.conftest import Deployed

GONE = (
    "/opt/hpchub",
    "/etc/hpchub",
    "/etc/systemd/system/hpchub.service",
    "/etc/systemd/system/hpchub-launch.socket",
    "/usr/local/libexec/hpchub-launch",
    "/etc/nginx/conf.d/hpchub.conf",
)


def test_what_was_installed_is_taken_away_and_the_state_stays(deployed: Deployed) -> None:
    deployed.fleet.play("ansible/playbooks/uninstall.yml")
    hub = deployed.fleet.machines["hub"]
    assert [path for path in GONE if hub.run("test", "-e", path).status == 0] == []
    assert hub.run("systemctl", "list-units", "--plain", "--no-legend", "hpchub*").output == ""
    assert hub.run("test", "-s", "/var/lib/hpchub/secrets/admin-token").status == 0
    assert hub.run("ls", "/var/backups/hpchub").output.count("hpchub-") > 0
