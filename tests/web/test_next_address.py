"""Where a sign-in may lead: never out of the portal, whatever the link says."""

from urllib.parse import quote, unquote, urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_plane.web.next_address import safe_next

PORTAL = "https://portal.test"
PIECES = [
    "/", "//", "\\", "%2F", "%2f", "%5C", "%09", "%0d%0a", "\t", "\n", "\r", "\0", " ", ".", "..",
    "@", ":", "?", "#", "https:", "javascript:", "evil.test", "user", "sessions", "\u2215",
    "\uff0f", "\u2024", "\u202e",
]  # fmt: skip
PASTED = st.lists(st.sampled_from(PIECES)).map("".join)


@pytest.mark.parametrize(
    "address",
    [
        "/",
        "/sessions/0123456789abcdef0123456789abcdef",
        "/sessions/0123456789abcdef0123456789abcdef?log=1",
        "/user/alice%40lab.test/containers/0123456789abcdef0123456789abcdef/lab/tree/a%2Fb",
        "/api/docs",
        "/account",
    ],
)
def test_a_path_of_the_portal_is_kept(address: str) -> None:
    assert safe_next(address) == address


@pytest.mark.parametrize(
    "address",
    [
        "",
        "sessions/1",
        "//evil.test",
        "///evil.test",
        "/\\evil.test",
        "\\\\evil.test",
        "/%2F/evil.test",
        "/%2f%2fevil.test",
        "/%5Cevil.test",
        "/.//evil.test",
        "/..//evil.test",
        "https:evil.test",
        "https://evil.test/",
        "https://portal.test@evil.test/",
        "javascript:alert(1)",
        "/\t/evil.test",
        "\t//evil.test",
        " //evil.test",
        "/\n/evil.test",
        "/sessions/1\r\nSet-Cookie: a=b",
        "/sessions/1\n",
        "/sessions\\..\\..\\evil.test",
        "/\u2215evil.test",
        "/\uff0fevil.test",
        "/@evil.test",
        "/login",
        "/login?next=/login",
        "/logout",
        "/sessions/" + "a" * 3000,
    ],
)
def test_anything_else_leads_to_the_catalogue(address: str) -> None:
    assert safe_next(address) == "/"


@given(st.one_of(st.text(), PASTED, PASTED.map("/".__add__), PASTED.map("/user".__add__)))
def test_no_text_leads_out_of_the_portal(address: str) -> None:
    for asked in (address, quote(address, safe="/%"), unquote(address)):
        led = safe_next(asked)
        assert led in ("/", asked)
        assert led.isascii()
        assert led.isprintable()
        assert "\\" not in led
        assert not unquote(unquote(led)).startswith(("//", "/\\"))
        assert urlsplit(urljoin(PORTAL, led))[:2] == ("https", "portal.test")
