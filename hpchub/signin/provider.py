"""The provider over the network: its discovery document, its keys, its tokens and what it says of a person.

Nothing that it sends is ever logged or put into a message: only which of its addresses failed, and with which status.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.simple_httpclient import SimpleAsyncHTTPClient

from hpchub.catalogue.sign_in import is_encrypted, is_here
from hpchub.errors import HpchubError
from hpchub.signin import tokens
from hpchub.signin.refusal import not_genuine

log = logging.getLogger(__name__)

ANSWER_SECONDS = 6
LONGEST_ANSWER = 512 * 1024
MOST_AT_A_TIME = 50
"""Questions under way; one that has to wait for its turn for longer than an answer takes has failed."""
KEPT_SECONDS = 3600
"""How long the document and the keys are kept; a key that is not known is looked for sooner."""
FRESH_SECONDS = 3
"""How long an answer shows that it is there: a room that signs in asks once."""
BETWEEN_LOOKS_SECONDS = 5
"""Between two looks for a key: a forged token must not have the hub ask without end.  A provider that was started anew
with new keys is believed again after so long."""
PROTOCOL_CLAIMS = ("iss", "sub", "aud", "exp", "iat", "nonce", "azp", "acr", "amr", "auth_time")
"""What only the signed id token says of a sign-in."""


class Silent(HpchubError):
    """The provider does not answer, or not in a way that means anything."""


class Denied(HpchubError):
    """The provider answered that it gives nothing: a code or a token is used, expired or withdrawn.

    ``certain`` is false where the answer could also be about the way of asking, and so be given to everybody.
    """

    def __init__(self, message: str, certain: bool = True) -> None:
        super().__init__(message)
        self.certain = certain


class Provider:
    """One issuer, as this hub's client."""

    def __init__(self, issuer: str, client_id: str, client_secret: str) -> None:
        self.issuer, self.client_id = issuer, client_id
        self._secret = client_secret
        self._document: dict[str, Any] = {}
        self._document_epoch = 0.0
        self._looking: asyncio.Task[None] | None = None
        self._keys: list[dict[str, Any]] = []
        self._keys_epoch = 0.0
        self._http: Any = None

    async def endpoint(self, name: str, fresh: bool = False) -> str:
        """Give one of its addresses by the name in the discovery document; empty where it has none that is safe.

        Raises:
            Silent: it does not answer, or with a document that is not this issuer's.
        """
        url = str((await self.document(fresh)).get(name, ""))
        return url if _is_safe(url, self.issuer) else ""

    async def document(self, fresh: bool = False) -> Mapping[str, Any]:
        """Give its discovery document (OpenID Connect Discovery 1.0, 4); an old one while it is silent.

        Args:
            fresh: it must have answered just now, and silence is an error.

        Raises:
            Silent: it does not answer, or with a document that is not this issuer's.
        """
        age = time.monotonic() - self._document_epoch
        if age > (FRESH_SECONDS if fresh else KEPT_SECONDS) or not self._document:
            # whoever comes while it is being asked gets the same answer; who goes away ends it for nobody
            self._looking = self._looking or asyncio.create_task(self._look())
            try:
                await asyncio.shield(self._looking)
            except (Silent, Denied) as error:
                if fresh or not self._document:
                    raise Silent(str(error)) from None
        return self._document

    async def _look(self) -> None:
        try:
            found = await self._fetch(f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
            _check_document(found, self.issuer)
            self._document, self._document_epoch = found, time.monotonic()
        finally:
            self._looking = None

    async def tokens_for_code(self, code: str, verifier: str, callback_url: str) -> dict[str, Any]:
        """Exchange the code of a sign-in (RFC 6749, 4.1.3; RFC 7636).

        Raises:
            Silent: it does not answer.
            Denied: the code is used, expired or not for us.
        """
        return await self._tokens(
            {
                "grant_type": "authorization_code",
                "code": code,
                "code_verifier": verifier,
                "redirect_uri": callback_url,
            }
        )

    async def renewed_tokens(self, refresh_token: str) -> dict[str, Any]:
        """Exchange a refresh token (RFC 6749, 6); raises the same as :meth:`tokens_for_code`."""
        return await self._tokens({"grant_type": "refresh_token", "refresh_token": refresh_token})

    async def userinfo(self, access_token: str) -> dict[str, Any]:
        """Ask what it says of a person now; raises the same as :meth:`tokens_for_code`."""
        url = await self.endpoint("userinfo_endpoint")
        return await self._fetch(url, headers={"Authorization": f"Bearer {access_token}"})

    async def claims_of(self, id_token: object, nonce: str | None) -> dict[str, Any]:
        """Give the claims of a genuine id token.

        Raises:
            SignInRefused: it is not genuine.
            Silent: the keys cannot be had.
        """
        for look_anew in (False, True):
            try:
                keys = await self._public_keys(look_anew)
                return tokens.verified(id_token, keys, issuer=self.issuer, client_id=self.client_id, nonce=nonce)
            except tokens.UnknownKey:
                continue
        raise not_genuine("id-token-key")

    async def _public_keys(self, look_anew: bool) -> list[dict[str, Any]]:
        age = time.monotonic() - self._keys_epoch
        if not self._keys or age > (BETWEEN_LOOKS_SECONDS if look_anew else KEPT_SECONDS):
            answer = await self._fetch(await self.endpoint("jwks_uri"))
            keys = answer.get("keys")
            if not isinstance(keys, list):
                raise Silent("jwks_uri: the answer has no keys")
            self._keys = [key for key in keys if isinstance(key, dict)]
            self._keys_epoch = time.monotonic()
        return self._keys

    async def _tokens(self, form: dict[str, str]) -> dict[str, Any]:
        document = await self.document()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        ways = document.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        if "client_secret_basic" in ways:
            # encoded first (RFC 6749, 2.3.1): a secret may have a colon
            pair = f"{quote(self.client_id, safe='')}:{quote(self._secret, safe='')}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        else:
            form = {**form, "client_id": self.client_id, "client_secret": self._secret}
        found = await self._fetch(str(document["token_endpoint"]), headers=headers, form=form)
        if not isinstance(found.get("access_token"), str):
            raise Silent("token_endpoint: the answer has no access token")
        return found

    async def _fetch(
        self, url: str, headers: Mapping[str, str] | None = None, form: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        if self._http is None:
            # JupyterHub puts curl in place of AsyncHTTPClient where it finds it; this one's limits are known
            self._http = SimpleAsyncHTTPClient(
                force_instance=True, max_clients=MOST_AT_A_TIME, max_body_size=LONGEST_ANSWER
            )
        # without its query, which could have anything
        place = urlsplit(url)._replace(query="", fragment="").geturl()
        request = HTTPRequest(
            url,
            method="GET" if form is None else "POST",
            headers={"Accept": "application/json", **(headers or {})},
            body=None if form is None else urlencode(form),
            connect_timeout=ANSWER_SECONDS,
            request_timeout=ANSWER_SECONDS,
            follow_redirects=False,
            decompress_response=False,
        )
        try:
            answer = json.loads((await self._http.fetch(request)).body)
        except HTTPClientError as error:
            if (certain := _denies(error, form)) is not None:
                raise Denied(f"{place}: HTTP status {error.code}", certain) from None
            raise Silent(f"{place}: HTTP status {error.code}") from None
        except (OSError, ValueError, RecursionError) as error:
            raise Silent(f"{place}: {type(error).__name__}") from None
        if not isinstance(answer, dict):
            raise Silent(f"{place}: the answer is no object")
        return answer


def _denies(error: HTTPClientError, form: Mapping[str, str] | None) -> bool | None:
    """Tell whether an answer is certainly about the person; None where it is not about them at all.

    A client whose own secret is wrong learns nothing of anybody.
    """
    if form is None:
        # RFC 6750, 3.1; 403 is what something in front of the provider says to everybody
        return True if error.code == 401 else None
    try:
        answer = json.loads(error.response.body) if error.response else None
    except ValueError:
        return None
    said = answer.get("error") if error.code == 400 and isinstance(answer, dict) else None
    if said == "invalid_grant":
        # RFC 6749, 5.2
        return True
    # what Authlib's servers say of the refresh token of somebody who was locked or removed
    return False if said == "invalid_request" and form["grant_type"] == "refresh_token" else None


def _check_document(document: Mapping[str, Any], issuer: str) -> None:
    if document.get("issuer") != issuer:
        raise Silent("the discovery document is another issuer's")
    for name in ("authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri"):
        if not _is_safe(str(document.get(name, "")), issuer):
            raise Silent(f"the discovery document has no {name} with https")


def _is_safe(url: str, issuer: str) -> bool:
    # only a provider on this machine may send the hub to another port of this machine
    return is_encrypted(url) or (is_here(url) and is_here(issuer))


def together(signed: Mapping[str, Any], userinfo: Mapping[str, Any]) -> dict[str, Any]:
    """Put together what an id token and userinfo say of the same person; of the sign-in itself only the first speaks.

    Raises:
        SignInRefused: they are of two people.
    """
    tokens.of_the_same(userinfo, signed)
    return {**signed, **userinfo, **{name: signed.get(name) for name in PROTOCOL_CLAIMS}}
