"""Whatever is killed, at whatever moment: no session, route or record is lost, and no one acts."""

import signal
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
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
    saved = {"before records.save_session", "after records.save_session"}
    starting = {"after records.add_session", "before engine.run", "after engine.run"}
    _die_at_every_step(one, realm, {*saved, *starting, "after gateway.publish"}, at_start=True)
    stopping = {"after gateway.withdraw", "before engine.remove"}
    _die_at_every_step(one, realm, saved | stopping, at_start=False)


@pytest.mark.timeout(1200)
def test_the_door_killed_at_every_step_of_a_start_and_of_a_stop(
    mortal: RunningPortal, engine_api: docker.DockerClient
) -> None:
    realm = Realm(mortal, engine_api)
    one = Mortal(mortal.portal.places.engine_state, lambda: mortal.portal.engine_pid)
    starting = {"before api.create_container", "after api.create_container", "after api.start"}
    _die_at_every_step(one, realm, starting, at_start=True)
    stopping = {"before api.remove_container", "after api.remove_container"}
    _die_at_every_step(one, realm, stopping, at_start=False)


def _die_at_every_step(one: Mortal, realm: Realm, named: set[str], *, at_start: bool) -> None:
    """Let it die at the first step, the second and so on, in the end at each of `named`, too.

    What goes on beside changes the order, so that the n-th step is not the same each time.
    """
    steps = one.state / "steps"
    steps.unlink(missing_ok=True)
    realm.live.token("alice")  # not a step of a start
    number = 1
    while _dies(one, realm, str(number), at_start=at_start):
        number += 1
        assert number < MOST_STEPS, "there is no end to the steps"
    for name in named - set(steps.read_text().splitlines()):
        assert _dies(one, realm, name, at_start=at_start), f"{name} is no step"


def _dies(one: Mortal, realm: Realm, step: str, *, at_start: bool) -> bool:
    """Order it to die at a step, start or stop something, and see that all agree; did it die?"""
    live, order = realm.live, one.state / "die-at"
    stopped = "" if at_start else str(live.start("alice")["id"])
    _order(order, step)
    with ThreadPoolExecutor() as beside:  # an answer may come of the next process only
        request = partial(_delete, live, stopped) if stopped else partial(_start, live)
        asked = beside.submit(_try, request)
        until(lambda: not order.exists() or (asked.done() and _at_rest(live)), 60)
        if not order.exists():
            until(lambda: one.pid() is None)
        live.mend()
        asked.result()
    died = not order.exists()
    order.unlink(missing_ok=True)
    _all_agree(live, realm, stopped)
    return died


def _order(order: Path, step: str) -> None:
    # Renamed into place: the process reads it at any moment.
    fresh = order.with_suffix(".new")
    fresh.write_text(step)
    fresh.chmod(0o666)
    fresh.replace(order)


def _all_agree(live: RunningPortal, realm: Realm, stopped: str) -> None:
    until(lambda: _at_rest(live), 30)
    left = live.api("alice").get("/api/v1/sessions").json()["items"]
    ready = [one["id"] for one in left if one["state"] == "ready"]
    until(lambda: realm.holds_only(*ready), 15, f"{ready=} {realm.routes()=} {realm.containers()=}")
    assert stopped not in ready
    for one in left:
        live.stop("alice", one["id"])
    until(realm.holds_only, 15)
    assert live.api("alice").get("/api/v1/sessions").json()["items"] == []


def _at_rest(live: RunningPortal) -> bool:
    answer = _try(lambda: live.api("alice").get("/api/v1/sessions", timeout=3))
    if answer is None or answer.status_code != 200:
        return False
    return {one["state"] for one in answer.json()["items"]} <= {"ready", "failed"}


def _start(live: RunningPortal) -> httpx.Response:
    body = {"grant_id": live.grants["alice", HELLO]}
    return live.api("alice").post("/api/v1/sessions", json=body)


def _delete(live: RunningPortal, session_id: str) -> httpx.Response:
    # nginx asks once more when the process dies, and waits for the next one to accept.
    return live.api("alice").delete(f"/api/v1/sessions/{session_id}")


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
