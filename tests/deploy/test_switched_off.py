"""What an inventory wants no more is taken away by the next run, and what it wants again is there again."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from tests.deploy.conftest import SITE, Deployed

UNITS = "/etc/systemd/system"
USUAL = {
    "the door as a socket": (f"{UNITS}/hpchub-launch.socket", f"{UNITS}/hpchub-launch@.service"),
    "the console": (f"{UNITS}/hpchub-console.service",),
}
"""What the inventory of the tests has, and can be without."""
OTHER = {
    "the door by sudo": ("/etc/sudoers.d/hpchub-launch",),
    "reservations": (f"{UNITS}/hpchub-reserve.socket", "/usr/local/libexec/hpchub-reserve.json"),
    "settings of the site's own": ("/etc/hpchub/jupyterhub_local.py",),
}
"""What it has not, and can have."""


def test_what_is_switched_off_is_gone_after_the_next_run(deployed: Deployed, tmp_path: Path) -> None:
    site = yaml.safe_load((deployed.fleet.folder / "files" / "site.yaml").read_text())
    del site["console"]
    (tmp_path / "site.yaml").write_text(yaml.safe_dump(site, allow_unicode=True))
    (tmp_path / "local.py").write_text("# nothing is changed here\n")
    variables = {
        "catalogue_site_file": str(tmp_path / "site.yaml"),
        "catalogue_local_config": str(tmp_path / "local.py"),
        "launcher_door": "sudo",
        "launcher_reservations": {"prefix": "hub-", "accounts": ["*"], "clusters": {}},
    }
    deployed.fleet.play(SITE, "-e", json.dumps(variables))
    assert there(deployed) == dict.fromkeys(USUAL, False) | dict.fromkeys(OTHER, True)
    assert active(deployed) == {"hpchub.service", "hpchub-proxy.service", "hpchub-reserve.socket"}
    deployed.fleet.play(SITE)
    assert there(deployed) == dict.fromkeys(USUAL, True) | dict.fromkeys(OTHER, False)
    assert active(deployed) == {
        "hpchub.service",
        "hpchub-proxy.service",
        "hpchub-console.service",
        "hpchub-launch.socket",
    }


def there(deployed: Deployed) -> dict[str, bool]:
    """Tell of each thing whether its files are there; half of them is a failure."""
    hub = deployed.fleet.machines["hub"]
    found = {}
    for name, paths in (USUAL | OTHER).items():
        whether = {hub.run("test", "-e", path).status == 0 for path in paths}
        assert len(whether) == 1, name
        found[name] = whether.pop()
    return found


def active(deployed: Deployed) -> set[str]:
    listed = deployed.fleet.machines["hub"].run(
        "systemctl", "list-units", "--plain", "--no-legend", "--type=service,socket", "--state=active", "hpchub*"
    )
    names = {line.split()[0] for line in listed.output.splitlines()}
    # a process for each request to a door, for as long as that takes
    return {name for name in names if "@" not in name}
