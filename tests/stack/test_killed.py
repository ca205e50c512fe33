"""Whatever is killed, at whatever moment: no session, route or record is lost, and no one acts."""

import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import docker
import httpx
import portal as portals
import pytest
from portal import HELLO, RunningPortal
from stack.conftest import COOKIE, Realm, cookie_of, until, websocket

DYING = Path(__file__).parent / "dying.py"
MOST_STEPS = 60


def test_a_desktops_frames_keep_coming_while_the_control_plane_is_dead_and_back(
    portal: RunningPortal, realm: Realm
) -> None:
    session = portal.start("alice")
    cookie = cookie_of(portal.client("alice"))
    with websocket(portal, session["url"] + "ws", Cookie=cookie) as socket:
        socket.send("before")
        assert socket.recv() == "before"
        portal.portal.kill_control_plane(signal.SIGKILL)
        until(lambda: portal.portal.control_plane_pid is None)
        for number in range(20):
            socket.send(f"frame {number}")
            assert socket.recv(5) == f"frame {number}"
        portal.mend()
        socket.send("after")
        assert socket.recv(5) == "after"
    listed = portal.api("alice").get("/api/v1/sessions").json()
    assert [(one["id"], one["state"]) for one in listed["items"]] == [(session["id"], "ready")]
    portal.stop("alice", session["id"])
    until(realm.holds_only)


def test_who_was_in_stays_in_while_the_control_plane_is_dead(
    portal: RunningPortal, realm: Realm
) -> None:
    session = portal.start("alice")
    alice, charlie = portal.client("alice"), portal.client("charlie")
    assert alice.get(session["url"]).status_code == 200
    assert charlie.get(session["url"]).status_code == 404
    portal.portal.kill_control_plane(signal.SIGKILL)
    until(lambda: portal.portal.control_plane_pid is None)
    time.sleep(2.5)
    assert alice.get(session["url"]).status_code == 200
    assert charlie.get(session["url"]).status_code == 404
    assert portal.guest().get(session["url"]).status_code == 401
    unknown = portal.guest(Cookie=f"{COOKIE}=never-seen", Accept="text/html")
    away = unknown.get(session["url"])
    assert (away.status_code, away.headers["Retry-After"]) == (503, "5")
    assert "Applications that run go on running" in away.text
    del realm


def test_a_revoked_sign_in_stays_out_when_the_control_plane_dies_afterwards(
    portal: RunningPortal, realm: Realm
) -> None:
    session = portal.start("alice")
    alice = portal.client("alice")
    cookie = {"Cookie": cookie_of(alice)}
    assert alice.get(session["url"]).status_code == 200
    alice.post("/logout")
    stranger = portal.guest(**cookie)
    until(lambda: stranger.get(session["url"]).status_code == 401, 3)
    portal.portal.kill_control_plane(signal.SIGKILL)
    until(lambda: portal.portal.control_plane_pid is None)
    time.sleep(1.5)
    assert stranger.get(session["url"]).status_code == 401
    del realm


def test_nginx_killed_and_back_reaches_sessions_while_the_control_plane_is_still_stopped(
    portal: RunningPortal, realm: Realm
) -> None:
    session = portal.start("alice")
    alice = portal.client("alice")
    assert alice.get(session["url"]).status_code == 200
    portal.portal.kill_control_plane(signal.SIGKILL)
    until(lambda: portal.portal.control_plane_pid is None)
    portal.portal.kill_nginx(signal.SIGKILL)
    until(lambda: portal.portal.nginx_pid is None)
    portal.portal.start_nginx()
    until(lambda: _answers(portal, session["url"], cookie_of(alice)), 5)
    del realm


def test_one_address_never_leads_to_another_users_session_though_the_decision_is_cached(
    portal: RunningPortal, realm: Realm
) -> None:
    alice = portal.client("alice")
    first = portal.start("alice")
    address = _address(realm, first["id"])
    assert alice.get(first["url"]).status_code == 200
    portal.stop("alice", first["id"])
    portal.portal.kill_control_plane(signal.SIGKILL)
    until(lambda: portal.portal.control_plane_pid is None)
    portal.mend()
    second = portal.start("bob")
    assert alice.get(first["url"]).status_code == 404
    assert alice.get(second["url"]).status_code == 404
    assert _address(realm, second["id"]) != address


@dataclass(frozen=True)
class Mortal:
    """A process that dies when told to: its directory, and what it is while it lives."""

    state: Path
    pid: Callable[[], int | None]


@pytest.fixture(scope="module")
def mortal(images: None) -> Iterator[RunningPortal]:
    """A portal whose control plane and whose door die when told to."""
    del images
    dying = (sys.executable, str(DYING))
    with portals.running(serve=(*dying, "control plane"), door=(*dying, "door")) as live:
        yield live


@pytest.mark.timeout(1200)
def test_killed_at_every_step_of_a_start_and_of_a_stop(
    mortal: RunningPortal, engine_api: docker.DockerClient
) -> None:
    realm = Realm(mortal, engine_api)
    one = Mortal(mortal.portal.places.state, lambda: mortal.portal.control_plane_pid)
    starting = _die_at_every_step(one, realm, at_start=True)
    stopping = _die_at_every_step(one, realm, at_start=False)
    assert {"before engine.run", "after engine.run"} <= starting
    assert {"after records.add_session", "after gateway.publish"} <= starting
    assert {"after gateway.withdraw", "before engine.remove"} <= stopping
    assert {"before records.save_session", "after records.save_session"} <= starting & stopping


@pytest.mark.timeout(1200)
def test_the_door_killed_at_every_step_of_a_start_and_of_a_stop(
    mortal: RunningPortal, engine_api: docker.DockerClient
) -> None:
    realm = Realm(mortal, engine_api)
    one = Mortal(mortal.portal.places.engine_state, lambda: mortal.portal.engine_pid)
    starting = _die_at_every_step(one, realm, at_start=True)
    stopping = _die_at_every_step(one, realm, at_start=False)
    assert {
        "before api.create_container",
        "after api.create_container",
        "after api.start",
    } <= starting
    assert {"before api.remove_container", "after api.remove_container"} <= stopping


def _die_at_every_step(one: Mortal, realm: Realm, *, at_start: bool) -> set[str]:
    live, order, steps = realm.live, one.state / "die-at", one.state / "steps"
    steps.unlink(missing_ok=True)
    live.token("alice")  # not a step of a start
    for number in range(1, MOST_STEPS):
        if at_start:
            _order(order, number)
            session_id = _try_to_start(live)
        else:
            session_id = live.start("alice")["id"]
            _order(order, number)
            _try(lambda session_id=session_id: _delete(live, session_id))
        _settle(live, one.pid, order)
        there_is_no_such_step = order.exists()
        order.unlink(missing_ok=True)
        _all_agree(live, realm, session_id, at_start=at_start)
        if there_is_no_such_step:
            return {line.split(" ", 1)[1] for line in steps.read_text().splitlines()}
    pytest.fail("there is no end to the steps")


def _order(order: Path, number: int) -> None:
    # Renamed into place: the process reads it at any moment.
    fresh = order.with_suffix(".new")
    fresh.write_text(str(number))
    fresh.chmod(0o666)
    fresh.replace(order)


def _settle(live: RunningPortal, pid: Callable[[], int | None], order: Path) -> None:
    """Wait until the process has died, and start it again; or until all its work is done."""
    until(lambda: not order.exists() or _at_rest(live), 60)
    if not order.exists():
        until(lambda: pid() is None)
    live.mend()


def _all_agree(live: RunningPortal, realm: Realm, session_id: str, *, at_start: bool) -> None:
    until(lambda: _at_rest(live), 30)
    left = live.api("alice").get("/api/v1/sessions").json()["items"]
    ready = [one["id"] for one in left if one["state"] == "ready"]
    until(lambda: realm.holds_only(*ready), 15, f"{ready=} {realm.routes()=} {realm.containers()=}")
    if not at_start:
        assert session_id not in ready
    for one in left:
        live.stop("alice", one["id"])
    until(realm.holds_only, 15)
    assert live.api("alice").get("/api/v1/sessions").json()["items"] == []


def _at_rest(live: RunningPortal) -> bool:
    answer = _try(lambda: live.api("alice").get("/api/v1/sessions", timeout=3))
    if answer is None or answer.status_code != 200:
        return False
    return {one["state"] for one in answer.json()["items"]} <= {"ready", "failed"}


def _try_to_start(live: RunningPortal) -> str:
    body = {"grant_id": live.grants["alice", HELLO]}
    made = _try(lambda: live.api("alice").post("/api/v1/sessions", json=body))
    return str(made.json()["id"]) if made and made.status_code == 202 else ""


def _delete(live: RunningPortal, session_id: str) -> httpx.Response:
    # nginx asks once more when the process dies, and waits for the next one to accept.
    return live.api("alice").delete(f"/api/v1/sessions/{session_id}", timeout=5)


def _try(request: object) -> httpx.Response | None:
    """Send a request in whose middle the control plane may die."""
    assert callable(request)
    try:
        answer: httpx.Response = request()
    except httpx.TransportError:
        return None
    return answer


def _answers(live: RunningPortal, url: str, cookie: str) -> bool:
    answer = _try(lambda: live.guest(Cookie=cookie).get(url))
    return answer is not None and answer.status_code == 200


def _address(realm: Realm, session_id: str) -> str:
    networks = realm.containers()[session_id].attrs["NetworkSettings"]["Networks"]
    return str(next(iter(networks.values()))["IPAddress"])
