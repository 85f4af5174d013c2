"""What every sign-in of ours knows of temporary seats: an account that is lent is for its card alone."""

from __future__ import annotations

from typing import Any

from hpchub.catalogue.sign_in import Accounts
from hpchub.signin import cards, record
from hpchub.signin.accounts import existing
from hpchub.signin.cards import Seat
from hpchub.signin.seats import Seats


class LendsSeats:
    """To be put before an authenticator in the bases of a class."""

    _seats: Seats | None = None
    """None until a hub asks for the routes."""
    _eventlog: Any = None

    def get_handlers(self, app: Any) -> list[tuple[Any, ...]]:
        """Give the authenticator's own routes, and have the hub's event log know of sign-ins."""
        if app is not None:
            record.register(app.eventlog)
            self._eventlog = app.eventlog
            self._seats = app.tornado_settings["hpchub"].seats
        routes: list[tuple[Any, ...]] = super().get_handlers(app)  # type: ignore[misc]  # of the authenticator
        return routes

    def standing(self, account: str) -> bool | None:
        """Tell whether whoever is in an account brought its card, as :meth:`~hpchub.signin.seats.Seats.standing`."""
        return self._seats.standing(account) if self._seats is not None else None

    def check_not_lent(self, account: str) -> None:
        """Refuse an ordinary sign-in to an account that is a seat, or was one and is not handed over.

        Raises:
            SignInRefused: it is.
        """
        if self.standing(account) is not None:
            raise cards.is_lent()

    async def check_lendable(self, seat: Seat) -> None:
        """Check that the account of a seat is a person's on the cluster, and nobody's own.

        Raises:
            SignInRefused: it may not be lent.
            SourceFailed: the accounts cannot be looked up at the moment.
            BindingsUnreadable: nobody knows whose the accounts are.
        """
        rules, bindings = getattr(self, "rules", None), getattr(self, "bindings", None)
        await existing(seat.account, rules.account if rules else Accounts(source="claim"))
        if bindings is not None and bindings.is_bound(seat.account):
            raise cards.not_lendable()
