"""Who a process is, beyond its number: what is written down here is found again after a `kill -9`.

Invariant: a number that the kernel has given to another process since is never signalled.
"""

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_STATE, _SESSION, _STARTED = 0, 3, 19  # of /proc/<pid>/stat, after the name
_POLL = 0.02


@dataclass(frozen=True, slots=True)
class Identity:
    """A leader of its own session; `started` is in clock ticks since the boot."""

    pid: int
    started: int
    boot: str


def identify(pid: int) -> Identity | None:
    """Return who has that number now; None when nobody does."""
    fields = _stat(pid)
    return Identity(pid, int(fields[_STARTED]), _BOOT.read_text().strip()) if fields else None


def remember(path: Path, pid: int) -> None:
    """Write down who has that number now."""
    if found := identify(pid):
        path.write_text(f"{found.pid} {found.started} {found.boot}\n")


def recall(path: Path) -> Identity | None:
    """Return who was written down; None when there is no such file, or it is none of ours."""
    try:
        pid, started, boot = path.read_text().split()
        return Identity(int(pid), int(started), boot)
    except (OSError, ValueError):
        return None


def living(leader: Identity) -> list[int]:
    """Return the processes of the leader's session that run, the leader among them.

    The kernel gives a number to nobody else while a session of that number has members.
    """
    now = identify(leader.pid)
    if leader.boot != _BOOT.read_text().strip() or (now and now != leader):
        return []
    numbers = [int(one.name) for one in Path("/proc").iterdir() if one.name.isdecimal()]
    return [one for one in numbers if _runs_in(one, leader.pid)]


def end(leader: Identity, seconds: float) -> None:
    """Ask the leader to end, and kill what is left of its session after that many seconds."""
    if leader.pid in living(leader):
        signal_quietly(leader.pid, signal.SIGTERM)
        _wait(leader, seconds)
    kill(leader)


def kill(leader: Identity) -> None:
    """Kill what is left of the leader's session, and wait until it is gone."""
    for pid in living(leader):
        signal_quietly(pid, signal.SIGKILL)
    _wait(leader, 5)


def signal_quietly(pid: int, number: int) -> None:
    """Send a signal; one that is gone already is no error."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _wait(leader: Identity, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while living(leader) and time.monotonic() < deadline:
        time.sleep(_POLL)


def _runs_in(pid: int, session: int) -> bool:
    fields = _stat(pid)
    return bool(fields) and int(fields[_SESSION]) == session and fields[_STATE] not in "ZX"


def _stat(pid: int) -> list[str]:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return []
    return text.rpartition(")")[2].split()
