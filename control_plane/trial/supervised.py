"""A process of its own session that is started again when it dies, as systemd would.

Invariant: nothing of the old process's group runs when the next one starts, and a signal never
reaches a number that is no longer the process's.
"""

import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from socket import socket

from control_plane.errors import ControlPlaneError
from control_plane.trial import processes
from control_plane.trial.account import ROOT, Account
from control_plane.trial.progress import say

log = logging.getLogger(__name__)

_SHORT_LIFE = 10.0
_LONGEST_PAUSE = 5.0
# The listening socket comes as standard input, and goes on as systemd would pass it.
_ACTIVATE = 'exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"'
# A second one comes as standard error.
_ACTIVATE_BOTH = (
    "exec 3<&0 4<&2 </dev/null 2>&1; "
    'LISTEN_FDS=2 LISTEN_FDNAMES=public:control LISTEN_PID=$$ exec "$@"'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What to run: `listener` is passed as systemd passes a socket unit's, and so is `control`.

    With both they are named `public` and `control`.
    """

    name: str
    words: tuple[str, ...]
    log: Path
    environment: Mapping[str, str]
    account: Account = ROOT
    listener: socket | None = None
    control: socket | None = None


class Supervised:
    """One running command; its pid file outlives a launcher that is killed."""

    def __init__(self, command: Command, pid_file: Path, *, restart: bool = True) -> None:
        """Prepare; nothing runs before `start`."""
        self.command = command
        self.restart = restart
        self._pid_file = pid_file
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._ended = threading.Event()
        self._ended.set()
        self._unwanted = threading.Event()
        self._short_lives = 0

    @property
    def pid(self) -> int | None:
        """The number of the process that runs now."""
        with self._lock:
            return self._process.pid if self._process else None

    def start(self) -> None:
        """Start it unless it runs."""
        self._unwanted.clear()
        with self._lock:
            if self._process is None:
                self._launch()

    def stop(self, seconds: float) -> None:
        """Ask it to end, kill what is left after that many seconds; it stays stopped."""
        self._unwanted.set()
        self.signal(signal.SIGTERM)
        if not self._ended.wait(seconds):
            log.warning("killed, it did not end by itself name=%s", self.command.name)
            self.kill()
        self._pid_file.unlink(missing_ok=True)

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Signal the process and wait until it, and the rest of its group, are gone."""
        ended = self._ended
        self.signal(number)
        ended.wait()

    def signal(self, number: int) -> None:
        """Send a signal to the process, if it runs."""
        with self._lock:
            if self._process:
                self._process.send_signal(number)

    def _launch(self) -> None:
        command = self.command
        with command.log.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603 - words of our own
                _words(command),
                stdin=command.listener.fileno() if command.listener else subprocess.DEVNULL,
                stdout=output,
                stderr=command.control.fileno() if command.control else subprocess.STDOUT,
                cwd="/",
                env=command.environment,
                user=command.account.uid,
                group=command.account.gid,
                extra_groups=command.account.gids,
                umask=0o027,
                start_new_session=True,
            )
        processes.remember(self._pid_file, self._process.pid)
        self._ended = threading.Event()
        watch = threading.Thread(target=self._watch, args=(self._process, self._ended), daemon=True)
        watch.start()

    def _watch(self, process: subprocess.Popen[bytes], ended: threading.Event) -> None:
        begun = time.monotonic()
        # Seen but not yet reaped: until then its number, and its group's, are nobody else's.
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        if leader := processes.identify(process.pid):
            processes.kill(leader)
        with self._lock:
            process.wait()
            self._process = None
        ended.set()
        if self.restart and not self._unwanted.is_set():
            self._again(process.returncode, time.monotonic() - begun)

    def _again(self, status: int, lived: float) -> None:
        self._short_lives = self._short_lives + 1 if lived < _SHORT_LIFE else 0
        pause = min(_LONGEST_PAUSE, 0.1 * (2**self._short_lives - 1))
        log.warning(
            "died, is started again name=%s status=%s pause=%.1f", self.command.name, status, pause
        )
        if self._unwanted.wait(pause):
            return
        with self._lock:
            if self._process is None and not self._unwanted.is_set():
                self._launch()


def failed(what: str, log_file: Path) -> ControlPlaneError:
    """Say the end of the log of what did not do its work; return the error."""
    say(f"The end of {log_file}:\n{_tail(log_file)}")
    return ControlPlaneError(f"{what}.", f"See {log_file}.")


def _words(command: Command) -> list[str]:
    if command.listener is None:
        return list(command.words)
    activate = _ACTIVATE_BOTH if command.control else _ACTIVATE
    return ["/bin/sh", "-c", activate, command.name, *command.words]


def _tail(log_file: Path, lines: int = 15) -> str:
    try:
        text = log_file.read_text(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])
