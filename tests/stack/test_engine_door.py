"""The engine behind its door, in a whole portal: who may speak to it, and what a restart costs."""

import signal
import threading
import time
from pathlib import Path

import pytest
from portal import HELLO, RunningPortal
from stack.conftest import Realm, cookie_of, until, websocket

from control_plane.trial import account, programs

SOCKET = Path("/var/run/docker.sock")


def status(pid: int | None, key: str) -> list[str]:
    """Return a line of what the kernel says of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(line.split()[1:] for line in lines if line.startswith(f"{key}:"))


def test_the_control_plane_may_not_speak_to_the_engine(portal: RunningPortal) -> None:
    places, process = portal.portal.places, portal.portal.control_plane_pid
    engine, door = SOCKET.stat(), portal.portal.engine_pid
    ours = portal.portal.options.account
    assert engine.st_mode & 0o007 == 0
    assert str(engine.st_gid) not in status(process, "Groups")
    assert str(engine.st_gid) in status(door, "Groups")
    assert set(status(process, "Uid")).isdisjoint(status(door, "Uid"))
    for words in (
        ["test", "-w", str(SOCKET)],
        ["test", "-r", str(places.engine_rules)],
        ["test", "-w", str(places.engine_rules)],
        ["test", "-r", f"/proc/{door}/mem"],
        ["ls", str(places.engine_state)],
        ["sh", "-c", f"kill -0 {door}"],
    ):
        assert programs.run(words, account=ours).returncode != 0, words
    assert programs.run(["test", "-w", str(places.engine_socket)], account=ours).returncode == 0


@pytest.mark.parametrize("name", [account.PAM, account.FORWARDER, account.ENGINE])
def test_nobody_but_the_control_plane_reaches_the_door(portal: RunningPortal, name: str) -> None:
    door = portal.portal.places.engine_socket
    other = account.account_of(name)
    assert programs.run(["test", "-w", str(door)], account=other).returncode != 0


def test_a_door_that_dies_ends_nothing_and_is_back_without_a_hand(
    portal: RunningPortal, realm: Realm
) -> None:
    session = portal.start("alice")
    cookie = cookie_of(portal.client("alice"))
    with websocket(portal, session["url"] + "ws", Cookie=cookie) as socket:
        portal.portal.kill_engine(signal.SIGKILL)
        until(lambda: portal.portal.engine_pid is None)
        socket.send("still here")
        assert socket.recv(5) == "still here"
        # Bob starts something while there is no door: what is asked of it waits in its socket.
        back = threading.Timer(1, portal.portal.start_engine)
        back.start()
        bobs = portal.start("bob")
        back.join()
        socket.send("and now")
        assert socket.recv(5) == "and now"
    found = portal.api("alice").get("/api/v1/sessions").json()["items"]
    assert [(one["id"], one["state"]) for one in found] == [(session["id"], "ready")]
    portal.stop("bob", bobs["id"])
    # What ends by itself is heard of: the stream of ends was taken up again.
    realm.containers()[session["id"]].kill("SIGKILL")
    path = f"/api/v1/sessions/{session['id']}"
    until(lambda: portal.api("alice").get(path).json()["state"] == "failed")
    portal.stop("alice", session["id"])
    until(realm.holds_only)


def test_a_door_that_is_told_to_end_finishes_the_start_that_is_under_way(
    portal: RunningPortal, realm: Realm
) -> None:
    body = {"grant_id": portal.grants["alice", HELLO]}
    started = portal.api("alice").post("/api/v1/sessions", json=body)
    time.sleep(0.1)
    portal.portal.kill_engine(signal.SIGTERM)
    portal.portal.start_engine()
    portal.wait_for(portal.api("alice"), started.json()["id"], "ready")
    portal.stop("alice", started.json()["id"])
    until(realm.holds_only)
