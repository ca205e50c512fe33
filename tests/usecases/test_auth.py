"""Signing in and out, throttling, tokens."""

from dataclasses import replace
from datetime import timedelta

import pytest
from usecases.conftest import Clock, caller

from control_plane import auth, lifecycle, throttle
from control_plane.domain.access import Caller
from control_plane.domain.entities import User
from control_plane.domain.ports import Plane
from control_plane.errors import (
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    NotSignedInError,
    TooManyError,
)

HERE = "192.0.2.1"
ELSEWHERE = "192.0.2.2"


def sign_in(plane: Plane, name: str, password: str = "", address: str = HERE) -> str:
    return auth.sign_in(plane, auth.Proof(name, password or f"{name}'s password", address))


def disabled(user: User) -> User:
    return replace(user, enabled=False)


def test_a_virtual_user_signs_in_and_is_known_by_the_cookie(plane: Plane) -> None:
    found = auth.by_cookie(plane, sign_in(plane, "alice"))
    assert found
    assert found.user.name == "alice"
    assert "admin:read" not in found.scopes


def test_a_system_user_signs_in_through_pam(plane: Plane) -> None:
    found = auth.by_cookie(plane, sign_in(plane, "dora"))
    assert found
    assert (found.user.name, found.user.kind) == ("dora", "system")


def test_a_sign_in_survives_the_process(plane: Plane) -> None:
    cookie = sign_in(plane, "alice")
    plane.access.signins.clear()
    lifecycle.load(plane)
    assert auth.by_cookie(plane, cookie)


def test_signing_out_revokes_the_cookie_on_the_server(plane: Plane) -> None:
    cookie = sign_in(plane, "alice")
    found = auth.by_cookie(plane, cookie)
    assert found
    auth.sign_out(plane, found.signin_id)
    assert auth.by_cookie(plane, cookie) is None
    lifecycle.load(plane)
    assert auth.by_cookie(plane, cookie) is None


def test_a_cookie_that_was_changed_or_signed_by_another_secret_is_nobodys(plane: Plane) -> None:
    cookie = sign_in(plane, "alice")
    other = replace(plane, site=replace(plane.site, secret=b"t" * 32))
    assert auth.by_cookie(other, cookie) is None
    assert auth.by_cookie(plane, ("A" if cookie[0] != "A" else "B") + cookie[1:]) is None
    assert auth.by_cookie(plane, "x") is None


def test_a_sign_in_ends_by_itself(plane: Plane, clock: Clock) -> None:
    cookie = sign_in(plane, "alice")
    clock.ahead = auth.SIGNIN_LIFE + timedelta(seconds=1)
    assert auth.by_cookie(plane, cookie) is None


@pytest.mark.parametrize(
    "name", ["nobody-knows", "root", "../../etc", "a b", "x" * 300, "ünïcode", "", "x" * 5000]
)
def test_every_name_that_does_not_fit_is_refused_in_the_same_words(plane: Plane, name: str) -> None:
    with pytest.raises(NotSignedInError, match=r"^Name and password do not match\.$"):
        sign_in(plane, name, "wrong")


def test_a_wrong_password_and_a_disabled_user_are_refused_in_the_same_words(plane: Plane) -> None:
    with pytest.raises(NotSignedInError, match=r"^Name and password do not match\.$"):
        sign_in(plane, "alice", "wrong")
    plane.accounting.change_user("alice", disabled)
    with pytest.raises(NotSignedInError, match=r"^Name and password do not match\.$"):
        sign_in(plane, "alice")


def test_a_disabled_user_is_out_at_once(plane: Plane) -> None:
    cookie = sign_in(plane, "alice")
    plane.accounting.change_user("alice", disabled)
    lifecycle.refresh(plane)
    assert auth.by_cookie(plane, cookie) is None


def test_guesses_are_throttled_for_their_pair_and_nobody_else_is_locked_out(plane: Plane) -> None:
    for _ in range(throttle.PAIR_ATTEMPTS):
        with pytest.raises(NotSignedInError):
            sign_in(plane, "alice", "wrong")
    with pytest.raises(TooManyError) as caught:
        sign_in(plane, "alice")
    assert caught.value.retry_after == throttle.WINDOW.total_seconds()
    assert sign_in(plane, "alice", address=ELSEWHERE)
    assert sign_in(plane, "bob")


def test_an_address_that_guesses_many_names_is_throttled(plane: Plane, clock: Clock) -> None:
    for number in range(throttle.ADDRESS_ATTEMPTS):
        plane.records.add_attempt(f"name{number}", HERE, clock())
    with pytest.raises(TooManyError):
        sign_in(plane, "alice")
    assert sign_in(plane, "alice", address=ELSEWHERE)


def test_one_household_is_one_address_whatever_it_picks_of_its_ipv6_range(
    plane: Plane, clock: Clock
) -> None:
    for _ in range(throttle.ADDRESS_ATTEMPTS):
        plane.records.add_attempt("x", "2001:db8:1:2::/64", clock())
    with pytest.raises(TooManyError):
        sign_in(plane, "alice", address="2001:db8:1:2:ffff::1")


def test_the_throttle_opens_after_the_window(plane: Plane, clock: Clock) -> None:
    for _ in range(throttle.PAIR_ATTEMPTS):
        with pytest.raises(NotSignedInError):
            sign_in(plane, "alice", "wrong")
    clock.ahead = throttle.WINDOW + timedelta(seconds=1)
    assert sign_in(plane, "alice")


def test_success_forgets_the_failures_of_the_pair(plane: Plane) -> None:
    for _ in range(2):
        for _ in range(throttle.PAIR_ATTEMPTS - 1):
            with pytest.raises(NotSignedInError):
                sign_in(plane, "alice", "wrong")
        sign_in(plane, "alice")


def test_a_token_does_what_it_was_issued_for(plane: Plane, alice: Caller) -> None:
    lifecycle.load(plane)
    asked = replace(alice, scopes=frozenset({"sessions:read", "sessions:write"}))
    token, value = auth.issue_token(plane, asked, "laptop", ["sessions:read"], timedelta(days=1))
    found = auth.by_token(plane, value)
    assert found
    assert found.scopes == {"sessions:read"}
    assert value.startswith("rapp_")
    assert value not in repr(plane.records.tokens(plane.clock()))
    auth.revoke_token(plane, alice.user, token.id)
    assert auth.by_token(plane, value) is None


def test_a_token_expires(plane: Plane, alice: Caller, clock: Clock) -> None:
    lifecycle.load(plane)
    _, value = auth.issue_token(plane, alice, "laptop", ["sessions:read"], timedelta(hours=1))
    clock.ahead = timedelta(hours=1, seconds=1)
    assert auth.by_token(plane, value) is None


def test_nobody_issues_a_token_that_does_more_than_they_may(plane: Plane) -> None:
    lifecycle.load(plane)
    found = auth.by_cookie(plane, sign_in(plane, "alice"))
    assert found
    with pytest.raises(ForbiddenError, match="admin:write"):
        auth.issue_token(plane, found, "x", ["admin:write"], timedelta(days=1))


def test_what_a_token_issues_does_not_outlive_it(plane: Plane, alice: Caller) -> None:
    lifecycle.load(plane)
    first, value = auth.issue_token(
        plane, alice, "short", ["sessions:write"], timedelta(minutes=10)
    )
    holder = auth.by_token(plane, value)
    assert holder
    second, _ = auth.issue_token(plane, holder, "long", ["sessions:write"], timedelta(days=300))
    assert second.expires_at == first.expires_at


def test_a_token_loses_what_its_user_loses(plane: Plane, alice: Caller) -> None:
    lifecycle.load(plane)
    _, value = auth.issue_token(plane, alice, "x", ["admin:read"], timedelta(days=1))
    found = auth.by_token(plane, value)
    assert found
    assert found.scopes == frozenset()


def test_nobody_revokes_anothers_token(plane: Plane, alice: Caller, charlie: Caller) -> None:
    token, _ = auth.issue_token(plane, alice, "x", ["sessions:read"], timedelta(days=1))
    with pytest.raises(NotFoundError):
        auth.revoke_token(plane, charlie.user, token.id)


def test_signing_out_everywhere_ends_cookies_and_tokens(plane: Plane, alice: Caller) -> None:
    lifecycle.load(plane)
    cookie, bobs = sign_in(plane, "alice"), sign_in(plane, "bob")
    _, value = auth.issue_token(plane, alice, "x", ["sessions:read"], timedelta(days=1))
    auth.sign_out_everywhere(plane, alice.user)
    assert auth.by_cookie(plane, cookie) is None
    assert auth.by_token(plane, value) is None
    assert auth.by_cookie(plane, bobs)


def test_a_new_password_ends_the_other_sign_ins(plane: Plane) -> None:
    here, there = sign_in(plane, "alice"), sign_in(plane, "alice")
    me = auth.by_cookie(plane, here)
    assert me
    auth.change_password(plane, me, "alice's password", "a better one", HERE)
    assert auth.by_cookie(plane, here)
    assert auth.by_cookie(plane, there) is None
    assert sign_in(plane, "alice", "a better one")


def test_a_password_is_not_changed_without_the_present_one(plane: Plane) -> None:
    me = auth.by_cookie(plane, sign_in(plane, "alice"))
    assert me
    with pytest.raises(InvalidError):
        auth.change_password(plane, me, "wrong", "a better one", HERE)
    with pytest.raises(ConflictError):
        auth.change_password(plane, replace(me, user=caller_of_dora(plane)), "x", "y", HERE)


def caller_of_dora(plane: Plane) -> User:
    found = auth.by_cookie(plane, sign_in(plane, "dora"))
    assert found
    return found.user


def test_a_virtual_users_home_is_a_volume_of_this_realm(plane: Plane, alice: Caller) -> None:
    person = auth.person_of(plane, alice.user)
    assert (person.home, person.home_is_volume) == ("remoteapp-unit-home-70000", True)
    assert caller(plane, "bob").user.uid == 70001
