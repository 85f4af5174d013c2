"""Start two notebooks of ada's by the hub's API and wait until they answer; runs inside the machine, as root.

Standard library only, and no import of this project: the machine has only its Python.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

HUB = "http://127.0.0.1:8000"
PLACE = {"cluster": "leonardo", "allocation": "aifac_agri01", "size": "small"}
CHOICES = {
    "": {"profile": "agrifood/remote-sensing", **PLACE},
    # its environment is the one that the machine has made itself
    "second": {"profile": "general/data-preparation", **PLACE},
}
SECONDS = 120.0


def ask(token: str, method: str, path: str, body: object = None) -> Any:
    """Send a request to the hub or a server behind it, and return what it answers."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(HUB + path, data, {"Authorization": f"token {token}"}, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def start(token: str, log: Path, name: str) -> None:
    """Start a server and wait until its notebook answers."""
    ask(token, "POST", f"/hub/api/users/ada/servers/{name}", {"user_options": CHOICES[name]})
    deadline = time.monotonic() + SECONDS
    while True:
        server = ask(token, "GET", "/hub/api/users/ada")["servers"].get(name, {})
        if server.get("ready"):
            break
        if not server or time.monotonic() > deadline:
            sys.exit(f"ada's notebook {name!r} does not get ready: {server}\n{log.read_text()[-4000:]}")
        time.sleep(0.2)
    ask(token, "GET", f"/user/ada/{name}/api/status" if name else "/user/ada/api/status")


def main(folder: Path) -> None:
    """Start the notebooks, wait, and say what was seen."""
    token = (folder / "admin-token").read_text().strip()
    for name in CHOICES:
        start(token, folder / "hub" / "hub.log", name)
    squeue = f". {folder}/env; squeue --noheader --user=ada --states=RUNNING"
    jobs = subprocess.run(["sh", "-c", squeue], stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    print(f"ada's {len(CHOICES)} notebooks answer; Slurm runs {len(jobs)} jobs of ada's")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
