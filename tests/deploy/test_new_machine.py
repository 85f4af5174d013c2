"""The hub's machine is lost, and a new one takes its place, from a copy of the night before."""

from __future__ import annotations

import shutil
import time
from typing import Any

from hpchub.signin.rules import TRAINERS
from tests.deploy.conftest import SITE, Deployed, Surroundings
from tests.deploy.notebook import Notebook
from tests.support.wait import until

ARCHIVE = "/root/hpchub.tar.gz"
EVENTS = "/services/events/api/events"


def test_a_new_machine_goes_on_where_the_lost_one_was(surroundings: Surroundings, deployed: Deployed) -> None:
    fleet, notebook = deployed.fleet, Notebook(deployed)
    notebook.start()
    event = made_event(notebook)
    token = notebook.token_of("carla")
    before = what_is_known(notebook, token)
    fleet.play("ansible/playbooks/backup.yml")
    lost = fleet.machines["hub"]
    archive = lost.run("sh", "-c", "ls -t /var/backups/hpchub/*.tar.gz | head -n 1").output.strip()
    kept = fleet.folder / "hpchub.tar.gz"
    shutil.copyfile(lost.root / archive.lstrip("/"), kept)

    surroundings.new_hub()
    shutil.copyfile(kept, fleet.machines["hub"].root / ARCHIVE.lstrip("/"))
    began = time.monotonic()
    fleet.play(SITE, "-e", f"backup_archive={ARCHIVE}")
    until(notebook.answers, "the notebook, which nobody has started again", 60)
    print(f"the notebook answered {time.monotonic() - began:.0f} s after the playbook had begun on an empty machine")

    assert notebook.admin_token() == notebook.token
    assert what_is_known(notebook, token) == before
    assert event in [each["slug"] for each in notebook.ask("GET", EVENTS, token=token)]
    assert fleet.play(SITE).summary["hub.test"]["changed"] == 0
    notebook.stop()


def made_event(notebook: Notebook) -> str:
    """Have carla, a trainer, make an event in the console; give its name."""
    notebook.ask("POST", "/hub/api/users/carla", good=(409,))
    notebook.ask("POST", f"/hub/api/groups/{TRAINERS}", good=(409,))
    notebook.ask("POST", f"/hub/api/groups/{TRAINERS}/users", {"users": ["carla"]})
    now = int(time.time())
    plan = {
        "title": "GPU school",
        "starts_epoch": now + 3600,
        "ends_epoch": now + 7200,
        "seats": 2,
        "cluster": "leonardo",
        "allocation": "tra26_hack",
        "profile": "general/data-preparation",
    }
    made = notebook.ask("POST", EVENTS, plan, token=notebook.token_of("carla"))
    return str(made["slug"])


def what_is_known(notebook: Notebook, token: str) -> Any:
    """The people, the groups, and whose token it is."""
    people = notebook.ask("GET", "/hub/api/users")
    groups = notebook.ask("GET", "/hub/api/groups")
    whose = notebook.ask("GET", "/hub/api/user", token=token)
    return (
        sorted((each["name"], sorted(each["servers"])) for each in people),
        sorted((each["name"], sorted(each["users"])) for each in groups),
        whose["name"],
    )
