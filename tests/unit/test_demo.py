"""The demo's decisions that need no machine: where it may lie, what its door allows, what its site file says."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from demo import door, environments, hub, site
from demo.__main__ import alone
from demo.cache import digest
from demo.place import Place
from demo.steps import DemoError, run, system_environment


@pytest.fixture
def place(tmp_path: Path) -> Place:
    (tmp_path / "env").write_text("export SLURM_CONF=/var/x/slurm.conf\n")
    return Place(folder=tmp_path, cache=tmp_path / "cache", port=8000)


def test_place_has_defaults() -> None:
    place = Place.from_environment({})
    assert (str(place.folder), str(place.cache)) == ("/var/lib/hpchub-demo", "/var/lib/hpchub-demo/cache")
    assert (place.url, place.hub_port, place.proxy_port) == ("http://127.0.0.1:8000", 8081, 8001)


@pytest.mark.parametrize("folder", ["demo", "/", "/opt", "/var/../etc", "/var/a b", "/var/a,b", "/var/a\nb"])
def test_unsafe_folder_is_refused(folder: str) -> None:
    with pytest.raises(DemoError, match="HPCHUB_DEMO_DIR is"):
        Place.from_environment({"HPCHUB_DEMO_DIR": folder})


@pytest.mark.parametrize("port", ["80", "65001", "eight", "8000 ", "-8000", "٨٠٠٠"])
def test_unusable_port_is_refused(port: str) -> None:
    with pytest.raises(DemoError, match="HPCHUB_DEMO_PORT is"):
        Place.from_environment({"HPCHUB_DEMO_PORT": port})


def test_folder_that_others_cannot_enter_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with pytest.raises(DemoError, match=f"other users cannot enter {tmp_path}"):
        Place(tmp_path / "demo", tmp_path / "cache", 8000).check_reachable()


def test_taken_port_is_named_with_the_remedy(place: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        with pytest.raises(DemoError, match=f"Port {taken} .* HPCHUB_DEMO_PORT="):
            hub.check_ports(Place(place.folder, place.cache, taken))


def test_sudo_opens_exactly_two_programs_without_arguments_and_one_of_them_as_root(place: Place) -> None:
    rules = [line for line in door.sudoers_rule(place).splitlines() if not line.startswith("#")]
    assert rules == [
        f'hpchub-demo-hub ALL=(root) NOPASSWD: {place.folder}/libexec/hpchub-launch ""',
        f'hpchub-demo-hub ALL=(slurm) NOPASSWD: {place.folder}/libexec/hpchub-reserve ""',
    ]


def test_launcher_is_told_for_whom_it_may_act(place: Place) -> None:
    settings = json.loads(door.settings(place))
    assert (settings["group"], settings["uid_min"]) == ("hpchub-demo", 1000)
    assert settings["environment"] == {"SLURM_CONF": "/var/x/slurm.conf"}


def test_reservations_are_made_for_the_training_accounts_alone(place: Place) -> None:
    settings = json.loads(door.reserver_settings(place))
    assert (settings["prefix"], settings["accounts"]) == ("hpchub_", ["tra26_*"])
    assert settings["clusters"]["leonardo"]["slurm_conf"] == "/var/x/slurm.conf"


def test_site_file_names_ports_and_people(place: Place) -> None:
    text = site.site_text(place)
    assert "http://127.0.0.1:8081" in text
    assert f"{place.folder}/libexec/hpchub-launch" in text
    assert 'admins: ["admin"]' in text
    assert 'trainers: ["carla"]' in text


def test_environments_are_links_to_what_the_cache_has_built(place: Place) -> None:
    for name in environments.names():
        build = environments.built(place) / name / "x86_64-demo" / "3f9a1c02b7de"
        build.mkdir(parents=True)
        (build / "file").write_text(name)
        (build.parent / "current").symlink_to(build.name)
    (environments.built(place) / ".made-from").write_text("these locks")
    environments.lay(place)
    build = place.environments / "base" / "x86_64-demo" / "3f9a1c02b7de"
    assert (build / "file").samefile(environments.built(place) / "base" / "x86_64-demo" / build.name / "file")
    assert (build.parent / "current").resolve() == build
    # the second time there is nothing to do
    (build / "file").unlink()
    environments.lay(place)
    assert not (build / "file").exists()


def test_a_new_build_is_put_beside_the_old_one(place: Place) -> None:
    for made_from in ("old", "new"):
        for name in environments.names():
            target = environments.built(place) / name / "x86_64-demo"
            (target / made_from).mkdir(parents=True)
            (target / "current").unlink(missing_ok=True)
            (target / "current").symlink_to(made_from)
        (environments.built(place) / ".made-from").write_text(made_from)
        environments.lay(place)
    assert sorted(path.name for path in (place.environments / "base" / "x86_64-demo").iterdir()) == [
        "current",
        "new",
        "old",
    ]
    assert (place.environments / "base" / "x86_64-demo" / "current").resolve().name == "new"


def test_digest_sees_content_and_names(tmp_path: Path) -> None:
    folder = tmp_path / "sources"
    folder.mkdir()
    (folder / "a").write_text("1")
    first = digest(folder)
    (folder / "a").rename(folder / "b")
    renamed = digest(folder)
    (folder / "b").write_text("2")
    assert len({first, renamed, digest(folder)}) == 3


def test_failing_command_shows_its_last_words() -> None:
    with pytest.raises(DemoError, match=r"exit status 3:\nno such luck"):
        run(["sh", "-c", "echo no such luck; exit 3"], environment=system_environment())


def test_two_commands_do_not_work_on_one_folder(place: Place) -> None:
    with alone(place), pytest.raises(DemoError, match="Another command works on"), alone(place):
        pass


def test_process_of_somebody_else_is_not_taken_for_the_hub(place: Place) -> None:
    (place.folder / "hub.pid").write_text("1\n")
    assert hub.hub(place).pid() is None
