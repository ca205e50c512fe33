"""A web server on a socket that is given to it, which tells the service manager how it is."""

import socket

import uvicorn

from control_plane.adapters.service_manager import ServiceManager


class WatchedServer(uvicorn.Server):
    """Says when it answers, that its loop still turns, and when it begins to end."""

    def __init__(self, config: uvicorn.Config) -> None:
        """Prepare; `run` takes the sockets."""
        super().__init__(config)
        self._manager = ServiceManager()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer, and say so."""
        await super().startup(sockets)
        self._manager.ready()

    async def on_tick(self, counter: int) -> bool:
        """Say so from the loop itself: one that hangs is noticed."""
        self._manager.alive()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Say so, and end."""
        self._manager.stopping()
        await super().shutdown(sockets)
