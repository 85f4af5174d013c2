"""An id token is taken only if the provider signed it, for this hub, for this very sign-in, and just now.

OpenID Connect Core 1.0, 3.1.3.7; RFC 8725 for what an attacker would try.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import jwt

from hpchub.signin.refusal import not_genuine

SIGNATURES = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""All with a public key: ``none`` and signatures by a shared secret would be anybody's."""
LONGEST_TOKEN = 64 * 1024
LEEWAY_SECONDS = 60
"""How much two clocks may differ."""
OLDEST_SECONDS = 600
"""An id token comes straight from the provider; one from earlier was kept by somebody."""


class UnknownKey(Exception):
    """The token is signed with a key that is not among those given; the provider may have new ones."""


def verified(
    token: object, keys: Sequence[Mapping[str, Any]], *, issuer: str, client_id: str, nonce: str | None
) -> dict[str, Any]:
    """Give the claims of an id token that is genuine.

    Args:
        token: what the provider sent.
        keys: the provider's public keys (RFC 7517).
        issuer: who must have signed it.
        client_id: for whom it must be.
        nonce: what was sent along at the beginning of this sign-in; None for a token that renews an earlier one.

    Raises:
        SignInRefused: it is not; the reason never has a part of the token.
        UnknownKey: no key given has signed it.
    """
    if not isinstance(token, str) or not token.isascii() or len(token) > LONGEST_TOKEN:
        raise not_genuine("id-token-unreadable")
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, RecursionError):
        raise not_genuine("id-token-unreadable") from None
    if header.get("alg") not in SIGNATURES or str(header.get("typ", "JWT")).upper() != "JWT":
        raise not_genuine("id-token-signature-kind")
    key = _key_of(header, keys)
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[header["alg"]],
            audience=client_id,
            issuer=issuer,
            leeway=LEEWAY_SECONDS,
            options={"require": ["iss", "sub", "aud", "exp", "iat"]},
        )
    except (jwt.PyJWTError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise not_genuine(_reason(error)) from None
    _check_purpose(claims, client_id, nonce)
    return claims


def _key_of(header: Mapping[str, Any], keys: Sequence[Mapping[str, Any]]) -> jwt.PyJWK:
    """Find the key that the token names; without a name there must be a single one of this kind."""
    alg, kid = header["alg"], header.get("kid")
    kind = {"R": "RSA", "P": "RSA", "E": "OKP" if alg == "EdDSA" else "EC"}[alg[0]]
    fitting = [
        key
        for key in keys
        if key.get("kty") == kind
        and key.get("use", "sig") == "sig"
        and key.get("alg", alg) == alg
        and kid in (None, key.get("kid"))
    ]
    if len(fitting) != 1:
        raise UnknownKey
    try:
        return jwt.PyJWK(dict(fitting[0]), algorithm=alg)
    except (jwt.PyJWTError, KeyError, TypeError, ValueError):
        raise not_genuine("provider-key-unreadable") from None


def _check_purpose(claims: Mapping[str, Any], client_id: str, nonce: str | None) -> None:
    several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if claims.get("azp", client_id) != client_id or (several and "azp" not in claims):
        raise not_genuine("id-token-for-another")
    if nonce is not None and claims.get("nonce") != nonce:
        raise not_genuine("id-token-of-another-sign-in")
    issued = claims["iat"]
    if nonce is not None and isinstance(issued, int | float) and issued < time.time() - OLDEST_SECONDS:
        raise not_genuine("id-token-old")


_REASONS: Sequence[tuple[type[Exception], str]] = (
    (jwt.ExpiredSignatureError, "id-token-expired"),
    (jwt.ImmatureSignatureError, "id-token-from-the-future"),
    (jwt.InvalidSignatureError, "id-token-signature"),
    (jwt.InvalidAudienceError, "id-token-audience"),
    (jwt.InvalidIssuerError, "id-token-issuer"),
    (jwt.MissingRequiredClaimError, "id-token-incomplete"),
)


def _reason(error: Exception) -> str:
    return next((reason for kind, reason in _REASONS if isinstance(error, kind)), "id-token-unreadable")


def of_the_same(claims: Mapping[str, Any], others: Mapping[str, Any]) -> None:
    """Refuse claims of somebody else: those of userinfo must have the subject of the id token (5.3.2)."""
    if not isinstance(claims.get("sub"), str) or claims.get("sub") != others.get("sub"):
        raise not_genuine("userinfo-of-another")
