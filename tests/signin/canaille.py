"""Another provider of identities than the demo's: Canaille, from PyPI, as a process with a database of its own.

It does much in another way: a page for the name and one for the password, a question whether the hub may know who one
is, groups only where their scope is asked for and no such claim where there are none, no name of an account, and a
sign-out without a question.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import urllib.request
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tests.support.site import PASSWORD, Site
from tests.support.wait import until

CLIENT = "notebooks"
SCOPES = ("openid", "profile", "groups")
START_SECONDS = 120
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Canaille:
    """One Canaille, whose one client is a site's hub.

    Args:
        site: the site.
        folder: where its settings and its database lie.
        people: the groups of each person, by the name there.
    """

    def __init__(self, site: Site, folder: Path, people: Mapping[str, Sequence[str]]) -> None:
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._site, self._folder, self._people = site, folder, people
        # as the demo fetches it for the tests
        self._programs = Path(os.environ["HPCHUB_DEMO_CACHE"]) / "fetched" / "canaille" / "bin"
        self._log = folder / "canaille.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; at the first time with its people and its client."""
        first = not (self._folder / "canaille.toml").exists()
        if first:
            (self._folder / "canaille.toml").write_text(self._settings())
        with self._log.open("ab") as log:
            argv = [str(self._programs / "canaille"), "run"]
            self._process = subprocess.Popen(
                argv, cwd=self._folder, env=self._environment(), stdout=log, stderr=log, start_new_session=True
            )
        until(self._answers, "Canaille to answer", START_SECONDS)
        if first:
            self._command("restore", given=json.dumps(self._content()))

    def stop(self) -> None:
        """Kill it, as a machine that goes down would."""
        if self._process is not None:
            # where it has not even started, there is nothing to kill
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def put_into(self, group: str, *names: str) -> None:
        """Make these the only members of a group."""
        # without any, an empty name says that there are none
        self._command("set", "group", group, *(word for name in names or ("",) for word in ("--members", name)))

    def lock(self, name: str) -> None:
        """Close a person's account."""
        self._command("set", "user", name, "--lock-date", "2020-01-01T00:00:00+00:00")

    def _answers(self) -> bool:
        assert self._process is not None and self._process.poll() is None, self._log.read_text()
        try:
            with _OPENER.open(f"{self.url}/.well-known/openid-configuration", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def _command(self, *arguments: str, given: str = "") -> None:
        done = subprocess.run(
            [self._programs / "canaille", *arguments],
            cwd=self._folder,
            env=self._environment(),
            input=given,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"canaille {' '.join(arguments)}:\n{done.stdout}\n{done.stderr}"

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "CANAILLE_CONFIG": str(self._folder / "canaille.toml"),
            # its library wants https also on this machine
            "AUTHLIB_INSECURE_TRANSPORT": "true",
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def _settings(self) -> str:
        return f"""
SECRET_KEY = "{secrets.token_hex(32)}"
SERVER_NAME = "127.0.0.1:{self.port}"
PREFERRED_URL_SCHEME = "http"
[CANAILLE]
NAME = "Canaille"
DATABASE = "sql"
# Forms as browsers send them: what takes their place asks for the next page meanwhile, and a click can get lost.
HTMX = false
[CANAILLE_SQL]
DATABASE_URI = "sqlite:///{self._folder / "canaille.sqlite"}"
[CANAILLE_HYPERCORN]
BIND = ["127.0.0.1:{self.port}"]
WORKERS = 0
"""

    def _content(self) -> dict[str, list[dict[str, object]]]:
        ids = {name: str(uuid.uuid4()) for name in self._people}
        groups = sorted({group for found in self._people.values() for group in found})
        client = str(uuid.uuid4())
        return {
            "user": [
                {
                    "id": id_,
                    "user_name": name,
                    "formatted_name": name,
                    "family_name": name,
                    "emails": [f"{name}@example.org"],
                    "password": PASSWORD,
                }
                for name, id_ in ids.items()
            ],
            "group": [
                {
                    "id": str(uuid.uuid4()),
                    "display_name": group,
                    "members": [ids[name] for name, found in self._people.items() if group in found],
                }
                for group in groups
            ],
            "client": [
                {
                    "id": client,
                    "client_id": CLIENT,
                    "client_secret": (self._site.folder / "hub" / "secrets" / "oidc-client-secret").read_text(),
                    "client_name": "Notebooks",
                    "redirect_uris": [f"{self._site.url}/hub/oauth_callback"],
                    "post_logout_redirect_uris": [f"{self._site.url}/hub/login"],
                    "grant_types": ["authorization_code", "refresh_token"],
                    "response_types": ["code"],
                    "token_endpoint_auth_method": "client_secret_basic",
                    "scope": list(SCOPES),
                    "audience": [client],
                }
            ],
        }
