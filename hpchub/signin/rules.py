"""From claims to who a person is here: the site's rules, decided without asking anybody.

Claims are those of OpenID Connect Core 1.0, 5.1; ``eduperson_assurance`` and ``eduperson_entitlement`` are those of
REFEDS and AARC.  Whatever a provider sends in them is data from outside: of a wrong kind, it counts as absent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hpchub.catalogue.sign_in import ClaimPath, OpenIdConnect
from hpchub.signin.refusal import SignInRefused
from hpchub.text import Sentence

TRAINERS = "trainers"
"""The hub's own group, which a provider's group of this name does not make anybody a member of."""
LONGEST_NAME = 255
"""Of a group (JupyterHub's column has no more), a subject (OpenID Connect Core, 2) or what accounts are found by."""
MOST_NAMES = 1000
_VISIBLE = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,255}")
"""Half a surrogate pair can be written in JSON, and neither into a database nor on a command line."""
_DOMAIN = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who may sign in, if they have an account."""

    subject: str
    """Who they are at the provider."""
    account_key: str
    """By what their account is found."""
    groups: frozenset[str]
    """Their groups at the provider, their domains (``@unibo.it``), and ``trainers`` where the rules say so."""
    admin: bool
    """Whether they are JupyterHub's administrator."""


def judged(claims: Mapping[str, Any], rules: OpenIdConnect) -> Person:
    """Decide by the rules of a site whether somebody with these claims may sign in, and as what.

    Raises:
        SignInRefused: they may not; the sentence says why.
    """
    subject = _subject(claims, rules)
    _check_assurance(claims, rules)
    groups = names_at(claims, rules.groups_claim)
    admin = not groups.isdisjoint(rules.admin_groups)
    trainer = not groups.isdisjoint(rules.trainer_groups)
    if not (admin or trainer or _is_allowed(claims, groups, rules)):
        raise SignInRefused(
            "not-allowed", Sentence("You are known, but not in a group that may use this service."), ASK_THE_PROJECT
        )
    groups = frozenset(group for group in groups if group != TRAINERS and not group.startswith("@"))
    groups |= _domains(claims, rules)
    return Person(subject, _account_key(claims, rules, subject), groups | {TRAINERS} if trainer else groups, admin)


def value_at(claims: Mapping[str, Any], path: ClaimPath) -> object:
    """Find a claim by its name, dots included, or by the names from the outside in; None where there is none."""
    value: object = claims
    for name in (path,) if isinstance(path, str) else path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def names_at(claims: Mapping[str, Any], path: ClaimPath) -> frozenset[str]:
    """Find the names in a claim that has several; one text is one name, and what is no name is left out."""
    value = value_at(claims, path)
    values = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    return frozenset(each for each in values[:MOST_NAMES] if isinstance(each, str) and _VISIBLE.fullmatch(each))


def _domains(claims: Mapping[str, Any], rules: OpenIdConnect) -> frozenset[str]:
    path = rules.domain_claim
    if path is None or _is_unverified_email(claims, path):
        return frozenset()
    found = (each.rpartition("@")[2].lower() for each in names_at(claims, path) if "@" in each)
    return frozenset(f"@{domain}" for domain in found if _DOMAIN.fullmatch(domain))


def _is_unverified_email(claims: Mapping[str, Any], path: ClaimPath) -> bool:
    # anybody can write somebody else's address into a profile
    return path in ("email", ("email",)) and claims.get("email_verified") is not True


def _subject(claims: Mapping[str, Any], rules: OpenIdConnect) -> str:
    subject = claims.get("sub")
    if not isinstance(subject, str) or not _VISIBLE.fullmatch(subject):
        raise SignInRefused("no-subject", Sentence("The sign-in service did not say who you are."), ASK_THE_OPERATORS)
    if subject.casefold() in {each.casefold() for each in rules.refused_subjects}:
        raise SignInRefused("test-identity", Sentence("Test identities cannot sign in here."), OTHER_IDENTITY)
    if rules.subject_scope is None:
        return subject
    name, _, scope = subject.casefold().rpartition("@")
    if not name or scope != rules.subject_scope.casefold():
        raise SignInRefused(
            "wrong-scope",
            Sentence(
                "Your identity comes from a service that this one does not know; it has to be of {scope}.",
                scope=rules.subject_scope,
            ),
            OTHER_IDENTITY,
        )
    return subject.casefold()


def _check_assurance(claims: Mapping[str, Any], rules: OpenIdConnect) -> None:
    factor_missing = rules.amr and names_at(claims, "amr").isdisjoint(rules.amr)
    if factor_missing or (rules.acr and claims.get("acr") not in rules.acr):
        raise SignInRefused(
            "weak-sign-in",
            Sentence("This service needs a stronger sign-in, with a second factor."),
            Sentence("Set up a second factor at your sign-in service, then sign in again."),
        )
    if rules.assurance and names_at(claims, "eduperson_assurance").isdisjoint(rules.assurance):
        raise SignInRefused(
            "low-assurance",
            Sentence("Your institution has not verified who you are as well as this service needs."),
            Sentence("Ask your institution to verify your identity, or sign in with another one of yours."),
        )


def _is_allowed(claims: Mapping[str, Any], groups: frozenset[str], rules: OpenIdConnect) -> bool:
    if not rules.allowed_groups and not rules.allowed_entitlements:
        return True
    entitled = not names_at(claims, rules.entitlements_claim).isdisjoint(rules.allowed_entitlements)
    return entitled or not groups.isdisjoint(rules.allowed_groups)


def _account_key(claims: Mapping[str, Any], rules: OpenIdConnect, subject: str) -> str:
    path = rules.account.claim
    key = subject if path == "sub" else value_at(claims, path)
    if not isinstance(key, str) or not _VISIBLE.fullmatch(key):
        raise SignInRefused(
            "no-account-claim",
            Sentence("The sign-in service did not say which account on the cluster is yours."),
            ASK_THE_OPERATORS,
        )
    if _is_unverified_email(claims, path):
        raise SignInRefused(
            "unverified-email",
            Sentence("Your e-mail address has not been verified by the sign-in service."),
            Sentence("Verify it there, then sign in again."),
        )
    return key


ASK_THE_PROJECT = Sentence("Ask the leader of your project to add you, then sign in again.")
ASK_THE_OPERATORS = Sentence("Tell the people who run this service.")
OTHER_IDENTITY = Sentence("Sign in with another identity.")
