"""``/hub/hpchub/language/LANGUAGE``: the switch on every page."""

from __future__ import annotations

from jupyterhub.handlers import BaseHandler

from hpchub.pages.failure import PageError
from hpchub.pages.language import COOKIE, offered_by, way_back
from hpchub.pages.page import Page
from hpchub.text import Sentence, listed

_DAYS = 365


class LanguageHandler(Page, BaseHandler):  # type: ignore[misc]  # JupyterHub has no types
    """Keeps a person's language in a cookie, and goes back to where they were.

    A GET, since it changes nothing but what the same browser is shown, and must work on the sign-in page too.
    """

    def get(self, language: str) -> None:
        possible = offered_by(self.engine.catalogue.site)
        if language not in possible:
            raise PageError(404, Sentence("There is no such language here. Possible: {names}.", names=listed(possible)))
        secure = self.request.protocol == "https"
        path = self.hub.base_url
        self.set_cookie(COOKIE, language, expires_days=_DAYS, path=path, httponly=True, samesite="Lax", secure=secure)
        self.redirect(way_back(self.get_argument("next", ""), path))
