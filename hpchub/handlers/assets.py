"""What the pages are drawn with: ``/hub/hpchub/static/DIGEST/NAME``, and the site's own logo and colours."""

from __future__ import annotations

from typing import Any

from tornado import web

from hpchub.catalogue.site import Site
from hpchub.engine import WithEngine
from hpchub.pages import assets
from hpchub.pages.branding import Served, logo_of, style_of

_FOR_EVER = "public, max-age=31536000, immutable"


class AssetHandler(web.StaticFileHandler):
    """A file of ``hpchub/static``; an address of another version gets the one that there is, for this once."""

    def initialize(self) -> None:  # type: ignore[override]  # the folder is always the same
        super().initialize(path=str(assets.FOLDER))

    async def get(self, digest: str, name: str, include_body: bool = True) -> None:  # type: ignore[override]
        self._digest = digest
        await super().get(name, include_body)

    async def head(self, digest: str, name: str) -> None:  # type: ignore[override]
        await self.get(digest, name, include_body=False)

    def set_extra_headers(self, path: str) -> None:
        self.set_header("Cache-Control", _FOR_EVER if self._digest == assets.digest() else "no-cache")
        self.set_header("X-Content-Type-Options", "nosniff")


class _OfTheSite(WithEngine, web.RequestHandler):
    """Something of the site's, as it is now; an address of an older version gets it too, for this once."""

    def _thing(self, site: Site) -> Served | None:
        raise NotImplementedError

    async def get(self, digest: str) -> None:
        thing = self._thing(self.engine.catalogue.site)
        if thing is None:
            raise web.HTTPError(404)
        self.set_header("Content-Type", thing.media_type)
        self.set_header("Cache-Control", _FOR_EVER if digest == thing.digest else "no-cache")
        self.set_header("X-Content-Type-Options", "nosniff")
        # An SVG is a document that may hold scripts: opened by its address it must stay a picture.
        self.set_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox")
        self.finish(thing.content)

    def write_error(self, status_code: int, **_: Any) -> None:
        self.finish("")


class LogoHandler(_OfTheSite):
    """The logo that the site file names."""

    def _thing(self, site: Site) -> Served | None:
        return logo_of(site)


class ColoursHandler(_OfTheSite):
    """The site's colours."""

    def _thing(self, site: Site) -> Served | None:
        return style_of(site)
