"""A rehearsal: one seat of an event tried for real before the room comes, and what came of it.  Pure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from hpchub.catalogue.event import Rehearsal as HubRehearsal
from hpchub.text import Sentence

if TYPE_CHECKING:
    from hpchub.console.room import SessionTold


class Trouble(StrEnum):
    """Why a rehearsal did not succeed."""

    REFUSED = "refused"
    ENDED = "ended"
    LATE = "late"
    UNSEEN = "unseen"
    CALLED_OFF = "called-off"


WORDS: Mapping[Trouble, Sentence] = {
    Trouble.REFUSED: Sentence("The hub did not start it:"),
    Trouble.ENDED: Sentence("Its session ended:"),
    Trouble.LATE: Sentence("It was not ready in time. The last that was known of it:"),
    Trouble.UNSEEN: Sentence("It was not ready in time, and the hub knows of no session of it."),
    Trouble.CALLED_OFF: Sentence("Before it was ready, the event was changed, was ended or had to be approved again."),
}
"""What people call it; where there is a colon, what the hub said follows."""


class Step(StrEnum):
    """Where a rehearsal is."""

    ASKED = "asked"
    """Its notebook is about to be started."""
    STARTED = "started"
    STOPPING = "stopping"
    """What came of it is known, and its notebook is being stopped."""
    DONE = "done"


class Rehearsal(BaseModel):
    """A rehearsal, as the database has it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    by: str
    """The trainer, in whose account it runs."""
    language: str
    """Of what the hub says."""
    asked_epoch: int
    until_epoch: int
    """When it has to be ready."""
    earlier: tuple[str, ...] = ()
    """Ids of sessions that the trainer had in the event before: none of them is the one of this rehearsal."""
    in_reservation: bool = False
    """Whether it runs in the event's reservation, which has to have begun for that."""
    step: Step = Step.ASKED
    ready: bool = False
    """Whether its notebook became ready."""
    trouble: Trouble | None = None
    """Why it did not; null where it did, and before that is known."""
    says: str = ""
    """What the hub said of that: what happened, and what to do; if it became ready, what of its files was not there."""
    cluster: str = ""
    node: str = ""
    job_id: str = ""
    queued_seconds: int | None = None
    """How long its job waited; null where it never ran."""
    ready_seconds: int | None = None
    """From the click to the notebook; null where there never was one."""

    @property
    def under_way(self) -> bool:
        """Whether it is not over yet."""
        return self.step is not Step.DONE

    @property
    def start_seconds(self) -> int | None:
        """How long the notebook took to start once its job ran."""
        if self.ready_seconds is None or self.queued_seconds is None:
            return None
        return self.ready_seconds - self.queued_seconds

    def for_the_hub(self) -> HubRehearsal | None:
        """Give what the hub has to allow; None once it has to allow nothing any more."""
        if self.step not in (Step.ASKED, Step.STARTED):
            return None
        return HubRehearsal(user=self.by, until_epoch=self.until_epoch, in_reservation=self.in_reservation)

    def changed(self, **values: object) -> Rehearsal:
        """Give it with other values."""
        return self.model_copy(update=values)

    def failed(self, trouble: Trouble, says: str = "") -> Rehearsal:
        """Give it as it is when its notebook will not become ready."""
        return self.changed(step=Step.STOPPING, ready=False, trouble=trouble, says=says)

    def seen(self, session: SessionTold | None, now_epoch: float) -> Rehearsal:
        """Give it as it is by what the hub tells of its session; None where it tells of none."""
        late = now_epoch >= self.until_epoch
        if session is None:
            return self.failed(Trouble.UNSEEN) if late else self
        known = self.changed(
            cluster=session.cluster,
            node=session.node or "",
            job_id=session.job_id or "",
            queued_seconds=_since(session.begun_epoch, session.started_epoch),
        )
        if session.ready_epoch is not None and session.phase != "ended":
            took = _since(session.begun_epoch, session.ready_epoch)
            return known.changed(step=Step.STOPPING, ready=True, ready_seconds=took, says=session.troubles)
        if session.phase == "ended":
            return known.failed(Trouble.ENDED, session.sentence)
        return known.failed(Trouble.LATE, session.sentence) if late else known


def _since(begun_epoch: float, epoch: float | None) -> int | None:
    return None if epoch is None else max(round(epoch - begun_epoch), 0)
