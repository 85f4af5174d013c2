"""Who asks: people sign in through the hub (OAuth with PKCE, JupyterHub's HubOAuth), scripts bring a token of it."""

from __future__ import annotations

import base64
import hashlib
import hmac
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from cryptography.fernet import Fernet, InvalidToken
from jupyterhub.services import auth
from tornado.web import HTTPError

from hpchub.console.hub import HubSilent
from hpchub.console.people import ACCESS, SERVICE, Caller, caller_of
from hpchub.tls_contexts import in_place_of_jupyterhub_s

BASE = f"/services/{SERVICE}/"
"""The path of everything here."""
CALLBACK = f"{BASE}oauth_callback"
CLIENT = f"service-{SERVICE}"
COOKIE, STATE_COOKIE = f"hpchub-{SERVICE}", f"hpchub-{SERVICE}-state"
_CACHE_SECONDS = 10
"""How long an answer of the hub's about a token counts: a new group, or a sign-out, is effective after so long."""


class SignIn:
    """Knows people by the hub.

    Args:
        api_url: of the hub's API, as the console reaches it.
        token: the console's own.
        key: what the cookies are encrypted with, 64 hexadecimal digits.
        pair: key, certificate and accepted authorities, where the hub is encrypted with certificates of its own.
    """

    def __init__(self, api_url: str, token: str, key: str, pair: tuple[Path, Path, Path] | None = None) -> None:
        self._key, self._token = bytes.fromhex(key), token
        self._box = Fernet(base64.urlsafe_b64encode(self._key))
        in_place_of_jupyterhub_s(auth)
        self._oauth = auth.HubOAuth(
            api_url=api_url,
            api_token=token,
            base_url=BASE,
            oauth_client_id=CLIENT,
            oauth_redirect_uri=CALLBACK,
            access_scopes={ACCESS},
            cache_max_age=_CACHE_SECONDS,
            **dict(zip(("keyfile", "certfile", "client_ca"), map(str, pair or ()), strict=False)),
        )

    async def caller(self, token: str, session_id: str = "") -> Caller | None:
        """Tell who has a token of the hub's; None for nobody, or for a token that is not for the console.

        Raises :class:`HubSilent`.
        """
        # The hub has it, and nobody else (hpchub/config.py).
        if hmac.compare_digest(token.encode(), self._token.encode()):
            return Caller(SERVICE, person=False, hub=True)
        try:
            model: dict[str, Any] | None = await self._oauth.user_for_token(token, session_id=session_id, sync=False)
        except HTTPError as error:
            raise HubSilent(str(error)) from error
        return None if model is None else caller_of(model)

    def begin(self, next_path: str) -> tuple[str, str]:
        """Begin to sign somebody in: the address to send them to, and the state that their browser must bring back."""
        verifier, challenge, method = self._oauth.generate_pkce_code_challenge()
        state: str = self._oauth.generate_state(next_path, code_verifier=verifier)
        query = {
            "client_id": CLIENT,
            "redirect_uri": CALLBACK,
            "response_type": "code",
            "state": state,
            "code_challenge": challenge,
            "code_challenge_method": method,
        }
        return f"{self._oauth.oauth_authorization_url}?{urlencode(query)}", state

    async def finish(self, code: str, state: str) -> tuple[str, str] | None:
        """End it: the token, and the page that they wanted; None where nothing of it is known, or it was refused."""
        verifier: str | None = self._oauth.get_code_verifier(state)
        if verifier is None:
            return None
        next_path: str = self._oauth.get_next_url(state)
        self._oauth.clear_oauth_state(state)
        try:
            token: str = await self._oauth.token_for_code(code, code_verifier=verifier, sync=False)
        except HTTPError as error:
            raise HubSilent(str(error)) from error
        return token, next_path

    def sealed(self, token: str) -> str:
        """Encrypt a token, for a cookie."""
        return self._box.encrypt(token.encode()).decode()

    def unsealed(self, cookie: str) -> str:
        """Give the token of a cookie; the empty text where it has none of ours."""
        try:
            return self._box.decrypt(cookie.encode()).decode()
        except (InvalidToken, ValueError):
            return ""

    def form_token(self, token: str) -> str:
        """Give what every form of somebody's must carry, so that no other site can send one for them."""
        return hmac.new(self._key, b"form:" + token.encode(), hashlib.sha256).hexdigest()
