"""Without scripts the pages are dark too, where the reader's system is."""

from __future__ import annotations

from hpchub.catalogue.appearance import Branding, Colours
from hpchub.pages.branding import BOOTSTRAP, style_of
from hpchub.pages.dark import by_system
from tests.unit.test_pages import with_branding


def test_a_rule_for_the_dark_theme_is_there_again_for_a_dark_system() -> None:
    assert by_system('a { b: c } [data-bs-theme="dark"] .btn { d: e; }') == (
        "@media (prefers-color-scheme:dark){:root:where(:not([data-bs-theme])) .btn{d: e;}}"
    )


def test_comments_are_no_rules() -> None:
    assert by_system("/* [data-bs-theme=dark]{a:b} */ c{d:e}") == "@media (prefers-color-scheme:dark){}"


def test_the_sites_style_has_bootstraps_dark_colours_and_its_own() -> None:
    style = style_of(with_branding(Branding(colours=Colours(light="#003366", dark="#ffcc00")))).content.decode()
    dark = style.partition("@media (prefers-color-scheme:dark)")[2]
    assert "--bs-body-bg:#212529" in BOOTSTRAP.read_text() and "--bs-body-bg:#212529" in dark
    assert "--hpchub-colour:#ffcc00" in dark and "#003366" not in dark
