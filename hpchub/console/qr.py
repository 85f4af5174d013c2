"""QR codes for pages and paper."""

from __future__ import annotations

import segno
from markupsafe import Markup


def svg_of(text: str) -> Markup:
    """Draw a text as a QR code: SVG to stand in a page, black on white in every theme, of the size that CSS gives it.

    A code on a wall or a crumpled card is read with up to 15 % of it missing.
    """
    drawn = segno.make_qr(text, error="m")
    return Markup(  # noqa: S704 - it is the library's own drawing, in which the text is black squares
        drawn.svg_inline(border=4, light="#ffffff", dark="#000000", omitsize=True, svgclass="hpchub-qr", lineclass=None)
    )
