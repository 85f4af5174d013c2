"""What a site file says about the pages: logo, colours, footer, whom to ask, and announcements."""

from __future__ import annotations

from datetime import UTC
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import StringConstraints, model_validator

from hpchub.catalogue.fields import DayOrTime, Model, Text, Wrong
from hpchub.catalogue.moments import begin_epoch, end_epoch
from hpchub.text import When

Colour = Annotated[str, StringConstraints(pattern=r"^#[0-9a-fA-F]{6}$")]
Address = Annotated[str, StringConstraints(pattern=r"^(https?://|mailto:)[!#-;=?-\[\]_a-z~]{1,500}$")]
"""Of a page or a mailbox; never a script."""

PAPER = {"light": "#ffffff", "dark": "#212529"}
"""What Bootstrap writes on, light and dark."""
LEAST_CONTRAST = 4.5
"""Between text and what it stands on (WCAG 2.2, 1.4.3)."""


def contrast(one: str, other: str) -> float:
    """Give the contrast of two colours, from 1 to 21 (WCAG 2.2, "contrast ratio")."""
    dark, bright = sorted((_luminance(one), _luminance(other)))
    return (bright + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


class Colours(Model):
    """The colour of links and of the main button on a page, by the page's own brightness."""

    light: Colour = "#0b5c8f"
    """On a light page."""
    dark: Colour = "#7cc4f0"
    """On a dark page."""

    @model_validator(mode="after")
    def _readable(self) -> Self:
        for theme, paper in PAPER.items():
            reached = contrast(getattr(self, theme), paper)
            if reached < LEAST_CONTRAST:
                found = f"has a contrast of {reached:.1f} with the page, {paper}"
                possible = f"a {'darker' if theme == 'light' else 'lighter'} colour, with {LEAST_CONTRAST} or more"
                raise Wrong((theme,), found, possible)
        return self


class Link(Model):
    """Where people find more, or whom they ask."""

    text: Text
    """What people read, by language."""
    url: Address
    """``https://…`` or ``mailto:…``."""


class Branding(Model):
    """The site's look; its name is the field ``title``."""

    logo: Path | None = None
    """A picture (``.svg`` or ``.png``) beside the name; a relative path begins at the site file."""
    colours: Colours = Colours()
    """Of links and of the main button."""
    footer: Text | None = None
    """A line at the end of every page, by language."""
    links: tuple[Link, ...] = ()
    """Below every page: terms of use, privacy, open calls."""
    support: Link | None = None
    """Whom to ask; shown below every page, and with each failure."""

    @model_validator(mode="after")
    def _logo_is_a_picture(self) -> Self:
        if self.logo is not None and self.logo.suffix not in (".svg", ".png"):
            raise Wrong(("logo",), f"found {str(self.logo)!r}", "the path of an .svg or a .png")
        return self


class Announcement(Model):
    """A sentence for everybody, on all pages, the sign-in page too."""

    text: Text
    """What people read, by language."""
    severity: Literal["info", "warning", "danger"] = "info"
    """How it looks; only an ``info`` can be closed by its reader."""
    link: Link | None = None
    """Where more is said."""
    starts: DayOrTime | None = None
    """From when it is shown: a day, or a time with its zone; absent: at once."""
    ends: DayOrTime | None = None
    """Until when it is shown, a day until its end; absent: until it is taken out of the file."""

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> Self:
        if self.starts is not None and self.ends is not None:
            # whatever the zone of its days: none is more than a day away from this one
            if end_epoch(self.ends, UTC) < begin_epoch(self.starts, UTC):
                raise Wrong(("ends",), f"{When(self.ends)} is before starts, {When(self.starts)}", "a later moment")
        return self
