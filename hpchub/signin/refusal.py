"""Why somebody cannot sign in: a sentence for the person, and a short word for the log."""

from __future__ import annotations

from hpchub.errors import UserError
from hpchub.text import Counted, Sentence

GARBLED = 400
"""The status code of what could not be verified."""


class SignInRefused(UserError):
    """A sign-in that ends here.

    Args:
        reason: a short word for the log, which never has a value of a claim.
        sentence: what the person reads.
        advice: what they can do about it, where that is known.
        status_code: of the page, in HTTP's terms.
        retry_after_seconds: when another try can be of use, where that is known.
    """

    def __init__(
        self, reason: str, sentence: str, advice: str = "", status_code: int = 403, retry_after_seconds: int = 0
    ) -> None:
        super().__init__(sentence)
        self.reason, self.advice, self.status_code = reason, advice, status_code
        self.retry_after_seconds = retry_after_seconds

    @property
    def says_nothing_of_the_person(self) -> bool:
        """Whether what came could not be trusted: a clock that is wrong, or a key that is not known."""
        return self.status_code == GARBLED


def not_genuine(reason: str) -> SignInRefused:
    """What came from the provider, or through the browser, is not what was asked for."""
    return SignInRefused(reason, Sentence("What the sign-in service sent could not be verified."), AGAIN, GARBLED)


def silent() -> SignInRefused:
    """The provider does not answer, or answers what nobody can read."""
    return SignInRefused(
        "provider-silent",
        Sentence("The sign-in service does not answer at the moment."),
        Sentence("Who is signed in can go on working. Try again in a few minutes."),
        503,
    )


def too_old() -> SignInRefused:
    """A code, or the state that goes with it, has been used or has expired."""
    return SignInRefused(
        "used-or-expired", Sentence("This sign-in took too long, or has been used already."), AGAIN, GARBLED
    )


def too_often(seconds: int) -> SignInRefused:
    """This identity has signed in so often that it has to wait, whether it was let in or not."""
    return SignInRefused(
        "too-often",
        Sentence("You have signed in very often within a short time."),
        Sentence(
            "Wait for {duration}, then sign in again. If you did not do this yourself, close all tabs of this service: "
            "one of them may sign in again and again.",
            duration=Counted("{n} second", "{n} seconds", seconds),
        ),
        429,
        seconds,
    )


def not_completed() -> SignInRefused:
    """The provider sent the browser back without a code: the person cancelled, or may not come here."""
    return SignInRefused(
        "not-completed",
        Sentence("The sign-in service did not complete the sign-in."),
        Sentence("Sign in again. If it refuses you there, ask the people who run it."),
    )


AGAIN = Sentence("Sign in again. If it happens once more, tell the people who run this service.")
