"""What a site file says about the console: the web service of trainers and of those who join their events."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import StringConstraints

from hpchub.catalogue.fields import AbsolutePath, Count, Line, Model, Positive, Url
from hpchub.catalogue.seats import SeatEntry


class ConsoleSettings(Model):
    """The console, a process of its own beside the hub (``hpchub console serve``)."""

    url: Url
    """Where it listens, for the proxy alone; people reach it below ``/services/events/`` of ``hub.bind_url``."""
    trainer_group: Line = "trainers"
    """Who is in this group may create events."""
    approval: Literal["none", "admin"] = "none"
    """``admin``: an event takes place only when an administrator approved it; ``none``: as soon as it is created."""
    database_url_file: AbsolutePath | None = None
    """A file with the database's address as SQLAlchemy writes it (``postgresql+psycopg://…``), closed to other users;
    absent: SQLite in the hub's state folder."""
    setup_minutes: Count = 30
    """How long before its start an event opens, if its trainer says nothing else."""
    most_seats: Positive = 200
    """How many seats one event may have."""
    push_seconds: Positive = 5
    """How often the hub is compared with the events: one that has ended has no servers so much later, and some."""
    code_tries: Positive = 10
    """How many wrong codes a person may give within `code_tries_minutes`; then they wait until that time is over."""
    code_tries_minutes: Positive = 10
    """For how long a wrong code counts."""
    seats: tuple[SeatEntry, ...] = ()
    """Accounts that events lend as temporary seats to people who have none: names, or ranges such as ``seat[01-40]``.
    They exist already, and nobody else works in them; none: events have no temporary seats."""
    seat_files_days: Count = 7
    """For so many days after an event the files of its temporary seats stay; then the accounts are for others."""
    files_profile: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+/[a-z0-9-]+$")] | None = None
    """What those who had a temporary seat may start in these days, to fetch their files: a profile's slug, one that
    costs little; absent: nothing."""
    seats_after: Literal["wipe", "by-hand"] = "wipe"
    """What becomes of a used seat before it is lent again: the launcher empties its home; or an administrator does,
    and says so by ``hpchub events hand-over``."""
    rehearsal_minutes: Positive = 10
    """For so long a trainer's rehearsal of an event may take until its notebook is ready; then it is given up."""
    idle_minutes: Positive = 20
    """A notebook of an event that has done nothing for so long is shown as idle in the room."""
