"""One's own account and the sign-in, as a browser without scripts sees and sends them."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from served import portal_of
from starlette.testclient import TestClient

from control_plane import auth, throttle
from control_plane.domain.access import Caller
from control_plane.domain.entities import SCOPES, Link
from control_plane.domain.ports import Plane

ORIGIN = {"Origin": "https://portal.test"}
TOKEN = {"name": "laptop", "sessions:read": "on", "expires_in": "86400"}


@pytest.fixture
def guest(plane: Plane) -> Iterator[TestClient]:
    with TestClient(
        portal_of(plane), base_url="https://portal.test", follow_redirects=False, headers=ORIGIN
    ) as client:
        yield client


@pytest.fixture
def alices(guest: TestClient) -> TestClient:
    return signed_in(guest, "alice")


def signed_in(browser: TestClient, name: str) -> TestClient:
    form = {"name": name, "password": f"{name}'s password"}
    assert browser.post("/login", data=form).status_code == 303
    return browser


def another(plane: Plane, name: str) -> str:
    """Sign in with a second browser; return its cookie's value."""
    return auth.sign_in(plane, auth.Proof(name, f"{name}'s password", "192.0.2.7"))


def enters(browser: TestClient, cookie: str) -> bool:
    kept = {"Cookie": f"__Host-remoteapp={cookie}"}
    return browser.get("/account", headers=kept).status_code == 200


def test_the_page_is_for_those_who_are_signed_in(guest: TestClient) -> None:
    assert guest.get("/account").headers["location"] == "/login?next=/account"
    for path in ("/account/password", "/account/tokens", "/account/sign-out"):
        assert guest.post(path).headers["location"].startswith("/login?next=/account/")


def test_nothing_is_done_for_another_page_than_the_portals(alices: TestClient) -> None:
    evil = {"Origin": "https://evil.test"}
    for path in ("password", "tokens", "tokens/x/remove", "sign-out"):
        assert alices.post(f"/account/{path}", data=TOKEN, headers=evil).status_code == 403


def test_one_reads_who_one_is(guest: TestClient) -> None:
    page = signed_in(guest, "alice").get("/account").text
    assert "remoteapp-unit-home-70000" in page
    assert "Known only here" in page
    guest.post("/logout")
    page = signed_in(guest, "dora").get("/account").text
    assert "the directory /home/dora of this host" in page
    assert "Account of this host" in page
    assert "This password is the host&#39;s. Change it there." in page
    assert 'name="old"' not in page


def test_whose_account_is_elsewhere_has_no_password_here(alices: TestClient, plane: Plane) -> None:
    plane.records.add_link(Link("", "alice", "alice"))
    assert "Change it where it signs in." in alices.get("/account").text


def test_a_new_password_counts_and_ends_other_browsers(alices: TestClient, plane: Plane) -> None:
    other = another(plane, "alice")
    form = {"old": "alice's password", "new": "a longer one", "again": "a longer one"}
    answer = alices.post("/account/password", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/account?done=password")
    assert "Every other browser has been signed out." in alices.get("/account?done=password").text
    assert not enters(alices, other)
    assert auth.by_password(plane, auth.Proof("alice", "a longer one", "192.0.2.7"))


@pytest.mark.parametrize(
    ("form", "field", "complaint"),
    [
        ({"old": "no", "new": "a longer one", "again": "a longer one"}, "old", "not the present"),
        ({"old": "alice's password", "new": "short", "again": "short"}, "new", "8 characters"),
        ({"old": "alice's password", "new": "a longer one", "again": "b"}, "again", "not the same"),
    ],
)  # fmt: skip
def test_a_password_that_is_refused_is_complained_about_at_its_field_and_never_shown(
    alices: TestClient, form: dict[str, str], field: str, complaint: str
) -> None:
    answer = alices.post("/account/password", data=form)
    assert answer.status_code == 422
    told = re.search(f'id="field-{field}-told"><span class="complaint">([^<]*)<', answer.text)
    assert told
    assert complaint in told[1]
    assert "longer one" not in answer.text
    assert "alice&#39;s password" not in answer.text
    # What a password manager needs.
    assert re.search(
        r'name="old" type="password"[^>]* autocomplete="current-password"', answer.text
    )
    assert answer.text.count('autocomplete="new-password"') == 2
    assert 'value="alice" autocomplete="username"' in answer.text


def test_a_token_is_shown_once_and_does_what_it_may(alices: TestClient, plane: Plane) -> None:
    answer = alices.post("/account/tokens", data=TOKEN)
    (value,) = re.findall(r'id="value"[^>]*>(rapp_[^<]+)<', answer.text)
    assert answer.headers["cache-control"] == "no-store"
    caller = auth.by_token(plane, value)
    assert caller
    assert caller.scopes == {"sessions:read"}
    page = alices.get("/account").text
    assert value not in page
    assert "laptop" in page
    assert "See your applications and sessions" in page


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"name": ""}, "must not be empty"),
        ({"sessions:read": ""}, "choose at least one thing"),
        ({"expires_in": "1"}, "must be at least 60"),
        ({"expires_in": "soon"}, "must be a whole number"),
    ],
)
def test_a_token_that_is_refused_keeps_what_was_typed(
    alices: TestClient, plane: Plane, change: dict[str, str], complaint: str
) -> None:
    answer = alices.post("/account/tokens", data=TOKEN | change)
    assert answer.status_code == 422
    assert complaint in answer.text
    assert f'value="{(TOKEN | change)["name"]}"' in answer.text
    assert "<details open>" in answer.text
    assert not plane.access.tokens


def test_nobody_is_offered_or_given_a_scope_that_they_do_not_hold(
    alices: TestClient, plane: Plane
) -> None:
    assert "admin:write" not in alices.get("/account").text
    alices.post("/account/tokens", data=TOKEN | {"admin:write": "on"})
    assert [one.scopes for one in plane.access.tokens.values()] == [("sessions:read",)]
    plane.accounting.change_user("alice", lambda one: replace(one, admin=True))
    alices.post("/logout")
    plane.access.users["alice"] = replace(plane.access.users["alice"], admin=True)
    assert 'name="admin:write"' in signed_in(alices, "alice").get("/account").text


def test_a_token_is_revoked_after_one_question(alices: TestClient, plane: Plane) -> None:
    value = re.findall(r"rapp_[\w-]+", alices.post("/account/tokens", data=TOKEN).text)[0]
    (address,) = re.findall(r'href="(/account/tokens/\w+/remove)"', alices.get("/account").text)
    assert "Revoke the token laptop?" in alices.get(address).text
    assert auth.by_token(plane, value)
    assert alices.post(address).headers["location"] == "/account?done=revoked"
    assert auth.by_token(plane, value) is None
    assert alices.get(address).status_code == alices.post(address).status_code == 404


def test_nobody_sees_or_revokes_a_token_of_another(alices: TestClient, plane: Plane) -> None:
    bob = plane.accounting.user("bob")
    assert bob
    caller = Caller(bob, frozenset(SCOPES))
    token, value = auth.issue_token(plane, caller, "bob's", ["sessions:read"], timedelta(hours=1))
    assert "bob&#39;s" not in alices.get("/account").text
    address = f"/account/tokens/{token.id}/remove"
    assert alices.get(address).status_code == alices.post(address).status_code == 404
    assert auth.by_token(plane, value)


def test_signing_out_everywhere_says_what_ends_and_ends_it(
    alices: TestClient, plane: Plane
) -> None:
    other = another(plane, "alice")
    alices.post("/account/tokens", data=TOKEN)
    asked = alices.get("/account/sign-out").text
    assert "2 sign-ins of browsers, this one among them" in asked
    assert "<li>1 token</li>" in asked
    assert "A browser at 192.0.2.7" in alices.get("/account").text
    answer = alices.post("/account/sign-out")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?done=everywhere")
    assert "signed out everywhere" in alices.get("/login?done=everywhere").text
    assert not enters(alices, other)
    assert not plane.access.tokens


# The sign-in page


def test_after_a_sign_out_a_sentence_says_so(alices: TestClient) -> None:
    address = alices.post("/logout").headers["location"]
    assert '<p class="notice" role="status">You are signed out.' in alices.get(address).text
    assert 'class="notice"' not in alices.get("/login").text


def test_a_refused_sign_in_keeps_the_name_and_leads_to_the_password(guest: TestClient) -> None:
    fresh = guest.get("/login").text
    assert re.search(r'<input id="name"[^>]* autocomplete="username"[^>]* autofocus>', fresh)
    page = guest.post("/login", data={"name": "alice", "password": "wrong"}).text
    assert '<p class="alert" id="problem">Name and password do not match.' in page
    assert re.search(r'<input id="name"[^>]* value="alice"[^>]* aria-describedby="problem">', page)
    assert re.search(
        r'<input id="password"[^>]* autocomplete="current-password" '
        r'aria-describedby="problem" autofocus>',
        page,
    )


def test_who_tries_too_often_reads_so_in_words(guest: TestClient, plane: Plane) -> None:
    for _ in range(throttle.PAIR_ATTEMPTS):
        throttle.count(plane, "alice", "local")
    answer = guest.post("/login", data={"name": "alice", "password": "alice's password"})
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "900")
    assert "Too many attempts from here. Wait and try again." in answer.text
