"""The POSIX account of an identity: found by the site's source, and checked before anything else sees its name.

The launcher checks the account once more, where it acts (``hpchub-launch.json``: group and range of ids).
"""

from __future__ import annotations

import asyncio
import logging
import pwd
import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from hpchub.catalogue.sign_in import Accounts
from hpchub.errors import HpchubError
from hpchub.signin.refusal import SignInRefused
from hpchub.text import Sentence, Speech

log = logging.getLogger(__name__)

ACCOUNT = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
LOOK_UP_SECONDS = 10
NOT_FOUND = 2
"""What ``getent`` ends with where a name is unknown (getent(1))."""
_LOOKS_LIKE_AN_ID = re.compile(r"\s*[+-]?\d+")
_T = TypeVar("_T")

_threads = ThreadPoolExecutor(4, "accounts")
"""Of its own: a directory or a file system that hangs must not take the threads of the rest of the hub."""


class SourceFailed(HpchubError):
    """The source of accounts cannot be asked now: nobody knows whether there is an account."""


async def account_of(key: str, accounts: Accounts, admin: bool = False) -> str:
    """Give the name of the account that belongs to an identity.

    Args:
        key: by what it is found.
        accounts: the site's source.
        admin: whether it is an administrator's, who may have a name at the hub and no account on the cluster.

    Raises:
        SignInRefused: there is none, or it is one that nobody may work in.
        SourceFailed: the source cannot be asked at the moment.
    """
    if accounts.source == "claim":
        found: str | None = key
    elif accounts.source == "file":
        path = accounts.file or Path()
        found = looked_up(await _aside(lambda: _read(path), str(path)), key)
    elif accounts.source == "command":
        found = await _first_line([word.replace("{identity}", key) for word in accounts.command], key, ())
    else:
        if _LOOKS_LIKE_AN_ID.fullmatch(key):
            # getent takes a number for a user id: of somebody else
            raise SignInRefused("bad-name", _WRONG, _TELL)
        entry = await _first_line(["getent", "passwd", "--", key], key, (NOT_FOUND,))
        found = entry.partition(":")[0] if entry else None
    if not found:
        raise no_account(accounts)
    return await existing(found, accounts, admin)


async def existing(name: str, accounts: Accounts, admin: bool = False) -> str:
    """Give the name of an account back, if people may work in it; raises as :func:`account_of`."""
    entry_of = pwd.getpwnam if accounts.known_here else None
    return await _aside(lambda: checked_account(name, accounts, entry_of, admin), "the directory of accounts")


def checked_account(
    name: str, accounts: Accounts, entry_of: Callable[[str], pwd.struct_passwd] | None, admin: bool = False
) -> str:
    """Give the name back, if it is that of a person's account.

    Args:
        name: whatever the source said.
        accounts: the range of user ids.
        entry_of: looks up an account, and raises :class:`KeyError`; None where the machine does not know them.
        admin: whether it may be a name that no account has.

    Raises:
        SignInRefused: it is not of the form of a name, does not exist, or is a system account.
    """
    if not ACCOUNT.fullmatch(name):
        raise SignInRefused("bad-name", _WRONG, _TELL)
    if name == "root":
        raise SignInRefused("system-account", _WRONG, _TELL)
    if entry_of is None:
        return name
    try:
        entry = entry_of(name)
    except KeyError:
        if admin:
            return name
        raise no_account(accounts) from None
    if entry.pw_name != name:
        # a directory that does not tell upper case from lower answers for both
        raise SignInRefused("bad-name", _WRONG, _TELL)
    if entry.pw_gid == 0 or not accounts.uid_min <= entry.pw_uid <= accounts.uid_max or entry.pw_uid == 0:
        raise SignInRefused("system-account", _WRONG, _TELL)
    return name


def no_account(accounts: Accounts) -> SignInRefused:
    """The person is known, and has no account on the cluster; the site says what to do."""
    advice = SiteText(accounts.help) if accounts.help else _ASK
    return SignInRefused("no-account", Sentence("You are known, but you have no account on the cluster."), advice)


class SiteText(Sentence):
    """A text that the site has in its own languages."""

    __slots__ = ("by_language",)
    by_language: Mapping[str, str]

    def __new__(cls, by_language: Mapping[str, str]) -> SiteText:
        text = super().__new__(cls, "{text}", text=by_language["en"])
        text.by_language = by_language
        return text

    def in_language(self, speech: Speech) -> str:
        return self.by_language.get(speech.language, str(self))


def read_map(text: str) -> Mapping[str, str]:
    """Read lines ``account identity``; the keys are identities without regard to case, the values accounts.

    Raises:
        SourceFailed: a line has no identity, or an account or an identity stands there twice; names the line.
    """
    accounts: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split("#", 1)[0].split(maxsplit=1)
        if not words:
            continue
        if len(words) == 1:
            raise SourceFailed(f"line {number} has no identity; possible: account identity")
        account, identity = words[0], words[1].strip().casefold()
        if identity in accounts or account in accounts.values():
            raise SourceFailed(f"line {number} has an account or an identity that stands there already")
        accounts[identity] = account
    return accounts


def looked_up(accounts: Mapping[str, str], key: str) -> str | None:
    """Find the account of an identity, whose case does not count."""
    return accounts.get(key.casefold())


def _read(path: Path) -> Mapping[str, str]:
    try:
        return read_map(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SourceFailed(f"{path} cannot be read: {error}") from None
    except SourceFailed as error:
        raise SourceFailed(f"{path}: {error}") from None


async def _aside(ask: Callable[[], _T], source: str) -> _T:
    """Ask what may take its time, without anybody else waiting for it."""
    try:
        return await asyncio.wait_for(asyncio.get_running_loop().run_in_executor(_threads, ask), LOOK_UP_SECONDS)
    except TimeoutError:
        raise SourceFailed(f"{source} did not answer within {LOOK_UP_SECONDS} s") from None


async def _first_line(argv: list[str], key: str, not_found: tuple[int, ...]) -> str | None:
    """Run a command and give its first line; its arguments are in no message, since one is a claim's value."""
    if key.startswith("-"):
        raise SignInRefused("bad-name", _WRONG, _TELL)
    try:
        process = await asyncio.create_subprocess_exec(
            *argv, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
    except OSError as error:
        raise SourceFailed(f"{argv[0]}: {error.strerror}") from None
    try:
        output, _ = await asyncio.wait_for(process.communicate(), LOOK_UP_SECONDS)
    except TimeoutError:
        with suppress(ProcessLookupError):
            # it may have ended just now
            process.kill()
        await process.wait()
        raise SourceFailed(f"{argv[0]} did not end within {LOOK_UP_SECONDS} s") from None
    if process.returncode in not_found:
        return None
    if process.returncode != 0:
        raise SourceFailed(f"{argv[0]} ended with {process.returncode}")
    return next(iter(output.decode(errors="replace").splitlines()), "").strip() or None


_WRONG = Sentence("The account that belongs to your identity is not one that people may work in.")
_TELL = Sentence("Tell the people who run this service.")
_ASK = Sentence("Ask the people who run the cluster for an account, then sign in again.")
