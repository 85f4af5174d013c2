"""The running hub: whether it answers, by itself and through the proxy, and what it was started with."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Awaitable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from hpchub.checks.doctor.deployment import Deployment
from hpchub.checks.doctor.http import NoAnswer, get
from hpchub.checks.finding import Finding, fault, fine, not_checked, warning

OLDEST, TOO_NEW = (6, 1), (7, 0)
"""The versions of JupyterHub that this project is tested with."""
CERTIFICATE_DAYS = 14


async def hub(deployment: Deployment) -> list[Finding]:
    """The hub at its own address, its settings, its database and the proxy behind it."""
    url = deployment.site.hub.hub_url.rstrip("/")
    try:
        version = (await get(f"{url}/hub/api", hub=deployment.site.hub)).json.get("version")
    except NoAnswer as error:
        says = f"Nothing answers at hub_url {url}: {error}."
        return [
            fault("hub", says, "Start the hub, or correct `hub_url` in the site file: jobs report to this address.")
        ]
    if version is None:
        return [fault("hub", f"What answers at hub_url {url} is no JupyterHub.", "Correct `hub_url` in the site file.")]
    answers = await asyncio.gather(_through_the_proxy(deployment, version), *_asked_with_token(deployment, url))
    findings = [fine("hub", f"JupyterHub {version} answers at {url}."), _version(version)]
    return [*findings, *(finding for answer in answers for finding in answer)]


def _asked_with_token(deployment: Deployment, url: str) -> tuple[Awaitable[list[Finding]], ...]:
    if deployment.token:
        return _settings(deployment, url), _proxy_api(deployment, url)
    return (_no_token(),)


async def _no_token() -> list[Finding]:
    says = "There is no token of the hub's API, so its settings, its database and its proxy were not asked for."
    return [not_checked("hub settings", says, "Give one: `--token-file FILE`, or HPCHUB_TOKEN.")]


def _version(text: str) -> Finding:
    number = tuple(int(part) for part in text.split(".")[:2] if part.isdigit())
    if OLDEST <= number < TOO_NEW:
        return fine("versions", f"JupyterHub {text} is one that this project knows.")
    says = f"JupyterHub {text} is not one that this project is tested with ({OLDEST[0]}.{OLDEST[1]} to 6.x)."
    return warning("versions", says, "Install the version of requirements/hub.txt.")


async def _through_the_proxy(deployment: Deployment, version: str) -> list[Finding]:
    url = deployment.site.hub.bind_url.rstrip("/")
    try:
        answer = await get(f"{url}/hub/api")
    except NoAnswer as error:
        says = f"Browsers cannot reach the hub: nothing answers at bind_url {url}: {error}."
        remedy = "Is the proxy running? The hub starts it anew within a minute if it died."
        if not deployment.site.hub.starts_proxy:
            remedy = "Is the proxy running? `systemctl status hpchub-proxy.service` says so, and why not."
        return [fault("proxy", says, remedy)]
    if answer.json.get("version") != version:
        says = f"At bind_url {url} something else answers than this hub (status {answer.status})."
        return [fault("proxy", says, "Is another program on that port? Compare `bind_url` with the proxy's settings.")]
    return [fine("proxy", f"browsers reach the hub at {url}.")]


async def _settings(deployment: Deployment, url: str) -> list[Finding]:
    try:
        answer = await get(f"{url}/hub/api/hpchub/deployment", deployment.token, deployment.site.hub)
    except NoAnswer as error:
        return [fault("hub settings", f"The hub does not tell its settings: {error}.", "Its log says why.")]
    if answer.status in (401, 403):
        says = "The hub does not accept this token for its settings."
        return [not_checked("hub settings", says, "It needs the scope read:hub: `--token-file`, or HPCHUB_TOKEN.")]
    if answer.status == 503:
        says = "The hub's database does not answer it."
        return [
            fault("database", says, "Is it running, and does the hub's user reach it? The hub's log has the error.")
        ]
    if answer.status != 200:
        says = f"The hub answers {answer.status} when it is asked for its settings."
        return [fault("hub settings", says, "Its log says why; is it of this version?")]
    return [*judged(answer.json), _database(answer.json), _files(answer.json)]


def judged(settings: Mapping[str, Any]) -> Iterator[Finding]:
    """Judge the settings by which a hub on Slurm would lose sessions or turn people away."""
    wrong = False
    if settings["cleanup_servers"]:
        wrong = True
        says = "JupyterHub.cleanup_servers is on: a stop of the hub ends everybody's session."
        yield fault("hub settings", says, "Set it to False; look into jupyterhub_local.py.")
    limit = settings["concurrent_spawn_limit"]
    if limit:
        wrong = True
        says = (
            f"JupyterHub.concurrent_spawn_limit is {limit}: who waits in Slurm's queue counts, and others get an error."
        )
        yield fault("hub settings", says, "Set it to 0; the launcher has a limit of its own.")
    if settings["cleanup_proxy"]:
        wrong = True
        says = "JupyterHub.cleanup_proxy is on: nobody reaches a notebook while the hub restarts."
        yield warning("hub settings", says, "Set it to False; look into jupyterhub_local.py.")
    if not wrong:
        yield fine("hub settings", "sessions outlive the hub, and waiting people turn nobody away.")


def _database(settings: Mapping[str, Any]) -> Finding:
    return fine("database", f"{settings['database']} answers the hub.")


def _files(settings: Mapping[str, Any]) -> Finding:
    problems = settings["catalogue_problems"]
    if problems:
        says = f"The hub serves an older catalogue, because the files on disk are wrong: {problems[0]}"
        return fault("catalogue in service", says, "`hpchub profiles lint` shows all mistakes.")
    return fine("catalogue in service", f"that of {settings['site_file']}.")


async def _proxy_api(deployment: Deployment, url: str) -> list[Finding]:
    api = deployment.site.hub.proxy_api_url
    remedy = f"Is the proxy running, does its API listen at {api}, and has it this hub's token? See the hub's log."
    try:
        answer = await get(f"{url}/hub/api/proxy", deployment.token, deployment.site.hub)
    except NoAnswer as error:
        return [fault("proxy API", f"The hub gets no answer from the proxy's API at {api}: {error}.", remedy)]
    if answer.status in (401, 403):
        says = "The hub does not accept this token for its proxy."
        return [not_checked("proxy API", says, "It needs the scope proxy.")]
    if answer.status != 200:
        return [fault("proxy API", f"The hub cannot steer the proxy at {api} (status {answer.status}).", remedy)]
    return [fine("proxy API", f"the hub steers the proxy; {len(answer.json)} routes.")]


async def certificate(deployment: Deployment) -> list[Finding]:
    """The certificate that browsers see, where bind_url has one."""
    url = urlsplit(deployment.site.hub.bind_url)
    if url.scheme != "https":
        says = f"bind_url {deployment.site.hub.bind_url} is plain HTTP, so there is none here."
        return [not_checked("certificate", says, "Outside of one machine, let a web server in front speak TLS.")]
    try:
        days = await asyncio.to_thread(_days_left, str(url.hostname), url.port or 443)
    except ssl.SSLCertVerificationError as error:
        says = f"Browsers do not trust the certificate of {url.hostname}: {error.verify_message}."
        return [fault("certificate", says, "Renew it, with the whole chain of its authority.")]
    except OSError as error:
        return [fault("certificate", f"{url.hostname} does not speak TLS: {error}.", "Is the web server running?")]
    says = f"the certificate of {url.hostname} ends in {days:.0f} days."
    if days < CERTIFICATE_DAYS:
        return [warning("certificate", says, "Renew it; does what renews it still run?")]
    return [fine("certificate", says)]


def _days_left(host: str, port: int) -> float:
    context = ssl.create_default_context()
    with socket.create_connection((host, port), timeout=10) as plain:
        with context.wrap_socket(plain, server_hostname=host) as secure:
            certificate = secure.getpeercert() or {}
    return (ssl.cert_time_to_seconds(str(certificate["notAfter"])) - time.time()) / 86400
