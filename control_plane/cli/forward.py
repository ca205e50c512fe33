"""`control-plane forward`: the forwarder on the two sockets that systemd, or the launcher, owns."""

import asyncio
import os
import socket

import click

from control_plane.adapters import journal
from control_plane.adapters.service_manager import ServiceManager
from control_plane.forwarder import serving

_FIRST_DESCRIPTOR = 3
_NAMES = ("public", "control")


@click.command()
def forward() -> None:
    """Let those through to shared sessions whom the control plane has named."""
    journal.begin()
    public, control = _inherited_sockets()
    manager = ServiceManager()
    asyncio.run(serving.serve(public, control, manager.ready, manager.alive))


def _inherited_sockets() -> list[socket.socket]:
    names = os.environ.get("LISTEN_FDNAMES", "").split(":")
    if os.environ.get("LISTEN_FDS") != "2" or sorted(names) != sorted(_NAMES):
        raise click.UsageError(
            "The two sockets were not passed (LISTEN_FDNAMES: public, control). Start it by "
            "remoteapp-forwarder.socket, or use `make trial`."
        )
    return [socket.socket(fileno=_FIRST_DESCRIPTOR + names.index(name)) for name in _NAMES]
