"""Start a notebook of ada's by the hub's API and wait until it answers; runs inside the machine, as root.

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
CHOICE = {"profile": "agrifood/remote-sensing", "cluster": "leonardo", "allocation": "aifac_agri01", "size": "small"}
SECONDS = 60.0


def ask(token: str, method: str, path: str, body: object = None) -> Any:
    """Send a request to the hub or a server behind it, and return what it answers."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(HUB + path, data, {"Authorization": f"token {token}"}, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def main(folder: Path) -> None:
    """Start the notebook, wait, and say what was seen."""
    token = (folder / "admin-token").read_text().strip()
    ask(token, "POST", "/hub/api/users/ada/server", {"user_options": CHOICE})
    deadline = time.monotonic() + SECONDS
    while True:
        server = ask(token, "GET", "/hub/api/users/ada")["servers"].get("", {})
        if server.get("ready"):
            break
        if not server or time.monotonic() > deadline:
            sys.exit(f"ada's notebook does not get ready: {server}\n{(folder / 'hub' / 'hub.log').read_text()[-4000:]}")
        time.sleep(0.2)
    ask(token, "GET", "/user/ada/api/status")
    squeue = f". {folder}/env; squeue --noheader --user=ada --states=RUNNING"
    jobs = subprocess.run(["sh", "-c", squeue], stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    print(f"ada's notebook answers; Slurm runs {len(jobs)} job of ada's")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
