"""What a job may tell the hub, with its server's own token: three typed fields, and nothing of anybody else's."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.hub.processes import report, token_of
from tests.support.form import FormSession, Page
from tests.support.site import Site
from tests.support.wait import until

FREE = {"profile": "general/data-preparation", "size": "small", "minutes": 60}


@dataclass(frozen=True)
class Running:
    """A ready session and its server's token."""

    user: str
    session: dict[str, Any]
    token: str

    @property
    def id(self) -> str:
        return str(self.session["id"])


def running(site: Site, user: str) -> Running:
    session = site.run(user, FREE)
    return Running(user, session, token_of(session["id"]))


@pytest.fixture(scope="module")
def ada(started_site: Site) -> Iterator[Running]:
    """One session for all tests here: none of them may harm it."""
    yield running(started_site, "ada")
    started_site.stop_servers()


@pytest.fixture(scope="module")
def bruno(started_site: Site, ada: Running) -> Running:
    return running(started_site, "bruno")


@pytest.fixture
def untouched(started_site: Site, ada: Running) -> Iterator[Site]:
    """Check that a test has changed nothing of ada's session."""
    before = started_site.server("ada")["state"]
    yield started_site
    assert started_site.server("ada")["state"] == before
    assert started_site.server("ada")["ready"]


@pytest.mark.parametrize(
    "field",
    [
        "node", "address", "ip", "url", "job_id", "job_status", "ending", "says", "token_id", "user", "state", "cmd",
        "current_ip", "batch_submit_cmd", "batch_script", "req_prologue", "exec_prefix", "env", "__class__", "",
    ],
)  # fmt: skip
@pytest.mark.parametrize("phase", [{"phase": "starting"}, {"phase": "failed"}, {}], ids=["starting", "failed", "none"])
def test_a_field_that_is_none_of_the_three_is_refused(
    untouched: Site, ada: Running, field: str, phase: dict[str, str]
) -> None:
    status, sentence = report(untouched, ada.id, {**phase, field: "127.0.0.1"}, ada.token)
    assert status == 400
    assert f"{field}: Extra inputs are not permitted" in sentence


PHASES = "Input should be 'starting', 'ready', 'failed' or 'ended'"


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        pytest.param({"phase": "queued"}, f"phase: {PHASES}", id="a phase that is not the job's to say"),
        pytest.param({"phase": "submitted"}, f"phase: {PHASES}", id="a phase of before"),
        pytest.param({"phase": 1}, f"phase: {PHASES}", id="a number as phase"),
        pytest.param({"phase": ["ready"]}, f"phase: {PHASES}", id="a list as phase"),
        pytest.param({"phase": None}, f"phase: {PHASES}", id="null as phase"),
        pytest.param({}, "phase: Field required", id="no phase"),
        pytest.param({"port": 8888}, "phase: Field required", id="a port alone"),
        pytest.param({"phase": "ready"}, "port belongs to the phase ready, and is needed there", id="no port"),
        pytest.param({"phase": "ready", "port": None}, "port belongs to the phase ready", id="null as port"),
        pytest.param({"phase": "starting", "port": 8888}, "port belongs to the phase ready", id="a port too early"),
        pytest.param(
            {"phase": "ready", "port": 22}, "port: Input should be greater than or equal to 1024", id="port 22"
        ),
        pytest.param(
            {"phase": "ready", "port": 1023}, "port: Input should be greater than or equal to 1024", id="1023"
        ),
        pytest.param({"phase": "ready", "port": 0}, "port: Input should be greater than or equal to 1024", id="0"),
        pytest.param({"phase": "ready", "port": -1}, "port: Input should be greater than or equal to 1024", id="-1"),
        pytest.param(
            {"phase": "ready", "port": 65536}, "port: Input should be less than or equal to 65535", id="65536"
        ),
        pytest.param({"phase": "ready", "port": 10**40}, "port: Input should be less than or equal to", id="10^40"),
        pytest.param({"phase": "ready", "port": "8888"}, "port: Input should be a valid integer", id="port as text"),
        pytest.param({"phase": "ready", "port": True}, "port: Input should be a valid integer", id="port as boolean"),
        pytest.param({"phase": "ready", "port": 8888.0}, "port: Input should be a valid integer", id="port as float"),
        pytest.param({"phase": "ready", "port": [8888]}, "port: Input should be a valid integer", id="port as list"),
        pytest.param(
            {"phase": "ready", "port": 8888, "message": "x"}, "message belongs to the phase failed", id="words"
        ),
        pytest.param(
            {"phase": "failed", "message": 7}, "message: Input should be a valid string", id="number as message"
        ),
        pytest.param({"phase": "failed", "message": "x" * 8001}, "message: String should have at most 8000", id="8001"),
        pytest.param([{"phase": "starting"}], "body: Input should be an object", id="a list"),
        pytest.param("starting", "body: Input should be an object", id="a text"),
        pytest.param(b"phase=starting", "body: Invalid JSON", id="a form"),
        pytest.param(b"", "body: Invalid JSON", id="nothing"),
        pytest.param(b"\xff\xfe", "body: Invalid JSON", id="no text"),
        pytest.param(b"[" * 60_000, "body: Invalid JSON", id="60,000 brackets"),
        pytest.param(b" " * 65_537, "A report has at most 65536 bytes.", id="64 KB and one byte"),
        pytest.param(b"x" * 20_000_000, "A report has at most 65536 bytes.", id="20 MB"),
    ],
)
def test_a_report_of_another_form_is_refused(untouched: Site, ada: Running, body: Any, sentence: str) -> None:
    status, answer = report(untouched, ada.id, body, ada.token)
    assert status == 400
    assert sentence in answer
    assert len(answer) < 600


def test_a_second_port_is_refused(untouched: Site, ada: Running) -> None:
    port = untouched.server("ada")["state"]["session"]["port"]
    answer = report(untouched, ada.id, {"phase": "ready", "port": 1024 if port != 1024 else 1025}, ada.token)
    assert answer == (409, "this session has reported another port already")
    assert report(untouched, ada.id, {"phase": "ready", "port": port}, ada.token)[0] == 204


def test_a_phase_of_before_changes_nothing(untouched: Site, ada: Running) -> None:
    assert report(untouched, ada.id, {"phase": "starting"}, ada.token) == (204, "")
    assert untouched.session("ada")["phase"] == "ready"


def test_who_looks_at_a_server_that_is_just_failing_is_told_so(started_site: Site) -> None:
    carla = running(started_site, "carla")
    person = FormSession(started_site.url, carla.user)
    assert report(started_site, carla.id, {"phase": "failed", "message": "out of luck"}, carla.token)[0] == 204
    seen: list[Page] = []

    def is_over() -> bool:
        # straight from the proxy, which has no route any more, to the hub
        seen.append(person.fetch(f"/user/{carla.user}/lab"))
        return started_site.session(carla.user)["phase"] == "ended" and "out of luck" in seen[-1].source

    until(is_over, "the page to say how it ended", 90)
    assert [page.url for page in seen if page.status == 500] == []


@pytest.mark.parametrize("body", [{"phase": "failed", "message": "x"}, {"phase": "starting"}, {"port": 1}])
def test_another_users_session_cannot_be_touched(untouched: Site, ada: Running, bruno: Running, body: Any) -> None:
    answer = report(untouched, ada.id, body, bruno.token)
    assert answer == (403, "This token is not the one of this session.")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/users/ada/server", FREE),
        ("DELETE", "/users/ada/server", None),
        ("PATCH", "/users/ada/server", {"user_options": {}}),
        ("GET", "/users/ada/server", None),
        ("GET", "/users/ada", None),
        ("POST", "/users/ada/activity", {"last_activity": "2030-01-01T00:00:00Z"}),
        ("POST", "/users/ada/tokens", {}),
        ("GET", "/users/ada/tokens", None),
        ("GET", "/users/ada/server/progress", None),
        ("POST", "/shares/ada/", {"user": "bruno"}),
    ],
)
def test_a_servers_token_opens_nothing_of_another_user(
    untouched: Site, ada: Running, bruno: Running, method: str, path: str, body: Any
) -> None:
    assert untouched.api(method, path, body, token=bruno.token).status in (403, 404)


def test_a_session_is_read_by_its_own_user_only(untouched: Site, ada: Running, bruno: Running) -> None:
    path = f"/hpchub/sessions/{ada.id}"
    assert untouched.api("GET", path, token=bruno.token).status in (403, 404)
    assert untouched.api("GET", path, token=untouched.token_of("bruno")).status in (403, 404)
    assert untouched.api("GET", path, token="").status == 403
    assert untouched.api("GET", path, token=untouched.token_of("ada")).json["id"] == ada.id
    seen = untouched.api("GET", "/hpchub/sessions", token=untouched.token_of("bruno")).json
    assert {session["user"] for session in seen} == {"bruno"}


def test_a_server_answers_its_own_user_only(untouched: Site, ada: Running, bruno: Running) -> None:
    path = "/user/ada/api/status"
    assert untouched.get(path, token=untouched.token_of("ada")).status == 200
    assert untouched.get(path, token=untouched.token_of("bruno")).status == 403
    assert untouched.get(path, token=bruno.token).status == 403


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"])
def test_batchspawners_handler_does_not_exist(untouched: Site, ada: Running, method: str) -> None:
    tokens = {"the server's": ada.token, "the user's": untouched.token_of("ada"), "admin's": untouched.admin_token}
    body = None if method in ("GET", "HEAD") else {"port": 4444, "batch_submit_cmd": "id"}
    found = {name: untouched.api(method, "/batchspawner", body, token=token).status for name, token in tokens.items()}
    assert found == dict.fromkeys(tokens, 404)


def test_without_a_token_there_is_nothing_to_report(untouched: Site, ada: Running) -> None:
    request = urllib.request.Request(
        f"{untouched.hub_url}/hub/api/hpchub/sessions/{ada.id}", b'{"phase": "failed"}', method="POST"
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60)
    assert refused.value.code == 403
    refused.value.close()
