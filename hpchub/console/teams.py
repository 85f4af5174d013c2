"""The teams of an event: who is in which, with which size, and how people write them.  Pure.

On a line, in the form and on the command line, a team is ``Blu: ada, bruno``, with a size and a profile of its own
where it has them: ``Blu (large, general/llm): ada, bruno``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from hpchub.catalogue.event import Team as HubTeam
from hpchub.catalogue.fields import Model, Slug, Wrong
from hpchub.console.names import Names, ProfileSlug
from hpchub.pages.naming import server_name

MOST_TEAMS = 100
_LINE = re.compile(r"(?P<name>[^:()]+?)\s*(?:\((?P<own>[^()]*)\))?\s*(?::(?P<members>.*))?")

_SIGN = r":;,()\x00-\x1f\x7f"
TeamName = Annotated[str, StringConstraints(pattern=rf"^[^\s{_SIGN}](?:[^{_SIGN}]*[^\s{_SIGN}])?$", max_length=40)]


class Team(Model):
    """Some of an event's people, who work together."""

    name: TeamName
    """What people call it."""
    members: Names = ()
    """Names of users who are in it from the start; they may join without a code."""
    size: Slug | None = None
    """The only size of its sessions; null for that of the event."""
    profile: ProfileSlug | None = None
    """What one click of its people starts; null for that of the event."""

    @property
    def folder(self) -> str:
        """What its folder is called."""
        return server_name(self.name, ())


def distinct(teams: tuple[Team, ...]) -> tuple[Team, ...]:
    """Give teams whose folders differ and that share nobody.  Raises :class:`ValueError`."""
    folders: dict[str, str] = {}
    members: dict[str, str] = {}
    for at, team in enumerate(teams):
        if team.folder in folders:
            raise Wrong((at, "name"), f"is too much like {folders[team.folder]}", "names that differ in a letter")
        folders[team.folder] = team.name
        for name in team.members:
            if name in members:
                raise Wrong((at, "members"), f"{name} is in {members[name]} too", "everybody in one team")
            members[name] = team.name
    return teams


Teams = Annotated[tuple[Team, ...], Field(max_length=MOST_TEAMS)]


def with_members_invited(raw: Any) -> Any:
    """Give a plan, as it was sent, whose people are also the members of its teams; what is none stays as it is."""
    if not isinstance(raw, Mapping):
        return raw
    teams, people = raw.get("teams"), raw.get("people", ())
    if not isinstance(teams, list | tuple) or not isinstance(people, list | tuple):
        return raw
    invited = list(people)
    for team in teams:
        members = team.members if isinstance(team, Team) else team.get("members") if isinstance(team, Mapping) else ()
        invited += [name for name in members or () if name not in invited]
    return {**raw, "people": type(people)(invited)}


def named(teams: Iterable[Team], name: str) -> Team | None:
    """Give the team of a name; None where there is none."""
    return next((team for team in teams if team.name == name), None)


def team_of(teams: Iterable[Team], person: str, moved: str | None) -> str:
    """Give the team of a person by its name; empty for none.

    Args:
        teams: those of the plan.
        person: who.
        moved: the team that they chose or were moved to, empty where they were taken out of theirs; None where nothing
            was changed since the plan.
    """
    if moved is not None:
        return moved if not moved or named(teams, moved) else ""
    return next((team.name for team in teams if person in team.members), "")


def for_the_hub(teams: Iterable[Team], members: Iterable[tuple[str, str]]) -> tuple[HubTeam, ...]:
    """Give the teams as the hub takes them.

    Args:
        teams: those of the plan.
        members: everybody with a seat, with the team's name.
    """
    by_team: dict[str, list[str]] = {}
    for person, team in members:
        by_team.setdefault(team, []).append(person)
    return tuple(
        HubTeam(folder=team.folder, members=tuple(by_team.get(team.name, ())), size=team.size) for team in teams
    )


# As people write them


def read_teams(lines: Iterable[str]) -> list[dict[str, object]]:
    """Read teams as people write them, one a line; what a line says is judged where it becomes a :class:`Team`.

    Raises :class:`ValueError` with the line that is none.
    """
    found: list[dict[str, object]] = []
    for line in lines:
        if not line.strip():
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None:
            raise ValueError(line.strip())
        own = [word for word in re.split(r"[\s,]+", match["own"] or "") if word]
        sizes, profiles = [word for word in own if "/" not in word], [word for word in own if "/" in word]
        if len(sizes) > 1 or len(profiles) > 1:
            raise ValueError(line.strip())
        found.append(
            {
                "name": match["name"],
                "members": [name for name in re.split(r"[\s,;]+", match["members"] or "") if name],
                "size": sizes[0] if sizes else None,
                "profile": profiles[0] if profiles else None,
            }
        )
    return found


def as_line(team: Team) -> str:
    """Write a team as people write it."""
    own = ", ".join(each for each in (team.size, team.profile) if each)
    members = f": {', '.join(team.members)}" if team.members else ""
    return f"{team.name}{f' ({own})' if own else ''}{members}"


def as_lines(teams: Sequence[Team]) -> str:
    """Write teams as the form has them."""
    return "\n".join(map(as_line, teams))
