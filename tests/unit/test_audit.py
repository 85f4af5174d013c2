"""The audit record: what is one of its events, who did it, and how long its files are kept."""

from __future__ import annotations

import json
import logging
import os
import stat
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jupyter_events import EventLogger
from jupyterhub.apihandlers import APIHandler

from hpchub.audit import record
from hpchub.audit.file import DailyFile
from hpchub.audit.handlers import CHANGES, Acting, about_another, note_stop
from hpchub.handlers import OURS
from hpchub.handlers.accounting import AccountingHandler
from hpchub.handlers.capacity import CapacityHandler
from hpchub.handlers.environments import EnvironmentHandler, EnvironmentsHandler
from hpchub.handlers.log import LogHandler
from hpchub.handlers.notebook import HandHandler
from hpchub.handlers.sessions import SessionHandler
from hpchub.jobs.endings import Ending
from hpchub.jobs.session import Session
from tests.unit.data.job_request import REQUEST

DAY_SECONDS = 24 * 3600


@pytest.fixture
def log(tmp_path: Path) -> Iterator[EventLogger]:
    found = EventLogger()
    found.handlers = []
    with closing(DailyFile(tmp_path / "events.jsonl", days=30)) as file:
        found.register_handler(file)
        yield found


def written(folder: Path) -> list[dict[str, Any]]:
    path = folder / "events.jsonl"
    lines = map(json.loads, path.read_text().splitlines()) if path.exists() else ()
    return [{name: value for name, value in line.items() if name[:2] != "__"} for line in lines]


def session(**values: Any) -> Session:
    return Session(REQUEST, token_id=5, begun_epoch=1000.0, handed_over=True, **values)


def test_a_session_is_written_at_its_beginning_and_once_at_its_end(log: EventLogger, tmp_path: Path) -> None:
    mine = session(job_id="71")
    record.session_begun(log, mine, "service:console")
    mine.stopped_by = "admin"
    mine.end(Ending.STOPPED)
    record.session_ended(log, mine)
    record.session_ended(log, mine)
    record.session_ended(log, Session.from_dict(mine.as_dict()))
    about = {
        "username": REQUEST.user,
        "servername": REQUEST.server_name,
        "session": REQUEST.session_id,
        "cluster": REQUEST.cluster,
        "account": REQUEST.account,
        "profile": REQUEST.profile,
    }
    assert written(tmp_path) == [
        {"action": "begun", "by": "service:console", **about},
        {"action": "ended", "by": "admin", "ending": "stopped", "job": "71", **about},
    ]


@pytest.mark.parametrize("ending", Ending)
def test_every_end_can_be_written_and_only_a_stop_is_somebodys(
    log: EventLogger, tmp_path: Path, ending: Ending
) -> None:
    mine = session(stopped_by="admin")
    mine.end(ending)
    record.session_ended(log, mine)
    (event,) = written(tmp_path)
    assert event["ending"] == ending
    assert event.get("by") == ("admin" if ending in (Ending.STOPPED, Ending.STOP_OWED) else None)


def test_what_never_came_to_slurm_has_no_end(log: EventLogger, tmp_path: Path) -> None:
    mine = session()
    mine.handed_over = False
    mine.end(Ending.STOPPED)
    record.session_ended(log, mine)
    assert written(tmp_path) == []


def test_sessions_that_a_version_without_a_record_ended_are_not_written_later() -> None:
    over = session()
    over.end(Ending.STOPPED)
    stored = {name: value for name, value in over.as_dict().items() if name not in ("recorded", "stopped_by")}
    assert Session.from_dict(stored).recorded
    live = {name: value for name, value in session().as_dict().items() if name not in ("recorded", "stopped_by")}
    assert not Session.from_dict(live).recorded


@pytest.mark.parametrize(
    ("by", "method", "path", "about"),
    [
        ("admin", "POST", "users/ada/tokens", "ada"),
        ("admin", "DELETE", "users/ada/server", "ada"),
        ("admin", "PATCH", "users/ada", "ada"),
        ("admin", "POST", "users", ""),
        ("admin", "POST", "shutdown", ""),
        ("admin", "PUT", "groups/admin", ""),
        ("admin", "POST", "shares/ada/", "ada"),
        ("service:console", "POST", "users/ada/server", "ada"),
        ("ada", "POST", "users/ada/server", None),
        ("ada", "POST", "users/ada/activity", None),
        ("ada", "POST", "shares/ada/", None),
        ("admin", "GET", "users/ada", None),
        ("", "POST", "users/ada/server", None),
        ("ada", "POST", "authorizations/token/0123", None),
        ("ada", "POST", "oauth2/token", None),
    ],
)
def test_what_is_about_somebody_else_is_written(by: str, method: str, path: str, about: str | None) -> None:
    assert about_another(by, method, path.split("/")) == about


def test_who_stops_a_session_that_is_over_changes_nothing() -> None:
    over = session()
    over.end(Ending.TIME_LIMIT)
    live = session()
    user = SimpleNamespace(spawners={"": SimpleNamespace(session=over), "a": SimpleNamespace(session=live)})
    handler = SimpleNamespace(current_user=SimpleNamespace(name="admin", kind="user"))
    for server in ("", "a", "unknown"):
        note_stop(handler, user, server)
    assert (over.stopped_by, live.stopped_by) == ("", "admin")


def write(path: Path, text: str) -> None:
    """Write a line as a hub does that starts, writes and ends."""
    with closing(DailyFile(path, days=30)) as file:
        file.emit(logging.LogRecord("events", logging.INFO, "", 0, text, None, None))


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    write(tmp_path / "events.jsonl", "one")
    assert stat.S_IMODE((tmp_path / "events.jsonl").stat().st_mode) == 0o600


def test_each_day_has_a_file_and_old_ones_go(tmp_path: Path) -> None:
    path, now = tmp_path / "events.jsonl", datetime.now(UTC)
    days_ago = {days: tmp_path / f"events.jsonl.{(now - timedelta(days=days)).date()}" for days in (2, 29, 30, 31, 400)}
    for each in days_ago.values():
        each.write_text("earlier\n")
    other = tmp_path / "events.json"
    other.write_text("{}")
    path.write_text("yesterday's\n")
    yesterday = now.timestamp() - DAY_SECONDS
    os.utime(path, (yesterday, yesterday))
    write(path, "today's")
    assert path.read_text() == "today's\n"
    assert (tmp_path / f"events.jsonl.{(now - timedelta(days=1)).date()}").read_text() == "yesterday's\n"
    assert {days for days, each in days_ago.items() if each.exists()} == {2, 29, 30}
    assert other.exists()


def test_a_hub_that_restarts_goes_on_with_the_days_file(tmp_path: Path) -> None:
    for text in ("one", "two"):
        write(tmp_path / "events.jsonl", text)
    assert (tmp_path / "events.jsonl").read_text() == "one\ntwo\n"
    assert len(list(tmp_path.iterdir())) == 1


NOBODY_ELSES = {
    AccountingHandler: "changes nothing",
    CapacityHandler: "changes nothing",
    EnvironmentsHandler: "one's own environments",
    EnvironmentHandler: "one's own environments",
    SessionHandler: "the reports of a job about itself",
    HandHandler: "one's own hand",
    LogHandler: "refuses it",
}


def test_what_our_own_api_changes_for_others_is_written_too() -> None:
    handlers = {route[1] for route in OURS if issubclass(route[1], APIHandler)}
    changing = {each for each in handlers if any(verb.lower() in vars(each) for verb in CHANGES)}
    assert {each for each in changing if not issubclass(each, Acting)} == set(NOBODY_ELSES)
    assert about_another("service:console", "PUT", ["hpchub", "events"]) == ""
