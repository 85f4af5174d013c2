"""The small parts of the pages: language, way back, policy, look, announcements, names, times, assets."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine

from hpchub.catalogue.appearance import Announcement, Branding, Colours, Link, contrast
from hpchub.catalogue.site import Site
from hpchub.pages import assets, moments, naming, policy
from hpchub.pages.announcements import shown
from hpchub.pages.branding import logo_of, style_of
from hpchub.pages.language import language_of_request, offered_by, way_back
from hpchub.pages.page import Page
from hpchub.text import LANGUAGES
from tests.unit.data.world import REPOSITORY, demo_catalogue

SITE = demo_catalogue().site


# Headers


class _Answer:
    """What a handler of JupyterHub's does with a page."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}

    def set_header(self, name: str, value: str) -> None:
        self.headers[name] = value

    def render_template(self, name: str, **_: object) -> str:
        return name


@pytest.mark.parametrize("name", ["home.html", "token.html"])
def test_whoever_opens_a_page_in_a_window_cannot_reach_into_it(name: str) -> None:
    answer = type("Ours", (Page, _Answer), {})()
    answer.render_template(name)
    assert answer.headers["Cross-Origin-Opener-Policy"] == "noopener-allow-popups"


# Language


def asking(accept: str = "", cookie: str = "") -> HTTPServerRequest:
    headers = {"Host": "hub", "Accept-Language": accept, **({"Cookie": cookie} if cookie else {})}
    return HTTPServerRequest(start_line=RequestStartLine("GET", "/hub/home", "HTTP/1.1"), headers=HTTPHeaders(headers))


@pytest.mark.parametrize(
    ("accept", "cookie", "language"),
    [
        ("it", "", "it"),
        ("it", "hpchub-language=en", "en"),
        ("en", "hpchub-language=it", "it"),
        ("it", "hpchub-language=xx", "it"),
        ("it", 'hpchub-language="<script>"', "it"),
        ("", "hpchub-language=", "en"),
    ],
)
def test_the_switch_comes_before_what_the_browser_asks_for(accept: str, cookie: str, language: str) -> None:
    assert language_of_request(asking(accept, cookie)) == language


def test_pages_are_in_the_languages_of_the_site_that_have_a_catalogue() -> None:
    assert offered_by(SITE) == ("en", "it")
    assert offered_by(SITE.model_copy(update={"languages": ("it", "fr")})) == ("it",)
    assert offered_by(SITE.model_copy(update={"languages": ("fr",)})) == LANGUAGES[:1]


@pytest.mark.parametrize(
    "path", ["/hub/home", "/hub/login?next=%2Fhub%2Fspawn", "/hub/spawn/ada?profile=general/pytorch"]
)
def test_the_switch_goes_back_to_the_page(path: str) -> None:
    assert way_back(path, "/hub/") == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "https://evil.example/",
        "//evil.example/hub/",
        "/\\evil.example",
        "/hub\\..\\x",
        "/user/mallory/files/x.html",
        "/hub/logout",
        "/hub/api/users",
        "/hub/hpchub/language/it",
        "/hub/home\r\nSet-Cookie: a=b",
        "javascript:alert(1)",
    ],
)
def test_the_switch_goes_nowhere_else(path: str) -> None:
    assert way_back(path, "/hub/") == "/hub/home"


# Policy


def directives(written: str) -> dict[str, str]:
    return dict(part.split(" ", 1) for part in written.split("; "))


def test_a_page_of_ours_lets_in_what_has_its_nonce_and_nothing_else() -> None:
    written = directives(policy.strict("abc"))
    assert written["script-src"] == written["style-src"] == "'nonce-abc'"
    assert "unsafe" not in policy.strict("abc")


@pytest.mark.parametrize("written", [policy.strict("abc"), policy.loose()])
def test_no_page_asks_another_host_or_lets_itself_be_framed(written: str) -> None:
    found = directives(written)
    assert found["default-src"] == found["frame-ancestors"] == found["base-uri"] == "'none'"
    assert found["form-action"] == found["connect-src"] == "'self'"
    assert "http" not in written and "*" not in written


def test_the_page_on_security_shows_the_policy() -> None:
    shown_there = " ".join((REPOSITORY / "docs" / "explanation" / "security.md").read_text().split())
    assert policy.strict("…") in shown_there


def test_every_answer_has_a_nonce_of_its_own() -> None:
    assert len({policy.new_nonce() for _ in range(100)}) == 100


# Look


def test_the_default_colours_can_be_read() -> None:
    assert Colours().light and Colours().dark


@pytest.mark.parametrize(("one", "other", "ratio"), [("#000000", "#ffffff", 21.0), ("#777777", "#ffffff", 4.478)])
def test_contrast_is_that_of_wcag(one: str, other: str, ratio: float) -> None:
    assert contrast(one, other) == pytest.approx(ratio, abs=0.001) == contrast(other, one)


def test_a_colour_that_nobody_can_read_is_refused() -> None:
    with pytest.raises(
        ValidationError, match=r"light: has a contrast of 1\.\d with the page, #ffffff; possible: a darker"
    ):
        Colours(light="#ffcc00")


def test_the_text_on_a_button_is_what_can_be_read_on_it() -> None:
    css = style_of(with_branding(Branding(colours=Colours(light="#003366", dark="#ffcc00")))).content.decode()
    light, dark, *_ = re.split(r"\[data-bs-theme=dark\]|@media", css)
    assert "--hpchub-on-colour:#ffffff" in light
    assert "--hpchub-on-colour:#000000" in dark


def with_branding(branding: Branding, file: Path | None = None) -> Site:
    return SITE.model_copy(update={"branding": branding, "file": file or SITE.file})


def test_the_logo_lies_beside_the_site_file(tmp_path: Path) -> None:
    (tmp_path / "logo.svg").write_text("<svg/>")
    logo = logo_of(with_branding(Branding(logo=Path("logo.svg")), tmp_path / "site.yaml"))
    assert logo is not None
    assert (logo.content, logo.media_type) == (b"<svg/>", "image/svg+xml")


@pytest.mark.parametrize("content", [None, b"x" * 600_000])
def test_a_logo_that_cannot_be_shown_is_left_out(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "logo.png").write_bytes(content)
    assert logo_of(with_branding(Branding(logo=Path("logo.png")), tmp_path / "site.yaml")) is None


def test_a_site_without_a_logo_has_none() -> None:
    assert logo_of(SITE) is None


def test_a_logo_is_a_picture() -> None:
    with pytest.raises(ValidationError, match=r"logo: found 'logo\.html'; possible: the path of an \.svg or a \.png"):
        Branding(logo=Path("logo.html"))


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "//x", 'https://x/"onclick="', "https://x/<b>"]
)
def test_a_link_leads_to_a_page_or_a_mailbox(url: str) -> None:
    with pytest.raises(ValidationError):
        Link(text={"en": "x"}, url=url)


# Announcements


def announced(epoch: float, zone: str = "Europe/Rome", **fields: object) -> bool:
    announcement = Announcement.model_validate({"text": {"en": "x"}, **fields})
    return bool(shown([announcement], epoch, ZoneInfo(zone), "en"))


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Rome")).timestamp()


@pytest.mark.parametrize(
    ("now", "is_shown"),
    [
        ("2026-03-01T23:59:59", False),
        ("2026-03-02T00:00:00", True),
        ("2026-03-03T23:59:59", True),
        ("2026-03-04T00:00:00", False),
    ],
)
def test_days_are_whole_and_in_the_sites_zone(now: str, is_shown: bool) -> None:
    assert announced(at(now), starts="2026-03-02", ends="2026-03-03") is is_shown


def test_an_announcement_without_days_is_always_shown() -> None:
    assert announced(at("2026-03-02T12:00:00"))


def test_a_time_with_its_zone_is_that_time() -> None:
    assert not announced(at("2026-03-02T09:59:00"), starts="2026-03-02T09:00:00+00:00")
    assert announced(at("2026-03-02T10:01:00"), starts="2026-03-02T09:00:00+00:00")


def test_an_announcement_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"ends: 2026-03-01 is before starts, 2026-03-03"):
        Announcement.model_validate({"text": {"en": "x"}, "starts": "2026-03-03", "ends": "2026-03-01"})


def test_what_matters_most_comes_first_in_the_readers_language() -> None:
    both = [
        Announcement.model_validate({"text": {"en": "course", "it": "corso"}}),
        Announcement.model_validate({"text": {"en": "down"}, "severity": "danger"}),
    ]
    assert [notice.text for notice in shown(both, 0, UTC, "it")] == ["down", "corso"]


def test_a_changed_announcement_is_another_one() -> None:
    keys = {
        shown([Announcement.model_validate({"text": {"en": text}})], 0, UTC, language)[0].key
        for text in ("a", "b")
        for language in ("en", "it")
    }
    assert len(keys) == 2


# Names of sessions


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Second try", "second-try"),
        ("Città & clima, 2ª prova", "citta-clima-2a-prova"),
        ("42", "session"),
        ("3 nodi", "nodi"),
        ("日本", "session"),
        ("", "session"),
        ("<script>alert(1)</script>", "script-alert-1-script"),
        ("a" * 100, "a" * 30),
        ("---", "session"),
    ],
)
def test_a_server_name_is_made_of_what_the_person_calls_it(name: str, slug: str) -> None:
    assert naming.server_name(name, ()) == slug


def test_a_name_that_is_taken_gets_a_number() -> None:
    assert naming.server_name("a", {"a", "a-2"}) == "a-3"
    long = "a" * 30
    assert naming.server_name(long, {long}) == f"{'a' * 26}-2"


@pytest.mark.parametrize(
    ("name", "kept"),
    [("  two   words ", "two words"), ("line\nend\u202e", "line end"), ("x" * 100, "x" * 60), ("<b>", "<b>"), ("", "")],
)
def test_a_name_is_one_short_visible_line(name: str, kept: str) -> None:
    assert naming.tidy(name) == kept


# Times

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("epoch", "language", "text"),
    [(NOON + 600, "en", "13:10"), (NOON + 86400, "it", "3 mar 13:00"), (NOON - 86400, "en", "1 Mar 13:00")],
)
def test_a_clock_is_in_the_sites_zone_and_carries_the_moment(epoch: float, language: str, text: str) -> None:
    drawn = moments.clock(epoch, NOON, ZoneInfo("Europe/Rome"), language)
    assert re.sub("<.*?>", "", drawn) == text
    assert datetime.fromisoformat(re.findall('datetime="(.*?)"', drawn)[0]).timestamp() == epoch


@pytest.mark.parametrize(("language", "text"), [("en", "8 seconds ago"), ("it", "8 secondi fa")])
def test_an_age(language: str, text: str) -> None:
    assert re.sub("<.*?>", "", moments.age(NOON - 8, NOON, language)) == text


# Assets


def test_every_asset_that_a_script_brings_in_is_there() -> None:
    for script in assets.FOLDER.glob("*.js"):
        for name in re.findall(r'from "\./([^"]+)"', script.read_text()):
            assert (assets.FOLDER / name).is_file()


def test_an_asset_that_is_not_there_is_named() -> None:
    with pytest.raises(KeyError, match=r"there is no asset x\.js; there are: .*page\.js"):
        assets.path_of("x.js")


def test_all_that_we_ship_is_small() -> None:
    assert sum(path.stat().st_size for path in assets.FOLDER.iterdir()) < 60_000


@pytest.mark.parametrize("path", sorted(assets.FOLDER.iterdir()), ids=lambda path: str(path.name))
def test_no_asset_names_another_host(path: Path) -> None:
    found = set(re.findall(r"https?://[^\s\"')]+", path.read_text()))
    assert found <= {"http://www.w3.org/2000/svg"}
