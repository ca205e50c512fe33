"""The socket that a process is started with, passed as systemd passes a socket unit's."""

import os
import socket

import click

_FIRST_DESCRIPTOR = 3


def passed_socket(unit: str) -> socket.socket:
    """Return it; a usage error names the unit that passes it."""
    if os.environ.get("LISTEN_FDS") != "1":
        raise click.UsageError(
            f"No socket was passed (LISTEN_FDS). Start it by {unit}, or use `make trial`."
        )
    return socket.socket(fileno=_FIRST_DESCRIPTOR)
