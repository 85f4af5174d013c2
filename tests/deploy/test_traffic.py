"""With `hub.internal_tls`, who listens on the network between the machines reads no request and no answer."""

from __future__ import annotations

from tests.deploy.capture import captured
from tests.deploy.conftest import Deployed
from tests.deploy.fleet import ADDRESSES
from tests.deploy.notebook import Notebook
from tests.support.wait import until

HUB, NODE = ADDRESSES["hub"], ADDRESSES["node1"]
HUB_PORT = 8081
INTERFACES = [f"ve-{name}" for name in ADDRESSES]
ASK_PLAINLY = """
import socket
with socket.create_connection(("{}", 80)) as asking:
    asking.sendall(b"GET /control HTTP/1.1\\r\\n\\r\\n")
    asking.recv(100)
"""


def test_a_notebook_s_life_is_no_plain_http_between_machines(deployed: Deployed) -> None:
    notebook = Notebook(deployed)
    with captured(INTERFACES) as traffic:
        notebook.start()
        kernel = notebook.ask("POST", "/user/ada/api/kernels", {})
        assert notebook.ask("GET", f"/user/ada/api/kernels/{kernel['id']}")["id"] == kernel["id"]
        until(lambda: notebook.ask("GET", "/user/ada/hpchub/session").get("ends_epoch"), "news from the hub", 60)
        notebook.stop()
    print(f"{traffic.segments} segments, {sum(traffic.hellos.values())} connections with TLS, {traffic.lost} lost")
    assert traffic.plain == []
    assert traffic.lost == 0
    to_hub = {(source, port) for source, target, port in traffic.hellos if target == HUB}
    assert (NODE, HUB_PORT) in to_hub, "the job reports, and its notebook asks"
    to_node = {port for source, target, port in traffic.hellos if (source, target) == (HUB, NODE)}
    assert len(to_node) == 1, "hub and proxy ask the notebook"


def test_plain_http_would_have_been_seen(deployed: Deployed) -> None:
    with captured(INTERFACES) as traffic:
        asked = deployed.fleet.machines["node1"].run("python3", "-c", ASK_PLAINLY.format(HUB))
        assert asked.status == 0, asked.output
    said = [each for each in traffic.plain if "GET /control HTTP/1.1" in each]
    assert said and said[0].startswith(NODE)
    assert any(each.startswith(f"{HUB}:80 ") for each in traffic.plain), "and nginx's answer"


def test_a_switch_of_the_setting_is_refused_while_a_session_runs(deployed: Deployed) -> None:
    notebook = Notebook(deployed)
    site = deployed.fleet.folder / "files" / "site.yaml"
    encrypted = site.read_text()
    notebook.start()
    try:
        site.write_text(encrypted.replace("hub_url: https", "hub_url: http").replace("  internal_tls: true\n", ""))
        judged = deployed.fleet.play("ansible/playbooks/validate.yml", good=False)
    finally:
        site.write_text(encrypted)
        notebook.stop()
    assert judged.status != 0
    assert "hub.internal_tls changes, and 1 sessions run or wait" in judged.output
    assert judged.summary["hub.test"]["changed"] == 0
