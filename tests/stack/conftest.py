"""What the tests of the whole stack share: sockets, engines, and what is left behind."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import docker
import httpx
import pytest
from portal import HELLO, RunningPortal
from websockets.sync.client import ClientConnection, connect

from control_plane.domain.labels import RUN

COOKIE = "__Host-remoteapp"


def until(true: Callable[[], object], seconds: float = 20, why: str = "") -> None:
    """Wait for something to come to pass."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, why or "it did not come to pass"
        time.sleep(0.02)


@dataclass(frozen=True)
class Realm:
    """What one portal has in the engine and in nginx."""

    live: RunningPortal
    api: docker.DockerClient

    def containers(self) -> dict[str, Any]:
        """Return the containers by session id."""
        label = f"{RUN}realm={self.live.realm}"
        found = self.api.containers.list(all=True, filters={"label": label}, ignore_removed=True)
        return {one.labels[RUN + "url_id"]: one for one in found}

    def routes(self) -> set[str]:
        """Return the sessions that the installed routes name."""
        text = (self.live.portal.places.nginx / "routes.conf").read_text()
        return {line.split()[1][2:] for line in text.splitlines() if line.startswith("upstream")}

    def holds_only(self, *session_ids: str) -> bool:
        """Whether exactly these sessions have a container and a route."""
        return set(self.containers()) == self.routes() == set(session_ids)


@pytest.fixture
def engine_api() -> Iterator[docker.DockerClient]:
    with closing(docker.from_env()) as client:
        yield client


@pytest.fixture
def realm(portal: RunningPortal, engine_api: docker.DockerClient) -> Iterator[Realm]:
    """The portal's realm; every session of the cast is stopped afterwards."""
    yield Realm(portal, engine_api)
    portal.mend()
    portal.stop_all()


def cookie_of(client: Any) -> str:
    """Return the Cookie header of a client that is signed in."""
    return f"{COOKIE}={client.cookies[COOKIE]}"


def websocket(live: RunningPortal, url: str, **headers: str) -> ClientConnection:
    """Open a WebSocket through nginx; `headers` with underscores for hyphens."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return connect(
        url.replace("https:", "wss:", 1),
        # Few programs but browsers know that what ends with .localhost is this machine.
        sock=socket.create_connection(("localhost", httpx.URL(url).port)),
        ssl=live.trust,
        additional_headers=sent,
        ping_interval=None,
        proxy=None,
        open_timeout=20,
    )


@contextmanager
def misbehaving(portal: RunningPortal, realm: Realm, words: list[str]) -> Iterator[str]:
    """Give alice a grant on an application whose container misbehaves as the variables say."""
    image = "remoteapp-test/odd:latest"
    realm.api.images.get(HELLO).tag("remoteapp-test/odd", "latest")
    portal.remoteappdb("app", "create", image, *words)
    try:
        yield portal.remoteappdb("app", "grant", image, "alice")
    finally:
        portal.remoteappdb("app", "remove", image)
        realm.api.images.remove(image)
