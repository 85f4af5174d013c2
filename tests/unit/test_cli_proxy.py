"""`hpchub proxy routes`: a proxy that is new asks the hub for its routes, and is never harmed by a hub that is away."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from hpchub.catalogue.load import load_site
from hpchub.cli import app
from tests.support.served import Quiet, served
from tests.unit.data.world import REPOSITORY, demo_site_text

TOKEN = "0123456789abcdef" * 4


@pytest.fixture
def site(tmp_path: Path) -> Path:
    path = tmp_path / "site.yaml"
    path.write_text(demo_site_text(str(tmp_path)))
    (tmp_path / "profiles").symlink_to(REPOSITORY / "profiles")
    return path


@contextmanager
def hub(site: Path, status: int) -> Iterator[list[str]]:
    """A hub that answers with this; give what it was asked."""
    asked: list[str] = []

    class Hub(Quiet):
        def do_POST(self) -> None:
            asked.append(f"{self.command} {self.path} {self.headers['Authorization']}")
            self.send_response(status)
            self.end_headers()

    with served(Hub) as url:
        site.write_text(site.read_text().replace("http://127.0.0.1:8081", url))
        yield asked


def routes(site: Path, **environment: str) -> Result:
    return CliRunner().invoke(app, ["proxy", "routes", "--site", str(site)], env={"HPCHUB_TOKEN": TOKEN, **environment})


def test_the_hub_is_asked_once_with_the_token(site: Path) -> None:
    with hub(site, 200) as asked:
        done = routes(site)
    assert (done.exit_code, done.output) == (0, "The hub has made all routes.\n")
    assert asked == [f"POST /hub/api/proxy token {TOKEN}"]


def test_without_the_variable_the_hub_s_own_copy_is_taken(site: Path) -> None:
    secrets = site.parent / "hub" / "secrets"
    secrets.mkdir(parents=True)
    (secrets / "admin-token").write_text("f" * 64)
    with hub(site, 200) as asked:
        assert routes(site, HPCHUB_TOKEN="").exit_code == 0
    assert asked == [f"POST /hub/api/proxy token {'f' * 64}"]


@pytest.mark.parametrize("status", [403, 500])
def test_a_hub_that_refuses_is_told(site: Path, status: int) -> None:
    with hub(site, status):
        done = routes(site)
    assert done.exit_code == 1 and f"answers {status}" in done.output and TOKEN not in done.output


def test_a_hub_that_does_not_run_is_no_failure(site: Path) -> None:
    site.write_text(site.read_text().replace("http://127.0.0.1:8081", "http://127.0.0.1:9"))
    done = routes(site)
    assert done.exit_code == 0 and "it makes all routes when it starts" in done.output


def test_the_proxy_s_unit_asks_without_the_site_file(site: Path) -> None:
    with hub(site, 200) as asked:
        url = load_site(site).hub.hub_url
        command = [sys.executable, "-I", "-m", "hpchub.routes", url]
        done = subprocess.run(command, env={"HPCHUB_TOKEN": TOKEN}, capture_output=True, text=True, check=True)
    assert done.stdout == "The hub has made all routes.\n"
    assert asked == [f"POST /hub/api/proxy token {TOKEN}"]


def test_the_proxy_s_unit_does_not_wait_for_what_it_does_not_need() -> None:
    program = "import sys, hpchub.routes; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True)
    assert not {"pydantic", "jupyterhub", "sqlalchemy", "typer"} & set(done.stdout.split())


def test_a_token_that_nobody_has_is_named(site: Path) -> None:
    done = routes(site, HPCHUB_TOKEN="")
    assert done.exit_code == 1 and "admin-token: No such file or directory" in done.output
