"""Wrong inventories: each is refused before anything is changed, with a sentence that says what to do."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.conftest import SITE, write_inventory
from tests.deploy.supplies import VENV
from tests.machine.machine import REPOSITORY
from tests.support.thorough import THOROUGH

AT_ONCE = 3

Change = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Wrong:
    """What is wrong with an inventory, and what is said of it."""

    name: str
    says: str
    variables: dict[str, Any] = field(default_factory=dict)
    site: Change = lambda _: None
    hosts: Change = lambda _: None


def at(path: str, value: object) -> Change:
    """Set a field of the site file, by its dotted name; None takes it away."""

    def change(site: dict[str, Any]) -> None:
        *parents, last = path.split(".")
        for name in parents:
            site = site[name]
        if value is None:
            del site[last]
        else:
            site[last] = value

    return change


def no_hub(hosts: dict[str, Any]) -> None:
    hosts["all"]["children"]["hub"]["hosts"] = {}


def two_hubs(hosts: dict[str, Any]) -> None:
    hosts["all"]["children"]["hub"]["hosts"] = {"hub.test": {}, "node1.test": {}}


def nobody_submits(hosts: dict[str, Any]) -> None:
    del hosts["all"]["children"]["submit"]


TABLE = [
    Wrong("no hub", "the group `hub` has 0 machines", hosts=no_hub),
    Wrong("two hubs", "the group `hub` has 2 machines", hosts=two_hubs),
    Wrong("nobody submits", "the group `submit` has 0", hosts=nobody_submits),
    Wrong("a mistyped variable", "sets launcher_gorup, which no role knows", {"launcher_gorup": "people"}),
    Wrong("no group", "set catalogue_site_file", {"launcher_group": ""}),
    Wrong(
        "no site file", "there is no such file on the machine where ansible runs", {"catalogue_site_file": "/no/site"}
    ),
    Wrong("a port that is a word", "proxy_port", {"proxy_port": "http"}),
    Wrong("a list that is a word", "launcher_homes", {"launcher_homes": {"a": "b"}}),
    Wrong("a door that there is not", "launcher_door", {"launcher_door": "window"}),
    Wrong("an unknown field of the site", "hub_idd: is not a field", site=at("hub_idd", "x")),
    Wrong("a field is missing", "hub_id: is missing", site=at("hub_id", None)),
    Wrong("profiles elsewhere", "is not a folder", site=at("profiles", "/elsewhere")),
    Wrong(
        "a size that no node holds",
        "is more than a node of lrd_all_serial",
        site=at("clusters.leonardo.nodes.lrd_all_serial.cores", 1),
    ),
    Wrong("an unknown software target", "software_target", site=at("clusters.leonardo.software_target", "vax")),
    Wrong("plain http", "has tls here", site=at("hub.bind_url", "http://hub.test")),
    Wrong("the hub starts the proxy", "starts_proxy must be false", site=at("hub.starts_proxy", True)),
    Wrong(
        "routes that outlive a boot",
        "name a folder below /run",
        site=lambda site: site["hub"].update(
            proxy="traefik", routes_folder="/var/lib/routes", internal_tls=False, hub_url="http://10.213.78.11:8081"
        ),
    ),
    Wrong("two doors", "only one of them can be used", site=at("launcher", {"door": ["a"], "socket": "/b"})),
    Wrong("another socket", "let them be the same", site=at("launcher.socket", "/run/other.sock")),
    Wrong("a demo's sign-in", "is for demos", site=at("sign_in", {"kind": "demo"})),
    Wrong(
        "a callback elsewhere",
        "not below hub.bind_url",
        site=at("sign_in.oidc.callback_url", "https://x.test/hub/oauth_callback"),
    ),
    Wrong("an issuer without tls", "https", site=at("sign_in.oidc.issuer", "http://login.test")),
    Wrong("no secret of the provider", "put it into a vault", {"hub_oidc_client_secret": ""}),
    Wrong("a short secret", "of at least 32 characters", {"hub_oidc_client_secret": "short"}),
    Wrong("a cluster that nobody knows", "has no cluster marconi", {"launcher_clusters": ["marconi"]}),
    Wrong("encryption inside by http", "but internal_tls is true", site=at("hub.hub_url", "http://10.213.78.11:8081")),
    Wrong("two things at one port", "two things listen at one port", {"proxy_port": 8081}),
    Wrong("postgresql that nobody uses", "database_url_file is missing", site=at("hub.database_url_file", None)),
    Wrong(
        "postgresql here and elsewhere",
        "set postgresql_databases to []",
        {"hub_database_url": "postgresql+psycopg://hub@db.test/jupyterhub"},
    ),
    Wrong("a key is missing", "both must be files", {"nginx_certificate_key": ""}),
    Wrong("a certificate of another host", "does not match", {"nginx_certificate": "login.test.pem"}),
    Wrong("a certificate that ends", "ends within 7 days", {"nginx_certificate": "old.hub.test.pem"}),
    Wrong("no certificate", "is no certificate", {"nginx_certificate": "oidc-client-secret"}),
    Wrong("another key", "is not the key of", {"nginx_certificate_key": "login.test.key"}),
]


JUDGED = TABLE if THOROUGH else TABLE[::3]


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the playbook says of each, by name; each is a run of its own, and some go on at the same time."""
    folders = [tmp_path_factory.mktemp("wrong") for _ in JUDGED]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        said = pool.map(judgement_of, JUDGED, folders)
        return {wrong.name: words for wrong, words in zip(JUDGED, said, strict=True)}


@pytest.mark.parametrize("wrong", JUDGED, ids=lambda wrong: wrong.name)
def test_a_wrong_inventory_is_refused_with_a_sentence(wrong: Wrong, judged: dict[str, str]) -> None:
    said = judged[wrong.name]
    assert wrong.says.lower() in said, said[-3000:]
    assert "changed=0" in said
    assert "failed=1" in said


def judgement_of(wrong: Wrong, folder: Path) -> str:
    """Run the whole playbook on an inventory with this mistake, and no machine; give what it prints, in one line."""
    inventory, files = folder / "inventory", folder / "files"
    write_inventory(inventory, "nobody signs in").sign("old.hub.test", days=3)
    variables = {
        name: str(files / value) if name.startswith("nginx_certificate") and value else value
        for name, value in wrong.variables.items()
    }
    edit(inventory / "group_vars" / "all.yml", lambda known: known.update(variables))
    edit(inventory / "hosts.yml", wrong.hosts)
    edit(files / "site.yaml", wrong.site)
    done = subprocess.run(
        [VENV / "bin" / "ansible-playbook", "-i", inventory, SITE],
        cwd=REPOSITORY,
        env={
            **os.environ,
            "PATH": f"{VENV / 'bin'}:{os.environ['PATH']}",
            "ANSIBLE_CONFIG": "ansible/ansible.cfg",
            "ANSIBLE_HOME": str(folder / "ansible-home"),
            "ANSIBLE_NOCOLOR": "1",
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return re.sub(r"\s+", " ", done.stdout + done.stderr).lower()


def edit(path: Path, change: Change) -> None:
    content = yaml.safe_load(path.read_text())
    change(content)
    path.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True))
