"""Clients at the control plane's socket that say a little, then nothing: they hold nobody up."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import slow_clients
import uvicorn
from security.world import World


@pytest.fixture
def control_plane(world: World, tmp_path: Path) -> Iterator[Path]:
    """The portal as it is served behind nginx: on a socket."""
    path = tmp_path / "control-plane.sock"
    config = uvicorn.Config(world.portal, log_config=None, lifespan="off", ws="none")
    server = uvicorn.Server(config)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        work = world.run(server.serve(sockets=[listener]))
        yield path
        server.should_exit = server.force_exit = True
        work.result(20)


def test_slow_clients_hold_nobody_up(control_plane: Path) -> None:
    def opened() -> socket.socket:
        made = socket.socket(socket.AF_UNIX)
        made.connect(str(control_plane))
        return made

    transport = httpx.HTTPTransport(uds=str(control_plane))
    with (
        slow_clients.many(opened),
        httpx.Client(transport=transport, base_url="http://portal.test") as client,
    ):
        begun = time.monotonic()
        assert client.get("/healthz").status_code == 200
        assert client.get("/login").status_code == 200
        assert time.monotonic() - begun < slow_clients.QUICK
