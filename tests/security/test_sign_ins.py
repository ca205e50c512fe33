"""What a sign-in is worth: not one that was there before, not after its end, not elsewhere."""

import re
from dataclasses import replace

import pytest
from security.world import COOKIE, ORIGIN, OWNER, World

from control_plane import auth, entering
from control_plane.domain.ports import Plane
from control_plane.errors import ForbiddenError

FORM = {"Content-Type": "application/x-www-form-urlencoded", "Origin": ORIGIN}
KNOWN = b"name=alice&password=alice's password"


def sign_in(world: World, brought: str) -> str:
    """Sign in by the form in a browser that brings a cookie; return what it is given."""
    answer = world.ask("POST", "/login", {**FORM, "Cookie": f"{COOKIE}={brought}"}, KNOWN)
    assert answer.status == 303
    given = re.search(f"{COOKIE}=([^;]+)", answer.headers["set-cookie"])
    assert given
    return given[1].strip('"')


def apart(world: World) -> Plane:
    """Return the plane of a portal where each session has a host."""
    site = replace(world.plane.site, apps_domain="apps.test", apps_port=0)
    return replace(world.plane, site=site)


def test_a_cookie_from_before_the_sign_in_is_not_the_one_after_it(world: World) -> None:
    planted = world.cookie("charlie")
    given = sign_in(world, planted)
    assert given not in {planted, sign_in(world, planted)}
    caller = auth.by_cookie(world.plane, given)
    assert caller
    assert caller.user.name == OWNER


def test_the_cookie_is_the_hosts_own_and_neither_scripts_nor_other_sites_have_it(
    world: World,
) -> None:
    answer = world.ask("POST", "/login", FORM, KNOWN)
    ours = next(one for one in answer.headers.getlist("set-cookie") if f"{COOKIE}=" in one)
    words = {word.strip().lower() for word in ours.split(";")[1:]}
    assert {"httponly", "secure", "path=/", "samesite=lax"} <= words
    assert not any(word.startswith("domain") for word in words)


def test_after_a_new_secret_nothing_that_the_old_one_signed_lets_in(world: World) -> None:
    old = apart(world)
    new = replace(old, site=replace(old.site, secret=b"t" * 32))
    cookie, session_id = world.cookie(OWNER), world.session()
    caller, session = auth.by_cookie(old, cookie), old.access.sessions[session_id]
    assert caller
    host = f"{session_id}.apps.test"
    ticket = entering.ticket(old, caller, session)
    entry = entering.enter(old, entering.ticket(old, caller, session), host).cookie
    assert auth.by_cookie(new, cookie) is None
    assert entering.by_entry(new, entry, session_id) is None
    with pytest.raises(ForbiddenError):
        entering.enter(new, ticket, host)
    assert entering.by_entry(old, entry, session_id)


def test_what_lets_in_at_one_place_is_worth_nothing_at_another(world: World) -> None:
    plane = apart(world)
    cookie, session_id, other = world.cookie(OWNER), world.session(), world.session()
    caller, session = auth.by_cookie(plane, cookie), plane.access.sessions[session_id]
    assert caller
    ticket = entering.ticket(plane, caller, session)
    for host in ("portal.test", f"{other}.apps.test", f"{session_id}.apps.test.evil.test"):
        with pytest.raises(ForbiddenError):
            entering.enter(plane, ticket, host)
    entry = entering.enter(plane, ticket, f"{session_id}.apps.test").cookie
    with pytest.raises(ForbiddenError):
        entering.enter(plane, ticket, f"{session_id}.apps.test")
    assert auth.by_cookie(plane, entry) is None
    assert entering.by_entry(plane, entry, other) is None
    assert entering.by_entry(plane, cookie, session_id) is None
    assert entering.by_entry(plane, ticket, session_id) is None
    auth.sign_out(plane, caller.signin_id)
    assert entering.by_entry(plane, entry, session_id) is None
