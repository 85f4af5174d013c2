"""What a site file says of sign-in by OpenID Connect: the provider, who may come in, and which account is theirs."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from hpchub.catalogue.fields import AbsolutePath, Count, Line, Model, Positive, Text, Url, Wrong

LOOPBACK = ("127.0.0.1", "::1", "localhost")


def is_encrypted(url: str) -> bool:
    """Tell whether an address has https and a host."""
    scheme, host = _scheme_and_host(url)
    return scheme == "https" and bool(host)


def is_here(url: str) -> bool:
    """Tell whether an address is of this machine alone, by http."""
    scheme, host = _scheme_and_host(url)
    return scheme == "http" and host in LOOPBACK


def _scheme_and_host(url: str) -> tuple[str, str]:
    try:
        parts = urlsplit(url)
        # a name before the host is there to look like another host
        return parts.scheme, "" if "@" in parts.netloc else parts.hostname or ""
    except ValueError:
        return "", ""


def _encrypted(url: str) -> str:
    # tokens and the client's secret go to these addresses
    if not is_encrypted(url) and not is_here(url):
        raise ValueError("an address with https; http is for this machine alone")
    return url


SafeUrl = Annotated[Url, AfterValidator(_encrypted)]
ClaimPath = Line | Annotated[tuple[Line, ...], Field(min_length=1)]
"""Where a claim is: its whole name, dots included, or the names from the outside in."""


class Accounts(Model):
    """How the POSIX account of an identity is found."""

    source: Literal["claim", "file", "command", "getent"]
    """``claim``: the claim is its name; ``file``: a list; ``command``: a program; ``getent``: the machine's own
    directory (SSSD), which finds accounts by other names too."""
    claim: ClaimPath = "sub"
    """Whose value is the name of the account, or is looked up."""
    file: AbsolutePath | None = None
    """Lines ``account identity``; read at each sign-in."""
    command: tuple[Line, ...] = ()
    """What the hub's user runs, as a list; ``{identity}`` in it becomes the value.  Prints the account, or nothing."""
    uid_min: Positive = 1000
    """The lowest user id of people."""
    uid_max: Positive = 59999
    """The highest user id of people."""
    known_here: bool = True
    """Whether the hub's machine knows the accounts; if not, only the launcher sees whether they exist."""
    help: Text | None = None
    """What somebody without an account should do, by language."""

    @model_validator(mode="after")
    def _source_is_complete(self) -> Self:
        if self.source == "file" and self.file is None:
            raise Wrong(("file",), "is missing, but the source is file", "file: /etc/hpchub/accounts")
        if self.source == "command" and not any("{identity}" in word for word in self.command):
            raise Wrong(
                ("command",), "has no {identity}, but the source is command", 'command: [program, "{identity}"]'
            )
        if self.source == "getent" and not self.known_here:
            raise Wrong(("known_here",), "is false, but the source is getent", "known_here: true")
        return self


class OpenIdConnect(Model):
    """A provider of identities, and the rules for those that it vouches for."""

    title: Text
    """What people call it; on the button for signing in."""
    issuer: SafeUrl
    """As its discovery document says it, letter by letter; the document lies below it."""
    client_id: Line
    """This hub's name there; the secret is the file ``oidc-client-secret`` in the hub's folder ``secrets``."""
    callback_url: SafeUrl
    """The address that is registered there: what browsers reach, with ``/hub/oauth_callback`` at its end."""
    scopes: Annotated[tuple[Line, ...], Field(min_length=1)] = ("openid", "profile")
    """What is asked for; ``offline_access`` where only that gives a token to look again with."""
    groups_claim: ClaimPath = "groups"
    """Where a person's groups are; no such claim is no groups."""
    domain_claim: ClaimPath | None = None
    """Where ``name@domain`` of a person is, one or several: ``email``, which counts only where it is verified, or
    ``eduperson_scoped_affiliation``.  Each domain is a group at the hub, ``@unibo.it``, that an event can invite."""
    entitlements_claim: ClaimPath = "eduperson_entitlement"
    """Where a person's entitlements are."""
    allowed_groups: tuple[Line, ...] = ()
    """Who is in one of these may sign in."""
    allowed_entitlements: tuple[Line, ...] = ()
    """Who has one of these may sign in.  Neither groups nor entitlements: whoever has an account."""
    admin_groups: tuple[Line, ...] = ()
    """Who is in one of these is JupyterHub's administrator, for as long as they are; may sign in too."""
    trainer_groups: tuple[Line, ...] = ()
    """Who is in one of these is in the group ``trainers``; may sign in too."""
    acr: tuple[Line, ...] = ()
    """Accepted values of ``acr``, how the person was authenticated; asked for at the provider."""
    amr: tuple[Line, ...] = ()
    """The ways of signing in of which one must be among ``amr``: ``otp``, ``mfa``, ``hwk``."""
    assurance: tuple[Line, ...] = ()
    """The values of which one must be in ``eduperson_assurance``."""
    subject_scope: Line | None = None
    """What must follow the ``@`` of ``sub``; ``sub`` is then compared without regard to case."""
    refused_subjects: tuple[Line, ...] = ("test@MyAccessID.org",)
    """Test identities, compared without regard to case."""
    account: Accounts
    """How the POSIX account is found."""
    refresh_seconds: Positive = 120
    """How old what is known of a person may be; it is asked again then, and before each start of a server."""
    running_servers: Literal["go-on", "end-if-refused", "end"] = "go-on"
    """What becomes of the servers of somebody who may start no more: they ``go-on``; they ``end-if-refused`` by the
    rules above, or without an account; or they ``end`` also where the provider has ended the sign-in, which it does not
    only with who is blocked, but with whoever was signed in for too long.  Asked on a timer, but for ``go-on``."""
    grace_minutes: Count = 10
    """How long such servers still run: somebody may sign in again, and a mistake at the provider may be mended."""
    most_sign_ins: Positive = 30
    """How many sign-ins of one identity are taken within `sign_ins_minutes`, refused ones too: far more than a morning
    of opening tabs, and soon reached by a browser that goes round in a circle.  Others at the same address are not
    counted."""
    sign_ins_minutes: Positive = 5
    """In how many minutes an identity that has used up its sign-ins has all of them again."""

    @model_validator(mode="after")
    def _asks_for_an_identity(self) -> Self:
        if "openid" not in self.scopes:
            raise Wrong(("scopes",), "has no openid", "scopes: [openid, profile]")
        if not self.callback_url.endswith("/hub/oauth_callback"):
            raise Wrong(("callback_url",), f"is {self.callback_url}", "https://…/hub/oauth_callback")
        return self
