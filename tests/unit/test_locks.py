"""The locks that we ship: hashed, of one platform, free of what must not be in them, and still what is asked for."""

from __future__ import annotations

import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hpchub.catalogue.load import load_catalogue, load_site
from hpchub.catalogue.packages import pins
from hpchub.cli import app
from hpchub.environments.build import BuildError
from hpchub.environments.lock import Lock, as_pylock, as_requirements, names_of, read_targets, resolve
from hpchub.errors import CatalogueError
from tests.unit.data.world import REPOSITORY

PROFILES = REPOSITORY / "profiles"
ENVIRONMENTS = PROFILES / "environments"
TARGETS = ("aarch64-cuda13", "x86_64-cuda12", "x86_64-demo")
LOCKS = sorted(ENVIRONMENTS.glob("*/*.txt"))
UV = REPOSITORY / ".venv" / "bin" / "uv"
PYTHON_MINOR = 11

FORBIDDEN = {
    "lightning": "taken over in April 2026 and quarantined since; pytorch-lightning is the same code",
    "torchgeo": "needs lightning",
    "terratorch": "needs lightning",
    "anomalib": "needs lightning",
    "open3d": "has no wheel for the glibc of Leonardo",
}
DISTRIBUTIONS = {
    "art": "adversarial-robustness-toolbox",
    "cv2": "opencv-python-headless",
    "cyclonedx": "cyclonedx-python-lib",
    "dask": "dask",
    "earthkit.data": "earthkit-data",
    "earthkit.plots": "earthkit-plots",
    "faiss": "faiss-cpu",
    "jupyter_resource_usage": "jupyter-resource-usage",
    "mlflow": "mlflow-skinny",
    "odc.stac": "odc-stac",
    "pystac_client": "pystac-client",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yara": "yara-python",
}
"""Whose modules have another name."""

for_each_lock = pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: f"{lock.parent.name}/{lock.stem}")


def entries(lock: Path) -> list[tuple[list[str], str, str, list[str]]]:
    """Read a lock as (wheels, name, version, digests) of each package; every line of it must be understood."""
    first, *lines = lock.read_text().splitlines()
    assert first.startswith("# Made by `hpchub environments lock`")
    found: list[tuple[list[str], str, str, list[str]]] = []
    wheels: list[str] = []
    for line in lines:
        if line.startswith("# "):
            wheels.append(line[2:])
        elif pinned := re.fullmatch(r"([a-z0-9-]+)==([A-Za-z0-9.+!]+) \\", line):
            found.append((wheels, pinned[1], pinned[2], []))
            wheels = []
        else:
            digest = re.fullmatch(r"    --hash=sha256:([0-9a-f]{64})( \\)?", line)
            assert digest, line
            found[-1][3].append(digest[1])
    return found


def fits(wheel: str, platform: str) -> bool:
    """Tell whether a wheel runs on CPython 3.11 and a platform, by the tags of its name."""
    pythons, abis, platforms = (tags.split(".") for tags in wheel.removesuffix(".whl").rsplit("-", 3)[1:])
    architecture, glibc = re.fullmatch(r"(\w+)-manylinux_2_(\d+)", platform).groups()  # type: ignore[union-attr]
    minors = [re.fullmatch(r"(cp|py)3?(\d*)", python) for python in pythons]
    stable = abis == ["abi3"]
    runs = any(
        found
        and (not found[2] or int(found[2]) == PYTHON_MINOR or ((stable or found[1] == "py") and int(found[2]) < 12))
        for found in minors
    )
    old = {"manylinux1": 5, "manylinux2010": 12, "manylinux2014": 17}

    def carries(tag: str) -> bool:
        if tag in ("any", f"linux_{architecture}"):
            return tag == "any"
        found = re.fullmatch(r"(manylinux\d+|manylinux_2_(\d+))_(\w+?)", tag)
        if not found or not tag.endswith(f"_{architecture}"):
            return False
        return int(found[2] or old[tag.removesuffix(f"_{architecture}")]) <= int(glibc)

    return runs and any(map(carries, platforms))


def test_every_environment_is_locked_for_every_target() -> None:
    assert tuple(sorted(read_targets(PROFILES))) == TARGETS
    assert {(lock.parent.name, lock.stem) for lock in LOCKS} == {(n, t) for n in names_of(PROFILES) for t in TARGETS}


@pytest.mark.parametrize(
    ("wheel", "expected"),
    [
        ("a-1-py3-none-any.whl", True),
        ("a-1-py2.py3-none-any.whl", True),
        ("a-1-cp311-cp311-manylinux_2_28_x86_64.whl", True),
        ("a-1-cp39-abi3-manylinux2014_x86_64.manylinux_2_17_x86_64.whl", True),
        ("a-1-cp312-cp312-manylinux_2_28_x86_64.whl", False),
        ("a-1-cp312-abi3-manylinux_2_28_x86_64.whl", False),
        ("a-1-cp310-cp310-manylinux_2_28_x86_64.whl", False),
        ("a-1-cp311-cp311-manylinux_2_31_x86_64.whl", False),
        ("a-1-cp311-cp311-manylinux_2_28_aarch64.whl", False),
        ("a-1-cp311-cp311-musllinux_1_2_x86_64.whl", False),
        ("a-1-cp311-cp311-linux_x86_64.whl", False),
    ],
)
def test_what_fits_leonardo(wheel: str, expected: bool) -> None:
    assert fits(wheel, "x86_64-manylinux_2_28") is expected


@for_each_lock
def test_locks_have_wheels_of_their_platform_only_and_a_hash_for_each(lock: Path) -> None:
    platform = read_targets(PROFILES)[lock.stem].platform
    for wheels, name, version, digests in entries(lock):
        assert len(wheels) == len(digests) > 0, name
        for wheel in wheels:
            assert fits(wheel, platform), wheel
            named = re.sub("[-_.]+", "-", wheel.partition("-")[0]).lower()
            assert (named, wheel.split("-")[1]) == (name, version)


@for_each_lock
def test_locks_name_no_host(lock: Path) -> None:
    assert "://" not in lock.read_text()


@for_each_lock
def test_what_must_not_be_in_a_lock_is_not(lock: Path) -> None:
    assert {name: why for name, why in FORBIDDEN.items() if name in pins(lock.read_text())} == {}


@for_each_lock
def test_the_notebook_server_is_the_hubs_version(lock: Path) -> None:
    (hub,) = re.findall(r"^jupyterhub==(\S+)", (REPOSITORY / "requirements" / "hub.txt").read_text(), re.MULTILINE)
    assert pins(lock.read_text())["jupyterhub"] == hub


@for_each_lock
def test_torch_is_the_one_that_the_drivers_carry(lock: Path) -> None:
    versions = pins(lock.read_text())
    if "torch" not in versions:
        assert lock.stem == "x86_64-demo" or lock.parent.name == "base"
        return
    minor = int(versions["torch"].split(".")[1])
    cuda = {name for name in versions if name.startswith("nvidia-cudnn-cu")}
    if lock.stem == "x86_64-cuda12":
        assert (minor <= 10, cuda) == (True, {"nvidia-cudnn-cu12"})
    else:
        assert (lock.stem, minor >= 11, cuda) == ("aarch64-cuda13", True, {"nvidia-cudnn-cu13"})


@for_each_lock
def test_what_is_tried_after_a_build_is_in_the_lock(lock: Path) -> None:
    environment = load_catalogue(load_site(PROFILES / "site.yaml")).environments[lock.parent.name]
    wanted = {
        DISTRIBUTIONS.get(module) or DISTRIBUTIONS.get(top := module.partition(".")[0]) or top.lower()
        for module in environment.imports
    }
    assert wanted and wanted <= pins(lock.read_text()).keys()


def test_locks_are_what_the_requirements_give(monkeypatch: pytest.MonkeyPatch) -> None:
    # The cache of the other tests; only what it lacks is asked of the registry, which takes seconds a lock.
    monkeypatch.setenv("UV_CACHE_DIR", os.environ.get("UV_CACHE_DIR") or str(REPOSITORY / ".cache" / "demo" / "uv"))
    monkeypatch.setenv("UV_OFFLINE", "1")
    with ThreadPoolExecutor(4) as pool:
        found = dict(zip(LOCKS, pool.map(resolved, LOCKS), strict=True))
        monkeypatch.delenv("UV_OFFLINE")
        lacking = [lock for lock in LOCKS if found[lock] is None]
        found |= zip(lacking, pool.map(resolved, lacking), strict=True)
    # versions only: somebody may publish one more wheel of a version that is there
    assert {lock: each and each.differences() for lock, each in found.items()} == {lock: [] for lock in LOCKS}


def resolved(lock: Path) -> Lock | None:
    """Resolve the requirements of a lock again; None where that cannot be done."""
    try:
        return resolve(PROFILES, lock.parent.name, lock.stem, UV)
    except BuildError:
        return None


PACKAGES = [
    {
        "name": "b",
        "version": "2",
        "wheels": [{"url": "https://x/b-2%2Bcu12-py3-none-any.whl", "hashes": {"sha256": "2"}}],
    },
    {
        "name": "a",
        "version": "1.0",
        "wheels": [
            {"name": "a-1.0-py3-none-any.whl", "url": "https://x/y", "hashes": {"sha256": "1"}},
            {"url": "https://x/a-1.0-cp311-cp311-linux.whl", "hashes": {"sha256": "0"}},
        ],
    },
]


def test_a_lock_lists_wheels_and_hashes_in_order() -> None:
    assert as_requirements(PACKAGES) == (
        "# a-1.0-cp311-cp311-linux.whl\n# a-1.0-py3-none-any.whl\n"
        "a==1.0 \\\n    --hash=sha256:0 \\\n    --hash=sha256:1\n"
        "# b-2+cu12-py3-none-any.whl\nb==2 \\\n    --hash=sha256:2\n"
    )


def test_the_versions_of_a_lock_can_be_kept() -> None:
    versions = pins(as_requirements(PACKAGES))
    assert versions == {"a": "1.0", "b": "2"}
    assert as_pylock(versions).count("[[packages]]") == 2


def test_what_cannot_be_locked_is_named() -> None:
    with pytest.raises(CatalogueError, match=r"'bsae' has no requirements\.in; possible: agrifood, base, "):
        names_of(PROFILES, ["bsae"])
    with pytest.raises(CatalogueError, match="no target 'riscv-demo'; possible: x86_64-demo, "):
        resolve(PROFILES, "base", "riscv-demo", UV)


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A site whose only environment asks for one package, which nobody can deliver."""
    environments = tmp_path / "profiles" / "environments"
    (environments / "tiny").mkdir(parents=True)
    site = (PROFILES / "site.yaml").read_text()
    (tmp_path / "profiles" / "site.yaml").write_text(site)
    (environments / "targets.yaml").write_text(
        "targets:\n  x86_64-nix: {platform: x86_64-manylinux_2_28, gpu: false}\n"
    )
    declared = (ENVIRONMENTS / "base" / "environment.yaml").read_text()
    (environments / "tiny" / "environment.yaml").write_text(declared)
    (environments / "tiny" / "requirements.in").write_text("numpy\n")
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "profiles"


def test_what_cannot_be_had_cannot_be_locked(tiny: Path) -> None:
    with pytest.raises(BuildError, match=r"tiny cannot be locked for x86_64-nix: (.|\n)*numpy"):
        resolve(tiny, "tiny", "x86_64-nix", UV)


def test_an_unknown_field_of_the_targets_is_named_with_its_line(tiny: Path) -> None:
    path = tiny / "environments" / "targets.yaml"
    path.write_text(path.read_text().replace("gpu:", "gpus:"))
    result = CliRunner().invoke(app, ["environments", "lock", "--site", str(tiny / "site.yaml")])
    assert result.exit_code == 1
    assert f"{path}:2: targets.x86_64-nix.gpus: " in result.output
