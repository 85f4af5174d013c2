"""Whose running servers end, and whose do not: the site's policy, and a provider that answers, denies or is away."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jupyterhub.spawner import SpawnException

from hpchub.signin import authenticator as module
from hpchub.signin.authenticator import SiteAuthenticator
from hpchub.signin.handlers import SignOutHandler
from hpchub.signin.leavers import ENDED, Ended, Leavers, must_end
from hpchub.signin.refusal import SignInRefused
from hpchub.text import Sentence
from tests.unit.test_signin_provider import KEPT, Rogue, User, authenticator
from tests.unit.test_signin_provider import provider as provider
from tests.unit.test_signin_provider import rogue as rogue
from tests.unit.test_signin_rules import rules

DENIED = SignInRefused(ENDED, Sentence("Your sign-in has ended. Sign in again."))
REFUSED = SignInRefused("not-allowed", Sentence("You are known, but not in a group that may use this service."))
BEGAN = 1_000_000.0


@pytest.mark.parametrize(
    ("policy", "why", "minutes_later", "ends"),
    [
        ("go-on", REFUSED, 1000, False),
        ("go-on", DENIED, 1000, False),
        ("end-if-refused", REFUSED, 9.9, False),
        ("end-if-refused", REFUSED, 10, True),
        ("end-if-refused", DENIED, 1000, False),
        ("end", REFUSED, 10, True),
        ("end", DENIED, 9.9, False),
        ("end", DENIED, 10, True),
    ],
)
def test_servers_end_by_the_policy_after_the_grace(
    policy: str, why: SignInRefused, minutes_later: float, ends: bool
) -> None:
    assert must_end(Ended(why, BEGAN), rules(running_servers=policy), BEGAN + minutes_later * 60) is ends


def test_what_is_not_certain_ends_nothing() -> None:
    assert not must_end(Ended(DENIED, None), rules(running_servers="end", grace_minutes=0), time.time())


class Server:
    """What the round needs of the spawner of a running server."""

    def __init__(self, user: User) -> None:
        self.user = user
        self.told: list[str] = []

    def withdraw(self, sentence: str) -> None:
        self.told.append(str(sentence))


class Person(User):
    """A person as JupyterHub keeps them, with one running server."""

    _auth_refreshed: float | None = None

    def __init__(self, kept: dict[str, Any] | None) -> None:
        super().__init__(kept)
        self.server = Server(self)


async def went_round(ours: Any, *people: Person) -> list[list[str]]:
    """What the servers of these people are told in one round."""
    await Leavers(ours.rules, ours.look_again, lambda: [person.server for person in people]).go_round()
    return [person.server.told for person in people]


ENDS = {"running_servers": "end", "grace_minutes": 0}


@pytest.mark.parametrize(
    ("path", "status", "answer", "sentence"),
    [
        ("token", 400, {"error": "invalid_grant"}, "Your sign-in has ended. Sign in again."),
        (
            "me",
            200,
            {"sub": "8f14e45f", "preferred_username": "ada", "groups": []},
            "You are known, but not in a group that may use this service.",
        ),
    ],
)
async def test_who_is_gone_is_found_out_without_a_click(
    rogue: Rogue, provider: Any, tmp_path: Path, path: str, status: int, answer: Any, sentence: str
) -> None:
    ours = authenticator(rogue, provider, tmp_path, allowed_groups=["hpc"], **ENDS)
    ada = Person(KEPT)
    assert await went_round(ours, ada) == [[]]
    rogue.answers[path] = status, answer
    ada._auth_refreshed = None
    ours._rest_until.clear()
    assert await went_round(ours, ada) == [[sentence]]


@pytest.mark.parametrize(
    ("path", "status", "answer"),
    [
        ("token", 503, ""),
        ("token", 401, {"error": "invalid_client"}),
        ("me", 500, ""),
        ("me", 403, "blocked by a firewall"),
        ("me", 200, "no JSON"),
        (".well-known/openid-configuration", 503, ""),
        # what cannot be verified says nothing of the person, though they start no more
        ("token", 200, {"access_token": "A2", "refresh_token": "R2", "id_token": "forged"}),
        ("keys", 200, {"keys": []}),
    ],
)
async def test_a_provider_that_is_away_or_confused_ends_nobody(
    rogue: Rogue, provider: Any, tmp_path: Path, path: str, status: int, answer: Any
) -> None:
    rogue.answers[path] = status, answer
    assert await went_round(authenticator(rogue, provider, tmp_path, **ENDS), Person(KEPT)) == [[]]


async def test_an_access_token_that_is_too_old_ends_nobody(rogue: Rogue, provider: Any, tmp_path: Path) -> None:
    rogue.answers["me"] = 401, ""
    without_refresh_token = {name: value for name, value in KEPT.items() if name != "refresh_token"}
    ours = authenticator(rogue, provider, tmp_path, **ENDS)
    assert await went_round(ours, Person(without_refresh_token)) == [[]]


async def signed_out(ours: SiteAuthenticator, person: Person) -> None:
    """What the handler does, but for the page."""
    here: Any = SimpleNamespace(current_user=person, authenticator=ours)
    await SignOutHandler.handle_logout(here)


@pytest.mark.parametrize("answered_meanwhile", [False, True])
async def test_who_signs_out_keeps_what_runs(
    rogue: Rogue, provider: Any, tmp_path: Path, answered_meanwhile: bool
) -> None:
    ours = authenticator(rogue, provider, tmp_path, **ENDS)
    ada = Person(KEPT)
    await signed_out(ours, ada)
    if answered_meanwhile:
        # the timer asks before the browser has told the provider
        assert await went_round(ours, ada) == [[]]
        ada._auth_refreshed = None
    rogue.answers["token"] = 400, {"error": "invalid_grant"}
    ours._rest_until.clear()
    assert await went_round(ours, ada) == [[]]
    with pytest.raises(SpawnException):
        ours.pre_spawn_start(ada, None)


async def test_who_was_signed_out_and_is_still_let_in_long_after_is_like_everybody(
    rogue: Rogue, provider: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SIGN_OUT_SECONDS", 0)
    ours = authenticator(rogue, provider, tmp_path, **ENDS)
    ada = Person(KEPT)
    await signed_out(ours, ada)
    assert await went_round(ours, ada) == [[]]
    rogue.answers["token"] = 400, {"error": "invalid_grant"}
    ada._auth_refreshed = None
    ours._rest_until.clear()
    assert await went_round(ours, ada) == [["Your sign-in has ended. Sign in again."]]


async def test_who_has_signed_out_and_is_refused_by_the_rules_loses_what_runs(
    rogue: Rogue, provider: Any, tmp_path: Path
) -> None:
    ours = authenticator(rogue, provider, tmp_path, allowed_groups=["hpc"], **ENDS)
    ada = Person(KEPT)
    await signed_out(ours, ada)
    rogue.answers["me"] = 200, {"sub": "8f14e45f", "preferred_username": "ada", "groups": []}
    assert await went_round(ours, ada) == [["You are known, but not in a group that may use this service."]]


async def test_who_never_signed_in_at_the_provider_is_left_alone(rogue: Rogue, provider: Any, tmp_path: Path) -> None:
    assert await went_round(authenticator(rogue, provider, tmp_path, **ENDS), Person(None)) == [[]]


async def test_one_person_who_cannot_be_asked_about_keeps_nobody_else_from_it(
    rogue: Rogue, provider: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, gone = Person(KEPT), Person(KEPT)
    broken.name = "bruno"

    async def no_database() -> dict[str, Any]:
        raise ConnectionError("the database does not answer")

    monkeypatch.setattr(broken, "get_auth_state", no_database)
    rogue.answers["token"] = 400, {"error": "invalid_grant"}
    ours = authenticator(rogue, provider, tmp_path, **ENDS)
    assert await went_round(ours, broken, gone) == [[], ["Your sign-in has ended. Sign in again."]]


async def test_the_grace_goes_on_where_it_was_when_the_hub_restarts(
    rogue: Rogue, provider: Any, tmp_path: Path
) -> None:
    rogue.answers["token"] = 400, {"error": "invalid_grant"}
    ada, rule = Person(KEPT), {"running_servers": "end", "grace_minutes": 10}
    assert await went_round(authenticator(rogue, provider, tmp_path, **rule), ada) == [[]]
    assert ada.kept is not None
    ada.kept["ended_epoch"] -= 600
    assert await went_round(authenticator(rogue, provider, tmp_path, **rule), ada) == [
        ["Your sign-in has ended. Sign in again."]
    ]


async def test_who_is_back_in_time_keeps_their_servers(rogue: Rogue, provider: Any, tmp_path: Path) -> None:
    ours = authenticator(rogue, provider, tmp_path, allowed_groups=["hpc"], running_servers="end")
    ada, good = Person(KEPT), rogue.answers["me"]
    rogue.answers["me"] = 200, {**good[1], "groups": []}
    assert await went_round(ours, ada) == [[]]
    assert ada.kept is not None and "ended" in ada.kept and ada.groups == []
    rogue.answers["me"] = good
    ours._rest_until.clear()
    assert await went_round(ours, ada) == [[]]
    assert "ended" not in ada.kept
    assert ada.groups == ["hpc"]


async def test_who_was_asked_about_just_now_is_not_asked_about_again(
    rogue: Rogue, provider: Any, tmp_path: Path
) -> None:
    ours, ada = authenticator(rogue, provider, tmp_path, **ENDS), Person(KEPT)
    await went_round(ours, ada)
    asked = len(rogue.asked)
    ours._rest_until.clear()
    await went_round(ours, ada)
    assert len(rogue.asked) == asked
