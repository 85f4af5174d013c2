"""The table of what can be missing for an event, line by line, on a real cluster: the sentence, its command, and that
the command, run by somebody who administrates Slurm and is not root, mends it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from hpchub.catalogue.load import load_catalogue, load_site
from hpchub.catalogue.model import Catalogue
from hpchub.console.capacity import Finding, Planned, Severity
from hpchub.console.capacity.now import findings_now
from tests.support.site import Site

pytestmark = pytest.mark.usefixtures("limits_change")

HOUR = 3600
OPENS = int(time.time()) // HOUR * HOUR + 24 * HOUR
CLOSES = OPENS + 4 * HOUR
RESERVATION = "s_tra_table"
OPERATOR = "dario"
QOS = "sacctmgr -i modify qos where name=normal set"
ACCOUNT = "sacctmgr -i modify account where name=tra26_hack cluster=leonardo set"
CREATE = "scontrol -M leonardo create reservation"
DELETE = "scontrol -M leonardo delete"
SCHOOL = Planned(
    slug="table",
    cluster="leonardo",
    allocation="tra26_hack",
    opens_epoch=OPENS,
    closes_epoch=CLOSES,
    seats=6,
    profiles=("general/pytorch",),
    setup_minutes=30,
    size="small",
    members=("seat01", "seat02"),
    qos="normal",
    minutes=240,
)
"""Six seats, tomorrow."""


def reservation(name: str, what: str, closes: int = CLOSES) -> str:
    """The command by which somebody has made a reservation."""
    return f"{CREATE} reservationname={name} starttime=uts{OPENS - 2 * HOUR} endtime=uts{closes} {what}"


@dataclass(frozen=True)
class Line:
    """A line of the table."""

    lacks: str
    says: str
    """A pattern of its sentence."""
    command: str
    """A pattern of its command; empty where no command of Slurm's mends it."""
    before: str = "true"
    """What makes it so."""
    after: str = "true"
    """What takes it back."""
    planned: dict[str, Any] = field(default_factory=dict)
    """What of the school is another."""
    instead: dict[str, Any] = field(default_factory=dict)
    """What the trainer plans instead, where no command mends it."""


TABLE = [
    Line(
        "the reservation is too short",
        rf"Reservation {RESERVATION} ends .*, before the event, which closes .*\.",
        rf"env TZ=\S+ scontrol --cluster=leonardo update ReservationName={RESERVATION} EndTime=\S+",
        reservation(RESERVATION, "partition=boost_usr_prod nodecnt=2 accounts=tra26_hack", CLOSES - HOUR),
        f"{DELETE} reservationname={RESERVATION}",
        {"reservation": RESERVATION},
    ),
    Line(
        "the reservation has too few GPUs",
        rf"Reservation {RESERVATION} holds 4 GPUs .*; needed for 6 sessions: 6 GPUs .*\.",
        rf"scontrol --cluster=leonardo update ReservationName={RESERVATION} NodeCnt=2",
        reservation(RESERVATION, "partition=boost_usr_prod nodecnt=1 accounts=tra26_hack"),
        f"{DELETE} reservationname={RESERVATION}",
        {"reservation": RESERVATION},
    ),
    Line(
        "the cluster has too few GPUs",
        r"Partition boost_usr_prod of leonardo has 40 GPUs .* in that time; needed for 41 sessions: 41 GPUs .*\.",
        "",
        planned={"seats": 41},
        instead={"seats": 40},
    ),
    Line(
        "the budget is too small",
        r"The event costs 192 core-hours \(6 sessions of 4 h\), more than tra26_hack has on leonardo: .*\.",
        r"sacctmgr -i modify account where name=tra26_hack cluster=leonardo set GrpTRESMins=billing=\d+",
        f"{ACCOUNT} GrpTRESMins=billing=60",
        f"{ACCOUNT} GrpTRESMins=billing={80_000 * 60}",
    ),
    Line(
        "a limit of the QOS is too low for a user",
        r"QOS normal allows at most 4 cores for all jobs of a user; needed for 1 session of size small: 8 cores\.",
        r"sacctmgr -i modify qos where name=normal set MaxTRESPerUser=cpu=8",
        f"{QOS} MaxTRESPerUser=cpu=4",
        f"{QOS} MaxTRESPerUser=cpu=-1",
    ),
    Line(
        "nobody here has the right to make the reservation",
        rf"There is no reservation {RESERVATION} on leonardo yet, and the hub has no right to make it\. .*\.",
        rf"env TZ=\S+ scontrol --cluster=leonardo create reservation ReservationName={RESERVATION} .* NodeCnt=2 .*",
        "true",
        f"{DELETE} reservationname={RESERVATION}",
        {"reservation": RESERVATION},
    ),
    Line(
        "the dates are past",
        r"The event is past: it closed .*\.",
        "",
        planned={"opens_epoch": OPENS - 48 * HOUR, "closes_epoch": CLOSES - 48 * HOUR},
        instead={"opens_epoch": OPENS, "closes_epoch": CLOSES},
    ),
    Line(
        "maintenance takes the nodes",
        r"Maintenance \(works\) from .* to .* takes 10 nodes; the others have room for 0 of 6 sessions\.",
        "",
        reservation("works", "partition=boost_usr_prod nodes=ALL flags=maint users=root"),
        f"{DELETE} reservationname=works",
        instead={"opens_epoch": OPENS + 48 * HOUR, "closes_epoch": CLOSES + 48 * HOUR},
    ),
]


@pytest.fixture(scope="module")
def catalogue(started_site: Site) -> Catalogue:
    return load_catalogue(load_site(started_site.folder / "site" / "site.yaml"))


@pytest.fixture(scope="module")
def operator(started_site: Site) -> Iterator[str]:
    """A person who administrates Slurm, and nothing else on this machine."""
    started_site.slurm(f"sacctmgr -i modify user where name={OPERATOR} set adminlevel=Administrator")
    yield OPERATOR
    started_site.slurm(f"sacctmgr -i modify user where name={OPERATOR} set adminlevel=None")


def lacks(planned: Planned, catalogue: Catalogue) -> list[Finding]:
    return [each for each in findings_now(planned, catalogue) if each.severity is Severity.MISSING]


@pytest.mark.own_notebooks
@pytest.mark.parametrize("line", TABLE, ids=lambda line: line.lacks)
def test_what_is_missing_is_said_and_its_command_mends_it(
    started_site: Site, catalogue: Catalogue, operator: str, line: Line
) -> None:
    planned = replace(SCHOOL, **line.planned)
    try:
        started_site.slurm(line.before)
        (found,) = lacks(planned, catalogue)
        assert re.fullmatch(line.says, str(found.says)), found.says
        assert re.fullmatch(line.command, found.shown_command), found.shown_command
        if line.command:
            started_site.slurm(found.shown_command, as_user=operator)
        assert lacks(replace(planned, **line.instead), catalogue) == []
    finally:
        started_site.slurm(line.after)
