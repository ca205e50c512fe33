"""The pages by which people sign in elsewhere, and get a token for a program."""

import re
from collections.abc import Iterator
from dataclasses import replace
from http.cookies import SimpleCookie
from urllib.parse import parse_qs, urlsplit

import pytest
from httpx2 import Response as Answer
from oidc.fake import ISSUER, FakeProvider
from served import portal_of
from starlette.testclient import TestClient

from control_plane import auth, throttle
from control_plane.domain.entities import SCOPES
from control_plane.domain.ports import Plane
from control_plane.domain.providers import Account

ORIGIN = {"Origin": "https://portal.test"}
COOKIE, ASKING = "__Host-remoteapp", "__Host-remoteapp-asking"


@pytest.fixture
def elsewhere() -> FakeProvider:
    return FakeProvider()


@pytest.fixture
def plane(plane: Plane, elsewhere: FakeProvider) -> Plane:
    site = replace(plane.site, methods=("virtual", "oidc"), auto_create_users=True)
    return replace(plane, site=site, providers={"oidc": elsewhere})


@pytest.fixture
def browser(plane: Plane) -> Iterator[TestClient]:
    with TestClient(
        portal_of(plane), base_url="https://portal.test", follow_redirects=False
    ) as client:
        yield client


def set_out(browser: TestClient, wanted: str = "") -> str:
    """Press the button; return the state that the provider is given."""
    answer = browser.get("/login/oidc", params={"next": wanted} if wanted else {})
    assert answer.status_code == 303
    (state,) = parse_qs(urlsplit(answer.headers["location"]).query)["state"]
    return state


def come_back(browser: TestClient, state: str, code: str = "a code") -> Answer:
    return browser.get("/login/oidc/callback", params={"state": state, "code": code})


def sign_in(browser: TestClient, name: str = "alice") -> None:
    form = {"name": name, "password": f"{name}'s password"}
    assert browser.post("/login", data=form, headers=ORIGIN).status_code == 303


def cookies(answer: Answer) -> SimpleCookie:
    found = SimpleCookie()
    for line in answer.headers.get_list("set-cookie"):
        found.load(line)
    return found


def test_the_sign_in_page_offers_what_the_settings_name(browser: TestClient, plane: Plane) -> None:
    page = browser.get("/login", params={"next": "/sessions/x?y=1"}).text
    assert 'name="password"' in page
    assert 'href="/login/oidc?next=/sessions/x%3Fy%3D1"' in page
    assert "Sign in with login.test" in page
    assert browser.get("/api/v1/signin-methods").json() == {
        "password": True,
        "providers": ["oidc"],
    }
    browser.app.state.plane = replace(plane, site=replace(plane.site, methods=("oidc",)))  # type: ignore[attr-defined] # Starlette's, behind ASGI's type
    assert 'name="password"' not in browser.get("/login").text
    assert browser.get("/api/v1/signin-methods").json()["password"] is False


def test_signing_in_elsewhere_leads_back_to_where_one_wanted_to_go(
    browser: TestClient, elsewhere: FakeProvider
) -> None:
    elsewhere.accounts["a code"] = Account(ISSUER, "1", "erin")
    answer = come_back(browser, set_out(browser, "/sessions/abc"))
    assert (answer.status_code, answer.headers["location"]) == (303, "/sessions/abc")
    assert "erin" in browser.get("/").text


def test_what_a_browser_takes_along_is_the_portals_alone_and_goes_with_the_return(
    browser: TestClient, elsewhere: FakeProvider
) -> None:
    answer = browser.get("/login/oidc")
    taken = cookies(answer)[ASKING]
    assert (taken["path"], taken["domain"], taken["max-age"]) == ("/", "", "600")
    assert (taken["secure"], taken["httponly"], taken["samesite"]) == (True, True, "lax")
    elsewhere.accounts["a code"] = Account(ISSUER, "1", "erin")
    back = come_back(browser, parse_qs(urlsplit(answer.headers["location"]).query)["state"][0])
    assert cookies(back)[ASKING]["max-age"] == "0"
    assert cookies(back)[COOKIE]["httponly"]


@pytest.mark.parametrize("evil", ["//evil.test", "https://evil.test", "/\\evil.test", "/login"])
def test_nobody_is_led_out_of_the_portal(
    browser: TestClient, elsewhere: FakeProvider, evil: str
) -> None:
    elsewhere.accounts["a code"] = Account(ISSUER, "1", "erin")
    assert come_back(browser, set_out(browser, evil)).headers["location"] == "/"


@pytest.mark.parametrize("more", ["x", "é"])
def test_a_return_that_was_tampered_with_signs_nobody_in(
    browser: TestClient, elsewhere: FakeProvider, more: str
) -> None:
    elsewhere.accounts["a code"] = Account(ISSUER, "1", "erin")
    state = set_out(browser)
    answer = come_back(browser, f"{state}{more}")
    assert answer.status_code == 401
    assert "not begun in this browser" in answer.text
    assert COOKIE not in cookies(answer)
    assert come_back(browser, state).status_code == 401  # what was taken along is gone


def test_a_refusal_is_said_on_the_page_with_the_other_ways_to_sign_in(
    browser: TestClient, elsewhere: FakeProvider
) -> None:
    elsewhere.accounts["a code"] = Account(ISSUER, "1", "alice")
    answer = come_back(browser, set_out(browser))
    assert answer.status_code == 409
    assert "The name alice belongs to another account. Ask an administrator." in answer.text
    assert 'name="password"' in answer.text


def test_a_provider_that_is_away_leaves_the_others(
    browser: TestClient, elsewhere: FakeProvider
) -> None:
    state = set_out(browser)
    elsewhere.away = True
    for answer in (browser.get("/login/oidc"), come_back(browser, state)):
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert "login.test does not answer." in answer.text
    sign_in(browser)
    assert browser.get("/").status_code == 200


def test_a_way_that_is_off_is_unknown(browser: TestClient) -> None:
    for path in ("/login/github", "/login/x", "/login/x/callback"):
        assert browser.get(path).status_code in (401, 404)
    assert browser.post("/login/oidc", headers=ORIGIN).status_code == 405


def test_returns_are_throttled(browser: TestClient, plane: Plane) -> None:
    state = set_out(browser)
    for number in range(throttle.ADDRESS_ATTEMPTS):
        plane.records.add_attempt(str(number), "local", plane.clock())
    answer = come_back(browser, state)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "900")


def test_whoever_is_signed_in_is_led_on(browser: TestClient) -> None:
    sign_in(browser)
    answer = browser.get("/login/oidc", params={"next": "/sessions/x"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/sessions/x")


# a token for a program


def test_the_page_for_a_token_comes_back_after_the_sign_in(browser: TestClient) -> None:
    asked = browser.get("/login/token", params={"name": "remoteapprest on box"})
    there = asked.headers["location"]
    assert there == "/login?next=/login/token%3Fname%3Dremoteapprest%2Bon%2Bbox"
    assert 'name="next" value="/login/token?name=remoteapprest+on+box"' in browser.get(there).text
    form = {
        "name": "alice",
        "password": "alice's password",
        "next": "/login/token?name=remoteapprest+on+box",
    }
    back = browser.post("/login", data=form, headers=ORIGIN).headers["location"]
    assert "remoteapprest on box would start" in browser.get(back).text


def test_a_token_is_given_once_when_the_button_is_pressed(
    browser: TestClient, plane: Plane
) -> None:
    sign_in(browser)
    assert "<form" in browser.get("/login/token", params={"name": "x"}).text
    assert not plane.access.tokens
    answer = browser.post("/login/token", data={"name": "box"}, headers=ORIGIN)
    (value,) = re.findall(r"rapp_[A-Za-z0-9_-]{43}", answer.text)
    assert answer.headers["cache-control"] == "no-store"
    found = auth.by_token(plane, value)
    assert found
    assert (found.user.name, "sessions:write" in found.scopes) == ("alice", True)
    assert [one.name for one in auth.tokens_of(plane, found.user)] == ["box"]


def test_administration_is_offered_to_an_administrator_alone(
    browser: TestClient, plane: Plane
) -> None:
    sign_in(browser)
    asked = {"name": "box", "admin": "1"}
    refused = browser.get("/login/token", params=asked)
    assert refused.status_code == 403
    assert "box asks to administer this portal, and you are no administrator." in refused.text
    assert "rapp_" not in refused.text
    answer = browser.post("/login/token?admin=1", data={"name": "box"}, headers=ORIGIN)
    assert answer.status_code == 403
    assert not plane.access.tokens


def test_an_administrator_reads_what_the_token_may_do_before_and_after(
    browser: TestClient, plane: Plane
) -> None:
    plane.accounting.change_user("alice", lambda one: replace(one, admin=True))
    sign_in(browser)
    assert "administer" not in browser.get("/login/token", params={"name": "box"}).text
    asking = browser.get("/login/token", params={"name": "box", "admin": "1"}).text
    assert "It would administer this portal too" in asking
    (action,) = re.findall(r'action="(/login/token[^"]*)"', asking)
    answer = browser.post(action, data={"name": "box"}, headers=ORIGIN)
    assert "It administers this portal too" in answer.text
    (token,) = plane.access.tokens.values()
    assert token.scopes == SCOPES


@pytest.mark.parametrize("origin", [{}, {"Origin": "null"}, {"Origin": "https://evil.test"}])
def test_no_other_origin_gets_a_token(
    browser: TestClient, plane: Plane, origin: dict[str, str]
) -> None:
    sign_in(browser)
    assert browser.post("/login/token", data={"name": "x"}, headers=origin).status_code == 403
    assert not plane.access.tokens


def test_a_name_of_a_machine_is_shown_harmlessly(browser: TestClient) -> None:
    sign_in(browser)
    odd = '"><script>alert(1)</script>\x1b[31m' + "x" * 200
    page = browser.get("/login/token", params={"name": odd}).text
    assert "<script>" not in page
    assert "\x1b" not in page
    assert "x" * 100 not in page


def test_a_stranger_gets_no_token(
    browser: TestClient, plane: Plane, elsewhere: FakeProvider
) -> None:
    site = replace(plane.site, auto_create_users=False)
    browser.app.state.plane = replace(plane, site=site)  # type: ignore[attr-defined] # Starlette's, behind ASGI's type
    elsewhere.accounts["a code"] = Account(ISSUER, "1", "erin")
    come_back(browser, set_out(browser))
    assert "Ask an administrator" in browser.get("/").text
    answer = browser.post("/login/token", data={"name": "x"}, headers=ORIGIN)
    assert answer.status_code == 403
    assert "rapp_" not in answer.text
