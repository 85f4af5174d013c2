"""Sign-in at a provider of identities, which runs beside the hub: the same people with the same password."""

from __future__ import annotations

import json
import secrets
import time
import urllib.request

from demo.cache import PROVIDER, digest, node_folder, npm_ci
from demo.hub import START_SECONDS, provider
from demo.place import PASSWORD, REPOSITORY, Place
from demo.steps import LINES_OF_A_FAILURE, Argv, DemoError, acting_as, step, system_environment
from hpchub.whole import write_whole

CLIENT = "hpchub-demo"
ADMINS, TRAINERS = "hub-admins", "course-teachers"
"""The provider's own names of groups; the site's rules say what they mean."""


def block(place: Place) -> str:
    """Return the site file's lines about sign-in."""
    settings = {
        "kind": "oidc",
        "oidc": {
            "title": {"en": "the demo's login", "it": "il login della demo"},
            "issuer": issuer(place),
            "client_id": CLIENT,
            "callback_url": f"{place.url}/hub/oauth_callback",
            "admin_groups": [ADMINS],
            "trainer_groups": [TRAINERS],
            "account": {"source": "claim", "claim": "preferred_username"},
            "refresh_seconds": 10,
        },
    }
    return f"sign_in: {json.dumps(settings)}\n"


def issuer(place: Place) -> str:
    """Return the provider's address."""
    return f"http://127.0.0.1:{place.provider_port}"


def start(place: Place) -> None:
    """Start the provider where it does not run, if people are to sign in there; else stop it."""
    daemon = provider(place)
    if place.auth != "oidc":
        daemon.stop()
        return
    _write_settings(place)
    if daemon.pid() is not None:
        return
    with step("starting the provider of identities"):
        mark = place.provider / ".provider-made-from"
        if not mark.is_file() or mark.read_text() != digest(PROVIDER):
            npm_ci(PROVIDER, place.venv, place.provider, place.cache / "npm", offline=True)
            mark.write_text(digest(PROVIDER))
        (place.provider / "provider.mjs").write_bytes((REPOSITORY / "demo/provider/provider.mjs").read_bytes())
        _launch(place)
        _wait_for_answer(place)


def people(place: Place) -> dict[str, object]:
    """Return the provider's people: each one's name on the cluster, and their groups there."""
    known = place.people
    return {
        name: {
            "password": PASSWORD,
            "claims": {
                "preferred_username": name,
                "groups": [
                    "hpc",
                    *([ADMINS] if name in known.admins else []),
                    *([TRAINERS] if name in known.trainers else []),
                ],
            },
        }
        for name in known.names
    }


def _write_settings(place: Place) -> None:
    with acting_as(place.people.hub_user):
        secret = place.hub / "secrets" / "oidc-client-secret"
        if not secret.is_file():
            write_whole(secret, secrets.token_hex(32).encode())
        settings = {
            "issuer": issuer(place),
            "port": place.provider_port,
            "people": str(place.hub / "provider-people.json"),
            "client": {
                "id": CLIENT,
                "secret": secret.read_text(),
                "callback_url": f"{place.url}/hub/oauth_callback",
                "signed_out_url": f"{place.url}/hub/login",
            },
        }
        write_whole(place.hub / "provider.json", json.dumps(settings).encode())
        # the provider reads it at each question, also at this moment
        write_whole(place.hub / "provider-people.json", json.dumps(people(place), indent=1).encode())


def _launch(place: Place) -> None:
    program: Argv = [node_folder(place.venv) / "bin" / "node", "provider.mjs", place.hub / "provider.json"]
    environment = system_environment(HOME=str(place.hub), NODE_DISABLE_COMPILE_CACHE="1")
    provider(place).launch(program, place.provider, environment, place.hub / "provider.log")


def _wait_for_answer(place: Place) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with opener.open(f"{issuer(place)}/.well-known/openid-configuration", timeout=5):
                return
        except OSError:
            if provider(place).pid() is None or time.monotonic() > deadline:
                with acting_as(place.people.hub_user):
                    lines = (place.hub / "provider.log").read_text(errors="replace").splitlines()
                tail = "\n".join(lines[-LINES_OF_A_FAILURE:])
                raise DemoError(f"The provider of identities does not answer. The end of its log:\n{tail}") from None
        time.sleep(0.05)
