"""Builds: from a lock alone, switched in one step, readable by every user.  One tiny local wheel, no network."""

from __future__ import annotations

import base64
import hashlib
import os
import platform
import re
import stat
import subprocess
import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner
from uv import find_uv_bin

from hpchub.cli import app
from hpchub.environments.build import PYTHON, BuildError, build, environment_path
from hpchub.errors import CatalogueError
from tests.unit.data.world import demo_site_text

UV = Path(find_uv_bin())
TARGET = f"{platform.machine()}-demo"


def python_minor() -> str:
    command = [str(PYTHON), "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def wheel(folder: Path, version: str) -> Path:
    """Write a wheel with one module and one command, which both say their version."""
    info = f"tiny-{version}.dist-info"
    files = {
        "tiny.py": f"def main():\n    print('tiny {version}')\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: tiny\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[console_scripts]\ntiny = tiny:main\n",
    }
    digests = {
        name: base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        for name, text in files.items()
    }
    record = "".join(f"{name},sha256={digest},{len(files[name])}\n" for name, digest in digests.items())
    path = folder / f"tiny-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in {**files, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            archive.writestr(name, text)
    return path


def lock(catalogue: Path, version: str = "1.0", digest: str | None = None) -> None:
    path = wheel(catalogue, version)
    digest = digest or hashlib.sha256(path.read_bytes()).hexdigest()
    (catalogue / "environments" / "tiny" / f"{TARGET}.txt").write_text(
        f"tiny @ {path.as_uri()} --hash=sha256:{digest}\n"
    )


@pytest.fixture
def catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A catalogue folder with one environment, and a uv that does without the network."""
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    folder = tmp_path / "profiles"
    (folder / "environments" / "tiny").mkdir(parents=True)
    (folder / "environments" / "tiny" / "environment.yaml").write_text(
        f'title: {{en: Tiny}}\ndescription: {{en: Tiny}}\npython: "{python_minor()}"\ncontents: [tiny]\n'
    )
    lock(folder)
    return folder


def says(command: list[str]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_a_build_runs_from_its_final_place(catalogue: Path, tmp_path: Path) -> None:
    current = build(catalogue, "tiny", TARGET, tmp_path / "root", UV)
    assert current == environment_path(tmp_path / "root", "tiny", TARGET)
    assert says([f"{current}/bin/tiny"]) == "tiny 1.0"
    assert says([f"{current}/bin/python", "-c", "import tiny; tiny.main()"]) == "tiny 1.0"


def test_no_script_of_a_build_names_the_folder_it_was_made_in(catalogue: Path, tmp_path: Path) -> None:
    current = build(catalogue, "tiny", TARGET, tmp_path / "root", UV)
    assert [
        path for path in (current / "bin").iterdir() if not path.is_symlink() and b".build-" in path.read_bytes()
    ] == []


def test_a_build_is_compiled(catalogue: Path, tmp_path: Path) -> None:
    current = build(catalogue, "tiny", TARGET, tmp_path / "root", UV)
    assert list(current.glob("lib/python3*/site-packages/__pycache__/tiny.*.pyc"))


def test_every_user_can_read_a_build_whatever_the_umask(catalogue: Path, tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        build(catalogue, "tiny", TARGET, tmp_path / "root", UV)
        assert os.umask(0o077) == 0o077
    finally:
        os.umask(before)
    paths = [tmp_path / "root", *(tmp_path / "root").rglob("*")]
    closed = [path for path in paths if not path.is_symlink() and not path.stat().st_mode & stat.S_IROTH]
    assert closed == []


def test_the_same_lock_is_built_once(catalogue: Path, tmp_path: Path) -> None:
    first = build(catalogue, "tiny", TARGET, tmp_path / "root", UV).resolve()
    times = first.stat().st_mtime_ns
    again = build(catalogue, "tiny", TARGET, tmp_path / "root", tmp_path / "no-uv-is-needed").resolve()
    assert (again, again.stat().st_mtime_ns) == (first, times)


def test_a_new_lock_is_switched_to_and_the_old_build_stays(catalogue: Path, tmp_path: Path) -> None:
    old = build(catalogue, "tiny", TARGET, tmp_path / "root", UV).resolve()
    lock(catalogue, "2.0")
    current = build(catalogue, "tiny", TARGET, tmp_path / "root", UV)
    assert says([f"{current}/bin/tiny"]) == "tiny 2.0"
    assert says([f"{old}/bin/tiny"]) == "tiny 1.0"
    assert sorted(path.name for path in current.parent.iterdir()) == sorted(
        [old.name, current.resolve().name, "current"]
    )


def test_a_package_that_is_not_the_locked_one_changes_nothing(catalogue: Path, tmp_path: Path) -> None:
    current = build(catalogue, "tiny", TARGET, tmp_path / "root", UV)
    before = current.resolve()
    lock(catalogue, "2.0", digest="0" * 64)
    with pytest.raises(BuildError, match=r"(?i)hash mismatch"):
        build(catalogue, "tiny", TARGET, tmp_path / "root", UV)
    assert current.resolve() == before
    assert sorted(path.name for path in current.parent.iterdir()) == sorted([before.name, "current"])


def test_a_package_without_a_hash_is_refused(catalogue: Path, tmp_path: Path) -> None:
    path = catalogue / "environments" / "tiny" / f"{TARGET}.txt"
    path.write_text(path.read_text().partition(" --hash")[0])
    with pytest.raises(BuildError, match="hash"):
        build(catalogue, "tiny", TARGET, tmp_path / "root", UV)


def test_unknown_names_say_what_is_possible(catalogue: Path, tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="no environment 'huge'; possible: tiny"):
        build(catalogue, "huge", TARGET, tmp_path, UV)
    with pytest.raises(CatalogueError, match=f"no lock for target 'x'; possible: {TARGET}"):
        build(catalogue, "tiny", "x", tmp_path, UV)


def test_another_architecture_is_refused(catalogue: Path, tmp_path: Path) -> None:
    folder = catalogue / "environments" / "tiny"
    (folder / f"{TARGET}.txt").rename(folder / "riscv64-demo.txt")
    with pytest.raises(BuildError, match="must be built on riscv64; this machine is"):
        build(catalogue, "tiny", "riscv64-demo", tmp_path, UV)


def test_a_python_that_other_users_cannot_run_is_refused(catalogue: Path, tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    python = private / "python"
    python.write_text(f'#!/bin/sh\nexec {PYTHON} "$@"\n')
    python.chmod(0o755)
    with pytest.raises(BuildError, match=r"not every user can execute .* because of the mode of"):
        build(catalogue, "tiny", TARGET, tmp_path / "root", UV, python)


def test_another_python_than_the_locked_one_is_refused(catalogue: Path, tmp_path: Path) -> None:
    declared = catalogue / "environments" / "tiny" / "environment.yaml"
    declared.write_text(declared.read_text().replace(python_minor(), "3.99"))
    with pytest.raises(BuildError, match=r"and the environment was locked for 3\.99"):
        build(catalogue, "tiny", TARGET, tmp_path, UV)


def test_the_command_builds_and_fails_with_a_sentence(catalogue: Path, tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    (catalogue / "sectors.yaml").write_text('sectors: {a: {title: {en: A}, allocations: ["*"]}}\n')
    (catalogue / "a").mkdir()
    (catalogue / "a" / "b.yaml").write_text(
        "title: {en: B}\ndescription: {en: B}\nenvironment: tiny\ndefault_size: s\n"
        "runs_on: [{cluster: leonardo, partition: p, gpu_type: null, qos: [normal]}]\n"
        "sizes: {s: {gpus: 0, cores: 1, memory_mb: 1, default_minutes: 1, max_minutes: 1}}\n"
    )
    site.write_text(re.sub(r"default_profiles: .*", "default_profiles: [a/b]", demo_site_text(str(tmp_path))))
    command = ["environments", "build", "tiny", "--site", str(site), "--target"]
    result = CliRunner().invoke(app, [*command, TARGET])
    assert (result.exit_code, result.output) == (0, f"{tmp_path}/environments/tiny/{TARGET}/current\n")
    result = CliRunner().invoke(app, [*command, "x"])
    assert (result.exit_code, result.output) == (
        1,
        f"{catalogue}/environments/tiny: no lock for target 'x'; possible: {TARGET}\n",
    )
