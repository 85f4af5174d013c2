"""Whether everybody can use a page: axe-core judges it by WCAG 2.2 AA, light and dark, and as narrow as may be."""

from __future__ import annotations

from typing import Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.support.visitor import WIDE, Visitor

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
SMALLEST = 320
"""CSS pixels (WCAG 2.2, 1.4.10)."""


JUPYTERHUBS_OWN = "#react-admin-hook"
"""What JupyterHub's own script draws inside our frame: its table of people has buttons that say nothing."""


def violations(page: Page) -> list[str]:
    """What axe-core finds, one line an element."""
    found = Axe().run(page, context={"exclude": [[JUPYTERHUBS_OWN]]}, options=RULES).response["violations"]
    return [f"{rule['id']}: {node['html']} ({node['failureSummary']})" for rule in found for node in rule["nodes"]]


def judge(visitor: Visitor, name: str) -> None:
    """Judge a page as it is, in both themes, and as narrow as a page may have to be."""
    for theme in THEMES:
        # without motion: a colour that is on its way to another is neither
        visitor.page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        found = violations(visitor.page)
        assert not found, "\n".join(found)
        visitor.screenshot(f"{name}-{theme}", [WIDE, SMALLEST])
    visitor.page.emulate_media(color_scheme="light")
