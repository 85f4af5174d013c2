"""The site's look as pages need it: its colours as CSS, light and dark, and its logo as bytes."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from jupyterhub._data import DATA_FILES_PATH

from hpchub.catalogue.appearance import Colours, contrast
from hpchub.catalogue.site import Site
from hpchub.pages import assets
from hpchub.pages.dark import by_system

log = logging.getLogger(__name__)

BOOTSTRAP = Path(DATA_FILES_PATH) / "static" / "components" / "bootstrap" / "dist" / "css" / "bootstrap.min.css"
"""As JupyterHub ships it and page.html asks for it."""
_MEDIA_TYPES = {".svg": "image/svg+xml", ".png": "image/png"}
_MOST_LOGO_BYTES = 500_000


@dataclass(frozen=True, slots=True)
class Served:
    """A small thing of the site's that browsers may keep as long as its digest stands in the pages."""

    content: bytes
    media_type: str
    digest: str


def _served(content: bytes, media_type: str) -> Served:
    return Served(content, media_type, hashlib.sha256(content).hexdigest()[:16])


def logo_of(site: Site) -> Served | None:
    """Give the logo that a site file names; None where it names none, or none that can be shown."""
    if site.branding.logo is None:
        return None
    path = site.file.parent / site.branding.logo
    try:
        status = path.stat()
    except OSError as error:
        log.warning("%s: branding.logo: %s: %s", site.file, path, error.strerror)
        return None
    return _logo(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=2)
def _logo(path: Path, changed_ns: int, size: int) -> Served | None:
    if size > _MOST_LOGO_BYTES:
        log.warning("%s has %s bytes; a logo has at most %s", path, size, _MOST_LOGO_BYTES)
        return None
    try:
        content = path.read_bytes()
    except OSError as error:
        log.warning("the logo %s cannot be read: %s", path, error.strerror)
        return None
    return _served(content, _MEDIA_TYPES[path.suffix])


def style_of(site: Site) -> Served:
    """Give the site's colours as CSS variables, with the colour of the text on a button that can best be read; and the
    dark colours of all our styles for readers without scripts.
    """
    return _style(site.branding.colours)


@lru_cache(maxsize=2)
def _style(colours: Colours) -> Served:
    light, dark = (_variables(colour) for colour in (colours.light, colours.dark))
    variables = f":root{{{light}}}[data-bs-theme=dark]{{{dark}}}"
    of_all = "\n".join([BOOTSTRAP.read_text(), (assets.FOLDER / "hpchub.css").read_text(), variables])
    return _served(f"{variables}\n{by_system(of_all)}".encode(), "text/css; charset=utf-8")


def _variables(colour: str) -> str:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    on_it = max("#ffffff", "#000000", key=lambda text: contrast(text, colour))
    return f"--hpchub-colour:{colour};--hpchub-colour-rgb:{red},{green},{blue};--hpchub-on-colour:{on_it}"
