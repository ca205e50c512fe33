"""`control-plane serve`: the control plane on the socket that systemd, or the launcher, owns."""

import asyncio
import logging
import os
import socket
import sys
from types import FrameType

import click
import uvicorn

from control_plane import plane, settings
from control_plane.domain.ports import Plane
from control_plane.errors import ControlPlaneError
from control_plane.web import lifespan
from control_plane.web.app import create

_FIRST_DESCRIPTOR = 3
_GRACE_SECONDS = 5
# Longer than nginx keeps a connection to us, so that it is never we who close one it is using.
_KEEP_ALIVE_SECONDS = 75


@click.command()
def serve() -> None:
    """Serve the portal behind nginx, on the socket passed by systemd."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(message)s")
    found = settings.load()
    settings.secret()
    serve_with(lambda loop: plane.open_plane(found, loop))


def serve_with(opened: lifespan.Opened) -> None:
    """Serve until SIGTERM or SIGINT, with the plane that `opened` returns."""
    planes: list[Plane] = []
    refusals: list[ControlPlaneError] = []

    def keep(loop: asyncio.AbstractEventLoop) -> Plane:
        try:
            planes.append(opened(loop))
        except ControlPlaneError as error:
            refusals.append(error)
            raise
        return planes[0]

    config = uvicorn.Config(
        create(lifespan.of(keep)),
        access_log=False,
        lifespan="on",
        log_config=None,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        ws="none",
    )
    _Server(config, planes).run(sockets=[_inherited_socket()])
    if refusals:
        raise refusals[0]


class _Server(uvicorn.Server):
    """Ends the event streams first: they would hold a graceful shutdown back."""

    def __init__(self, config: uvicorn.Config, planes: list[Plane]) -> None:
        super().__init__(config)
        self._planes = planes

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        for one in self._planes:
            one.events.close()


def _inherited_socket() -> socket.socket:
    if os.environ.get("LISTEN_FDS") != "1":
        raise click.UsageError(
            "No socket was passed (LISTEN_FDS). Start it by remoteapp.socket, or use `make trial`."
        )
    return socket.socket(fileno=_FIRST_DESCRIPTOR)
