"""Many at once: sockets that live through starts, and reloads that nobody notices."""

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack

import pytest
from portal import HELLO, RunningPortal
from stack.conftest import Realm, cookie_of, misbehaving, until
from websockets.asyncio.client import ClientConnection, connect

from control_plane.adapters.nginx_processes import draining_generations, workers

SOCKETS = 200
STARTS = 50
SILENCE = 90


@pytest.fixture
def crowded(portal: RunningPortal, realm: Realm) -> Iterator[str]:
    """Give a grant of alice's that lets her run many; hers is as before afterwards."""
    del realm
    before = portal.grants["alice", HELLO]
    portal.grants["alice", HELLO] = portal.remoteappdb(
        *("app", "grant", HELLO, "alice", "--allow-home", "--max-sessions", "60"),
        *("--memory", "32m", "--cpus", "0.2"),
    )
    yield portal.grants["alice", HELLO]
    portal.stop_all()
    portal.remoteappdb(
        *("app", "revoke", HELLO, "alice", "--allow-home", "--max-sessions", "60"),
        *("--memory", "32m", "--cpus", "0.2"),
    )
    portal.grants["alice", HELLO] = before


def test_200_sockets_live_through_50_starts_and_few_workers_drain(
    portal: RunningPortal, crowded: str
) -> None:
    session = portal.start("alice")
    cookie = cookie_of(portal.client("alice"))
    most = asyncio.run(_starts_under_open_sockets(portal, crowded, session["url"], cookie))
    assert 1 <= most <= 2


async def _starts_under_open_sockets(live: RunningPortal, grant: str, url: str, cookie: str) -> int:
    async with AsyncExitStack() as stack:
        sockets = [
            await stack.enter_async_context(_opened(live, url, cookie)) for _ in range(SOCKETS)
        ]
        starting = asyncio.create_task(asyncio.to_thread(_start_and_stop, live, grant))
        most = 0
        while not starting.done():
            most = max(most, draining_generations(workers(live.portal.nginx_pid or 0)))
            await _all_echo(sockets)
        await starting
        await _all_echo(sockets)
    return most


def test_a_socket_that_says_nothing_for_90_seconds_lives(
    portal: RunningPortal, realm: Realm
) -> None:
    del realm
    session = portal.start("bob")
    cookie = cookie_of(portal.client("bob"))

    async def silence() -> None:
        async with _opened(portal, session["url"], cookie) as socket:
            await asyncio.sleep(SILENCE)
            await _echoes(socket)

    asyncio.run(silence())


def test_nine_starts_at_once_all_become_ready(portal: RunningPortal, crowded: str) -> None:
    api = portal.api("alice")
    made = [api.post("/api/v1/sessions", json={"grant_id": crowded}) for _ in range(9)]
    assert {one.status_code for one in made} == {202}
    for one in made:
        portal.wait_for(api, one.json()["id"], "ready")


def test_a_slow_stop_never_delays_a_start(portal: RunningPortal, realm: Realm) -> None:
    with misbehaving(portal, realm, ["--env", "HELLO_IGNORE_TERM=1"]) as grant:
        api = portal.api("alice")
        deaf = api.post("/api/v1/sessions", json={"grant_id": grant}).json()["id"]
        portal.wait_for(api, deaf, "ready")
        with ThreadPoolExecutor() as beside:
            stopping = beside.submit(portal.stop, "alice", deaf)
            until(lambda: api.get(f"/api/v1/sessions/{deaf}").json()["state"] == "stopping")
            portal.start("bob")
            assert not stopping.done()
        assert stopping.exception() is None


def _start_and_stop(live: RunningPortal, grant: str) -> None:
    api = live.api("alice")
    for _ in range(STARTS):
        made = api.post("/api/v1/sessions", json={"grant_id": grant})
        assert made.status_code == 202, made.text
        session = live.wait_for(api, made.json()["id"], "ready")
        assert api.get(session["url"]).status_code == 200
        live.stop("alice", session["id"])


def _opened(live: RunningPortal, url: str, cookie: str) -> connect:
    return connect(
        url.replace("https:", "wss:", 1) + "ws",
        ssl=live.trust,
        additional_headers={"Cookie": cookie},
        ping_interval=None,
        proxy=None,
        open_timeout=30,
    )


async def _all_echo(sockets: list[ClientConnection]) -> None:
    await asyncio.gather(*(_echoes(socket) for socket in sockets))
    await asyncio.sleep(0.2)


async def _echoes(socket: ClientConnection) -> None:
    word = str(time.monotonic_ns())
    await socket.send(word)
    assert await asyncio.wait_for(socket.recv(), 30) == word
