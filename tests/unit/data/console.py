"""The console in this process: its real application on a real SQLite file, and a hub that only remembers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx

from hpchub.catalogue.model import Catalogue
from hpchub.console.app import application
from hpchub.console.cards import Seal
from hpchub.console.database import migrate, opened
from hpchub.console.hub import Hub
from hpchub.console.people import Caller
from hpchub.console.rooms import Rooms
from hpchub.console.signin import BASE, COOKIE, SignIn
from hpchub.console.store import Store
from hpchub.console.verbs import Verbs
from tests.unit.data.world import demo_catalogue

NINE = 1_900_000_000
"""When the events of these tests start."""
HOUR, MINUTE = 3600, 60
CALLERS = {
    "carla": Caller("carla", frozenset({"trainers"})),
    "teresa": Caller("teresa", frozenset({"trainers"})),
    "admin": Caller("admin", admin=True),
    "ada": Caller("ada"),
    "bruno": Caller("bruno"),
    "dario": Caller("dario", frozenset({"school"})),
    "script": Caller("script", admin=True, person=False),
    "hub": Caller("events", person=False, hub=True),
}


def catalogue_with_approval() -> Catalogue:
    """The demo's catalogue on a site where administrators approve events."""
    site = demo_catalogue().site
    assert site.console is not None
    settings = site.console.model_copy(update={"approval": "admin"})
    return replace(demo_catalogue(), site=site.model_copy(update={"console": settings}))


def plan(**changes: Any) -> dict[str, Any]:
    """A plan of carla's, for eight hours."""
    return {
        "title": "GPU school",
        "starts_epoch": NINE,
        "ends_epoch": NINE + 8 * HOUR,
        "setup_minutes": 30,
        "seats": 2,
        "cluster": "leonardo",
        "allocation": "tra26_hack",
        "profile": "general/pytorch",
        **changes,
    }


@dataclass
class SmallHub:
    """Answers as the hub's API does, as far as the console asks it."""

    events: list[dict[str, Any]] = field(default_factory=list)
    servers: dict[str, dict[str, Any]] = field(default_factory=dict)
    away: bool = False
    refusal: str = ""
    findings: list[dict[str, Any]] = field(default_factory=list)
    associated: frozenset[str] = frozenset({"carla", "teresa", "ada", "bruno", "dario"})
    """Who may use the allocation of the school."""
    asked: dict[str, Any] = field(default_factory=dict)
    """The last question about capacity."""
    sessions: list[dict[str, Any]] = field(default_factory=list)
    taken: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Temporary seats that somebody took by a card, by their accounts."""
    strangers: frozenset[str] = frozenset()
    """Names of whom it knows no users."""
    unwanted: frozenset[str] = frozenset()
    """Names of whom it makes no users."""
    known: list[str] = field(default_factory=list)
    """Users that were made of the pool's accounts."""
    handed_over: list[str] = field(default_factory=list)
    not_clean: str = ""
    """Why no seat can be handed over."""
    accounted: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What Slurm's accounting has, by job."""

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.away:
            raise httpx.ConnectError("refused", request=request)
        parts = request.url.path.removeprefix("/hub/api/").split("/")
        if parts == ["hpchub", "events"]:
            if request.method == "GET":
                return httpx.Response(200, json=self.events)
            self.events = json.loads(request.content)
            return httpx.Response(204)
        if parts == ["hpchub", "capacity"]:
            self.asked = json.loads(request.content)
            may_pay = [name for name in self.asked["plan"]["people"] if name in self.associated]
            told = {"missing": True, "findings": self.findings, "reservation": None, "associated": may_pay}
            told |= {"reserved": None, "reserved_alike": False}
            return httpx.Response(200, json=told)
        if parts == ["hpchub", "accounting"]:
            asked = json.loads(request.content)["jobs"]
            return httpx.Response(200, json={job: self.accounted[job] for job in asked if job in self.accounted})
        if parts == ["hpchub", "sessions"]:
            return httpx.Response(200, json=self.sessions)
        if parts == ["hpchub", "cards"]:
            spent = {each["card"]: each["epoch"] for each in self.taken.values()}
            return httpx.Response(200, json={"spent": spent, "taken": self.taken})
        if parts[:2] == ["hpchub", "seats"]:
            refused = {"status": 409, "message": self.not_clean}
            if self.not_clean:
                return httpx.Response(409, json=refused)
            self.handed_over.append(parts[2])
            self.taken.pop(parts[2], None)
            return httpx.Response(204)
        if request.method == "POST" and len(parts) == 2 and parts[1] in self.unwanted:
            return httpx.Response(400, json={"status": 400, "message": f"No user {parts[1]}."})
        if request.method == "POST" and len(parts) == 2:
            self.known.append(parts[1])
            return httpx.Response(201, json={"name": parts[1]})
        if parts[1] in self.strangers - {*self.known}:
            return httpx.Response(404, json={"status": 404, "message": "Not Found"})
        mine = self.servers.setdefault(parts[1], {})
        if request.method == "GET":
            stopped_too = request.url.params.get("include_stopped_servers") == "1"
            shown = {name: server for name, server in mine.items() if stopped_too or not server.get("stopped")}
            return httpx.Response(200, json={"name": parts[1], "servers": shown})
        if request.method == "DELETE":
            mine.pop(parts[3], None)
            return httpx.Response(204)
        if self.refusal:
            return httpx.Response(400, json={"status": 400, "message": self.refusal})
        mine[parts[3]] = {"ready": False, "pending": "spawn", "user_options": json.loads(request.content)}
        return httpx.Response(202)

    def choice(self, user: str, server: str) -> Any:
        return self.servers[user][server]["user_options"]


class Known(SignIn):
    """Knows the people of :data:`CALLERS`, whose tokens are their names."""

    def __init__(self) -> None:
        super().__init__("http://hub/hub/api", "f" * 32, "ab" * 32)

    async def caller(self, token: str, session_id: str = "") -> Caller | None:
        return CALLERS.get(token)


class Console:
    """The application with a clock that the test moves, on SQLite where no other database is named."""

    def __init__(self, folder: Path, catalogue: Catalogue | None = None, database: str = "") -> None:
        self.folder, self.catalogue = folder, catalogue or demo_catalogue()
        self.database = database or f"sqlite:///{folder / 'console.sqlite'}"
        self.now_epoch: float = NINE - 24 * HOUR
        self.hub = SmallHub()
        self.sign_in = Known()
        self.start()

    def start(self) -> None:
        """Begin with nothing but what is on the disk."""
        engine = opened(self.database)
        migrate(engine)
        clock: Callable[[], float] = lambda: self.now_epoch  # noqa: E731 - a test's clock
        hub = Hub("http://hub/hub/api", "f" * 32, httpx.MockTransport(self.hub))
        self.verbs = Verbs(Store(engine), hub, lambda: self.catalogue, Seal("cd" * 32), clock)
        self.app = application(self.verbs, self.sign_in, with_rounds=False)
        self.rooms: Rooms = self.app.state.rooms
        self.app.state.helps.looks.seconds = -1

    async def ask(self, who: str, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """Ask the API; nobody asks where the name is empty."""
        if who:
            headers["Authorization"] = f"token {who}"
        async with self._client() as client:
            return await client.request(method, f"{BASE}api{path}", json=body, headers=headers)

    async def create(self, who: str = "carla", **changes: Any) -> dict[str, Any]:
        """Create an event."""
        answer = await self.ask(who, "POST", "/events", plan(**changes))
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def visit(
        self,
        who: str,
        path: str,
        form: Mapping[str, str] | None = None,
        language: str = "en",
        more: Mapping[str, str] = MappingProxyType({}),
    ) -> httpx.Response:
        """Open a page, or send its form, as somebody's browser does, with these headers more."""
        headers = dict(more)
        async with self._client() as client:
            if who:
                client.cookies.set(COOKIE, self.sign_in.sealed(who))
            headers["Accept-Language"] = language
            if form is None:
                return await client.get(f"{BASE}{path}", headers=headers)
            sent = {"_xsrf": self.sign_in.form_token(who), **form}
            return await client.post(f"{BASE}{path}", data=sent, headers=headers)

    def _client(self) -> httpx.AsyncClient:
        # what the application raises is an answer to its users, and to be seen as one
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=True)
        return httpx.AsyncClient(transport=transport, base_url="http://hub")


def session(user: str, phase: str = "ready", **changes: Any) -> dict[str, Any]:
    """A session of the school, as the hub tells it."""
    return {
        "id": "0" * 32,
        "user": user,
        "server": "gpu-school",
        "event": "gpu-school",
        "phase": phase,
        "begun_epoch": NINE,
        "ends_epoch": None,
        "ending": None,
        "sentence": "Whatever.",
        "node": None,
        "cluster": "leonardo",
        "job_id": "17",
        "gpus": 1,
        "timeline": [{"phase": "submitted", "epoch": NINE}],
        "ended_epoch": None,
        "minutes": 120,
        **changes,
    }
