"""Environments through a real cluster: a session keeps its build, and people start what they brought."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import choices
from tests.support.builds import new_root
from tests.support.kernel import execute, start_kernel
from tests.support.site import Site

ADA = {**choices.ADA, "profile": "general/data-preparation"}
"""Its environment is the smallest one: it is copied, brought and built again here."""
TARGET = "x86_64-demo"
WHERE = "import sys; print(sys.prefix)"


def hpchub(site: Site, *words: str, status: int = 0) -> str:
    """Run the admin's command on the site; return what it prints, its errors included."""
    command: list[str | Path] = [
        site.folder / "venv" / "bin" / "hpchub",
        "environments",
        *words,
        "--site",
        site.folder / "site" / "site.yaml",
    ]
    environment = {**os.environ, "SLURM_CONF": str(site.folder / "etc" / "leonardo" / "slurm.conf")}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == status, f"{command}: {done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


@pytest.fixture
def two_builds(site: Site) -> Iterator[tuple[str, str, str]]:
    """An environment of ada's profile with two builds: its name, the current build and another one."""
    profile = json.loads(hpchub(site, "list", "--json"))
    row = next(row for row in profile if row["current"] and row["environment"] == environment_of(site))
    copy = Path(row["path"]).with_name("0123456789ab")
    subprocess.run(["cp", "--archive", row["path"], copy], check=True)
    yield row["environment"], row["build"], copy.name
    hpchub(site, "switch", row["environment"], "--target", TARGET, "--build", row["build"])
    shutil.rmtree(copy, ignore_errors=True)


def environment_of(site: Site) -> str:
    """The environment of the profile that ada starts."""
    text = (site.folder / "site" / "profiles" / f"{ADA['profile']}.yaml").read_text()
    return next(line.split()[1] for line in text.splitlines() if line.startswith("environment:"))


def test_a_running_session_keeps_its_build(site: Site, two_builds: tuple[str, str, str]) -> None:
    name, before, after = two_builds
    site.run("ada", ADA)
    token = site.token_of("ada")
    hpchub(site, "switch", name, "--target", TARGET, "--build", after)
    old = str(site.folder / "environments" / name / TARGET / before)
    # A kernel that starts now runs where the session does, and nobody takes that away.
    assert execute(site, "ada", token, start_kernel(site, "ada", token), WHERE).strip() == old
    counted = {
        row["build"]: row["jobs"] for row in json.loads(hpchub(site, "list", "--json")) if row["environment"] == name
    }
    assert (counted[before], counted[after]) == (1, 0)
    link = Path(old).with_name("current")
    os.utime(link, (0, 0), follow_symlinks=False)
    assert "1 jobs use it" in hpchub(site, "remove", name, "--target", TARGET, "--build", before, status=1)
    site.stop_servers()
    site.run("ada", ADA)
    token = site.token_of("ada")
    new = execute(site, "ada", token, start_kernel(site, "ada", token), WHERE).strip()
    assert new == str(Path(old).with_name(after))


def test_a_second_root_is_built_from_the_cache_alone(site: Site) -> None:
    # This ring has no network, so what is not in uv's cache cannot be had.
    cache = Path(os.environ["HPCHUB_DEMO_CACHE"])
    variables = {**os.environ, "UV_CACHE_DIR": str(cache / "uv"), "UV_OFFLINE": "1"}
    text = (site.folder / "site" / "site.yaml").read_text()
    text = re.sub(r"(?m)^profiles: .*", f"profiles: {site.folder}/site/profiles", text)
    name = environment_of(site)
    command = [str(site.folder / "venv" / "bin" / "hpchub"), "environments", "build", name, "--target", TARGET]
    with new_root(cache) as root:
        (root / "site.yaml").write_text(re.sub(r"environments_root: .*", f"environments_root: {root}", text))
        options = [*command, "--site", str(root / "site.yaml")]
        done = subprocess.run(options, capture_output=True, text=True, env=variables, check=False)
        assert done.returncode == 0, done.stderr
        first = (site.folder / "environments" / name / TARGET / "current").resolve()
        assert Path(done.stdout.strip()).resolve() == root / name / TARGET / first.name


@pytest.fixture(scope="module")
def brought(started_site: Site) -> Iterator[Path]:
    """An environment in ada's home, made as she would copy one."""
    site = started_site
    home = Path(
        subprocess.run(["getent", "passwd", "ada"], check=True, capture_output=True, text=True).stdout.split(":")[5]
    )
    build = (site.folder / "environments" / environment_of(site) / TARGET / "current").resolve()
    mine = home / "mine"
    subprocess.run(["runuser", "-u", "ada", "--", "cp", "-r", build, mine], check=True, cwd="/")
    yield mine
    shutil.rmtree(mine)


def register(site: Site, user: str, path: Path | str, name: str = "mine", cluster: str = "leonardo") -> Any:
    wish = {"name": name, "cluster": cluster, "path": str(path)}
    return site.api("POST", "/hpchub/environments", wish, token=site.token_of(user))


@pytest.fixture
def registered(site: Site, brought: Path) -> Iterator[Path]:
    answer = register(site, "ada", brought)
    assert answer.status == 201, answer
    yield brought
    site.stop_servers()
    site.api("DELETE", "/hpchub/environments/mine", token=site.token_of("ada"))


OWN = {"profile": "own/mine", "size": "small", "minutes": 30}


def test_what_somebody_brought_is_started(site: Site, registered: Path) -> None:
    session = site.run("ada", OWN)
    token = site.token_of("ada")
    kernel = start_kernel(site, "ada", token)
    assert execute(site, "ada", token, kernel, WHERE).strip() == str(registered)
    assert (session["profile"], session["cluster"]) == ("own/mine", "leonardo")


def test_it_is_remembered_and_still_started_after_a_restart(site: Site, registered: Path) -> None:
    site.run("ada", OWN)
    site.restart_hub()
    assert site.ready("ada")["profile"] == "own/mine"
    listed = site.api("GET", "/hpchub/environments", token=site.token_of("ada")).json
    assert [(each["name"], each["path"], each["profile"]) for each in listed] == [("mine", str(registered), "own/mine")]


def test_what_is_broken_since_is_refused_before_it_queues(site: Site, registered: Path) -> None:
    server = registered / "bin" / "jupyterhub-singleuser"
    server.rename(server.with_suffix(".away"))
    try:
        answer = site.start("ada", OWN)
        assert answer.status == 400
        assert answer.message.startswith(f"{registered} has no jupyterhub-singleuser.")
        assert site.live_jobs_of("ada") == []
    finally:
        server.with_suffix(".away").rename(server)


def test_it_is_offered_to_nobody_else(site: Site, registered: Path) -> None:
    answer = site.start("bruno", OWN)
    assert answer.status == 400
    assert "Profile 'own/mine' is not known" in answer.message
    assert site.api("GET", "/hpchub/environments", token=site.token_of("bruno")).json == []


def test_what_is_forgotten_is_not_offered_any_more(site: Site, brought: Path) -> None:
    assert register(site, "ada", brought).status == 201
    token = site.token_of("ada")
    assert site.api("DELETE", "/hpchub/environments/mine", token=token).status == 204
    assert site.api("DELETE", "/hpchub/environments/mine", token=token).status == 404
    assert site.start("ada", OWN).status == 400


def test_an_environment_of_somebody_else_is_looked_at_with_ones_own_rights(site: Site, brought: Path) -> None:
    brought.parent.chmod(0o700)
    answer = register(site, "bruno", brought)
    assert answer.status == 400
    assert answer.message.startswith(f"{brought} cannot be used: {brought}/bin/python: Permission denied.")


@pytest.mark.parametrize(
    ("wish", "sentence"),
    [
        ({"path": "/no/such/place"}, "/no/such/place cannot be used: /no/such/place/bin/python: No such file"),
        ({"path": "relative"}, "Not an environment: path: Value error, an absolute path"),
        ({"path": "/a/../b"}, "Not an environment: path: Value error, an absolute path"),
        ({"path": "/a\nb"}, "Not an environment: path: Value error, a path of printable characters"),
        ({"name": "../../x"}, "Not an environment: name: String should match pattern"),
        ({"cluster": "nowhere"}, "Cluster 'nowhere' takes no environments. Possible: leonardo, it4lia."),
        ({"uid": 0}, "Not an environment: uid: Extra inputs are not permitted"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_cannot_be_started_is_refused_with_a_sentence(site: Site, wish: dict[str, object], sentence: str) -> None:
    body = {"name": "mine", "cluster": "leonardo", "path": "/usr", **wish}
    answer = site.api("POST", "/hpchub/environments", body, token=site.token_of("ada"))
    assert answer.status == 400
    assert sentence in answer.message


def test_an_environment_without_a_server_says_how_to_add_one(site: Site, brought: Path) -> None:
    bare = brought.with_name("bare")
    as_ada = ["runuser", "-u", "ada", "--"]
    subprocess.run([*as_ada, "/usr/bin/python3", "-m", "venv", "--without-pip", bare], check=True, cwd="/")
    try:
        answer = register(site, "ada", bare)
        assert answer.status == 400
        assert f"{bare} has no jupyterhub-singleuser. Add it: {bare}/bin/python -m pip install" in answer.message
    finally:
        shutil.rmtree(bare)


def test_a_servers_own_token_registers_nothing(site: Site, brought: Path) -> None:
    site.run("ada", ADA)
    token = site.token_of("ada")
    kernel = start_kernel(site, "ada", token)
    own = execute(site, "ada", token, kernel, "import os; print(os.environ['JUPYTERHUB_API_TOKEN'])").strip()
    wish = {"name": "mine", "cluster": "leonardo", "path": str(brought)}
    assert site.api("POST", "/hpchub/environments", wish, token=own).status == 403
    assert site.api("POST", "/hpchub/environments", wish).status == 403
    assert site.api("POST", "/hpchub/environments", wish, token="").status == 403


def test_a_kernel_of_ones_own_appears_in_every_session(site: Site, brought: Path) -> None:
    command = [str(brought / "bin" / "python"), "-m", "ipykernel", "install", "--user", "--name", "mine"]
    subprocess.run(["runuser", "-u", "ada", "--", "env", f"HOME={brought.parent}", *command], check=True, cwd="/")
    try:
        site.run("ada", ADA)
        answer = site.get("/user/ada/api/kernelspecs", site.token_of("ada"))
        assert "mine" in answer.json["kernelspecs"]
    finally:
        shutil.rmtree(brought.parent / ".local/share/jupyter/kernels/mine")
