"""A provider that lies, hangs or is away, over real HTTP on this machine, and what is kept of a person meanwhile."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jupyterhub.spawner import SpawnException
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application, RequestHandler

from hpchub.catalogue.sign_in import OpenIdConnect
from hpchub.signin import provider as module
from hpchub.signin.authenticator import SiteAuthenticator
from hpchub.signin.bindings import Bindings
from hpchub.signin.provider import Denied, Provider, Silent
from hpchub.signin.refusal import SignInRefused
from tests.unit.test_signin_rules import rules
from tests.unit.test_signin_tokens import HUB, NONCE, public_jwk, token

SECRET = "a:secret with / signs"


class Rogue:
    """A provider that answers what a test says: by path a status and an object, text or bytes."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, Any]] = {}
        self.asked: list[tuple[str, dict[str, str], str]] = []
        self.hangs = False
        socket, port = bind_unused_port()
        self.url = f"http://127.0.0.1:{port}"
        self.server = HTTPServer(Application([(r"/(.*)", _Answers, {"rogue": self})]))
        self.server.add_sockets([socket])
        names = {"authorization": "auth", "token": "token", "userinfo": "me"}
        document = {f"{name}_endpoint": f"{self.url}/{path}" for name, path in names.items()}
        self.answers[".well-known/openid-configuration"] = (
            200,
            {
                "issuer": self.url,
                "jwks_uri": f"{self.url}/keys",
                **document,
            },
        )
        self.answers["keys"] = 200, {"keys": [public_jwk("one")]}
        self.answers["token"] = 200, {"access_token": "A2", "refresh_token": "R2"}
        self.answers["me"] = 200, {"sub": "8f14e45f", "preferred_username": "ada", "groups": ["hpc"]}


class _Answers(RequestHandler):
    def initialize(self, rogue: Rogue) -> None:
        self.rogue = rogue

    async def get(self, path: str) -> None:
        self.rogue.asked.append((path, dict(self.request.headers), self.request.body.decode()))
        if self.rogue.hangs:
            await asyncio.sleep(60)
        status, answer = self.rogue.answers[path]
        self.set_status(status)
        self.write(answer)

    post = get


@pytest.fixture
async def rogue() -> AsyncIterator[Rogue]:
    found = Rogue()
    yield found
    found.server.stop()
    await found.server.close_all_connections()


@pytest.fixture
def provider(rogue: Rogue) -> Provider:
    return Provider(rogue.url, HUB, SECRET)


async def test_tokens_come_for_a_code_and_the_secret_is_encoded(rogue: Rogue, provider: Provider) -> None:
    found = await provider.tokens_for_code("C", "V", "https://hub/hub/oauth_callback")
    assert found["access_token"] == "A2"
    _, headers, body = rogue.asked[-1]
    assert headers["Authorization"].startswith("Basic ")
    assert "code=C" in body and "code_verifier=V" in body and "secret" not in body


async def test_a_provider_that_takes_secrets_in_the_form_only_gets_it_there(rogue: Rogue, provider: Provider) -> None:
    status, document = rogue.answers[".well-known/openid-configuration"]
    only_post = {**document, "token_endpoint_auth_methods_supported": ["client_secret_post"]}
    rogue.answers[".well-known/openid-configuration"] = status, only_post
    await provider.tokens_for_code("C", "V", "https://hub/hub/oauth_callback")
    _, headers, body = rogue.asked[-1]
    assert "Authorization" not in headers
    assert "client_secret=a%3Asecret" in body


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": "https://evil.example.org"},
        {"token_endpoint": "http://evil.example.org/token"},
        {"token_endpoint": "http://127.0.0.1:80@evil.example.org/token"},
        {"token_endpoint": "https://login.example.org@evil.example.org/token"},
        {"token_endpoint": "https:///token"},
        {"jwks_uri": "https://[keys"},
        {"jwks_uri": ""},
        {"userinfo_endpoint": "file:///etc/passwd"},
    ],
)
async def test_a_discovery_document_of_somebody_else_is_not_used(
    rogue: Rogue, provider: Provider, changes: dict[str, str]
) -> None:
    status, document = rogue.answers[".well-known/openid-configuration"]
    rogue.answers[".well-known/openid-configuration"] = status, {**document, **changes}
    with pytest.raises(Silent):
        await provider.document()


def test_a_provider_elsewhere_sends_the_hub_to_no_port_of_its_own_machine() -> None:
    document = {"issuer": "https://login.example.org"} | {
        name: "https://login.example.org/x" for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")
    }
    module._check_document({**document, "userinfo_endpoint": "https://login.example.org/me"}, document["issuer"])
    with pytest.raises(Silent, match="no userinfo_endpoint with https"):
        module._check_document({**document, "userinfo_endpoint": "http://127.0.0.1:8001/"}, document["issuer"])


async def test_a_way_out_that_is_no_address_with_https_is_none(rogue: Rogue, provider: Provider) -> None:
    status, document = rogue.answers[".well-known/openid-configuration"]
    out = {**document, "end_session_endpoint": "javascript:alert(1)"}
    rogue.answers[".well-known/openid-configuration"] = status, out
    assert await provider.endpoint("end_session_endpoint") == ""


async def test_a_room_that_signs_in_at_once_asks_once(rogue: Rogue, provider: Provider) -> None:
    found = await asyncio.gather(*(provider.endpoint("authorization_endpoint", fresh=True) for _ in range(100)))
    assert set(found) == {f"{rogue.url}/auth"}
    assert len(rogue.asked) == 1
    rogue.answers[".well-known/openid-configuration"] = 503, ""
    provider._document_epoch -= module.FRESH_SECONDS + 1
    refused = await asyncio.gather(*(provider.document(fresh=True) for _ in range(100)), return_exceptions=True)
    assert {type(each) for each in refused} == {Silent}
    assert len(rogue.asked) == 2


@pytest.mark.parametrize(
    "answer", ["no JSON", "[]", '"text"', "x" * (module.LONGEST_ANSWER + 1), '{"sub":' * 100_000 + "1"]
)
async def test_an_answer_that_means_nothing_or_is_too_long_is_silence(
    rogue: Rogue, provider: Provider, answer: str
) -> None:
    await provider.document()
    rogue.answers["me"] = 200, answer
    with pytest.raises(Silent) as silence:
        await provider.userinfo("A")
    assert str(silence.value).startswith(f"{rogue.url}/me: ")


async def test_a_redirect_is_not_followed(rogue: Rogue, provider: Provider) -> None:
    rogue.answers["me"] = 302, ""
    with pytest.raises(Silent, match="HTTP status 302"):
        await provider.userinfo("A")


async def test_a_provider_that_hangs_is_silent(
    rogue: Rogue, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.2)
    rogue.hangs = True
    with pytest.raises(Silent):
        await provider.document()


@pytest.mark.parametrize(
    ("status", "answer", "meaning"),
    [
        (400, {"error": "invalid_grant"}, Denied),
        (401, {"error": "invalid_client"}, Silent),
        (400, {"error": "invalid_request"}, Denied),
        (400, "no JSON", Silent),
        (429, {"error": "slow_down"}, Silent),
        (503, {"error": "invalid_grant"}, Silent),
        (200, {"token_type": "Bearer"}, Silent),
    ],
)
async def test_only_an_answer_about_the_person_is_a_refusal(
    rogue: Rogue, provider: Provider, status: int, answer: Any, meaning: type[Exception]
) -> None:
    rogue.answers["token"] = status, answer
    with pytest.raises(meaning):
        await provider.renewed_tokens("R1")


@pytest.mark.parametrize(("error", "certain"), [("invalid_grant", True), ("invalid_request", False)])
async def test_what_could_also_be_about_the_way_of_asking_is_not_certain(
    rogue: Rogue, provider: Provider, error: str, certain: bool
) -> None:
    rogue.answers["token"] = 400, {"error": error}
    with pytest.raises(Denied) as denied:
        await provider.renewed_tokens("R1")
    assert denied.value.certain is certain


async def test_a_malformed_question_about_a_code_says_nothing_of_the_person(rogue: Rogue, provider: Provider) -> None:
    rogue.answers["token"] = 400, {"error": "invalid_request"}
    with pytest.raises(Silent):
        await provider.tokens_for_code("C1", "verifier", "https://hub.example.org/hub/oauth_callback")


async def test_a_new_key_is_found_and_a_forged_one_asks_once(rogue: Rogue, provider: Provider) -> None:
    right = token(iss=rogue.url)
    assert (await provider.claims_of(right, NONCE))["sub"] == "ada"
    rogue.answers["keys"] = 200, {"keys": [public_jwk("two")]}
    provider._keys_epoch -= module.BETWEEN_LOOKS_SECONDS + 1
    assert (await provider.claims_of(token("two", iss=rogue.url), NONCE))["sub"] == "ada"
    before = len(rogue.asked)
    for _ in range(5):
        with pytest.raises(SignInRefused):
            await provider.claims_of(token("two", {"kid": "forged"}, iss=rogue.url), NONCE)
    assert len(rogue.asked) == before


class User:
    """What the authenticator needs of JupyterHub's user."""

    name = "ada"
    admin = False

    def __init__(self, kept: dict[str, Any] | None) -> None:
        self.kept = kept
        self.groups = ["hpc"]

    def sync_groups(self, groups: list[str]) -> None:
        self.groups = groups

    async def get_auth_state(self) -> dict[str, Any] | None:
        return self.kept

    async def save_auth_state(self, kept: dict[str, Any]) -> None:
        self.kept = kept


KEPT = {"access_token": "A1", "refresh_token": "R1", "id_token": "I1", "claims": {"sub": "8f14e45f", "amr": ["mfa"]}}


def authenticator(rogue: Rogue, provider: Provider, folder: Path, **changes: Any) -> SiteAuthenticator:
    account = {"source": "claim", "claim": "preferred_username", "known_here": False}
    there: OpenIdConnect = rules(**{"issuer": rogue.url, "client_id": HUB, "account": account, **changes})
    return SiteAuthenticator(rules=there, provider=provider, bindings=Bindings(folder / "identities.json"))


async def test_what_is_known_of_a_person_is_asked_again(rogue: Rogue, provider: Provider, tmp_path: Path) -> None:
    found = await authenticator(rogue, provider, tmp_path, amr=["mfa"]).refresh_user(User(KEPT))
    assert isinstance(found, dict)
    assert (found["name"], found["groups"], found["admin"]) == ("ada", ["hpc"], False)
    kept = found["auth_state"]
    assert (kept["access_token"], kept["refresh_token"], kept["id_token"]) == ("A2", "R2", "I1")
    assert kept["claims"] == KEPT["claims"]


async def test_two_requests_at_a_time_use_a_refresh_token_once(
    rogue: Rogue, provider: Provider, tmp_path: Path
) -> None:
    ours = authenticator(rogue, provider, tmp_path)
    answers = await asyncio.gather(*(ours.refresh_user(User(KEPT)) for _ in range(5)))
    assert sum(isinstance(answer, dict) for answer in answers) == 1
    assert answers.count(True) == 4
    assert [path for path, _, _ in rogue.asked].count("token") == 1


async def test_a_new_refresh_token_is_kept_even_if_nothing_else_is_answered(
    rogue: Rogue, provider: Provider, tmp_path: Path
) -> None:
    rogue.answers["me"] = 503, ""
    user = User(KEPT)
    assert await authenticator(rogue, provider, tmp_path).refresh_user(user) is True
    assert user.kept == {**KEPT, "access_token": "A2", "refresh_token": "R2"}


@pytest.mark.parametrize(
    ("path", "status", "answer"),
    [
        ("me", 403, "blocked by a firewall"),
        ("token", 503, ""),
        ("token", 401, {"error": "invalid_client"}),
        ("me", 500, ""),
        ("me", 200, "no JSON"),
    ],
)
async def test_while_the_provider_is_away_people_stay(
    rogue: Rogue, provider: Provider, tmp_path: Path, path: str, status: int, answer: Any
) -> None:
    rogue.answers[path] = status, answer
    ours = authenticator(rogue, provider, tmp_path)
    assert await ours.refresh_user(User(KEPT)) is True
    ours.pre_spawn_start(User(KEPT), None)
    asked = len(rogue.asked)
    assert await ours.refresh_user(User(KEPT)) is True
    assert len(rogue.asked) == asked, "it is left alone for a while"


@pytest.mark.parametrize(
    ("path", "status", "answer", "sentence"),
    [
        ("token", 400, {"error": "invalid_grant"}, "Your sign-in has ended. Sign in again."),
        ("token", 400, {"error": "invalid_request"}, "Your sign-in has ended. Sign in again."),
        ("me", 401, "", "Your sign-in has ended. Sign in again."),
        ("me", 200, {"sub": "8f14e45f", "preferred_username": "bruno"}, "Your sign-in has ended. Sign in again."),
        (
            "me",
            200,
            {"sub": "other", "preferred_username": "ada"},
            "What the sign-in service sent could not be verified.",
        ),
    ],
)
async def test_who_is_ended_signs_in_again_and_starts_nothing(
    rogue: Rogue, provider: Provider, tmp_path: Path, path: str, status: int, answer: Any, sentence: str
) -> None:
    ours = authenticator(rogue, provider, tmp_path)
    rogue.answers[path] = status, answer
    assert await ours.refresh_user(User(KEPT)) is False
    with pytest.raises(SpawnException) as refusal:
        ours.pre_spawn_start(User(KEPT), None)
    assert (refusal.value.status_code, refusal.value.jupyterhub_message) == (403, sentence)


async def test_who_left_the_group_signs_in_again_and_starts_nothing(
    rogue: Rogue, provider: Provider, tmp_path: Path
) -> None:
    ours = authenticator(rogue, provider, tmp_path, allowed_groups=["staff"])
    assert await ours.refresh_user(User(KEPT)) is False
    with pytest.raises(SpawnException, match="not in a group that may use this service"):
        ours.pre_spawn_start(User(KEPT), None)


async def test_who_is_ended_stays_so_when_the_hub_restarts_while_the_provider_is_away(
    rogue: Rogue, provider: Provider, tmp_path: Path
) -> None:
    user, token_answer = User(KEPT), rogue.answers["token"]
    rogue.answers["token"] = 400, {"error": "invalid_grant"}
    assert await authenticator(rogue, provider, tmp_path).refresh_user(user) is False
    rogue.answers["token"] = 503, ""
    restarted = authenticator(rogue, provider, tmp_path)
    assert await restarted.refresh_user(user) is False
    with pytest.raises(SpawnException):
        restarted.pre_spawn_start(user, None)
    rogue.answers["token"] = token_answer
    found = await authenticator(rogue, provider, tmp_path).refresh_user(user)
    assert isinstance(found, dict) and "ended" not in found["auth_state"]


async def test_the_end_of_an_earlier_sign_in_does_not_end_the_one_that_came_meanwhile(
    rogue: Rogue, provider: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, user = authenticator(rogue, provider, tmp_path), User(KEPT)

    async def denied_while_they_sign_in(access_token: str) -> dict[str, Any]:
        handler = SimpleNamespace(
            sign_in={"code_verifier": "V", "nonce": NONCE}, get_argument=lambda name: "C", find_user=lambda name: user
        )
        monkeypatch.undo()
        rogue.answers["token"] = 200, {"access_token": "A3", "id_token": token(iss=rogue.url, sub="8f14e45f")}
        assert await ours.authenticate(handler)
        raise Denied("the earlier one")

    monkeypatch.setattr(provider, "userinfo", denied_while_they_sign_in)
    assert await ours.refresh_user(user) is True
    ours.pre_spawn_start(user, None)
    assert user.groups == ["hpc"]


async def test_who_is_ended_is_in_no_group(rogue: Rogue, provider: Provider, tmp_path: Path) -> None:
    user = User(KEPT)
    rogue.answers["me"] = 401, ""
    await authenticator(rogue, provider, tmp_path).refresh_user(user)
    assert user.groups == []


async def test_what_fails_for_one_person_does_not_keep_others_from_being_asked_about(
    rogue: Rogue, provider: Provider, tmp_path: Path
) -> None:
    ours = authenticator(rogue, provider, tmp_path)
    answer = rogue.answers["me"]
    rogue.answers["me"] = 500, ""
    assert await ours.refresh_user(User(KEPT)) is True
    rogue.answers["me"] = answer
    other = User(KEPT)
    other.name = "bruno"
    assert await ours.refresh_user(other) is False, "this identity has the account ada"


async def test_while_the_provider_is_away_for_all_nobody_waits_for_it(
    rogue: Rogue, provider: Provider, tmp_path: Path
) -> None:
    ours = authenticator(rogue, provider, tmp_path)
    rogue.answers["token"] = rogue.answers[".well-known/openid-configuration"] = 503, ""
    assert await ours.refresh_user(User(KEPT)) is True
    asked = len(rogue.asked)
    other = User(KEPT)
    other.name = "bruno"
    assert await ours.refresh_user(other) is True
    assert len(rogue.asked) == asked


@pytest.mark.parametrize("kept", [None, {}, {"access_token": "A1"}])
async def test_who_never_signed_in_here_has_to(
    rogue: Rogue, provider: Provider, tmp_path: Path, kept: dict[str, Any] | None
) -> None:
    assert await authenticator(rogue, provider, tmp_path).refresh_user(User(kept)) is False


async def test_no_message_has_what_the_provider_sent(
    rogue: Rogue, provider: Provider, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    for path, status, answer in (
        ("token", 400, {"error": "invalid_grant", "error_description": "unmistakable"}),
        ("token", 500, {"access_token": "unmistakable"}),
        ("me", 200, '{"sub": "unmistakable", '),
        ("me", 200, {"sub": "unmistakable"}),
    ):
        rogue.answers[path] = status, answer
        await authenticator(rogue, provider, tmp_path).refresh_user(User(KEPT))
        rogue.answers["token"] = 200, {"access_token": "unmistakable-A", "refresh_token": "unmistakable-R"}
    assert "unmistakable" not in caplog.text + json.dumps([str(record.args) for record in caplog.records])
