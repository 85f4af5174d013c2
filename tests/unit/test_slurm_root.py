"""Another Slurm than the machine's: where it lies, and how its programs run here."""

from __future__ import annotations

from pathlib import Path

import pytest

from devcluster import slurm_root
from devcluster.__main__ import main
from devcluster.errors import DevclusterError
from devcluster.overlay import PROGRAMS, find_slurm, program_command


@pytest.fixture
def unpacked(tmp_path: Path) -> Path:
    """What an unpacked root has, on a machine of another architecture."""
    libraries = tmp_path / "usr/lib/aarch64-linux-gnu"
    (libraries / "slurm-wlm").mkdir(parents=True)
    (libraries / "ld-linux-aarch64.so.1").touch()
    for program in PROGRAMS:
        # Debian's alternatives, which name slurmctld and others without the ending, are not set up there
        path = tmp_path / "usr" / (f"{program}-wlm" if program in ("sbin/slurmctld", "sbin/slurmd") else program)
        path.parent.mkdir(exist_ok=True)
        path.touch()
    return tmp_path


@pytest.mark.parametrize(("name", "place", "file"), [("squeue", "bin", "squeue"), ("slurmd", "sbin", "slurmd-wlm")])
def test_a_program_of_another_slurm_runs_with_its_own_libraries(
    name: str, place: str, file: str, unpacked: Path
) -> None:
    libraries = f"{unpacked}/usr/lib/aarch64-linux-gnu"
    assert program_command(find_slurm(unpacked), name) == [
        f"{libraries}/ld-linux-aarch64.so.1",
        *("--argv0", f"/usr/{place}/{name}"),
        *("--library-path", f"{libraries}:{libraries}/slurm-wlm"),
        f"{unpacked}/usr/{place}/{file}",
    ]


def test_a_folder_without_slurm_is_no_root(tmp_path: Path) -> None:
    with pytest.raises(DevclusterError, match="holds no Slurm: `devcluster slurm-root SUITE` prints one that does"):
        find_slurm(tmp_path)


def test_a_root_that_lacks_a_program_is_named_with_it(unpacked: Path) -> None:
    (unpacked / "usr/bin/sacct").unlink()
    with pytest.raises(DevclusterError, match=r"holds no bin/sacct; remove it to have it fetched again"):
        program_command(find_slurm(unpacked), "sacct")


@pytest.mark.parametrize("suite", ["", "../etc", "trixie/x", "Trixie", "--variant=apt"])
def test_only_a_name_is_a_suite(suite: str) -> None:
    with pytest.raises(DevclusterError, match="is no name of a Debian suite"):
        slurm_root.root_of(suite)


def test_a_suite_that_was_fetched_is_not_fetched_again(
    unpacked: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(slurm_root, "CACHE", unpacked.parent / "cache")
    root = slurm_root.root_of("trixie")
    root.parent.mkdir()
    unpacked.rename(root)
    (root / slurm_root.VERSION_FILE).write_text("24.11.5\n")
    assert main(["slurm-root", "trixie"]) == 0
    assert capsys.readouterr().out == f"{root}\n"
