"""Sign-in at a provider, as the site file asks for it: settings that exist, and files that are refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jupyterhub.crypto import CryptKeeper
from traitlets.config import Config

from demo import sign_in
from demo.place import Place
from demo.site import site_text
from hpchub import config
from hpchub.catalogue.load import load_site
from hpchub.errors import CatalogueError
from hpchub.signin.authenticator import SiteAuthenticator
from hpchub.text import Speech
from tests.unit.data.world import REPOSITORY

SECRET = "0123456789abcdef0123456789abcdef"
OIDC = {
    "title": {"en": "Login"},
    "issuer": "https://login.example.org",
    "client_id": "notebooks",
    "callback_url": "https://notebooks.example.org/hub/oauth_callback",
    "account": {"source": "claim", "claim": "preferred_username"},
}


@pytest.fixture
def site_file(tmp_path: Path) -> Path:
    """The site file of a demo whose people sign in at a provider, and the secret."""
    path = tmp_path / "site" / "site.yaml"
    path.parent.mkdir()
    path.write_text(site_text(Place(tmp_path, tmp_path / "cache", 8000, "oidc")))
    (path.parent / "profiles").symlink_to(REPOSITORY / "profiles")
    secret = tmp_path / "hub" / "secrets" / "oidc-client-secret"
    secret.parent.mkdir(parents=True)
    secret.write_text(f"{SECRET}\n")
    secret.chmod(0o600)
    return path


def applied(site_file: Path) -> Config:
    settings = Config()
    config.apply_sign_in(settings, load_site(site_file))
    return settings


def test_every_setting_exists(site_file: Path) -> None:
    settings = applied(site_file)
    known = {each.__name__: each for each in (SiteAuthenticator, CryptKeeper)}
    for name in ("SiteAuthenticator", "CryptKeeper"):
        assert not set(settings[name]) - set(known[name].class_traits(config=True))
    assert settings.JupyterHub.authenticator_class is SiteAuthenticator


def test_no_setting_shows_the_secret(site_file: Path) -> None:
    assert SECRET not in repr(applied(site_file))


def test_the_button_names_the_provider_in_the_readers_language(site_file: Path) -> None:
    service = SiteAuthenticator(config=applied(site_file)).login_service
    assert Speech("it").say("Sign in with {service}", service=service) == "Accedi con il login della demo"
    assert Speech("en").say("Sign in with {service}", service=service) == "Sign in with the demo's login"


def test_the_demos_people_are_those_of_its_provider(tmp_path: Path) -> None:
    people: dict[str, Any] = sign_in.people(Place(tmp_path, tmp_path, 8000, "oidc"))
    assert people["ada"]["claims"] == {"preferred_username": "ada", "groups": ["hpc"]}
    assert people["carla"]["claims"]["groups"] == ["hpc", "course-teachers"]
    assert people["admin"]["claims"]["groups"] == ["hpc", "hub-admins"]


def test_without_its_secret_the_hub_does_not_start(site_file: Path) -> None:
    (site_file.parent.parent / "hub" / "secrets" / "oidc-client-secret").unlink()
    with pytest.raises(CatalogueError, match="secrets/oidc-client-secret: No such file"):
        applied(site_file)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"kind": "oidc"}, "sign_in.oidc: is missing, but the kind is oidc"),
    ({"kind": "demo", "oidc": OIDC}, "sign_in.kind: is demo, but there is a block oidc"),
    ({"kind": "oidc", "oidc": OIDC, "people": ["ada"], "password": "p"}, "is oidc, but people or a password are named"),
    ({"kind": "oidc", "oidc": {**OIDC, "issuer": "http://login.example.org"}}, "an address with https"),
    (
        {"kind": "oidc", "oidc": {**OIDC, "issuer": "http://127.0.0.1:1@login.example.org"}},
        "oidc.issuer: found 'http://127.0.0.1:1@login",
    ),
    ({"kind": "oidc", "oidc": {**OIDC, "callback_url": "https://notebooks.example.org/"}}, "/hub/oauth_callback"),
    ({"kind": "oidc", "oidc": {**OIDC, "scopes": ["profile"]}}, "has no openid"),
    ({"kind": "oidc", "oidc": {**OIDC, "account": {"source": "file"}}}, "is missing, but the source is file"),
    ({"kind": "oidc", "oidc": {**OIDC, "account": {"source": "command", "command": ["who"]}}}, "has no {identity}"),
    ({"kind": "oidc", "oidc": {**OIDC, "account": {"source": "getent", "known_here": False}}}, "the source is getent"),
]


@pytest.mark.parametrize(("block", "problem"), WRONG)
def test_a_block_that_cannot_work_is_refused(site_file: Path, block: dict[str, Any], problem: str) -> None:
    text = site_file.read_text()
    start = text.index("sign_in:")
    site_file.write_text(text[:start] + f"sign_in: {json.dumps(block)}\n" + text[text.index("\n", start) + 1 :])
    with pytest.raises(CatalogueError) as error:
        load_site(site_file)
    assert problem in str(error.value)
