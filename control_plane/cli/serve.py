"""`control-plane serve`: the control plane on the socket that systemd, or the launcher, owns."""

import asyncio
import socket
from pathlib import Path
from types import FrameType

import click
import uvicorn

from control_plane import plane, settings
from control_plane.adapters import journal
from control_plane.adapters.watched_server import WatchedServer
from control_plane.cli.passed import passed_socket
from control_plane.doctor.watching import Watch
from control_plane.domain.ports import Plane
from control_plane.errors import ControlPlaneError
from control_plane.web import lifespan
from control_plane.web.app import create

_GRACE_SECONDS = 5
_LAST_REQUESTS_SECONDS = 0.5
# Longer than nginx keeps a connection to us, so that it is never we who close one it is using.
_KEEP_ALIVE_SECONDS = 75


@click.command()
def serve() -> None:
    """Serve the portal behind nginx, on the socket passed by systemd."""
    journal.begin()
    found = settings.load()
    secret = settings.secret()
    watch = Watch(found)
    serve_with(
        lambda loop: plane.open_plane(found, loop, secret, condition=watch), found.boot_marker
    )


def serve_with(opened: lifespan.Opened, marker: Path | None = None) -> None:
    """Serve until SIGTERM or SIGINT, with the plane that `opened` returns.

    `marker` is a file that a restart of the host removes.
    """
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
        create(lifespan.of(keep, marker)),
        access_log=False,
        lifespan="on",
        log_config=None,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        ws="none",
    )
    _Server(config, planes).run(sockets=[passed_socket("remoteapp.socket")])
    if refusals:
        raise refusals[0]


class _Server(WatchedServer):
    """Ends without an error for anybody."""

    def __init__(self, config: uvicorn.Config, planes: list[Plane]) -> None:
        super().__init__(config)
        self._planes = planes

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        for one in self._planes:
            one.events.close()  # streams would hold a graceful shutdown back

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer what nginx has sent already on connections that are open, and bid it close them.

        Closed at once, a connection may take a request with it that nginx has just written, and
        nginx sends no POST twice. New connections wait in the socket for the next process.
        """
        self.server_state.default_headers.append((b"connection", b"close"))
        for server in self.servers:
            server.close()
        await asyncio.sleep(_LAST_REQUESTS_SECONDS)
        await super().shutdown(sockets)
