"""Id tokens that a provider, a thief or another hub could send: one kind is taken, all others are refused."""

from __future__ import annotations

import base64
import hmac
import json
import time
from functools import cache
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hpchub.signin.provider import together
from hpchub.signin.refusal import SignInRefused
from hpchub.signin.tokens import LONGEST_TOKEN, UnknownKey, verified

ISSUER, HUB, NONCE = "https://login.example.org", "notebooks", "n-0S6"


@cache
def private_key(name: str) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def public_jwk(name: str, **more: Any) -> dict[str, Any]:
    return {**jwt.algorithms.RSAAlgorithm.to_jwk(private_key(name).public_key(), as_dict=True), "kid": name, **more}


def claims(**changes: Any) -> dict[str, Any]:
    """What a right token says, with changes; None leaves a claim out."""
    now = int(time.time())
    right = {"iss": ISSUER, "sub": "ada", "aud": HUB, "exp": now + 300, "iat": now, "nonce": NONCE}
    return {name: value for name, value in {**right, **changes}.items() if value is not None}


def token(key: str = "one", header: dict[str, Any] | None = None, **changes: Any) -> str:
    told = {name: value for name, value in {"kid": key, **(header or {})}.items() if value is not None}
    return jwt.encode(claims(**changes), private_key(key), "RS256", told)


def check(text: object, keys: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    return verified(text, keys or [public_jwk("one")], issuer=ISSUER, client_id=HUB, nonce=NONCE)


def unsigned(text: str, **header: Any) -> str:
    """The token with another head and no signature."""
    head = base64.urlsafe_b64encode(json.dumps(header).encode()).decode().rstrip("=")
    return f"{head}.{text.split('.')[1]}."


def test_a_right_token_is_taken() -> None:
    assert check(token())["sub"] == "ada"
    assert check(token(aud=[HUB, "other"], azp=HUB))["sub"] == "ada"
    assert check(token(header={"kid": None})) == check(token())


def test_an_elliptic_key_is_as_good() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    public = {**jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": "ec"}
    text = jwt.encode(claims(), key, "ES256", {"kid": "ec"})
    assert check(text, [public_jwk("one"), public])["sub"] == "ada"


FALSE: list[tuple[dict[str, Any], str]] = [
    ({"iss": "https://evil.example.org"}, "id-token-issuer"),
    ({"iss": f"{ISSUER}/"}, "id-token-issuer"),
    ({"iss": None}, "id-token-incomplete"),
    ({"aud": "another-hub"}, "id-token-audience"),
    ({"aud": ["another-hub"]}, "id-token-audience"),
    ({"aud": None}, "id-token-incomplete"),
    ({"aud": [HUB, "another-hub"]}, "id-token-for-another"),
    ({"azp": "another-hub"}, "id-token-for-another"),
    ({"exp": 1}, "id-token-expired"),
    ({"exp": None}, "id-token-incomplete"),
    ({"sub": None}, "id-token-incomplete"),
    ({"nonce": "n-other"}, "id-token-of-another-sign-in"),
    ({"nonce": None}, "id-token-of-another-sign-in"),
    ({"iat": 1}, "id-token-old"),
    ({"iat": 4_000_000_000}, "id-token-from-the-future"),
    ({"nbf": 4_000_000_000}, "id-token-from-the-future"),
    ({"exp": float("inf")}, "id-token-unreadable"),
    ({"iat": "yesterday"}, "id-token-unreadable"),
]


@pytest.mark.parametrize(("changes", "reason"), FALSE)
def test_a_token_for_something_else_is_refused(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(SignInRefused) as refusal:
        check(token(**changes))
    assert refusal.value.reason == reason


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", "HS256", "", None, 7])
def test_a_token_without_a_signature_of_the_provider_is_refused(alg: object) -> None:
    with pytest.raises(SignInRefused) as refusal:
        check(unsigned(token(), alg=alg, kid="one"))
    assert refusal.value.reason in ("id-token-signature-kind", "id-token-unreadable")


def test_a_public_key_is_no_password() -> None:
    """The classical confusion: a signature by HS256 whose secret is the provider's public key, known to everybody."""
    public = private_key("one").public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    signed = unsigned(token(), alg="HS256", kid="one").rstrip(".")
    signature = base64.urlsafe_b64encode(hmac.digest(public, signed.encode(), "sha256")).decode().rstrip("=")
    with pytest.raises(SignInRefused) as refusal:
        check(f"{signed}.{signature}")
    assert refusal.value.reason == "id-token-signature-kind"


def test_a_token_of_another_kind_is_refused() -> None:
    with pytest.raises(SignInRefused) as refusal:
        check(token(header={"typ": "logout+jwt"}))
    assert refusal.value.reason == "id-token-signature-kind"


def test_a_signature_by_another_key_is_refused() -> None:
    with pytest.raises(SignInRefused) as refusal:
        check(token("two", {"kid": "one"}))
    assert refusal.value.reason == "id-token-signature"


def test_changed_claims_are_refused() -> None:
    head, _, signature = token().split(".")
    other = token(sub="root").split(".")[1]
    with pytest.raises(SignInRefused) as refusal:
        check(f"{head}.{other}.{signature}")
    assert refusal.value.reason == "id-token-signature"


def test_a_key_that_is_not_known_may_be_new() -> None:
    for keys in ([public_jwk("one")], [public_jwk("two", use="enc")], [public_jwk("two", alg="PS256")]):
        with pytest.raises(UnknownKey):
            check(token("two"), keys)


def test_without_a_name_of_the_key_there_must_be_one_key() -> None:
    with pytest.raises(UnknownKey):
        check(token(header={"kid": None}), [public_jwk("one"), public_jwk("two")])


@pytest.mark.parametrize("text", [None, 7, "", "x", "a.b.c", "é.é.é", "x" * (LONGEST_TOKEN + 1)])
def test_what_is_no_token_is_refused(text: object) -> None:
    with pytest.raises(SignInRefused) as refusal:
        check(text)
    assert refusal.value.reason == "id-token-unreadable"
    assert str(refusal.value) == "What the sign-in service sent could not be verified."


def test_a_key_of_the_attackers_in_the_head_is_not_used() -> None:
    with pytest.raises(SignInRefused) as refusal:
        check(token("two", {"kid": "one", "jwk": public_jwk("two")}))
    assert refusal.value.reason == "id-token-signature"


def test_userinfo_of_somebody_else_is_refused() -> None:
    for sub in ("bruno", None, ["ada"]):
        with pytest.raises(SignInRefused) as refusal:
            together({"sub": "ada"}, {"sub": sub, "groups": ["hpc"]})
        assert refusal.value.reason == "userinfo-of-another"


def test_how_somebody_signed_in_is_what_the_signed_token_says() -> None:
    signed = {"sub": "ada", "iss": ISSUER, "amr": ["pwd"]}
    found = together(signed, {"sub": "ada", "amr": ["mfa"], "acr": "gold", "groups": ["hpc"]})
    assert (found["amr"], found["acr"], found["groups"]) == (["pwd"], None, ["hpc"])
