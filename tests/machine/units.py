"""The units of the Ansible roles, filled in for the demo's own hub, and put into a booted machine.

They take the place of the demo's hub, console and proxy; its Slurm, its people and its environments stay.
"""

from __future__ import annotations

import json
import os
import re
import shlex
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jinja2
import yaml

from tests.machine.machine import REPOSITORY, Machine

STATE = "/var/lib/hpchub-demo"
HUB_USER = "hpchub-demo-hub"
SITE_FILE = f"{STATE}/site/site.yaml"
SOCKETS = ("hpchub-launch.socket", "hpchub-reserve.socket")
SERVICES = ("hpchub.service", "hpchub-proxy.service", "hpchub-console.service")
UNITS = (
    "hub/templates/hpchub.service",
    "proxy/templates/hpchub-proxy.service",
    "console/templates/hpchub-console.service",
    *(f"launcher/templates/hpchub-{name}" for name in ("launch.socket", "launch@.service")),
    *(f"launcher/templates/hpchub-{name}" for name in ("reserve.socket", "reserve@.service")),
)
LAY_OUT = f"""
set -e
python3 -c 'from demo.place import Place; from demo.hub import hub, proxy, console
place = Place.from_environment()
for daemon in (console(place), hub(place), proxy(place)): daemon.stop()'
rm /etc/sudoers.d/hpchub-demo
mkdir -p /opt/hpchub /usr/local/libexec
ln -s {STATE}/venv /opt/hpchub/current
ln -s {STATE}/proxy /opt/hpchub/proxy
cp jupyterhub_config.py /opt/hpchub/current/
for name in launch reserve; do
    install -m 755 hpchub/jobs/hpchub_$name.py /usr/local/libexec/hpchub-$name
done
useradd --system --user-group intruder
usermod --append --groups {HUB_USER} intruder
"""


def render(path: str, **variables: object) -> str:
    """Fill in a template as Ansible would; what is not named has the default of its role."""
    for file in (REPOSITORY / "ansible" / "roles").glob("*/defaults/main.yml"):
        variables = {**yaml.safe_load(file.read_text()), **variables}
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True)  # noqa: S701 - no HTML
    environment.filters["dirname"] = os.path.dirname
    environment.filters["urlsplit"] = lambda url, part: getattr(urlsplit(url), part)
    return environment.from_string((REPOSITORY / "ansible" / "roles" / path).read_text()).render(**variables)


def install(machine: Machine, folder: str) -> None:
    """Put everything in place of the demo's own hub, and start it by systemd.

    Args:
        machine: with a demo that runs.
        folder: of the repository there.
    """
    done = machine.run("bash", "-c", LAY_OUT, folder=folder)
    assert done.status == 0, done.output
    site = _site(machine)
    _policies(machine)
    _tokens(machine)
    variables = {
        "ansible_managed": "test",
        "hub_user": HUB_USER,
        "hub_environment": {},
        "launcher_peer": HUB_USER,
        "hub_folder": "/opt/hpchub",
        "proxy_packages": "/opt/hpchub/proxy",
        "hub_internal_tls": False,
        "hub_site_file": SITE_FILE,
        "hub_site": site,
        "hub_state_folder": f"{STATE}/hub",
        "hub_slurm_conf": re.sub(r".*=", "", machine.run("grep", "SLURM_CONF=", f"{STATE}/env").output).strip("'\"\n"),
        "launcher_homes": [f"{STATE}/home"],
        "launcher_reserver_user": "slurm",
    }
    for unit in UNITS:
        _put(machine, f"/etc/systemd/system/{Path(unit).name}", render(f"{unit}.j2", **variables))
    for command in (("daemon-reload",), ("enable", "--now", *SOCKETS), ("enable", "--now", *SERVICES)):
        done = machine.run("systemctl", *command)
        assert done.status == 0, done.output


def _site(machine: Machine) -> dict[str, Any]:
    """Let the site file name the sockets, and a proxy of its own."""
    path = machine.root / SITE_FILE.lstrip("/")
    site: dict[str, Any] = yaml.safe_load(path.read_text())
    site["launcher"] = {"socket": "/run/hpchub-launch.sock"}
    site["reservations"] = {"socket": "/run/hpchub-reserve.sock"}
    site["hub"]["starts_proxy"] = False
    path.write_text(yaml.safe_dump(site, allow_unicode=True))
    return site


def _policies(machine: Machine) -> None:
    for name in ("launch", "reserve"):
        policy = json.loads((machine.root / f"{STATE}/libexec/hpchub-{name}.json".lstrip("/")).read_text())
        _put(machine, f"/usr/local/libexec/hpchub-{name}.json", json.dumps({**policy, "peer": HUB_USER}))


def _tokens(machine: Machine) -> None:
    """Make the one token that is new, and hand both of the proxy's to its unit."""
    secrets, hub = f"{STATE}/hub/secrets", shlex.quote(HUB_USER)
    script = f"""set -e; umask 077; cd {secrets}
head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \\n' > routes-token; chown {hub}: routes-token
echo "CONFIGPROXY_AUTH_TOKEN=$(cat proxy-token)" > {STATE}/site/proxy.env
echo "HPCHUB_TOKEN=$(cat routes-token)" >> {STATE}/site/proxy.env"""
    done = machine.run("sh", "-c", script)
    assert done.status == 0, done.output


def _put(machine: Machine, path: str, text: str) -> None:
    file = machine.root / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(0o644)
