"""A site's own face: what the settings take, and what of it the pages show."""

import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from served import portal_of
from starlette.testclient import TestClient

from control_plane.domain import colours
from control_plane.domain.colours import GROUNDS, Theme, contrast, shades
from control_plane.domain.face import Face, FooterLink
from control_plane.domain.pictures import LARGEST, picture
from control_plane.domain.ports import Plane
from control_plane.errors import SettingsError
from control_plane.settings import checked

ORIGIN = {"Origin": "https://portal.test"}
STATS = "https://stats.example.org/count.js"
SVG = b"""<?xml version="1.0"?>
<!-- drawn --><svg viewBox="0 0 30 10"><script>1</script></svg>"""
PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 64, 32) + b"\x08\x06\0\0\0"
LOSSLESS = b"\x2f" + struct.pack("<I", (90 - 1) | (45 - 1) << 14) + bytes(5)
EXTENDED = bytes(4) + (300 - 1).to_bytes(3, "little") + (100 - 1).to_bytes(3, "little")
LOSSY = b"\x10\0\0\x9d\x01\x2a" + struct.pack("<HH", 80, 20)
SHEET = Path(__file__).parents[2] / "control_plane" / "web" / "static" / "style.css"

BrowserOf = Callable[[Face], TestClient]


def webp(kind: bytes, body: bytes) -> bytes:
    return b"RIFF\0\0\0\0WEBP" + kind + struct.pack("<I", len(body)) + body


def refused(**portal: object) -> str:
    """Return what the settings say of a table `[portal]`."""
    with pytest.raises(SettingsError) as caught:
        checked({"public_url": "https://portal.test", "portal": portal})
    return str(caught.value)


@pytest.fixture
def browser_of(plane: Plane) -> Iterator[BrowserOf]:
    """Return who makes a browser at a portal with that face."""
    with TestClient(
        portal_of(plane), base_url="https://portal.test", follow_redirects=False, headers=ORIGIN
    ) as client:

        def made(face: Face) -> TestClient:
            site = replace(plane.site, face=face)
            # To the client it is any ASGI application.
            client.app.state.plane = replace(plane, site=site)  # type: ignore[attr-defined] # Starlette's, behind ASGI's type
            return client

        yield made


def signed_in(browser: TestClient) -> TestClient:
    form = {"name": "alice", "password": "alice's password"}
    assert browser.post("/login", data=form).status_code == 303
    return browser


# What the settings take


@pytest.mark.parametrize(
    ("content", "begin", "allowed"),
    [
        ({"name": " "}, "portal.name = ' '", "1 to 60 characters"),
        ({"name": "a\u202eb"}, "portal.name = ", "that can be seen"),
        ({"colour": "teal"}, "portal.colour = 'teal'", "such as #0b6b62"),
        ({"colour": "#12345"}, "portal.colour = '#12345'", "six hexadecimal digits"),
        ({"logo": "logo.svg"}, "portal.logo = 'logo.svg'", "an absolute path"),
        ({"logo": "/no/logo.svg"}, "portal.logo = '/no/logo.svg'", "No such file"),
        ({"footer": [{"label": "x"}]}, "portal.footer.0", "a label and a url"),
        (
            {"footer": [{"label": "x", "url": "javascript:alert(1)"}]},
            "portal.footer.0",
            "not 'javascript:alert(1)'",
        ),
        ({"footer": [{"label": "x", "url": "//evil.test"}]}, "portal.footer.0", "or a path"),
        ({"footer": [{"label": "x", "url": "/\\evil.test"}]}, "portal.footer.0", "or a path"),
        ({"signin_message": "x" * 1001}, "portal.signin_message = ", "1000 characters"),
        ({"language": "tlh"}, "portal.language = 'tlh'", "one of en, "),
        ({"analytics": "http://a.test/x.js"}, "portal.analytics = ", "https address of a script"),
        ({"analytics": "https://a.test;x/x.js"}, "portal.analytics = ", "https address"),
        ({"shade": "red"}, "portal.shade = 'red'", "no such setting"),
    ],
)
def test_a_bad_value_is_named_with_what_is_allowed(
    content: dict[str, object], begin: str, allowed: str
) -> None:
    line = refused(**content)
    assert line.startswith(begin)
    assert allowed in line
    assert "\n" not in line


def test_what_is_good_is_the_face_of_the_site(tmp_path: Path) -> None:
    logo = tmp_path / "logo"
    logo.write_bytes(SVG)
    links = [
        {"label": "Imprint", "url": "https://x.test/i"},
        {"label": "Mail", "url": "mailto:a@b.test"},
        {"label": "Rules", "url": "/rules.html"},
    ]
    portal = {
        "name": "Lab",
        "logo": str(logo),
        "colour": "#ABC",
        "footer": links,
        "signin_message": "One\r\nTwo\n",
        "language": "de",
        "analytics": STATS,
    }
    found = checked({"public_url": "https://portal.test", "portal": portal}).portal.face
    assert found == Face(
        name="Lab",
        logo=picture(SVG),
        colour="#aabbcc",
        footer=tuple(FooterLink(one["label"], one["url"]) for one in links),
        signin_message="One\nTwo",
        language="de",
        analytics=STATS,
    )


# Pictures


@pytest.mark.parametrize(
    ("content", "media", "width"),
    [
        (PNG, "image/png", 64),
        (SVG, "image/svg+xml", 96),
        (b"\xef\xbb\xbf<svg width='64' height=\"32\"></svg>", "image/svg+xml", 64),
        (b"<!DOCTYPE svg [ <!ENTITY x '>'> ]><svg/>", "image/svg+xml", 32),
        (webp(b"VP8L", LOSSLESS), "image/webp", 64),
        (webp(b"VP8X", EXTENDED), "image/webp", 96),
        (webp(b"VP8 ", LOSSY), "image/webp", 128),
    ],
)
def test_a_logo_is_known_by_its_content_and_keeps_its_shape(
    content: bytes, media: str, width: int
) -> None:
    found = picture(content)
    assert (found.media, found.width_at(32)) == (media, width)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html><svg></svg></html>",
        b"GIF89a",
        b"\xff<svg>",
        b"<svg viewBox='0 0 0 0'/>",
        b"<svg viewBox='0 0 1.2.3 .'/>",
        PNG[:16] + bytes(8),
        PNG + bytes(LARGEST),
    ],
)
def test_what_is_no_logo_is_refused(tmp_path: Path, content: bytes) -> None:
    logo = tmp_path / "logo.png"
    logo.write_bytes(content)
    line = refused(logo=str(logo))
    assert line.startswith(f"portal.logo = {str(logo)!r}: a PNG, SVG or WebP of 256 KiB at most")


# Colours


def test_contrast_is_that_of_the_standard() -> None:
    assert contrast("#000000", "#ffffff") == 21
    # The nearest greys on either side of 4.5 on white.
    assert (round(contrast("#767676", "#ffffff"), 2), round(contrast("#777777", "#ffffff"), 2)) == (
        4.54,
        4.48,
    )


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(
    "colour", ["#000000", "#ffffff", "#ffff00", "#7a1f5c", "#808080", "#00f0ff"]
)
def test_every_colour_gets_a_shade_that_can_be_read(theme: Theme, colour: str) -> None:
    found = shades(colour, theme)
    for shade in (found.plain, found.strong):
        assert all(contrast(shade, ground) >= 4.5 for ground in GROUNDS[theme])
        assert contrast(shade, found.text) >= 4.5


def test_a_colour_that_can_be_read_stays_as_it_is() -> None:
    assert shades("#7a1f5c", "light").plain == "#7a1f5c"
    assert shades("#6cd3c3", "dark").plain == "#6cd3c3"
    assert colours.parsed("#Fa0") == "#ffaa00"


def test_the_grounds_are_those_of_the_style_sheet() -> None:
    light, dark = SHEET.read_text().split("prefers-color-scheme: dark", 1)
    sheets: dict[Theme, str] = {"light": light, "dark": dark}
    for theme, text in sheets.items():
        named = [re.search(rf"--{one}: (#\w+);", text) for one in ("ground", "surface", "sunken")]
        found = tuple(colours.parsed(one[1]) for one in named if one)
        assert found == GROUNDS[theme]


# What the pages show of it


def test_the_name_stands_in_the_title_the_head_and_where_one_signs_in(
    browser_of: BrowserOf,
) -> None:
    page = browser_of(Face(name="R&D <Lab>")).get("/login").text
    assert " R&amp;D &lt;Lab&gt;</title>" in page
    assert "<span>R&amp;D &lt;Lab&gt;</span></a>" in page
    assert "<h1>Sign in to R&amp;D &lt;Lab&gt;</h1>" in page


def test_the_logo_is_served_by_its_digest_and_nothing_of_it_runs(browser_of: BrowserOf) -> None:
    browser = browser_of(Face(logo=picture(SVG)))
    page = browser.get("/login").text
    (address,) = set(re.findall(r'src="(/face/[0-9a-f]{16}\.svg)"', page))
    assert 'width="96" height="32"' in page
    answer = browser.get(address)
    assert (answer.content, answer.headers["content-type"]) == (SVG, "image/svg+xml")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none';")
    assert policy.endswith("; sandbox")
    assert "script" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert browser.get(address.replace(".svg", ".css")).status_code == 404


def test_the_colour_is_a_sheet_of_its_own_for_both_themes(browser_of: BrowserOf) -> None:
    assert "/face/" not in browser_of(Face()).get("/login").text
    browser = browser_of(Face(colour="#ffff00"))
    (address,) = re.findall(r'href="(/face/[0-9a-f]{16}\.css)"', browser.get("/login").text)
    answer = browser.get(address)
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    light, dark = answer.text.split("@media (prefers-color-scheme: dark)")
    assert f"--accent: {shades('#ffff00', 'light').plain};" in light
    assert "--accent: #ffff00;" in dark


def test_the_footer_and_the_message_are_text(browser_of: BrowserOf) -> None:
    link = FooterLink("<b>Imprint</b>", 'https://x.test/?a="b"')
    page = browser_of(Face(footer=(link,), signin_message="One <b>\nTwo")).get("/login").text
    assert '<a href="https://x.test/?a=&#34;b&#34;">&lt;b&gt;Imprint&lt;/b&gt;</a>' in page
    assert '<p class="message">One &lt;b&gt;\nTwo</p>' in page


def test_the_sites_language_is_for_those_who_ask_for_none_that_there_is(
    browser_of: BrowserOf,
) -> None:
    browser = browser_of(Face(language="de"))
    asked = {
        wish: browser.get("/login", headers={"Accept-Language": wish}) for wish in ("fi", "en")
    }
    assert asked["fi"].headers["content-language"] == "de"
    assert asked["en"].headers["content-language"] == "en"


# Analytics


def loads(browser: TestClient, path: str) -> bool:
    """Whether a page loads the script; its policy says the same."""
    answer = browser.get(path)
    policy = answer.headers["content-security-policy"]
    in_policy = "script-src 'self' https://stats.example.org;" in policy
    assert ("connect-src 'self' https://stats.example.org;" in policy) == in_policy
    assert (STATS in answer.text) == in_policy
    assert policy.count("stats.example.org") in (0, 2)
    return in_policy


def test_nothing_is_asked_or_loaded_where_the_site_counts_nobody(browser_of: BrowserOf) -> None:
    browser = browser_of(Face())
    browser.post("/analytics", data={"choice": "yes", "next": "/"})
    page = signed_in(browser).get("/")
    assert "consent" not in page.text
    assert "https://" not in page.headers["content-security-policy"]


def test_the_script_is_loaded_only_after_a_yes_and_no_longer_after_a_no(
    browser_of: BrowserOf,
) -> None:
    browser = signed_in(browser_of(Face(analytics=STATS)))
    assert 'class="consent"' in browser.get("/").text
    assert not loads(browser, "/")
    answer = browser.post("/analytics", data={"choice": "yes", "next": "/api/docs"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/api/docs")
    assert "HttpOnly" in answer.headers["set-cookie"]
    assert [loads(browser, one) for one in ("/", "/api/docs", "/nothing")] == [True] * 3
    assert 'class="consent"' not in browser.get("/").text
    assert "Stop counting my visits" in browser.get("/").text
    browser.post("/analytics", data={"choice": "no", "next": "/"})
    assert not loads(browser, "/")
    assert "Let my visits be counted" in browser.get("/account").text


def test_the_script_is_never_where_passwords_and_tokens_are(browser_of: BrowserOf) -> None:
    browser = browser_of(Face(analytics=STATS))
    assert 'class="consent"' not in browser.get("/login").text
    browser.post("/analytics", data={"choice": "yes"})
    assert not loads(browser, "/login")
    signed_in(browser)
    for path in ("/account", "/account/sign-out", "/login/token", "/admin/users", "/admin"):
        assert not loads(browser, path)


def test_consent_is_given_by_the_portals_own_page_alone(browser_of: BrowserOf) -> None:
    browser = browser_of(Face(analytics=STATS))
    evil = {"Origin": "https://evil.test"}
    assert browser.post("/analytics", data={"choice": "yes"}, headers=evil).status_code == 403
    assert browser.cookies.get("remoteapp-analytics") is None
    away = browser.post("/analytics", data={"choice": "yes", "next": "https://evil.test"})
    assert away.headers["location"] == "/"
