"""A network of its own for a portal and a browser: a loopback, and nothing beside it.

Nothing asked of another host is ever answered, and networks of the engine that come and go do not
break what the browser has under way (ERR_NETWORK_CHANGED).
"""

import ctypes
import os
import secrets
import shlex
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PORT = 8443
_CLONE_NEWNET = 0x40000000


@dataclass(frozen=True)
class Network:
    """A network namespace by its name, and a directory for what enters it."""

    name: str
    directory: Path

    def listening(self) -> socket.socket:
        """Return a socket that listens in it; the thread that entered it ends at once."""
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(self._listening).result()

    def entered(self, program: str) -> Path:
        """Return a program that runs another one in it."""
        path = self.directory / Path(program).name
        words = shlex.join(["ip", "netns", "exec", self.name, program])
        path.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
        path.chmod(0o755)
        return path

    def _listening(self) -> socket.socket:
        with Path("/run/netns", self.name).open() as namespace:
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.setns(namespace.fileno(), _CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return socket.create_server(("127.0.0.1", PORT))


@contextmanager
def network() -> Iterator[Network]:
    """Make one, until the context ends."""
    name = f"remoteapp-{secrets.token_hex(4)}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
        with tempfile.TemporaryDirectory() as directory:
            yield Network(name, Path(directory))
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)
