"""Who may sign in, and as what: the truth table of claims and rules, and the sentence of each refusal."""

from __future__ import annotations

from typing import Any

import pytest

from hpchub.catalogue.sign_in import OpenIdConnect
from hpchub.signin.refusal import SignInRefused
from hpchub.signin.rules import MOST_NAMES, judged, names_at
from hpchub.text import Speech, in_words


def rules(**more: Any) -> OpenIdConnect:
    """The rules of a small site, where the claim has the account's name, with changes."""
    return OpenIdConnect.model_validate(
        {
            "title": {"en": "Our login"},
            "issuer": "https://login.example.org/realms/hpc",
            "client_id": "notebooks",
            "callback_url": "https://notebooks.example.org/hub/oauth_callback",
            "account": {"source": "claim", "claim": "preferred_username"},
            **more,
        }
    )


ADA = {"sub": "8f14e45f", "preferred_username": "ada"}
GROUPS = {"allowed_groups": ["hpc"], "admin_groups": ["staff"], "trainer_groups": ["teach"]}
ROLES = {"groups_claim": ["realm_access", "roles"], **GROUPS}
URL_CLAIM = {"groups_claim": "https://example.org/groups", **GROUPS}
ENTITLED = {"allowed_entitlements": ["urn:geant:example.org:group:hpc#login.example.org"]}
MFA = {"amr": ["mfa", "otp"]}
ACR = {"acr": ["https://refeds.org/profile/mfa"]}
MEDIUM = {"assurance": ["https://refeds.org/assurance/IAP/medium", "https://refeds.org/assurance/IAP/high"]}
MYACCESSID = {"subject_scope": "MyAccessID.org", "account": {"source": "file", "file": "/etc/accounts", "claim": "sub"}}
BY_EMAIL = {"account": {"source": "getent", "claim": "email"}}
BY_EMAIL_PATH = {"account": {"source": "getent", "claim": ["email"]}}
NESTED_NAME = {"account": {"source": "claim", "claim": ["posix", "name"]}}
DOTTED_NAME = {"account": {"source": "claim", "claim": "posix.name"}}

EMAIL_DOMAIN = {"domain_claim": "email"}
AFFILIATION = {"domain_claim": "eduperson_scoped_affiliation"}

# changed rules, more claims, then: groups (t: trainer, a: admin) and what the account is found by
ALLOWED: list[tuple[dict[str, Any], dict[str, Any], str, str, str]] = [
    ({}, {}, "", "", "ada"),
    ({}, {"groups": None}, "", "", "ada"),
    ({}, {"groups": []}, "", "", "ada"),
    ({}, {"groups": ["hpc", "bio"]}, "bio hpc", "", "ada"),
    ({}, {"groups": "abc"}, "abc", "", "ada"),
    ({}, {"groups": "hpc staff"}, "hpc staff", "", "ada"),
    ({}, {"groups": {"hpc": True}}, "", "", "ada"),
    ({}, {"groups": ["hpc", 7, None, ["x"], "", "a\nb", "g" * 256]}, "hpc", "", "ada"),
    ({}, {"groups": ["trainers"]}, "", "", "ada"),
    (GROUPS, {"groups": ["hpc"]}, "hpc", "", "ada"),
    (GROUPS, {"groups": "hpc"}, "hpc", "", "ada"),
    (GROUPS, {"groups": ["staff"]}, "staff", "a", "ada"),
    (GROUPS, {"groups": ["teach"]}, "teach trainers", "t", "ada"),
    (GROUPS, {"groups": ["teach", "staff", "hpc"]}, "hpc staff teach trainers", "a", "ada"),
    (GROUPS, {"groups": ["hpc", "trainers", "admin"]}, "admin hpc", "", "ada"),
    ({**GROUPS, "trainer_groups": ["trainers"]}, {"groups": ["trainers"]}, "trainers", "t", "ada"),
    (ROLES, {"realm_access": {"roles": ["hpc"]}}, "hpc", "", "ada"),
    (ROLES, {"realm_access": {"roles": "hpc"}, "groups": ["staff"]}, "hpc", "", "ada"),
    (URL_CLAIM, {"https://example.org/groups": ["hpc"]}, "hpc", "", "ada"),
    (ENTITLED, {"eduperson_entitlement": ENTITLED["allowed_entitlements"]}, "", "", "ada"),
    ({**ENTITLED, **GROUPS}, {"groups": ["hpc"]}, "hpc", "", "ada"),
    (MFA, {"amr": ["pwd", "otp"]}, "", "", "ada"),
    (MFA, {"amr": "mfa"}, "", "", "ada"),
    (ACR, {"acr": "https://refeds.org/profile/mfa"}, "", "", "ada"),
    (MEDIUM, {"eduperson_assurance": ["x", "https://refeds.org/assurance/IAP/high"]}, "", "", "ada"),
    (MYACCESSID, {"sub": "8F14E45F@MyAccessID.org"}, "", "", "8f14e45f@myaccessid.org"),
    (BY_EMAIL, {"email": "Ada@example.org", "email_verified": True}, "", "", "Ada@example.org"),
    (NESTED_NAME, {"posix": {"name": "abianchi"}}, "", "", "abianchi"),
    (DOTTED_NAME, {"posix.name": "abianchi", "posix": {"name": "root"}}, "", "", "abianchi"),
    (EMAIL_DOMAIN, {"email": "ada@Studio.UniBo.it", "email_verified": True}, "@studio.unibo.it", "", "ada"),
    (EMAIL_DOMAIN, {"email": "ada@unibo.it"}, "", "", "ada"),
    (EMAIL_DOMAIN, {"email": "ada@unibo.it", "email_verified": "true"}, "", "", "ada"),
    (EMAIL_DOMAIN, {"email": "ada@unibo.it@x y.it", "email_verified": True}, "", "", "ada"),
    (
        AFFILIATION,
        {"eduperson_scoped_affiliation": ["member@unibo.it", "staff@cineca.it"]},
        "@cineca.it @unibo.it",
        "",
        "ada",
    ),
    (AFFILIATION, {"eduperson_scoped_affiliation": ["member", "@", "a@localhost"]}, "", "", "ada"),
    ({}, {"groups": ["@unibo.it"]}, "", "", "ada"),
]

REFUSED: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({}, {"sub": None}, "no-subject"),
    ({}, {"sub": ""}, "no-subject"),
    ({}, {"sub": 42}, "no-subject"),
    ({}, {"sub": "s" * 256}, "no-subject"),
    ({}, {"sub": "TEST@myaccessid.ORG"}, "test-identity"),
    ({"refused_subjects": ["probe"]}, {"sub": "Probe"}, "test-identity"),
    (GROUPS, {}, "not-allowed"),
    (GROUPS, {"groups": []}, "not-allowed"),
    (GROUPS, {"groups": ["HPC"]}, "not-allowed"),
    (GROUPS, {"groups": ["hpc2", "hp"]}, "not-allowed"),
    (GROUPS, {"groups": "h,p,c hpc"}, "not-allowed"),
    (GROUPS, {"groups": ["trainers"]}, "not-allowed"),
    (GROUPS, {"groups": {"hpc": "hpc"}}, "not-allowed"),
    (ROLES, {"realm_access.roles": ["hpc"]}, "not-allowed"),
    (ROLES, {"realm_access": ["hpc"]}, "not-allowed"),
    (URL_CLAIM, {"https://example": {"org/groups": ["hpc"]}}, "not-allowed"),
    (ENTITLED, {"groups": ENTITLED["allowed_entitlements"]}, "not-allowed"),
    (MFA, {}, "weak-sign-in"),
    (MFA, {"amr": ["pwd"]}, "weak-sign-in"),
    (ACR, {"acr": "1"}, "weak-sign-in"),
    (ACR, {"acr": ["https://refeds.org/profile/mfa"]}, "weak-sign-in"),
    (MEDIUM, {}, "low-assurance"),
    (MEDIUM, {"eduperson_assurance": "https://refeds.org/assurance/IAP/low"}, "low-assurance"),
    (MYACCESSID, {"sub": "test@MyAccessID.org"}, "test-identity"),
    (MYACCESSID, {"sub": "8f14e45f"}, "wrong-scope"),
    (MYACCESSID, {"sub": "8f14e45f@MyAccessID.org.example.com"}, "wrong-scope"),
    (MYACCESSID, {"sub": "@MyAccessID.org"}, "wrong-scope"),
    ({}, {"preferred_username": None}, "no-account-claim"),
    ({}, {"preferred_username": ["ada"]}, "no-account-claim"),
    ({}, {"preferred_username": "ada\nroot"}, "no-account-claim"),
    (NESTED_NAME, {"posix.name": "ada"}, "no-account-claim"),
    (BY_EMAIL, {"email": "ada@example.org"}, "unverified-email"),
    (BY_EMAIL, {"email": "ada@example.org", "email_verified": "true"}, "unverified-email"),
    (BY_EMAIL_PATH, {"email": "ada@example.org"}, "unverified-email"),
    ({}, {"sub": "half a pair \ud800"}, "no-subject"),
    ({}, {"preferred_username": "\udfff"}, "no-account-claim"),
    (GROUPS, {"groups": ["hpc\ud83d"]}, "not-allowed"),
]


@pytest.mark.parametrize(("changes", "claims", "groups", "role", "key"), ALLOWED)
def test_who_may_sign_in(changes: dict[str, Any], claims: dict[str, Any], groups: str, role: str, key: str) -> None:
    person = judged({**ADA, **claims}, rules(**changes))
    expected = frozenset({"hpc staff"} if claims.get("groups") == "hpc staff" else groups.split())
    assert (person.groups, person.admin, person.account_key) == (expected, role == "a", key)


@pytest.mark.parametrize(("changes", "claims", "reason"), REFUSED)
def test_who_may_not(changes: dict[str, Any], claims: dict[str, Any], reason: str) -> None:
    with pytest.raises(SignInRefused) as refusal:
        judged({**ADA, **claims}, rules(**changes))
    assert refusal.value.reason == reason
    assert refusal.value.status_code == 403


def test_a_refusal_says_why_and_what_to_do_in_the_readers_language() -> None:
    with pytest.raises(SignInRefused) as refusal:
        judged(ADA, rules(**GROUPS))
    said = refusal.value
    assert str(said) == "You are known, but not in a group that may use this service."
    assert (
        in_words(said, Speech("it")) == "Sappiamo chi sei, ma non fai parte di un gruppo che può usare questo servizio."
    )
    assert said.advice == "Ask the leader of your project to add you, then sign in again."


def test_a_refusal_has_no_value_of_a_claim() -> None:
    for changes, claims, _ in REFUSED:
        with pytest.raises(SignInRefused) as refusal:
            judged({**ADA, **claims}, rules(**changes))
        text = f"{refusal.value} {refusal.value.advice} {refusal.value.reason}"
        assert not [value for value in claims.values() if isinstance(value, str) and len(value) > 4 and value in text]


def test_a_token_with_very_many_groups_costs_no_more_than_its_first_ones() -> None:
    found = names_at({"groups": [f"group{number}" for number in range(100_000)]}, "groups")
    assert len(found) == MOST_NAMES
