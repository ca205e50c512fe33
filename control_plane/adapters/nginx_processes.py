"""The running nginx as the kernel's process table shows it: its workers and their generations.

Invariant: only a process that calls itself nginx's master is ever signalled.
"""

import os
import signal
from dataclasses import dataclass
from pathlib import Path

TICK = 1 / os.sysconf("SC_CLK_TCK")
# The workers of one generation are forked one after the other. Too short a gap would count one
# generation as two, which only means a later reload.
_GAP = 0.2
# Of what follows the name in /proc/PID/stat (proc(5)).
_PARENT, _STARTED = 1, 19


@dataclass(frozen=True, slots=True)
class Worker:
    """One worker: when it started, in seconds of uptime, and whether it only drains."""

    started: float
    draining: bool


def master(pid_file: Path) -> int | None:
    """Return the process of that pid file if it is an nginx master."""
    try:
        pid = int(pid_file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    return pid if _title(pid).startswith("nginx: master process") else None


def workers(master_pid: int) -> list[Worker]:
    """Return that master's workers, oldest first."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        started = _started_by(int(entry.name), master_pid)
        title = _title(int(entry.name)) if started is not None else ""
        if started is not None and title.startswith("nginx: worker process"):
            found.append(Worker(started, draining="shutting down" in title))
    return sorted(found, key=lambda worker: worker.started)


def draining_generations(found: list[Worker]) -> int:
    """Return how many generations of workers are left that only drain."""
    starts = [worker.started for worker in found if worker.draining]
    return sum(
        later - earlier > _GAP
        for earlier, later in zip([float("-inf"), *starts], starts, strict=False)
    )


def newest_start(found: list[Worker]) -> float:
    """Return when the workers that take new connections started; 0 when there are none."""
    return max((worker.started for worker in found if not worker.draining), default=0.0)


def reload(master_pid: int) -> None:
    """Make it read its configuration; `nginx -s reload` would parse it once more before."""
    os.kill(master_pid, signal.SIGHUP)


def _started_by(pid: int, parent: int) -> float | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    rest = text.rpartition(")")[2].split()
    return int(rest[_STARTED]) * TICK if int(rest[_PARENT]) == parent else None


def _title(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace")
    except OSError:
        return ""
