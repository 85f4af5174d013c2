"""Sign-in at a provider of OpenID Connect, by the rules of the site file.

The frame is oauthenticator's (state, PKCE, routes); what it does with tokens and claims is not used, since it verifies
no signature, makes groups of the characters of a text, and writes claims into the log.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

import jupyterhub.log
from jupyterhub.orm import new_token
from jupyterhub.roles import assign_default_roles
from jupyterhub.spawner import SpawnException
from oauthenticator.generic import GenericOAuthenticator
from traitlets import Instance

from hpchub.catalogue.sign_in import OpenIdConnect
from hpchub.errors import HpchubError
from hpchub.pages.page import WithOurPages
from hpchub.signin import record, refusal
from hpchub.signin.accounts import SourceFailed, account_of
from hpchub.signin.bindings import Bindings, BindingsUnreadable, mark_of
from hpchub.signin.handlers import CallbackHandler, SignInHandler, SignOutHandler
from hpchub.signin.leavers import ENDED, Ended, Leavers
from hpchub.signin.lent import LendsSeats
from hpchub.signin.provider import Denied, Provider, Silent, together
from hpchub.signin.refusal import SignInRefused
from hpchub.signin.rules import Person, judged
from hpchub.signin.tries import Tries
from hpchub.text import Sentence

PAUSE_SECONDS = 30
"""After no answer, or a refusal, it is asked again so late: nobody's request waits for it each time."""
JUST_NOW_SECONDS = 3
"""Requests that wait for the same answer take the one that came meanwhile."""
SIGN_OUT_SECONDS = 600
"""How long after a sign-out an answer of the provider's may still be from before it."""
_SIGNED_OUT = "signed_out_epoch"
"""The key of an auth state: when the person pressed *Sign out*."""


class SiteAuthenticator(LendsSeats, WithOurPages, GenericOAuthenticator):  # type: ignore[misc]  # oauthenticator has no types
    """Lets in whom the provider vouches for and the site's rules allow, under their own POSIX account."""

    rules = Instance(OpenIdConnect, help="What the site file says of the provider and of who may come in.", config=True)
    provider = Instance(Provider, help="The provider, as this hub's client.", config=True)
    bindings = Instance(Bindings, help="Which identity an account belongs to.", config=True)

    login_handler = SignInHandler
    callback_handler = CallbackHandler
    logout_handler = SignOutHandler
    manage_groups = True
    enable_auth_state = True
    refresh_pre_spawn = True

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        self._turns: dict[str, asyncio.Lock] = {}
        self._rest_until: dict[str, float] = {}
        self._ended: dict[str, Ended] = {}
        self._sign_ins: Counter[str] = Counter()
        self._silent_until = 0.0
        self._tries = Tries(self.rules.most_sign_ins, self.rules.sign_ins_minutes)

    async def authenticate(self, handler: Any, data: Any = None, **values: Any) -> dict[str, Any] | None:
        """End a sign-in whose state has been checked: exchange its code, verify, judge, find the account.

        None for a name and a password, which somebody may send to the hub's own form or API all the same.

        Raises:
            SignInRefused: they may not come in; a page says why.
        """
        sign_in: Mapping[str, str] | None = getattr(handler, "sign_in", None)
        if sign_in is None:
            return None
        try:
            found = await self.provider.tokens_for_code(
                handler.get_argument("code"), sign_in["code_verifier"], self.rules.callback_url
            )
            signed = await self.provider.claims_of(found.get("id_token"), sign_in["nonce"])
            if wait_seconds := self._tries.take(mark_of(self.rules.issuer, signed["sub"])):
                raise refusal.too_often(wait_seconds)
            claims = together(signed, await self.provider.userinfo(found["access_token"]))
            person = judged(claims, self.rules)
            account = await account_of(person.account_key, self.rules.account, person.admin)
            self.check_not_lent(account)
            self.bindings.bind(account, self.rules.issuer, person.subject)
            await _end_what_another_had(handler.find_user(account), claims["sub"])
        except Denied as error:
            self.log.warning("Sign-in denied by the provider: %s", error)
            raise refusal.too_old() from None
        except (Silent, SourceFailed, BindingsUnreadable) as error:
            self.log.error("Sign-in is not possible: %s", error)
            raise refusal.silent() from None
        self._ended.pop(account, None)
        self._sign_ins[account] += 1
        self._rest(account, JUST_NOW_SECONDS)
        return self._model(account, person, _kept(found, claims))

    def get_handlers(self, app: Any) -> list[tuple[Any, ...]]:
        """Give the routes of a sign-in, and have JupyterHub's logs know of it.

        That of requests hides state and code, and learns of the nonce.
        """
        if "nonce" not in jupyterhub.log.SCRUB_PARAM_KEYS:
            jupyterhub.log.SCRUB_PARAM_KEYS += ("nonce",)
        engine = app.tornado_settings["hpchub"]
        if self.rules.running_servers != "go-on":
            engine.keep(Leavers(self.rules, self.look_again, engine.owners_of_sessions).run(), "asking about people")
        return super().get_handlers(app)

    async def check_allowed(self, username: str, auth_model: Any) -> bool:
        """The rules have decided already."""
        return True

    def normalize_username(self, username: str) -> str:
        """An account's name stays what it is: JupyterHub would make upper case to lower."""
        return username

    def get_callback_url(self, handler: Any = None) -> str:
        """The address that is registered at the provider, never one that a request's head says."""
        return self.rules.callback_url

    async def refresh_user(self, user: Any, handler: Any = None, **values: Any) -> bool | dict[str, Any]:
        """Ask again what the provider says of somebody; while it is silent, what is known goes on being true.

        Returns False where they have to sign in again: the provider has ended their sign-in, or the rules refuse them.
        Of a temporary seat the provider knows nothing.
        """
        standing = self.standing(user.name)
        if standing is not None:
            self._ended.pop(user.name, None)
            return standing
        # Refresh tokens are used once: two requests at a time would look like a thief to the provider.
        async with self._turns.setdefault(user.name, asyncio.Lock()):
            kept = await user.get_auth_state()
            if not kept or "sub" not in kept.get("claims", {}):
                return False
            if "ended" in kept:
                # by the hub before it was restarted
                earlier = Ended(SignInRefused(kept["ended"], _ENDED), kept.get("ended_epoch"))
                self._ended.setdefault(user.name, earlier)
            if time.monotonic() < max(self._silent_until, self._rest_until.get(user.name, 0.0)):
                return user.name not in self._ended
            before = self._sign_ins[user.name]
            try:
                found = await self._asked_again(user, kept)
                self._rest(user.name, JUST_NOW_SECONDS)
                return found if self._sign_ins[user.name] == before else True
            except Denied as error:
                self.log.info("The provider has ended the sign-in of %s: %s", user.name, error)
                # Without a refresh token nothing more is known than that an access token is too old, and after a
                # sign-out nothing more than that: the servers go on.
                certain = error.certain and bool(kept.get("refresh_token")) and _SIGNED_OUT not in kept
                ended = self._end_of(user.name, SignInRefused(ENDED, _ENDED), certain)
            except SignInRefused as refused:
                self.log.warning("%s may no longer sign in: %s", user.name, refused.reason)
                ended = self._end_of(user.name, refused, certain=not refused.says_nothing_of_the_person)
            except HpchubError as error:
                self.log.warning("What is known of %s cannot be looked up again: %s", user.name, error)
                await self._note_silence()
                self._rest(user.name, PAUSE_SECONDS)
                return user.name not in self._ended
            if self._sign_ins[user.name] != before:
                # they have signed in again meanwhile; this was about their earlier sign-in
                return True
            if user.name not in self._ended and self._eventlog is not None:
                record.write(self._eventlog, "ended", username=user.name, reason=ended.refused.reason)
            self._ended[user.name] = ended
            self._rest(user.name, PAUSE_SECONDS)
            await _take_rights(user, ended)
            return False

    def _end_of(self, name: str, refused: SignInRefused, certain: bool) -> Ended:
        before = self._ended.get(name)
        since = (before.since_epoch if before else None) or time.time()
        return Ended(refused, since if certain else None)

    async def look_again(self, user: Any) -> Ended | None:
        """Take over what the provider says of somebody by now, though they ask for nothing.

        Returns why their sign-in has ended; None where it has not, and for who has never signed in at the provider.
        """
        age_seconds = time.monotonic() - (user._auth_refreshed or -self.rules.refresh_seconds)
        if age_seconds >= self.rules.refresh_seconds:
            found = await self.refresh_user(user)
            if isinstance(found, dict):
                await _take_over(user, found)
            if found:
                # as JupyterHub notes it for requests
                user._auth_refreshed = time.monotonic()
        return self._ended.get(user.name)

    def _rest(self, name: str, seconds: float) -> None:
        self._rest_until[name] = time.monotonic() + seconds

    async def _note_silence(self) -> None:
        """Leave the provider alone for everybody, if it is away for everybody.

        What fails for one person only must not keep the others from being asked about.
        """
        try:
            await self.provider.document(fresh=True)
        except Silent:
            self._silent_until = time.monotonic() + PAUSE_SECONDS

    async def _asked_again(self, user: Any, kept: dict[str, Any]) -> dict[str, Any]:
        name, tokens, earlier = user.name, kept, kept["claims"]
        if kept.get("refresh_token"):
            renewed_tokens = await self.provider.renewed_tokens(kept["refresh_token"])
            tokens = {**kept, **_kept(renewed_tokens, earlier)}
            # at once: the old one is used up, and the provider may be silent in the middle of this
            await user.save_auth_state(tokens)
        if tokens.get("id_token") != kept.get("id_token"):
            renewed = await self.provider.claims_of(tokens["id_token"], None)
            # how somebody signed in stays true of the whole sign-in, also where a renewed token does not say it
            earlier = together({**earlier, **renewed}, {"sub": earlier["sub"]})
        claims = together(earlier, await self.provider.userinfo(tokens["access_token"]))
        person = judged(claims, self.rules)
        if await account_of(person.account_key, self.rules.account, person.admin) != name:
            raise SignInRefused("account-changed", _ENDED)
        self._ended.pop(name, None)
        return self._model(name, person, {**_kept(tokens, claims), **_sign_out(kept)})

    async def note_sign_out(self, user: Any) -> Mapping[str, Any]:
        """Keep that somebody signs out by themselves: the end that the provider then says is no reason to end servers.

        What is kept for asking again stays: without it, somebody's API tokens would outlive their sign-in.  Gives it,
        empty for who has never signed in at the provider.
        """
        async with self._turns.setdefault(user.name, asyncio.Lock()):
            kept: dict[str, Any] = await user.get_auth_state() or {}
            if kept:
                await user.save_auth_state({**kept, _SIGNED_OUT: time.time()})
            return kept

    def pre_spawn_start(self, user: Any, spawner: Any) -> None:
        """Start no server for somebody whose sign-in the provider has ended or the rules refuse.

        Raises:
            SpawnException: the sentence says what to do.
        """
        ended = self._ended.get(user.name)
        if ended is not None:
            if self._eventlog is not None:
                record.write(self._eventlog, "start-refused", username=user.name, reason=ended.refused.reason)
            raise ended_start(ended.refused)

    def _model(self, account: str, person: Person, kept: dict[str, Any]) -> dict[str, Any]:
        return {"name": account, "admin": person.admin, "groups": sorted(person.groups), "auth_state": kept}


def _kept(found: Mapping[str, Any], claims: Mapping[str, Any]) -> dict[str, Any]:
    """What is needed to ask again, and to sign out; JupyterHub encrypts it in its database."""
    kept = {name: found[name] for name in ("access_token", "refresh_token", "id_token") if found.get(name)}
    return {**kept, "claims": {name: claims[name] for name in ("sub", "acr", "amr") if claims.get(name)}}


def _sign_out(kept: Mapping[str, Any]) -> dict[str, float]:
    """Give what stays true of a sign-out: a provider that answers long after it has not ended anything by it."""
    signed_out: float = kept.get(_SIGNED_OUT, 0.0)
    return {_SIGNED_OUT: signed_out} if time.time() - signed_out < SIGN_OUT_SECONDS else {}


async def _take_over(user: Any, found: Mapping[str, Any]) -> None:
    """Store what JupyterHub stores of a person after a request of theirs."""
    user.sync_groups(found["groups"])
    if user.admin != found["admin"]:
        user.admin = found["admin"]
        assign_default_roles(user.db, entity=user.orm_user)
    await user.save_auth_state(found["auth_state"])


async def _take_rights(user: Any, ended: Ended) -> None:
    """Leave somebody no more than themselves until they sign in again, whatever becomes of the hub meanwhile.

    Their API tokens would go on with what an administrator, a trainer or a member of a group may do.
    """
    kept = await user.get_auth_state()
    await user.save_auth_state({**kept, "ended": ended.refused.reason, "ended_epoch": ended.since_epoch})
    user.sync_groups([])
    if user.admin:
        user.admin = False
        assign_default_roles(user.db, entity=user.orm_user)
        user.db.commit()


async def _end_what_another_had(user: Any | None, subject: str) -> None:
    """End the cookies and API tokens of whoever had this account before: a new owner must not share it with them."""
    kept = await user.get_auth_state() if user else None
    if user is None or not kept or kept.get("claims", {}).get("sub", subject) == subject:
        return
    user.cookie_id = new_token()
    for token in list(user.api_tokens):
        user.db.delete(token)
    user.db.commit()


_ENDED = Sentence("Your sign-in has ended. Sign in again.")


def ended_start(refused: SignInRefused) -> SpawnException:
    """A start that is refused because of the sign-in, in the form in which pages and the API show it."""
    exception = SpawnException(str(refused), reason="sign-in", status_code=403)
    exception.jupyterhub_message = exception.sentence = refused.sentence
    return exception
