"""Signing in through nginx: the cookie, the throttle, and what an attacker learns."""

import grp
import re
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from portal import RunningPortal
from stack.conftest import COOKIE, cookie_of, until, websocket
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from control_plane import throttle
from control_plane.trial import processes

ATTACKER = "127.0.0.21"


def attempt(portal: RunningPortal, address: str, name: str, password: str) -> int:
    form = {"name": name, "password": password}
    return portal.guest(address, Origin=portal.url).post("/login", data=form).status_code


def test_the_cookie_is_the_portals_alone(portal: RunningPortal) -> None:
    form = {"name": "alice", "password": portal.password("alice"), "next": "/sessions/x?y=1"}
    answer = portal.guest(Origin=portal.url).post("/login", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/sessions/x?y=1")
    words = {word.strip().lower() for word in answer.headers["set-cookie"].split(";")[1:]}
    assert {"secure", "httponly", "path=/", "samesite=lax"} <= words
    assert not any(word.startswith("domain") for word in words)
    assert answer.headers["set-cookie"].startswith(f"{COOKIE}=")


@pytest.mark.parametrize("evil", ["//evil.example", "https://evil.example", "/\\evil", "/\t/evil"])
def test_after_the_sign_in_nobody_is_led_out_of_the_portal(
    portal: RunningPortal, evil: str
) -> None:
    form = {"name": "alice", "password": portal.password("alice"), "next": evil}
    answer = portal.guest(Origin=portal.url).post("/login", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


def test_a_system_user_signs_in_through_pam_without_the_service_being_root(
    portal: RunningPortal,
) -> None:
    me = portal.client("dora").get("/api/v1/me").json()
    assert (me["name"], me["kind"]) == (portal.dora, "system")
    assert portal.portal.options.account.uid != 0


def test_who_judges_passwords_may_read_their_hashes_and_the_service_may_not(
    portal: RunningPortal,
) -> None:
    shadow = grp.getgrnam("shadow").gr_gid
    found = {}
    for name in ("control-plane", "pam"):
        process = processes.recall(portal.portal.places.run / f"{name}.process")
        assert process
        status = Path(f"/proc/{process.pid}/status").read_text()
        uid, *_, groups = re.findall(r"(?m)^(?:Uid|Groups):\s*(.*)$", status)
        found[name] = (uid.split()[0] == "0", str(shadow) in groups.split())
    assert found == {"control-plane": (False, False), "pam": (False, True)}
    assert portal.portal.places.pam_socket.stat().st_mode & 0o777 == 0o600


def test_a_form_of_another_origin_signs_nobody_in(portal: RunningPortal) -> None:
    form = {"name": "alice", "password": portal.password("alice")}
    for origin in ("https://evil.example", "null"):
        answer = portal.guest(Origin=origin).post("/login", data=form)
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers


def test_a_cookie_that_was_signed_out_is_worth_nothing(portal: RunningPortal) -> None:
    alice = portal.client("alice")
    kept = cookie_of(alice)
    assert portal.guest(Cookie=kept).get("/api/v1/me").status_code == 200
    alice.post("/logout")
    assert portal.guest(Cookie=kept).get("/api/v1/me").status_code == 401


def test_an_unknown_name_takes_as_long_as_a_wrong_password(portal: RunningPortal) -> None:
    def seconds(name: str, number: int) -> float:
        begun = time.monotonic()
        assert attempt(portal, f"127.0.0.{30 + number}", name, "wrong") == 401
        return time.monotonic() - begun

    names = {"virtual": "alice", "system": portal.dora, "unknown": "nobody-knows", "root": "root"}
    medians = {
        kind: statistics.median(seconds(name, number) for number in range(5))
        for kind, name in names.items()
    }
    assert max(medians.values()) < 1.2 * min(medians.values()), medians


def test_the_throttle_survives_the_process_and_locks_nobody_else_out(
    portal: RunningPortal,
) -> None:
    with ThreadPoolExecutor(throttle.PAIR_ATTEMPTS) as threads:
        found = threads.map(
            lambda _: attempt(portal, ATTACKER, "bob", "wrong"), range(throttle.PAIR_ATTEMPTS)
        )
        assert set(found) == {401}
    portal.portal.kill_control_plane()
    until(lambda: portal.portal.control_plane_pid is None)
    portal.mend()
    assert attempt(portal, ATTACKER, "bob", portal.password("bob")) == 429
    assert attempt(portal, ATTACKER, "alice", portal.password("alice")) == 303
    assert attempt(portal, "127.0.0.22", "bob", portal.password("bob")) == 303


def test_a_disabled_user_is_out_within_a_second(portal: RunningPortal) -> None:
    charlie = portal.client("charlie")
    assert charlie.get("/api/v1/me").status_code == 200
    portal.remoteappdb("user", "disable", "charlie")
    try:
        until(lambda: charlie.get("/api/v1/me").status_code == 401, 2)
        assert attempt(portal, "127.0.0.23", "charlie", portal.password("charlie")) == 401
    finally:
        portal.remoteappdb("user", "enable", "charlie")


def test_no_secret_stands_in_a_log(portal: RunningPortal) -> None:
    alice = portal.client("alice")
    value = alice.cookies[COOKIE]
    token = portal.token("alice")
    alice.get("/api/v1/sessions")
    logs = portal.portal.places.logs
    text = "".join(path.read_text(errors="replace") for path in logs.iterdir())
    for secret in (value, token, portal.password("alice"), token.removeprefix("rapp_")):
        assert secret not in text


def test_signing_out_everywhere_cuts_what_is_open_and_leaves_what_runs(
    portal: RunningPortal,
) -> None:
    bob, session = portal.client("bob"), portal.start("bob")
    try:
        told = {"Cookie": f"{COOKIE}={bob.cookies[COOKIE]}"}
        with websocket(portal, session["url"] + "ws", **told) as socket:
            socket.send("one")
            assert socket.recv(5) == "one"
            assert bob.delete("/api/v1/me/signins").status_code == 204
            portal.forget_token("bob")
            until(lambda: not echoes(socket), 5)
        again = portal.api("bob")
        assert portal.wait_for(again, session["id"], "ready")["id"] == session["id"]
        until(lambda: again.get(session["url"]).status_code == 200, 10)
    finally:
        portal.forget_token("bob")
        portal.stop("bob", session["id"])


def echoes(socket: ClientConnection) -> bool:
    """Whether what is sent comes back within a second."""
    try:
        socket.send("two")
        return socket.recv(1) == "two"
    except (TimeoutError, ConnectionClosed):
        return False
