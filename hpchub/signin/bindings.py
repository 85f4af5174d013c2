"""Which identity an account belongs to: the first that signed in to it, until an admin takes its line out of the file.

A name in a claim can be given to somebody else at the provider, and a list can have a mistake; without this, that
person would sit in the other's home.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from hpchub.errors import HpchubError
from hpchub.signin.refusal import SignInRefused
from hpchub.text import Sentence
from hpchub.whole import write_whole


class BindingsUnreadable(HpchubError):
    """The file cannot be read or written: nobody knows whose the accounts are."""


class Bindings:
    """The file ``identities.json``: by account, the mark of its identity, which tells nobody who that is."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def bind(self, account: str, issuer: str, subject: str) -> None:
        """Let an account be this identity's, if it is nobody's yet.

        Read anew each time, so that a line which an admin takes out counts at once.

        Raises:
            SignInRefused: it is another identity's.
            BindingsUnreadable: the file cannot be read or written.
        """
        marks = self._read()
        mark = mark_of(issuer, subject)
        if marks.setdefault(account, mark) != mark:
            raise SignInRefused(
                "account-taken",
                Sentence("The account {account} belongs to another identity.", account=account),
                Sentence(
                    "Sign in with that one. If it was yours and is no longer, tell the people who run this service."
                ),
            )
        if marks != self._read():
            try:
                write_whole(self._path, (json.dumps(marks, indent=1, sort_keys=True) + "\n").encode())
            except OSError as error:
                raise BindingsUnreadable(f"{self._path}: {error.strerror}") from None

    def is_bound(self, account: str) -> bool:
        """Tell whether an account is some identity's.  Raises :class:`BindingsUnreadable`."""
        return account in self._read()

    def _read(self) -> dict[str, str]:
        try:
            marks = json.loads(self._path.read_text(encoding="ascii"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise BindingsUnreadable(f"{self._path}: {error}") from None
        if not isinstance(marks, dict) or not all(isinstance(mark, str) for mark in marks.values()):
            raise BindingsUnreadable(f"{self._path}: not an object of texts")
        return marks


def mark_of(issuer: str, subject: str) -> str:
    """Give what stands for an identity in the file."""
    return hashlib.sha256(json.dumps([issuer, subject]).encode()).hexdigest()
