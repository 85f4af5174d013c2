"""What the hub of the demo reads: its site file, its profiles, its configuration and its admin token."""

from __future__ import annotations

import json
import re
import secrets
import shutil
from pathlib import Path
from string import Template

from demo import sign_in
from demo.door import put
from demo.place import REPOSITORY, Place
from demo.steps import acting_as


def install(place: Place) -> None:
    """Write everything; what somebody has changed in the demo's own profiles is lost."""
    folder = place.site.parent
    folder.mkdir(mode=0o755, exist_ok=True)
    _copy_profiles(REPOSITORY / "profiles", folder / "profiles")
    put(place.site, site_text(place), mode=0o644)
    token = admin_token(place)
    config = (REPOSITORY / "jupyterhub_config.py").read_text()
    with acting_as(place.people.hub_user):
        _write(place.hub / "jupyterhub_config.py", config)
        (place.hub / "secrets").mkdir(mode=0o700, exist_ok=True)
        _write(place.hub / "secrets" / "admin-token", token)


def site_text(place: Place) -> str:
    """Return ``demo/site.yaml`` with the demo's folder, ports and people filled in."""
    template = Template((REPOSITORY / "demo" / "site.yaml").read_text())
    people = place.people
    text = template.substitute(
        demo_dir=place.folder,
        demo_port=place.port,
        hub_port=place.hub_port,
        proxy_port=place.proxy_port,
        console_port=place.console_port,
        people=json.dumps(people.names),
        admins=json.dumps(people.admins),
        trainers=json.dumps(people.trainers),
    )
    return text if place.auth == "simple" else re.sub(r"(?ms)^sign_in:$.*?^$", sign_in.block(place), text)


def admin_token(place: Place) -> str:
    """Return the token of the hub's API for admins, made at the first call; only root can read its file."""
    path = place.folder / "admin-token"
    if not path.is_file():
        put(path, secrets.token_hex(32) + "\n", mode=0o600)
    return path.read_text()


def _write(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o600)


def _copy_profiles(source: Path, target: Path) -> None:
    """Make `target` a copy of `source`, in two renames: the hub may be reading it."""
    new, old = target.with_name("profiles.new"), target.with_name("profiles.old")
    for leftover in (new, old):
        shutil.rmtree(leftover, ignore_errors=True)
    shutil.copytree(source, new)
    if target.is_dir():
        target.rename(old)
    new.rename(target)
    shutil.rmtree(old, ignore_errors=True)
