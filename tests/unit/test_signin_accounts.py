"""Which account an identity gets: names that no account has, system accounts, lists, programs, and two for one."""

from __future__ import annotations

import os
import pwd
import stat
from pathlib import Path
from typing import Any

import pytest

from hpchub.catalogue.sign_in import Accounts
from hpchub.signin import accounts as module
from hpchub.signin.accounts import SourceFailed, account_of, checked_account, looked_up, read_map
from hpchub.signin.bindings import Bindings, BindingsUnreadable
from hpchub.signin.refusal import SignInRefused
from hpchub.text import Speech, in_words

ISSUER = "https://login.example.org"
PEOPLE = {
    "ada": (1001, 1001),
    "low": (999, 1001),
    "high": (60000, 1001),
    "toor": (0, 1001),
    "wheel": (1002, 0),
    "daemon": (1, 1),
    "nobody": (65534, 65534),
}


def entry_of(name: str) -> pwd.struct_passwd:
    """A directory of accounts that does not tell upper case from lower, like some of SSSD's."""
    uid, gid = PEOPLE[name.lower()]
    return pwd.struct_passwd((name.lower(), "x", uid, gid, "", f"/home/{name}", "/bin/bash"))


def accounts(**fields: Any) -> Accounts:
    return Accounts.model_validate({"source": "claim", **fields})


def test_a_persons_account_is_theirs() -> None:
    assert checked_account("ada", accounts(), entry_of) == "ada"


HOSTILE = [
    "Ada",
    "ada ",
    " ada",
    "../ada",
    "ada/../root",
    "ada'",
    'a"da',
    "ada;id",
    "ada\n",
    "-ada",
    "1ada",
    "a" * 33,
    "àda",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_that_no_account_has_is_refused(name: str) -> None:
    with pytest.raises(SignInRefused) as refusal:
        checked_account(name, accounts(), entry_of)
    assert refusal.value.reason == "bad-name"
    assert name.strip() not in str(refusal.value)


@pytest.mark.parametrize("name", ["low", "high", "toor", "wheel", "daemon", "nobody", "root"])
def test_a_system_account_is_refused(name: str) -> None:
    with pytest.raises(SignInRefused) as refusal:
        checked_account(name, accounts(), entry_of)
    assert refusal.value.reason == "system-account"


def test_the_directory_must_call_the_account_the_same() -> None:
    with pytest.raises(SignInRefused) as refusal:
        checked_account("ada", accounts(), lambda name: entry_of("low"))
    assert refusal.value.reason == "bad-name"


def test_where_the_machine_knows_no_accounts_root_is_still_refused() -> None:
    assert checked_account("ada", accounts(known_here=False), None) == "ada"
    with pytest.raises(SignInRefused):
        checked_account("root", accounts(known_here=False), None)


def test_an_administrator_needs_no_account_and_gets_no_system_account() -> None:
    assert checked_account("hubadmin", accounts(), entry_of, admin=True) == "hubadmin"
    with pytest.raises(SignInRefused):
        checked_account("daemon", accounts(), entry_of, admin=True)


def test_without_an_account_the_site_says_what_to_do() -> None:
    help_text = {"en": "Apply at example.org.", "it": "Fai domanda su example.org."}
    with pytest.raises(SignInRefused) as refusal:
        checked_account("bruno", accounts(help=help_text), entry_of)
    assert str(refusal.value) == "You are known, but you have no account on the cluster."
    assert refusal.value.advice == "Apply at example.org."
    assert in_words(refusal.value.advice, Speech("it")) == "Fai domanda su example.org."


def test_a_list_is_read_with_comments_and_without_regard_to_case() -> None:
    found = read_map("# our people\n\nada  8F14@MyAccessID.org # since May\nbruno CN=Bruno Conti,O=Example\n")
    assert looked_up(found, "8f14@myaccessid.ORG") == "ada"
    assert looked_up(found, "CN=Bruno Conti,O=Example") == "bruno"
    assert looked_up(found, "ada") is None


@pytest.mark.parametrize("text", ["ada", "ada a\nada b", "ada a\nbruno A"])
def test_a_list_with_a_mistake_gives_nobody_an_account(text: str) -> None:
    with pytest.raises(SourceFailed, match=r"^line \d has"):
        read_map(text)


async def test_the_list_is_read_at_each_sign_in(tmp_path: Path) -> None:
    path = tmp_path / "accounts"
    path.write_text("ada one\n")
    source = accounts(source="file", file=path, known_here=False)
    assert await account_of("one", source) == "ada"
    path.write_text("bruno one\n")
    assert await account_of("one", source) == "bruno"
    path.unlink()
    with pytest.raises(SourceFailed, match="cannot be read"):
        await account_of("one", source)


def program(folder: Path, script: str) -> list[str]:
    path = folder / "who"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return [str(path), "{identity}"]


async def test_a_program_gets_the_identity_as_one_word(tmp_path: Path) -> None:
    command = program(tmp_path, 'test $# = 1 && test "$1" = \'$(id); "a b"\' && echo ada')
    assert await account_of('$(id); "a b"', accounts(source="command", command=command, known_here=False)) == "ada"


async def test_an_identity_that_looks_like_an_option_reaches_no_program(tmp_path: Path) -> None:
    command = program(tmp_path, "echo ada")
    with pytest.raises(SignInRefused) as refusal:
        await account_of("--all", accounts(source="command", command=command, known_here=False))
    assert refusal.value.reason == "bad-name"


async def test_a_program_without_an_answer_knows_no_account(tmp_path: Path) -> None:
    with pytest.raises(SignInRefused) as refusal:
        await account_of("x", accounts(source="command", command=program(tmp_path, "true"), known_here=False))
    assert refusal.value.reason == "no-account"


async def test_a_program_that_fails_is_no_answer_and_its_message_has_no_identity(tmp_path: Path) -> None:
    with pytest.raises(SourceFailed, match=r"ended with 3$") as failure:
        await account_of("secret", accounts(source="command", command=program(tmp_path, "exit 3"), known_here=False))
    assert "secret" not in str(failure.value)


async def test_the_machines_directory_finds_an_account() -> None:
    name = pwd.getpwuid(1).pw_name
    assert await account_of(name, accounts(source="getent", uid_min=1)) == name
    with pytest.raises(SignInRefused) as refusal:
        await account_of("no-such-person", accounts(source="getent"))
    assert refusal.value.reason == "no-account"


@pytest.mark.parametrize("number", ["1", " 1", "+1", "01"])
async def test_a_number_is_no_name_and_finds_nobody_by_their_user_id(number: str) -> None:
    with pytest.raises(SignInRefused) as refusal:
        await account_of(number, accounts(source="getent", uid_min=1))
    assert refusal.value.reason == "bad-name"


async def test_a_directory_that_hangs_is_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_UP_SECONDS", 0.1)
    path = tmp_path / "accounts"
    os.mkfifo(path)
    try:
        with pytest.raises(SourceFailed, match="did not answer"):
            await account_of("one", accounts(source="file", file=path))
    finally:
        path.write_text("")


def test_an_account_is_the_first_identitys(tmp_path: Path) -> None:
    bindings = Bindings(tmp_path / "identities.json")
    bindings.bind("ada", ISSUER, "one")
    bindings.bind("ada", ISSUER, "one")
    bindings.bind("bruno", ISSUER, "two")
    for issuer, subject in ((ISSUER, "two"), ("https://other.example.org", "one")):
        with pytest.raises(SignInRefused) as refusal:
            Bindings(tmp_path / "identities.json").bind("ada", issuer, subject)
        assert str(refusal.value) == "The account ada belongs to another identity."


def test_the_file_tells_nobody_who_it_is_and_only_the_hub_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "identities.json"
    Bindings(path).bind("ada", ISSUER, "8f14e45f")
    assert "8f14e45f" not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_account_is_free_again_when_its_line_is_taken_out(tmp_path: Path) -> None:
    path = tmp_path / "identities.json"
    bindings = Bindings(path)
    bindings.bind("ada", ISSUER, "one")
    path.write_text("{}")
    bindings.bind("ada", ISSUER, "two")


@pytest.mark.parametrize("text", ["", "[]", '{"ada": 1}', "{"])
def test_a_broken_file_binds_nothing(tmp_path: Path, text: str) -> None:
    path = tmp_path / "identities.json"
    path.write_text(text)
    with pytest.raises(BindingsUnreadable):
        Bindings(path).bind("ada", ISSUER, "one")
    assert path.read_text() == text
