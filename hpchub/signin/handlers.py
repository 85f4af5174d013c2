"""The three addresses of a sign-in at a provider: the way there, the way back, and out."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import quote, urlencode

from oauthenticator.oauth2 import OAuthCallbackHandler, OAuthLoginHandler, OAuthLogoutHandler
from tornado.escape import json_decode, json_encode

from hpchub.catalogue.model import in_language
from hpchub.signin import record, refusal
from hpchub.signin.provider import Silent
from hpchub.signin.refusal import SignInRefused
from hpchub.text import in_words

STATE_COOKIE = "hpchub-sign-in"
STATE_DAYS = 10 / 24 / 60
"""How long a person may take at the provider."""
LONGEST_NEXT = 2000
"""As JSON.  Browsers keep no cookie of more than 4096 characters, and without it nobody gets in: a longer link is left
out."""
KNOWN_THERE = 403
"""The status code of a refusal of somebody whom the provider has let in."""
LONGEST_HINT = 4000
"""Some servers take no longer addresses; without the hint the provider asks whether to sign out."""


class Refusing:
    """To be put before a handler in the bases of a class: a refused sign-in is a page, not an error."""

    async def refuse(self: Any, refused: SignInRefused) -> None:
        """Show why this sign-in ends here, and what to do."""
        self.log.warning("Sign-in refused: %s", refused.reason)
        record.write(self.eventlog, "refused", reason=refused.reason)
        self.clear_cookie(STATE_COOKIE, path=self.hub.base_url)
        self.set_status(refused.status_code)
        if refused.retry_after_seconds:
            self.set_header("Retry-After", str(refused.retry_after_seconds))
        html = await self.render_template(
            "sign_in_refused.html",
            sentence=in_words(refused, self.speech),
            advice=in_words(refused.advice, self.speech),
            provider=in_language(self.authenticator.rules.title, self.speech.language),
            # who is signed in there as somebody else would come back as the same again and again
            way_out=await self._way_out() if refused.status_code == KNOWN_THERE else "",
            # this page's own address has the code of the sign-in
            here=quote(f"{self.hub.base_url}login", safe=""),
        )
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header("Cache-Control", "no-store")
        self.finish(html)

    async def _way_out(self: Any) -> str:
        try:
            return await way_out(self.authenticator)
        except Silent:
            return ""


class SignInHandler(Refusing, OAuthLoginHandler):  # type: ignore[misc]  # oauthenticator has no types
    """The way to the provider, with a state, a nonce and a challenge that only this browser's cookie knows."""

    async def get(self) -> None:
        """Send the browser to the provider."""
        authenticator = self.authenticator
        try:
            # nobody is sent to a provider that is away
            url = await authenticator.provider.endpoint("authorization_endpoint", fresh=True)
        except Silent as error:
            self.log.error("Sign-in is not possible: %s", error)
            await self.refuse(refusal.silent())
            return
        sign_in = {name: secrets.token_urlsafe(32) for name in ("state", "nonce", "code_verifier")}
        next_url = self._validate_next_url(self.get_argument("next", ""))
        sign_in["next"] = next_url if len(json_encode(next_url)) <= LONGEST_NEXT else ""
        # Lax: the browser comes back from another site, by a link
        self._set_cookie(
            STATE_COOKIE, json_encode(sign_in), expires_days=STATE_DAYS, path=self.hub.base_url, samesite="Lax"
        )
        self.redirect(f"{url}{'&' if '?' in url else '?'}{urlencode(question(authenticator, sign_in))}")


def question(authenticator: Any, sign_in: Mapping[str, str]) -> dict[str, str]:
    """What the provider is asked (OpenID Connect Core 1.0, 3.1.2.1; RFC 7636)."""
    rules = authenticator.rules
    challenge = hashlib.sha256(sign_in["code_verifier"].encode()).digest()
    asked = {
        "response_type": "code",
        "client_id": rules.client_id,
        "redirect_uri": rules.callback_url,
        "scope": " ".join(rules.scopes),
        "state": sign_in["state"],
        "nonce": sign_in["nonce"],
        "code_challenge": base64.urlsafe_b64encode(challenge).decode().rstrip("="),
        "code_challenge_method": "S256",
    }
    if rules.acr:
        asked["acr_values"] = " ".join(rules.acr)
    if "offline_access" in rules.scopes:
        # without it the provider ignores this scope (11)
        asked["prompt"] = "consent"
    return asked


class CallbackHandler(Refusing, OAuthCallbackHandler):  # type: ignore[misc]  # oauthenticator has no types
    """The way back: whoever comes here without having been sent is refused."""

    sign_in: Mapping[str, str]

    async def get(self) -> None:
        """End the sign-in and go on to where the person wanted."""
        try:
            self.sign_in = await self._checked()
            user = await self.login_user()
        except SignInRefused as refused:
            await self.refuse(refused)
            return
        record.write(self.eventlog, "signed-in", username=user.name, admin=user.admin)
        self.clear_cookie(STATE_COOKIE, path=self.hub.base_url)
        self.redirect(self._validate_next_url(self.sign_in["next"]) or self.get_next_url(user))

    async def _checked(self) -> Mapping[str, str]:
        """Check what the browser brings: state, code, and which provider it comes from (RFC 9207)."""
        cookie = self.get_secure_cookie(STATE_COOKIE, max_age_days=STATE_DAYS)
        if cookie is None:
            raise refusal.too_old()
        sign_in: Mapping[str, str] = json_decode(cookie)
        if not secrets.compare_digest(self.get_argument("state", "").encode(), sign_in["state"].encode()):
            raise refusal.not_genuine("state")
        provider = self.authenticator.provider
        try:
            names_itself = (await provider.document()).get("authorization_response_iss_parameter_supported") is True
        except Silent as error:
            self.log.error("Sign-in is not possible: %s", error)
            raise refusal.silent() from None
        issuer = self.get_argument("iss", None)
        if issuer != provider.issuer and (names_itself or issuer is not None):
            raise refusal.not_genuine("another-provider")
        if self.get_argument("error", None) is not None:
            # its description could have been written by anybody
            raise refusal.not_completed()
        if not self.get_argument("code", ""):
            raise refusal.not_genuine("no-code")
        return sign_in


class SignOutHandler(OAuthLogoutHandler):  # type: ignore[misc]  # oauthenticator has no types
    """Out of the hub and out of the provider (OpenID Connect RP-Initiated Logout 1.0)."""

    _way_out = ""
    _known_there = False

    async def handle_logout(self) -> None:
        """Find the provider's own way out, and remember who took it."""
        user = self.current_user
        kept = await self.authenticator.note_sign_out(user) if user else {}
        self._known_there = bool(kept)
        if kept:
            # nobody is sent to a provider that is away
            with suppress(Silent):
                self._way_out = await way_out(self.authenticator, kept.get("id_token", ""), fresh=True)

    async def render_logout_page(self) -> None:
        """Go on to the provider, which sends the browser back to the sign-in page."""
        if self._way_out:
            self.redirect(self._way_out)
            return
        title = in_language(self.authenticator.rules.title, self.speech.language)
        self.finish(await self.render_template("logout.html", known_at=title if self._known_there else ""))


async def way_out(authenticator: Any, id_token: str = "", fresh: bool = False) -> str:
    """Give the address where the provider ends its own session and leads back; empty where it has none.

    Args:
        authenticator: ours.
        id_token: whose session; without it the provider asks.
        fresh: the provider must have answered just now.

    Raises:
        Silent: it does not answer.
    """
    rules = authenticator.rules
    url: str = await authenticator.provider.endpoint("end_session_endpoint", fresh=fresh)
    told = {
        "client_id": rules.client_id,
        "post_logout_redirect_uri": rules.callback_url.removesuffix("oauth_callback") + "login",
    }
    if 0 < len(id_token) <= LONGEST_HINT:
        told["id_token_hint"] = id_token
    return f"{url}{'&' if '?' in url else '?'}{urlencode(told)}" if url else ""
