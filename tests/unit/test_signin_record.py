"""What the hub's event log says of signing in, written by JupyterHub's own event log into a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import ValidationError
from jupyter_events import EventLogger
from traitlets.config import Config

from hpchub import config
from hpchub.catalogue.load import load_site
from hpchub.signin import record
from hpchub.signin.provider import Provider
from tests.unit.test_signin_config import site_file as site_file
from tests.unit.test_signin_provider import KEPT, Rogue, User, authenticator
from tests.unit.test_signin_provider import provider as provider
from tests.unit.test_signin_provider import rogue as rogue


@pytest.fixture
def log(site_file: Path) -> Any:
    settings = Config()
    config.apply_hub(settings, load_site(site_file))
    found = EventLogger(config=settings)
    record.register(found)
    return found


def written(site_file: Path) -> list[dict[str, Any]]:
    path = site_file.parent.parent / "hub" / "events.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_an_event_is_one_line_in_the_state_folder(log: Any, site_file: Path) -> None:
    record.write(log, "signed-in", username="ada", admin=False)
    record.write(log, "refused", reason="not-allowed")
    first, second = written(site_file)
    assert first["__schema__"] == "urn:hpchub:events:sign-in"
    assert (first["action"], first["username"], first["admin"]) == ("signed-in", "ada", False)
    assert (second["action"], second["reason"], "username" in second) == ("refused", "not-allowed", False)


@pytest.mark.parametrize("facts", [{"reason": "Ada may not"}, {"subject": "8f14e45f"}])
def test_an_event_has_one_of_our_words_and_nothing_else(log: Any, site_file: Path, facts: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        record.write(log, "refused", **facts)
    assert written(site_file) == []


async def test_the_end_of_a_sign_in_is_written_once(
    log: Any, site_file: Path, rogue: Rogue, provider: Provider, tmp_path: Path
) -> None:
    ours = authenticator(rogue, provider, tmp_path)
    ours._eventlog = log
    rogue.answers["me"] = 401, ""
    user = User(KEPT)
    await ours.refresh_user(user)
    ours._rest_until.clear()
    await ours.refresh_user(user)
    ended = [(event["action"], event["username"], event["reason"]) for event in written(site_file)]
    assert ended == [("ended", "ada", "ended")]
