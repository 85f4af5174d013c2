"""The deployed configuration, really read: every name in it is a setting that exists, and the unsafe is refused."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_events import EventLogger
from jupyterhub.app import JupyterHub
from jupyterhub.proxy import ConfigurableHTTPProxy
from jupyterhub.scopes import scope_definitions
from traitlets.config import Config, Configurable
from traitlets.config.loader import PyFileConfigLoader

from hpchub import config
from hpchub.catalogue.load import load_site
from hpchub.engine import Engine
from hpchub.errors import CatalogueError
from hpchub.signin.demo import DemoAuthenticator, refuse_other_machines
from hpchub.traefik import TraefikProxy
from spawners.site import SiteSpawner
from spawners.slurm import HPCSlurmSpawner
from tests.unit.data.world import REPOSITORY, demo_site_text

CONFIG_FILE = REPOSITORY / "jupyterhub_config.py"
TOKEN = "f" * 64


@pytest.fixture
def site_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The demo's site in a folder of its own, with the secret that the configuration reads."""
    path = tmp_path / "site" / "site.yaml"
    path.parent.mkdir()
    path.write_text(demo_site_text(str(tmp_path)))
    (path.parent / "profiles").symlink_to(REPOSITORY / "profiles")
    secrets = tmp_path / "hub" / "secrets"
    secrets.mkdir(parents=True)
    token = secrets / "admin-token"
    token.write_text(f"{TOKEN}\n")
    token.chmod(0o600)
    monkeypatch.setenv("HPCHUB_SITE", str(path))
    return path


def read() -> Config:
    """Read jupyterhub_config.py as JupyterHub does."""
    return PyFileConfigLoader(CONFIG_FILE.name, path=str(CONFIG_FILE.parent)).load_config()


def known_classes() -> dict[str, type[Configurable]]:
    """All classes that this hub can have settings for, by name."""
    return {
        parent.__name__: parent
        for each in (
            JupyterHub,
            EventLogger,
            ConfigurableHTTPProxy,
            TraefikProxy,
            DemoAuthenticator,
            SiteSpawner,
            HPCSlurmSpawner,
        )
        for parent in each.__mro__
        if issubclass(parent, Configurable)
    }


def unknown_settings(settings: Config) -> Iterator[str]:
    """Name the settings that nothing would read: traitlets takes any name without a word."""
    classes = known_classes()
    for section, values in settings.items():
        for name in values:
            if section not in classes or name not in classes[section].class_traits(config=True):
                yield f"{section}.{name}"


def dead_settings(settings: Config) -> Iterator[str]:
    """Name the settings of the spawner beneath SiteSpawner that SiteSpawner's own values overwrite."""
    common = SiteSpawner.class_traits(config=True).keys() & HPCSlurmSpawner.class_traits(config=True).keys()
    below = [each for each in HPCSlurmSpawner.__mro__ if each not in SiteSpawner.__mro__]
    for each in below:
        for name in settings.get(each.__name__, {}):
            if name in common:
                yield f"{each.__name__}.{name}"


@pytest.mark.usefixtures("site_file")
def test_every_setting_exists() -> None:
    settings = read()
    assert {"JupyterHub", "ConfigurableHTTPProxy", "Authenticator", "DemoAuthenticator", "SiteSpawner"} <= set(settings)
    assert list(unknown_settings(settings)) == []


@pytest.mark.usefixtures("site_file")
def test_a_setting_that_does_not_exist_is_found() -> None:
    settings = read()
    settings.JupyterHub.cleanup_server = False
    settings.SiteSpawner.start_timout = 60
    settings.SlurmSpawners.req_qos = "normal"
    expected = {"JupyterHub.cleanup_server", "SiteSpawner.start_timout", "SlurmSpawners.req_qos"}
    assert set(unknown_settings(settings)) == expected


@pytest.mark.usefixtures("site_file")
def test_no_setting_is_made_where_site_spawner_overwrites_it() -> None:
    assert list(dead_settings(read())) == []


@pytest.mark.parametrize("section", ["HPCSlurmSpawner", "SlurmSpawner", "BatchSpawnerBase"])
def test_a_setting_that_site_spawner_overwrites_is_found(section: str) -> None:
    settings = Config()
    settings[section].start_timeout = 60
    settings[section].req_qos = "normal"  # batchspawner's own; SiteSpawner has none of that name
    assert list(dead_settings(settings)) == [f"{section}.start_timeout"]


@pytest.mark.usefixtures("site_file")
def test_a_restart_ends_nobodys_session_and_a_queue_blocks_nobody() -> None:
    hub = read().JupyterHub
    assert (hub.cleanup_servers, hub.cleanup_proxy, hub.concurrent_spawn_limit) == (False, False, 0)
    assert hub.init_spawners_timeout == 1
    assert (hub.spawner_class, hub.authenticator_class) == (SiteSpawner, DemoAuthenticator)


def test_values_are_those_of_the_site(site_file: Path) -> None:
    settings, state = read(), site_file.parent.parent / "hub"
    assert settings.JupyterHub.bind_url == "http://127.0.0.1:8000"
    assert settings.JupyterHub.hub_bind_url == settings.JupyterHub.hub_connect_url == "http://127.0.0.1:8081"
    assert settings.JupyterHub.db_url == f"sqlite:///{state}/jupyterhub.sqlite"
    assert settings.ConfigurableHTTPProxy.api_url == "http://127.0.0.1:8001"
    assert settings.Authenticator.admin_users == {"admin"}
    assert settings.Authenticator.allowed_users == {"ada", "bruno", "carla", "dario", "admin"}
    assert settings.DemoAuthenticator.trainers == {"carla"}
    assert settings.JupyterHub.services[0] == {"name": "hpchub-admin", "api_token": TOKEN}
    assert isinstance(settings.JupyterHub.tornado_settings["hpchub"], Engine)


@pytest.mark.usefixtures("site_file")
def test_the_console_may_do_little_and_everybody_may_visit_it() -> None:
    hub = read().JupyterHub
    service = hub.services[1]
    assert (service["name"], service["url"], len(service["api_token"])) == ("events", "http://127.0.0.1:8083", 64)
    # the hub neither starts it nor waits for it
    assert "command" not in service and service["timeout"] == 1
    roles = {role["name"]: role for role in hub.load_roles}
    assert roles["hpchub-console"]["services"] == ["events"]
    assert config.CONSOLE_SCOPES <= set(scope_definitions)
    # of users it makes those of the pool, and has no word in others
    pool = {f"admin:users!user=seat{number:02}" for number in range(1, 41)}
    assert set(roles["hpchub-console"]["scopes"]) == config.CONSOLE_SCOPES | pool
    assert roles["user"]["scopes"] == ["self", "access:services!service=events"]


def test_a_site_without_a_console_has_no_service_for_it(site_file: Path) -> None:
    site_file.write_text(re.sub(r"(?ms)^console:$.*?^$", "", site_file.read_text()))
    hub = read().JupyterHub
    assert [service["name"] for service in hub.services] == ["hpchub-admin", "hpchub-metrics"]
    assert [role["name"] for role in hub.load_roles] == ["hpchub-admin", "hpchub-metrics"]


@pytest.mark.usefixtures("site_file")
def test_who_asks_for_metrics_may_do_nothing_else() -> None:
    hub = read().JupyterHub
    (role,) = (each for each in hub.load_roles if each.get("services") == ["hpchub-metrics"])
    assert role["scopes"] == ["read:metrics"] and "read:metrics" in scope_definitions


def test_a_hub_that_starts_its_proxy_has_no_token_for_it(site_file: Path) -> None:
    settings = read()
    assert settings.ConfigurableHTTPProxy.should_start is True
    assert "hpchub-proxy" not in {service["name"] for service in settings.JupyterHub.services}
    assert not (site_file.parent.parent / "hub" / "secrets" / config.ROUTES_TOKEN).exists()


def test_a_proxy_of_its_own_may_ask_for_its_routes_and_nothing_else(site_file: Path) -> None:
    text = site_file.read_text()
    site_file.write_text(text.replace("  state_folder:", "  starts_proxy: false\n  state_folder:"))
    settings = read()
    assert settings.ConfigurableHTTPProxy.should_start is False
    (service,) = (each for each in settings.JupyterHub.services if each["name"] == "hpchub-proxy")
    (role,) = (each for each in settings.JupyterHub.load_roles if each.get("services") == ["hpchub-proxy"])
    assert (len(service["api_token"]), role["scopes"]) == (64, ["proxy"])
    assert "proxy" in scope_definitions


def test_traefik_needs_no_token_for_its_routes_and_has_the_hub_s_own_password(site_file: Path) -> None:
    text = site_file.read_text()
    lines = "  proxy: traefik\n  starts_proxy: false\n  routes_folder: /run/hpchub-routes\n  state_folder:"
    site_file.write_text(text.replace("  state_folder:", lines))
    settings = read()
    assert settings.JupyterHub.proxy_class is TraefikProxy
    assert list(unknown_settings(settings)) == []
    assert (settings.TraefikProxy.folder, len(settings.TraefikProxy.password)) == ("/run/hpchub-routes", 64)
    assert "hpchub-proxy" not in [each["name"] for each in settings.JupyterHub.services]


def test_a_sites_own_file_has_the_last_word(site_file: Path) -> None:
    site_file.with_name("jupyterhub_local.py").write_text("c.SiteSpawner.http_timeout = 7\n")
    assert read().SiteSpawner.http_timeout == 7


def test_the_settings_are_values_that_their_traits_accept(site_file: Path) -> None:
    settings = read()
    del settings.JupyterHub.db_url
    JupyterHub(config=settings)
    DemoAuthenticator(config=settings)


def test_the_configuration_is_short_enough_to_be_read() -> None:
    assert len(CONFIG_FILE.read_text().splitlines()) < 100


def test_without_a_site_it_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HPCHUB_SITE", raising=False)
    with pytest.raises(CatalogueError, match=r"^Set the environment variable HPCHUB_SITE to the path of the site file"):
        config.load()


@pytest.mark.parametrize(
    "url",
    [
        "http://0.0.0.0:8000",
        "http://:8000",
        "http://10.0.0.1:8000",
        "http://[::]:8000",
        "https://hub.example.org",
        "http://localhost.example.org",
        "http://127.0.0.1.example.org:8000",
    ],
)
def test_the_demos_sign_in_serves_no_other_machine(url: str) -> None:
    with pytest.raises(CatalogueError) as refusal:
        refuse_other_machines(url)
    assert str(refusal.value) == (
        f"hub.bind_url {url}: sign_in of kind 'demo' has one password for all and is for one machine only. "
        "Listen on 127.0.0.1, or configure a real sign-in."
    )


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "http://localhost:8000/hub", "http://[::1]:8000"])
def test_the_demos_sign_in_serves_its_own_machine(url: str) -> None:
    refuse_other_machines(url)


def test_the_configuration_refuses_the_demos_sign_in_elsewhere(site_file: Path) -> None:
    site_file.write_text(site_file.read_text().replace("http://127.0.0.1:8000", "http://0.0.0.0:8000"))
    with pytest.raises(CatalogueError, match="for one machine only"):
        read()


SIGN_INS = [
    ({"username": "ada", "password": "demo"}, {"name": "ada", "groups": []}),
    ({"username": "carla", "password": "demo"}, {"name": "carla", "groups": ["trainers"]}),
    ({"username": "ada", "password": "Demo"}, None),
    ({"username": "ada", "password": ""}, None),
    ({"username": "ada", "password": "démo"}, None),
    ({"username": "root", "password": "demo"}, None),
    ({"username": "", "password": "demo"}, None),
    ({}, None),
]


@pytest.mark.parametrize(("data", "who"), SIGN_INS, ids=ascii)
async def test_who_signs_in(site_file: Path, data: dict[str, str], who: dict[str, Any] | None) -> None:
    settings = Config()
    config.apply_sign_in(settings, load_site(site_file))
    assert await DemoAuthenticator(config=settings).authenticate(None, data) == who


async def test_an_empty_password_lets_nobody_in() -> None:
    authenticator = DemoAuthenticator(allowed_users={"ada"})
    assert await authenticator.authenticate(None, {"username": "ada", "password": ""}) is None


def test_a_secret_is_read_without_its_line_end(site_file: Path) -> None:
    assert config.secret(load_site(site_file), "admin-token") == TOKEN


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o610, 0o644])
def test_a_secret_that_others_may_read_is_refused(site_file: Path, mode: int) -> None:
    path = site_file.parent.parent / "hub" / "secrets" / "admin-token"
    path.chmod(mode)
    with pytest.raises(CatalogueError) as refusal:
        config.secret(load_site(site_file), "admin-token")
    assert str(refusal.value) == f"{path} can be read by other users: chmod 600 {path}"
    assert TOKEN not in str(refusal.value)


def test_a_secret_that_is_missing_is_named(site_file: Path) -> None:
    with pytest.raises(CatalogueError, match="secrets/no-secret: No such file or directory"):
        config.secret(load_site(site_file), "no-secret")


def test_every_admin_scope_is_one_of_jupyterhubs() -> None:
    assert set(scope_definitions) >= config.ADMIN_SCOPES


def test_the_hub_hands_no_variable_of_its_own_to_jobs(site_file: Path) -> None:
    assert read().SiteSpawner.env_keep == []
    assert "HPCHUB_SITE" in os.environ


def test_the_database_is_the_one_that_the_site_names_in_a_closed_file(site_file: Path, tmp_path: Path) -> None:
    file = tmp_path / "database-url"
    file.write_text("postgresql+psycopg:///jupyterhub?host=/run/postgresql\n")
    site_file.write_text(
        site_file.read_text().replace("  state_folder:", f'  database_url_file: "{file}"\n  state_folder:')
    )
    file.chmod(0o640)
    with pytest.raises(CatalogueError, match="can be read by other users: chmod 600"):
        read()
    file.chmod(0o600)
    assert read().JupyterHub.db_url == "postgresql+psycopg:///jupyterhub?host=/run/postgresql"
