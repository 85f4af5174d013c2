"""The deployment as a compute node sees it: one short real job on each cluster."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from hpchub import internal_tls
from hpchub.catalogue.site import Site
from hpchub.checks.doctor.deployment import Deployment
from hpchub.checks.doctor.slurm import clocks
from hpchub.checks.finding import Finding, fault, fine, not_checked
from hpchub.checks.jobs import CheckJob, CheckJobs
from hpchub.checks.targets import Payer, request_for, targets_of
from hpchub.errors import HpchubError, LauncherError, SlurmError
from hpchub.jobs import script
from hpchub.slurm import settings
from hpchub.slurm.model import ClusterView, Node

JOB_NAME = "hpchub-doctor"
MINUTES = 2
"""The job's time limit; it takes some seconds."""
WAIT_SECONDS = 180.0
"""How long the job may take, its time in the queue included."""
VISIT_SECONDS = 5.0


@dataclass(slots=True)
class Visit:
    """What the hub's side learns while the job waits for a visitor."""

    word: str = field(default_factory=lambda: secrets.token_hex(16))
    address: str = ""
    problem: str = ""
    succeeded: bool = False


async def node(deployment: Deployment, cluster: str) -> list[Finding]:
    """Run the job and judge what it tells."""
    if deployment.payer is None or deployment.catalogue is None:
        says = "No job was run, because nobody was named to run it."
        return [not_checked("job", says, "`--user NAME`, or `checks` in the site file.", cluster)]
    client = deployment.clients[cluster]
    try:
        view = await _view(deployment, cluster)
        job = _job(deployment, cluster, view, deployment.payer)
        munge = await _munge(deployment, cluster)
    except (HpchubError, SlurmError) as error:
        return [not_checked("job", f"No job was run: {error}", "Mend that, or name another `--user`.", cluster)]
    visit = Visit()
    site = deployment.site
    asked = {
        "hub_url": site.hub.hub_url,
        "address": site.clusters[cluster].notebook_address,
        "word": visit.word,
        "munge": munge,
    }
    job.environment = {"HPCHUB_CHECK": json.dumps(asked), **_certificate(site, job)}
    runner = CheckJobs(deployment.launcher, {cluster: client}, JOB_NAME, WAIT_SECONDS)

    async def visit_it(running: CheckJob) -> None:
        await _visit(deployment, running, visit, view.nodes)

    await runner.run([job], visit_it)
    return await _judged(deployment, cluster, job, visit, munge)


def _certificate(site: Site, job: CheckJob) -> dict[str, str]:
    """Give the job a certificate as a session's has one, where the hub asks for it."""
    if not site.hub.internal_tls:
        return {}
    try:
        return {internal_tls.VARIABLE: internal_tls.for_session(site, job.request.session_id, MINUTES)}
    except OSError:
        return {}  # not as root or the hub's user: what the hub then says is told


async def _view(deployment: Deployment, cluster: str) -> ClusterView:
    client = deployment.clients[cluster]
    partitions, nodes = await client.partitions(), await client.nodes()
    associations, qos = await client.associations(), await client.qos()
    return ClusterView(cluster, taken_epoch=1, partitions=partitions, nodes=nodes, associations=associations, qos=qos)


def _job(deployment: Deployment, cluster: str, view: ClusterView, payer: Payer) -> CheckJob:
    """Make the smallest job that some profile's place takes."""
    catalogue = deployment.catalogue
    if catalogue is None:
        raise HpchubError("the catalogue is wrong.")
    targets = targets_of(catalogue, catalogue.profiles.values(), cluster)
    reasons = ["no profile runs there."]
    for target in sorted(targets, key=lambda each: (each.size.gpus, each.size.cores)):
        try:
            request = request_for(target, catalogue, view, payer, MINUTES)
        except HpchubError as error:
            reasons.append(str(error))
            continue
        return CheckJob(request, script.render(request, JOB_NAME, _program()))
    raise HpchubError(reasons[-1])


def _program() -> str:
    return Path(__file__).with_name("node_program.py").read_text(encoding="utf-8")


async def _munge(deployment: Deployment, cluster: str) -> dict[str, str]:
    """Say how the node's credential is to be made; nothing where munge is not used or the hub is elsewhere."""
    if deployment.site.clusters[cluster].ssh is not None:
        return {}
    told = settings.read_settings(await deployment.clients[cluster].answer(settings.controller_settings(cluster)))
    if told.get("authtype") != "auth/munge":
        return {}
    words = dict(word.partition("=")[::2] for word in told.get("authinfo", "").split(","))
    return {"socket": words.get("socket", ""), "reader": deployment.hub_user}


async def _visit(deployment: Deployment, job: CheckJob, visit: Visit, nodes: tuple[Node, ...]) -> None:
    """Connect to the job's port once it has told which one it is."""
    request = job.request
    try:
        job.log = await deployment.launcher.log(request.user, request.cluster, request.session_id)
    except LauncherError:
        return
    port = job.told.get("port")
    if visit.succeeded or not isinstance(port, int) or job.job is None or job.job.node is None:
        return
    name = job.job.node
    visit.address = next((node.address for node in nodes if node.name == name), name)
    try:
        async with asyncio.timeout(VISIT_SECONDS):
            reader, writer = await asyncio.open_connection(visit.address, port)
            answer = await reader.read(100)
            writer.close()
    except (OSError, TimeoutError) as error:
        visit.problem = str(error) or f"no connection in {VISIT_SECONDS:.0f} s"
    else:
        visit.succeeded = answer.decode(errors="replace") == visit.word
        visit.problem = "" if visit.succeeded else "something else answered"


async def _judged(
    deployment: Deployment, cluster: str, job: CheckJob, visit: Visit, munge: dict[str, str]
) -> list[Finding]:
    told, request = job.told, job.request
    where = f"{request.partition} as {request.user}, {request.account}"
    if "node" not in told:
        says = f"A job on {where}, did not run: {job.problem or 'it told nothing; its log is empty.'}"
        return [fault("job", says, f"Its log: ~{request.user}/.local/share/hpchub/{request.session_id}.log", cluster)]
    findings = [fine("job", f"it ran on {told['node']} ({where}); Python {told['python']}.", cluster)]
    findings += _network(deployment, cluster, job, visit)
    if told.get("hub_epoch") is not None:
        apart = float(told["node_epoch"]) - float(told["hub_epoch"])
        findings.append(clocks(f"the node {told['node']}", "the hub's machine", apart, cluster))
    if munge:
        findings.append(await _munge_finding(told, munge, cluster))
    return findings


def _network(deployment: Deployment, cluster: str, job: CheckJob, visit: Visit) -> Iterator[Finding]:
    told, url = job.told, deployment.site.hub.hub_url
    if told.get("hub_version"):
        yield fine("node to hub", f"{told['node']} reaches the hub at {url}.", cluster)
    else:
        reason = told.get("hub_problem") or "what answers there is no JupyterHub"
        says = f"{told['node']} does not reach the hub at hub_url {url}: {reason}."
        remedy = "Set `hub_url` to an address that nodes reach, and open the firewall from the nodes to it."
        yield fault("node to hub", says, remedy, cluster)
    if visit.succeeded:
        yield fine("hub to node", f"the hub reaches port {told['port']} of {told['node']} ({visit.address}).", cluster)
    else:
        address = deployment.site.clusters[cluster].notebook_address
        where = f"port {told['port']} of {told['node']} ({visit.address})" if "port" in told else str(told["node"])
        reason = visit.problem or f"it could not listen at notebook_address {address}, or was gone too soon"
        says = f"The hub does not reach {where}: {reason}."
        remedy = f"Open the firewall from the hub to the nodes; is notebook_address {address} one that they have?"
        yield fault("hub to node", says, remedy, cluster)


async def _munge_finding(told: dict[str, object], munge: dict[str, str], cluster: str) -> Finding:
    if "credential" not in told:
        says = f"munge does not work on {told['node']}: {told.get('munge_problem', 'nothing was told')}"
        return fault("munge", says, "`systemctl restart munge` on the node.", cluster)
    options = ["--socket=" + munge["socket"]] if munge["socket"] else []
    process = await asyncio.create_subprocess_exec(
        "unmunge",
        *options,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate(str(told["credential"]).encode())
    if process.returncode == 0:
        return fine("munge", f"the hub's machine reads a credential of {told['node']}.", cluster)
    words = next((line for line in out.decode(errors="replace").splitlines() if "STATUS" in line), "") or "no status"
    says = f"The hub's machine does not accept a credential of {told['node']}: {words.partition(':')[2].strip()}."
    return fault("munge", says, "Copy the same munge.key to both, restart munge there, compare the clocks.", cluster)
