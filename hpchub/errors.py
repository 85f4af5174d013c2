"""The errors of the hub, by audience.

.. code-block:: text

    HpchubError                 for admins: may name paths, commands, exit codes
    ├── UserError               its text is safe and useful to show to a person
    │   └── ChoiceRefused       what was asked is not one of the user's offers
    ├── CatalogueError          a file of the catalogue or the site is wrong
    │   └── FilesWrong          the same with each problem as a value (hpchub.catalogue.problems)
    ├── SlurmError              a Slurm command failed, hung or answered what we cannot read
    │   └── SlurmSilent         nothing answered within the time limit
    ├── Unreachable             there is no connection to a cluster's login node; nothing was sent
    ├── LauncherError           the launcher refused or broke
    │   ├── HomeUnusable        the user's home is full or cannot be written; nothing was submitted
    │   ├── SubmitRefused       Slurm itself refused the job; carries Slurm's own words
    │   └── SubmitUnclear       nobody knows whether there is a job now: look for it, never submit again
    ├── CertificatesUnreadable  the hub's own, of `hub.internal_tls`; no notebook can be reached without them
    └── ReserverError           hpchub-reserve refused or broke; no reservation was changed
        ├── ReservationRefused  Slurm itself refused; carries Slurm's own words
        └── ReservationUnclear  nobody knows whether the reservation was changed: look at it

No message of any of them carries a token, a password or a claim value.
"""

from __future__ import annotations


class HpchubError(Exception):
    """Base of all errors of this project; its text is meant for admins."""


class UserError(HpchubError):
    """An error whose text may be shown to the person who caused it.

    Args:
        sentence: the text; a page says it in its reader's language (:func:`hpchub.text.in_words`).
    """

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class ChoiceRefused(UserError):
    """A choice that is not one of the user's offers.

    The text names what was asked and what is possible.
    """


class CatalogueError(HpchubError):
    """A site or catalogue file is wrong; the text names file, line, field, what was found and what is possible."""


class CertificatesUnreadable(HpchubError):
    """The hub's own certificates, of `hub.internal_tls`, are not there, or cannot be read now."""


class SlurmError(HpchubError):
    """A Slurm command failed or answered something that we cannot read."""


class SlurmSilent(SlurmError):
    """Slurm did not answer: the state of everything it knows is *unknown*, never *ended*."""


class Unreachable(HpchubError):
    """There is no connection to the login node of a cluster, and nothing was sent to it."""


class LauncherError(HpchubError):
    """The launcher refused a request; nothing was submitted or cancelled."""


class HomeUnusable(LauncherError):
    """The folder of the job's log in the user's home cannot be written; names the folder and the system's reason."""


class SubmitRefused(LauncherError):
    """Slurm refused the job at submission."""

    def __init__(self, slurm_message: str) -> None:
        super().__init__(slurm_message)
        self.slurm_message = slurm_message


class SubmitUnclear(LauncherError):
    """The answer to a request got lost: the job may have been submitted, or cancelled, or not.

    Args:
        message: what happened, for admins.
        until_epoch: how long the launcher may still be at work.
    """

    def __init__(self, message: str, until_epoch: float = 0) -> None:
        super().__init__(message)
        self.until_epoch = until_epoch


class ReserverError(HpchubError):
    """``hpchub-reserve`` refused a request, or the hub has none; no reservation was changed."""


class ReservationRefused(ReserverError):
    """Slurm refused a reservation; the text is Slurm's own."""


class ReservationUnclear(ReserverError):
    """The answer to a request got lost: the reservation may have been changed, or not."""
