"""The hub as the console uses it: it is told the events, and starts and stops servers.

Every question has a time limit; a hub that is away is said to be so, and nothing is concluded from it.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

from hpchub.catalogue.event import Event as HubEvent
from hpchub.catalogue.seats import FILES_SUFFIX
from hpchub.console.reservation import Wanted
from hpchub.console.room import SessionTold
from hpchub.errors import HpchubError, UserError
from hpchub.events import EVENTS
from hpchub.pages.naming import server_name

SECONDS = 20.0
"""How long an answer may take; a start is answered when Slurm has taken the job, or after JupyterHub's 10 s."""
AT_ONCE = 10
"""How many servers are started or stopped at a time: a wave of a room."""
START_SECONDS = 180.0
"""The same for a start: when a whole room starts, each waits for its turn at the launcher."""
FINDING = ("about", "severity", "says", "command")
"""What is taken of a finding."""


class HubSilent(HpchubError):
    """The hub does not answer, or has no answer that we can read."""


class HubRefused(UserError):
    """The hub refuses; the text is its own, and safe to show."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs, starts or ends, or one that is stopped and has kept its name."""

    name: str
    ready: bool
    stopping: bool
    stopped: bool
    event: str | None
    """The event that it was started in last."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What the hub found out about an event's room in Slurm."""

    about: str
    severity: str
    """``missing``, ``warning`` or ``fine``."""
    says: str
    """In the language that was asked for."""
    command: str
    """What an administrator of Slurm would run to mend it; empty where no command does."""


@dataclass(frozen=True, slots=True)
class AccountedTold:
    """What Slurm's accounting has of a job that has ended."""

    seconds: int
    gpus: int | None
    """None where the accounting does not count them."""
    core_hours: float | None
    """What the site charges; None where that is not known."""


@dataclass(frozen=True, slots=True)
class TakenTold:
    """An account of the pool that somebody took by a card, and that is not handed over."""

    event: str
    """The event by whose card it was taken first, by its slug."""
    card: str
    """The digest of the card by which it was taken last."""
    epoch: int
    """When."""

    def is_of(self, slug: str) -> bool:
        """Tell whether it was taken in an event, or in the time after it for its files."""
        return self.event in (slug, f"{slug}{FILES_SUFFIX}")


@dataclass(frozen=True, slots=True)
class ReservedTold:
    """A reservation as Slurm has it."""

    starts_epoch: int
    ends_epoch: int
    nodes: int


class Hub:
    """The API of the hub.

    Args:
        url: of the API, ``http://127.0.0.1:8081/hub/api``.
        token: the console's own.
        transport: what carries the requests, where it is not the network.
        trust: by whose certificates the hub is known, where it is encrypted with certificates of its own.
    """

    def __init__(
        self,
        url: str,
        token: str,
        transport: httpx.AsyncBaseTransport | None = None,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        self._client = httpx.AsyncClient(
            base_url=url,
            headers={"Authorization": f"token {token}"},
            timeout=SECONDS,
            trust_env=False,  # a proxy of the machine is for the outside world
            transport=transport,
            verify=trust or True,
        )
        # What is stopped does not stand behind a room that starts.
        self._starts_at_once, self._stops_at_once = asyncio.Semaphore(AT_ONCE), asyncio.Semaphore(AT_ONCE)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def push(self, events: Iterable[HubEvent], ours: Container[str]) -> bool:
        """Let these be the hub's events of ours; tell whether they were others before.

        Args:
            events: as they shall be.
            ours: the slugs of all events that were ever ours; others were told to the hub by scripts, and stay.

        Raises :class:`HubSilent`, :class:`HubRefused`.
        """
        there = EVENTS.validate_json((await self._ask("GET", "/hpchub/events")).content)
        wanted = (*(event for event in there if event.slug not in ours), *events)
        if {event.slug: event for event in there} == {event.slug: event for event in wanted}:
            return False
        await self._ask("PUT", "/hpchub/events", content=EVENTS.dump_json(wanted))
        return True

    async def event_names(self) -> frozenset[str]:
        """Give the names of all events that the hub has, whoever told them.

        Raises :class:`HubSilent`, :class:`HubRefused`.
        """
        there = EVENTS.validate_json((await self._ask("GET", "/hpchub/events")).content)
        return frozenset(event.slug for event in there)

    async def associated(self, plan: Any) -> frozenset[str]:
        """Ask which of the people of a plan may use its allocation where it takes place.

        Raises :class:`HubSilent`, :class:`HubRefused`.
        """
        told = (await self._ask("POST", "/hpchub/capacity", json={"plan": plan})).json()["associated"]
        if told is None:
            raise HubSilent("the hub does not know yet who is associated with what")
        return frozenset(told)

    async def capacity(self, plan: Any, others: Iterable[Any], language: str) -> list[Finding]:
        """Ask whether Slurm carries an event beside others; the hub answers from what it knows.

        Raises :class:`HubSilent`, :class:`HubRefused`.
        """
        body = {"plan": plan, "others": list(others)}
        headers = {"Accept-Language": language}
        told = (await self._ask("POST", "/hpchub/capacity", json=body, headers=headers)).json()
        return [Finding(**{field: each[field] for field in FINDING}) for each in told["findings"]]

    async def reservation(self, plan: Any) -> tuple[Wanted | None, ReservedTold | None, bool]:
        """Ask which reservation carries an event, and how the one is that it names; None where there is none.

        The last value says whether the latter has the account, the partition and the times of the former.

        Raises :class:`HubSilent`, :class:`HubRefused`.
        """
        told = (await self._ask("POST", "/hpchub/capacity", json={"plan": plan})).json()
        wanted, there = told["reservation"], told["reserved"]
        return Wanted(**wanted) if wanted else None, ReservedTold(**there) if there else None, told["reserved_alike"]

    async def sessions(self, event: str, language: str) -> list[SessionTold]:
        """Give the sessions of an event, of each server the one that lives or the last, sentences in a language.

        Raises :class:`HubSilent`, :class:`HubRefused`.
        """
        return (await self.sessions_by_event(language)).get(event, [])

    async def sessions_by_event(self, language: str) -> dict[str, list[SessionTold]]:
        """Give the sessions of all events, as :meth:`sessions` gives those of one, with one question.

        Raises :class:`HubSilent`, :class:`HubRefused`.
        """
        found: dict[str, list[SessionTold]] = {}
        for each in (await self._ask("GET", "/hpchub/sessions", headers={"Accept-Language": language})).json():
            if each["event"] is not None:
                found.setdefault(each["event"], []).append(_session(each))
        return found

    async def accounted(self, cluster: str, jobs: Iterable[str]) -> dict[str, AccountedTold]:
        """Ask what Slurm's accounting has of jobs, by their numbers; those that it has no end of yet are missing.

        Raises :class:`HubSilent`, :class:`HubRefused`.
        """
        body = {"cluster": cluster, "jobs": list(jobs)}
        told = (await self._ask("POST", "/hpchub/accounting", json=body)).json()
        return {job_id: AccountedTold(**each) for job_id, each in told.items()}

    async def taken(self) -> dict[str, TakenTold]:
        """Ask which accounts of the pool were taken by a card and are not handed over, by their names.

        Raises :class:`HubSilent`, :class:`HubRefused`.
        """
        told = (await self._ask("GET", "/hpchub/cards")).json()["taken"]
        return {account: TakenTold(each["event"], each["card"], int(each["epoch"])) for account, each in told.items()}

    async def hand_over(self, account: str) -> None:
        """End all that an account of the pool still has, and let it be wiped where the site says so.

        Raises :class:`HubSilent`, and :class:`HubRefused` with the reason why that cannot be done yet.
        """
        path = f"/hpchub/seats/{quote(account, safe='')}/hand-over"
        await self._ask("POST", path, timeout=START_SECONDS)

    async def know(self, user: str) -> None:
        """Make a user of an account of the pool, unless the hub knows them.

        Raises :class:`HubSilent`, :class:`HubRefused`.
        """
        path = f"/users/{quote(user, safe='')}"
        if (await self._ask("GET", path, missing=True)).status_code == httpx.codes.NOT_FOUND:
            await self._ask("POST", path)

    async def servers(self, user: str) -> list[Server]:
        """Give a person's servers, stopped ones too; none where the hub does not know the person.

        Raises :class:`HubSilent`, :class:`HubRefused`.
        """
        stopped_too = {"include_stopped_servers": "1"}
        answer = await self._ask("GET", f"/users/{quote(user, safe='')}", missing=True, params=stopped_too)
        if answer.status_code == httpx.codes.NOT_FOUND:
            return []
        model: Mapping[str, Any] = answer.json()
        return [
            Server(
                name=name,
                ready=bool(server.get("ready")),
                stopping=server.get("pending") == "stop",
                stopped=bool(server.get("stopped")),
                event=(server.get("user_options") or {}).get("event"),
            )
            for name, server in (model.get("servers") or {}).items()
        ]

    async def start(self, user: str, event: str, choice: Callable[[], Mapping[str, Any]], language: str) -> str:
        """Start a person's server of an event, unless one runs; it is not ready when this returns.

        Args:
            user: the person.
            event: the event, after which the server is called, where no other server of the person's is.
            choice: gives ``user_options`` when the turn has come; what it raises ends the start.
            language: of a refusal.

        Gives the server's name.  Raises :class:`HubSilent`, :class:`HubRefused`.
        """
        headers = {"Accept-Language": language}
        # Only what changes something waits for others: a look at the room must not stand behind a room that starts.
        async with self._starts_at_once:
            wanted = choice()
            there = await self.servers(user)
            for server in there:
                if server.event == event and not server.stopped:
                    return server.name
            name = server_name(event, {server.name for server in there if server.event != event})
            await self._ask("POST", _path(user, name), json=dict(wanted), headers=headers, timeout=START_SECONDS)
        return name

    async def stop(self, user: str, server: str) -> None:
        """Stop a person's server; one that is not there any more is fine.

        Raises :class:`HubSilent`, :class:`HubRefused`.
        """
        async with self._stops_at_once:
            await self._ask("DELETE", _path(user, server), missing=True)

    async def _ask(self, method: str, path: str, *, missing: bool = False, **more: Any) -> httpx.Response:
        try:
            answer = await self._client.request(method, path, **more)
        except httpx.HTTPError as error:
            raise HubSilent(f"{method} {path}: {error or type(error).__name__}") from error
        if answer.is_success or (missing and answer.status_code == httpx.codes.NOT_FOUND):
            return answer
        if answer.is_server_error or answer.status_code in (httpx.codes.FORBIDDEN, httpx.codes.UNAUTHORIZED):
            raise HubSilent(f"{method} {path}: the hub answers {answer.status_code}")
        raise HubRefused(_message(answer))


def _session(told: Mapping[str, Any]) -> SessionTold:
    reached = {each["phase"]: each["epoch"] for each in told["timeline"]}
    return SessionTold(
        id=told["id"],
        user=told["user"],
        server=told["server"],
        phase=told["phase"],
        begun_epoch=told["begun_epoch"],
        ends_epoch=told["ends_epoch"],
        ending=told["ending"],
        sentence=told["sentence"],
        node=told["node"],
        cluster=told["cluster"],
        job_id=told["job_id"],
        gpus=told["gpus"],
        # a job that was quick may be ready before anybody saw it start
        started_epoch=reached.get("starting", reached.get("ready")),
        ended_epoch=told["ended_epoch"],
        ready_epoch=reached.get("ready"),
        troubles=" ".join(told.get("troubles", [])),
        active_epoch=told.get("active_epoch"),
        gpu_percent=told.get("gpu_percent"),
    )


def _path(user: str, server: str) -> str:
    return f"/users/{quote(user, safe='')}/servers/{quote(server, safe='')}"


def _message(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["message"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP {answer.status_code}"
