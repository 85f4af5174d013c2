"""What is read from the files, and what is said where they are right and still worth a word.

What is said where they are wrong is in ``test_broken_files``.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hpchub.catalogue.load import load_catalogue, load_site
from hpchub.catalogue.model import Catalogue
from hpchub.catalogue.problems import FilesWrong
from tests.unit.test_broken_files import DATA, LOCK, PROFILE, SITE

ENVIRONMENT = "profiles/environments/vines/environment.yaml"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the small site."""
    return Path(shutil.copytree(DATA / "small", tmp_path / "site"))


def load(folder: Path) -> Catalogue:
    return load_catalogue(load_site(folder / SITE))


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def warnings(folder: Path) -> list[str]:
    return [str(warning).replace(f"{folder}/", "") for warning in load(folder).warnings]


def test_the_slug_is_the_folder_and_the_file_name(folder: Path) -> None:
    profile = load(folder).profiles["agrifood/vineyards"]
    assert (profile.slug, profile.sector, profile.environment) == ("agrifood/vineyards", "agrifood", "vines")


def test_the_software_targets_are_the_locks(folder: Path) -> None:
    shutil.copy(folder / LOCK, (folder / LOCK).with_name("aarch64-cuda13.txt"))
    assert load(folder).environments["vines"].targets == {"x86_64-cuda12", "aarch64-cuda13"}


def test_profiles_come_sector_by_sector_in_the_order_of_the_page(folder: Path) -> None:
    (folder / "profiles/general").mkdir()
    for name in ("general/a", "agrifood/z"):
        shutil.copy(folder / PROFILE, folder / f"profiles/{name}.yaml")
    assert list(load(folder).profiles) == ["agrifood/vineyards", "agrifood/z", "general/a"]


def test_all_mistakes_of_all_files_are_reported_at_once(folder: Path) -> None:
    for file in (PROFILE, ENVIRONMENT, "profiles/sectors.yaml"):
        edit(folder / file, "title:", "titel:")
    with pytest.raises(FilesWrong) as error:
        load(folder)
    assert sum("titel: is not a field" in line for line in str(error.value).splitlines()) == 3
    assert sum("title: is missing" in line for line in str(error.value).splitlines()) == 3


@pytest.mark.parametrize(
    "sign_in",
    [
        "{kind: demo, password: 123456}",
        "{kind: demo, password: [swordfish]}",
        "{kind: demo, pasword: swordfish}",
        "[{kind: demo, password: swordfish}]",
        "{kind: demo, kind: {password: swordfish}}",
        "{kind: {password: swordfish}}",
    ],
)
def test_a_password_is_never_shown(folder: Path, sign_in: str) -> None:
    edit(folder / SITE, "{kind: demo}", sign_in)
    with pytest.raises(FilesWrong) as error:
        load(folder)
    assert "sign_in" in str(error.value)
    assert "swordfish" not in str(error.value) and "123456" not in str(error.value)


def test_a_text_that_is_not_translated_is_a_warning(folder: Path) -> None:
    edit(folder / PROFILE, ", it: Vigneti", "")
    assert warnings(folder) == [
        f'{PROFILE}:1: title.it: is not translated; possible: it: "…"; English is shown',
    ]


@pytest.mark.parametrize("file", [SITE, "profiles/sectors.yaml", ENVIRONMENT])
def test_all_files_are_looked_through_for_translations(folder: Path, file: str) -> None:
    edit(folder / file, ", it: ", ", fr: ")
    (warning,) = warnings(folder)
    assert warning.startswith(f"{file}:") and ".it: is not translated" in warning


def test_a_language_that_the_site_does_not_have_is_not_asked_for(folder: Path) -> None:
    edit(folder / SITE, "languages: [en, it]", "languages: [en]")
    edit(folder / PROFILE, ", it: Vigneti", "")
    assert warnings(folder) == []


def test_an_open_cluster_that_the_environment_is_not_locked_for_is_a_warning(folder: Path) -> None:
    edit(folder / SITE, "x86_64-cuda12", "x86_64-rocm6")
    assert warnings(folder) == [
        f"{PROFILE}:7: runs_on.0.cluster: no offers on leonardo: environment vines has no lock for x86_64-rocm6; "
        "possible: a lock x86_64-rocm6.txt (it has: x86_64-cuda12)",
    ]


def test_an_announced_cluster_needs_no_lock(folder: Path) -> None:
    edit(folder / SITE, "x86_64-cuda12", "x86_64-rocm6")
    edit(folder / SITE, "state: open", "state: announced")
    assert warnings(folder) == []
