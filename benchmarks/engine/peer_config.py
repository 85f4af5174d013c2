"""The hub of a peer, as its own README says: batchspawner's SlurmSpawner or MOSS, with their defaults.

What HPCHUB_BENCH_PEER names is a JSON file with ``spawner``, ``port``, ``token``, ``proxy_token``, ``people``,
``folder``, ``bin`` (of the notebooks' environment) and ``cheap`` (a program in place of the notebook server, or null).
"""

import json
import os
from pathlib import Path

c = get_config()  # type: ignore[name-defined]  # noqa: F821 - given by JupyterHub

peer = json.loads(Path(os.environ["HPCHUB_BENCH_PEER"]).read_text())
port = peer["port"]

c.JupyterHub.bind_url = f"http://127.0.0.1:{port}"
c.JupyterHub.hub_bind_url = f"http://127.0.0.1:{port + 81}"
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{port + 1}"
c.ConfigurableHTTPProxy.auth_token = peer["proxy_token"]
c.JupyterHub.db_url = f"sqlite:///{peer['folder']}/jupyterhub.sqlite"
c.JupyterHub.cookie_secret_file = f"{peer['folder']}/cookie-secret"
c.ConfigurableHTTPProxy.pid_file = f"{peer['folder']}/proxy.pid"
c.JupyterHub.allow_named_servers = True
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allowed_users = set(peer["people"])
c.JupyterHub.services = [{"name": "bench", "api_token": peer["token"]}]
c.JupyterHub.load_roles = [
    {
        "name": "bench",
        "scopes": ["admin:users", "admin:servers", "list:users", "read:hub", "tokens", "access:servers"],
        "services": ["bench"],
    }
]
# The server starts at once, or the queue is waited for, as long as it takes.
c.Spawner.start_timeout = 3600
c.Spawner.http_timeout = 120
# Everything is on one machine; without it 100 starts at once are the most, and the rest is refused.
c.JupyterHub.concurrent_spawn_limit = 0

import batchspawner  # noqa: E402, F401 - its README: this registers the handler that jobs tell their port to

if peer["spawner"] == "moss":
    import jupyterhub_moss  # type: ignore[import-not-found]  # the benchmark's alone

    jupyterhub_moss.set_config(c)
    environment = {"description": "base", "path": f"{peer['bin']}/", "modules": "", "add_to_path": True}
    c.MOSlurmSpawner.partitions = {
        "lrd_all_serial": {
            "architecture": "x86_64",
            "description": "The partition of the benchmark",
            "gpu": "",
            "max_ngpus": 0,
            "simple": True,
            "jupyter_environments": {"base": environment},
        }
    }
else:
    c.JupyterHub.spawner_class = "batchspawner.SlurmSpawner"
    c.SlurmSpawner.req_partition = "lrd_all_serial"
    c.SlurmSpawner.req_memory = "7700M"
    c.SlurmSpawner.req_nprocs = "1"
    c.SlurmSpawner.req_runtime = "4:00:00"
    c.SlurmSpawner.batchspawner_singleuser_cmd = f"{peer['bin']}/batchspawner-singleuser"
    c.Spawner.cmd = [f"{peer['bin']}/jupyterhub-singleuser"]
    c.Spawner.default_url = "/lab"
    if peer["cheap"]:
        c.SlurmSpawner.batchspawner_singleuser_cmd = peer["cheap"]
