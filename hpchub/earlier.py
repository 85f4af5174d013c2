"""A catalogue as it was: of a revision of git, of another folder, or of another site file."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from hpchub.catalogue.load import load_catalogue, load_site
from hpchub.catalogue.model import Catalogue
from hpchub.catalogue.site import Site
from hpchub.errors import CatalogueError, HpchubError

GIT_SECONDS = 60


class NotThere(HpchubError):
    """What should be compared with cannot be found; the text says what was asked and what is possible."""


def earlier_catalogue(site: Site, against: str) -> Catalogue:
    """Load the catalogue that a site is compared with.

    Args:
        site: the site as it is now.
        against: a site file with its own catalogue, the folder of a catalogue for this site, or a revision of git.

    Raises:
        NotThere: there is nothing of this name.
        CatalogueError: it is there and has mistakes.
    """
    path = Path(against)
    if not against:
        raise NotThere("nothing is named; possible: a revision of git such as HEAD, a folder, or a site file")
    if path.is_file():
        return load_catalogue(load_site(path))
    if path.is_dir():
        return load_catalogue(site.model_copy(update={"profiles": path.absolute()}))
    with TemporaryDirectory(prefix="hpchub-") as folder:
        root = _git(["rev-parse", "--show-toplevel"], site.profiles).strip()
        _check_out(Path(root), against, Path(folder))
        try:
            return _of_revision(site, Path(os.path.realpath(root)), Path(folder))
        except CatalogueError as error:
            raise CatalogueError(str(error).replace(f"{folder}/", f"{against}: ")) from error


def _of_revision(site: Site, root: Path, folder: Path) -> Catalogue:
    """Read what was checked out; a site file that is not in the repository is taken as it is now."""
    file = Path(os.path.realpath(site.file))
    if file.is_relative_to(root) and (folder / file.relative_to(root)).is_file():
        site = load_site(folder / file.relative_to(root))
    profiles = Path(os.path.realpath(site.profiles))
    if profiles.is_relative_to(root):
        site = site.model_copy(update={"profiles": folder / profiles.relative_to(root)})
    return load_catalogue(site)


def _check_out(root: Path, revision: str, folder: Path) -> None:
    """Write the files of a revision into a folder, with an index of its own: the repository stays as it is."""
    if revision.startswith("-"):
        raise NotThere(f"{revision} is no revision of git; possible: HEAD, a branch, a tag, or an existing folder")
    with TemporaryDirectory(prefix="hpchub-") as other:
        index = {"GIT_INDEX_FILE": f"{other}/index"}
        _git(["read-tree", f"{revision}^{{tree}}"], root, index)
        _git(["checkout-index", "--all", f"--prefix={folder}/"], root, index)


def _git(arguments: list[str], folder: Path, environment: dict[str, str] | None = None) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            env={**os.environ, **(environment or {})},
            capture_output=True,
            text=True,
            timeout=GIT_SECONDS,
        )
    except FileNotFoundError:
        raise NotThere("git is not installed; possible instead: a folder or a site file to compare with") from None
    except subprocess.TimeoutExpired:
        raise NotThere(f"git has not answered within {GIT_SECONDS} s in {folder}") from None
    if done.returncode:
        said = " ".join(done.stderr.split())
        raise NotThere(f"{said}; possible: a revision of git such as HEAD, an existing folder, or a site file")
    return done.stdout
