"""Runs inside the job of `hpchub doctor`, in an environment's Python: what does the deployment look like from a node?

Standard library only and Python 3.9 or newer.  It reaches the job as a part of its script, takes what to look at from
the variable ``HPCHUB_CHECK``, and writes lines of JSON.
"""

from __future__ import annotations

import email.utils
import json
import os
import platform
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

MARK = "hpchub-check: "
HUB_SECONDS = 15
VISITOR_SECONDS = 40


def tell(**what: object) -> None:
    """Write one line for the check that waits."""
    print(MARK + json.dumps(what), flush=True)


def encryption() -> list[urllib.request.HTTPSHandler]:
    """How the hub is spoken to where that is encrypted: with the certificate that came with the job."""
    given = json.loads(os.environ.get("HPCHUB_TLS", "{}"))
    if not given:
        return []
    context = ssl.create_default_context(cadata=given["JUPYTERHUB_SSL_CLIENT_CA"])
    with tempfile.NamedTemporaryFile("w") as pair:  # for its owner alone
        pair.write(given["JUPYTERHUB_SSL_KEYFILE"] + given["JUPYTERHUB_SSL_CERTFILE"])
        pair.flush()
        context.load_cert_chain(pair.name)
    return [urllib.request.HTTPSHandler(context=context)]


def reach_hub(url: str) -> None:
    """Ask the hub's address, as the bootstrap of a session does."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), *encryption())
    try:
        with opener.open(url + "/hub/api", timeout=HUB_SECONDS) as answer:
            date = answer.headers.get("Date")
            now = time.time()
            version = json.load(answer).get("version")
    except urllib.error.URLError as error:
        tell(hub_problem=str(error.reason))
    except (OSError, ValueError, AttributeError) as error:
        tell(hub_problem=str(error))
    else:
        hub_epoch = email.utils.parsedate_to_datetime(date).timestamp() if date else None
        tell(hub_version=version, hub_epoch=hub_epoch, node_epoch=now)


def make_credential(munge: dict[str, str]) -> None:
    """Make a credential that only the hub's user can read, so that the hub sees whether both have the same key."""
    if not munge:
        return
    options = ["--socket=" + munge["socket"]] if munge["socket"] else []
    command = ["munge", "--no-input", "--ttl=120", "--restrict-uid=" + munge["reader"], *options]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        tell(munge_problem=str(error))
    else:
        tell(**{"munge_problem": done.stderr.strip()} if done.returncode else {"credential": done.stdout.strip()})


def wait_for_visitor(address: str, word: str) -> None:
    """Listen where notebook servers listen, and answer whoever connects with a word that the check knows."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as listener:
        listener.bind((address, 0))
        listener.listen()
        listener.settimeout(VISITOR_SECONDS)
        tell(port=listener.getsockname()[1])
        try:
            visitor, _ = listener.accept()
        except OSError:
            return
        with visitor:
            visitor.sendall(word.encode())


def main() -> None:
    """Look at everything; the visitor comes last, because that is waited for."""
    asked = json.loads(os.environ["HPCHUB_CHECK"])
    tell(node=os.environ.get("SLURMD_NODENAME") or platform.node(), python=platform.python_version())
    reach_hub(asked["hub_url"].rstrip("/"))
    make_credential(asked["munge"])
    wait_for_visitor(asked["address"], asked["word"])


if __name__ == "__main__":
    main()
