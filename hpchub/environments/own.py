"""Environments that people bring: registered with a path on a cluster, and offered to nobody else.

Each becomes a profile ``own/<name>`` with the places, sizes and access of one profile of the site
(``own_environments.like``).  They are kept in the hub's state folder, one file a person.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from hpchub.catalogue.fields import ClusterName, Slug
from hpchub.catalogue.model import Catalogue, Environment
from hpchub.errors import UserError
from hpchub.jobs.request import AbsolutePath
from hpchub.whole import write_whole

log = logging.getLogger(__name__)

PREFIX = "own/"
_POSIX_NAME = re.compile(r"[a-z_][a-z0-9_-]{0,31}")


class OwnEnvironment(Environment):
    """What a registration is in its person's catalogue."""

    path: str


class Registration(BaseModel):
    """One environment of one person."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Slug
    cluster: ClusterName
    path: AbsolutePath
    """The folder that holds ``bin/python`` and ``bin/jupyterhub-singleuser``."""
    python: Annotated[str, Field(pattern=r"^3\.\d{1,2}$")]
    jupyterhub: Annotated[str, Field(pattern=r"^[0-9A-Za-z.+-]{1,40}$")]
    registered_epoch: int


class Registry:
    """The registrations of all people; only the hub writes its folder.

    Args:
        folder: made at the first registration.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, tuple[Registration, ...]] = {}

    def of(self, user: str) -> tuple[Registration, ...]:
        """Give a person's registrations, from memory after the first time."""
        if user not in self._known:
            self._known[user] = self._read(user)
        return self._known[user]

    def add(self, user: str, registration: Registration) -> None:
        """Remember a registration, in place of one of the same name."""
        others = [each for each in self.of(user) if each.name != registration.name]
        self._write(user, (*others, registration))

    def remove(self, user: str, name: str) -> bool:
        """Forget a registration; tell whether there was one."""
        left = tuple(each for each in self.of(user) if each.name != name)
        if len(left) == len(self.of(user)):
            return False
        self._write(user, left)
        return True

    def _path(self, user: str) -> Path | None:
        # A name that is none of POSIX's has no job on a cluster either, and must not become a path.
        return self._folder / f"{user}.json" if _POSIX_NAME.fullmatch(user) else None

    def _read(self, user: str) -> tuple[Registration, ...]:
        path = self._path(user)
        if path is None or not path.exists():
            return ()
        try:
            return tuple(Registration.model_validate(each) for each in json.loads(path.read_text(encoding="utf-8")))
        except ValueError as error:
            # Written by another version, or by hand: everything else that this person has must go on working.
            log.error("%s cannot be read, so %s has no environments of their own: %s", path, user, error)
            return ()

    def _write(self, user: str, registrations: tuple[Registration, ...]) -> None:
        path = self._path(user)
        if path is None:
            raise UserError(f"{user} is not the name of a user on the clusters.")
        self._folder.mkdir(mode=0o700, exist_ok=True)
        text = json.dumps([each.model_dump() for each in registrations], indent=2)
        write_whole(path, f"{text}\n".encode())
        self._known[user] = registrations


def with_own(catalogue: Catalogue, registrations: Sequence[Registration]) -> Catalogue:
    """Give the catalogue as one person has it: with their own environments as profiles, after all others."""
    settings = catalogue.site.own_environments
    if settings is None or not registrations:
        return catalogue
    like = catalogue.profiles[settings.like]
    profiles, environments = dict(catalogue.profiles), dict(catalogue.environments)
    for each in registrations:
        slug = PREFIX + each.name
        places = tuple(run for run in like.runs_on if run.cluster == each.cluster)
        if slug in catalogue.profiles or not places:
            continue
        title, description = {"en": each.name}, {"en": f"{each.path} on {each.cluster}"}
        changes = {"slug": slug, "title": title, "description": description, "runs_on": places, "environment": slug}
        profiles[slug] = like.model_copy(update=changes)
        environments[slug] = OwnEnvironment(
            title=title,
            description=description,
            name=slug,
            python=each.python,
            contents=(each.path,),
            targets=frozenset({catalogue.site.clusters[each.cluster].software_target}),
            path=each.path,
        )
    return replace(catalogue, profiles=profiles, environments=environments, base=catalogue.shared)
