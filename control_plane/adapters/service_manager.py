"""What the service manager is told of this process, in the datagrams of sd_notify(3).

Without a library: one line sent to a socket needs none, and bindings to libsystemd need a compiler.

Invariant: without $NOTIFY_SOCKET nothing happens; no call blocks, and none raises.
"""

import logging
import os
import socket
import time
from collections.abc import Mapping

log = logging.getLogger(__name__)


class ServiceManager:
    """The manager that started this process, if one did and waits for word of it."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        """Read where it listens, and how often it wants a sign of life."""
        address = environment.get("NOTIFY_SOCKET", "")
        # @ stands for the zero byte that begins the name of an abstract socket.
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._pause = _watchdog_seconds(environment) / 2
        self._told_at = 0.0

    def ready(self) -> None:
        """Say that requests are answered from now on."""
        self._tell("READY=1")

    def stopping(self) -> None:
        """Say that the process is about to end."""
        self._tell("STOPPING=1")

    def alive(self) -> None:
        """Give a sign of life when half the time between two of them is over."""
        # Not the clock: set back, it would keep this silent for as long.
        now = time.monotonic()
        if self._pause and now - self._told_at >= self._pause:
            self._told_at = now
            self._tell("WATCHDOG=1")

    def _tell(self, line: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
                one.sendmsg([line.encode()], (), socket.MSG_DONTWAIT, self._address)
        except OSError as error:
            log.warning("the service manager was not told line=%s error=%s", line, error)


def _watchdog_seconds(environment: Mapping[str, str]) -> float:
    """Return after how long a silence it kills this process; 0 when it never does."""
    meant = environment.get("WATCHDOG_PID", str(os.getpid()))
    microseconds = environment.get("WATCHDOG_USEC", "")
    return int(microseconds) / 1e6 if meant == str(os.getpid()) and microseconds.isdecimal() else 0
