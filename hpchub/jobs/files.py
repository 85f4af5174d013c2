"""The files of an event as a job is told of them: its material, its folders beside the allocation's data.  Pure."""

from __future__ import annotations

import json
import re
from typing import Any

from hpchub.catalogue.event import Event
from hpchub.catalogue.fields import Model, PosixName, Slug, WorkFolder
from hpchub.catalogue.material import Material
from hpchub.catalogue.site import Cluster
from hpchub.jobs.bootstrap import PREPARE_SECONDS
from hpchub.jobs.troubles import ADVICE, SENTENCES
from hpchub.text import LANGUAGES, translated

ACCOUNT = "{allocation}"
_POSIX_NAME = re.compile(r"[a-z_][a-z0-9_-]{0,31}\Z")


class EventFiles(Model):
    """What a session of an event finds in its home, below ``events/<slug>``."""

    material: Material | None = None
    """The repository that is fetched; null for none."""
    work: WorkFolder | None = None
    """The folder of the allocation, in which the event has its own; null where there are none."""
    team: Slug | None = None
    """The folder of the person's team; null for a person without one."""
    trainers: tuple[PosixName, ...] = ()
    """Whose the shared folder is."""


def files_of(event: Event, user: str, cluster: Cluster) -> EventFiles | None:
    """Give the files of an event for one of its people on its cluster; None where it has none."""
    work = None
    if event.folders and cluster.work_folder is not None:
        work = cluster.work_folder.replace(ACCOUNT, event.allocation)
    if work is None and event.material is None:
        return None
    return EventFiles(
        material=event.material,
        work=work,
        team=event.team_of(user) or None,
        trainers=tuple(name for name in event.trainers if _POSIX_NAME.match(name)),
    )


def facts(files: EventFiles, event: str) -> str:
    """Write what :mod:`hpchub.jobs.prepare` reads, as JSON of plain ASCII.

    Args:
        files: of the request.
        event: the event's slug.
    """
    material = files.material
    told: dict[str, Any] = {
        "event": event,
        "repository": material.repository if material else None,
        "branch": material.branch if material else None,
        "folder": material.folder if material else None,
        "opens": material.opens if material else None,
        "work": files.work,
        "team": files.team,
        "trainers": files.trainers,
        "seconds": PREPARE_SECONDS,
        "notes": {word.value: _note(sentence) for word, sentence in SENTENCES.items()},
    }
    return json.dumps(told)


def _note(sentence: str) -> str:
    """Say it in every language: the job does not know who will read it."""
    paragraphs = (f"{translated(sentence, each)}\n{translated(ADVICE, each)}\n" for each in LANGUAGES)
    return "\n".join(paragraphs)
