"""A file is replaced whole or not at all."""

from __future__ import annotations

import resource
import signal
from pathlib import Path

import pytest

from hpchub.whole import write_whole


def test_a_file_takes_the_place_of_another_and_is_its_owners_alone(tmp_path: Path) -> None:
    file = tmp_path / "kept.json"
    file.write_text("old")
    file.chmod(0o644)
    write_whole(file, b"new")
    assert file.read_text() == "new"
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_a_name_that_is_taken_by_a_folder_is_an_error_that_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "kept.json").mkdir()
    with pytest.raises(IsADirectoryError):
        write_whole(tmp_path / "kept.json", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["kept.json"]


def test_a_file_that_cannot_be_written_to_its_end_leaves_the_old_one(tmp_path: Path) -> None:
    file = tmp_path / "kept.json"
    file.write_text("old")
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    # Python then gets EFBIG; by itself the signal would end it
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, most))
    try:
        with pytest.raises(OSError, match="File too large"):
            write_whole(file, b"new" * 1000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        signal.signal(signal.SIGXFSZ, before)
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]
