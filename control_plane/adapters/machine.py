"""What the kernel says of the machine: room on disks, memory, clock, who listens.

Invariant: everything is read from the kernel, nothing is asked over a network.
"""

import ctypes
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from control_plane.adapters.container_processes import Listener, listening

_PROC = Path("/proc")
_UNSYNCHRONISED = 5  # TIME_ERROR of adjtimex(2)
_TIMEX_BYTES = 512  # more than any architecture's struct timex


@dataclass(frozen=True, slots=True)
class Room:
    """What is left on the file system of a path: bytes for whoever is not root, and files.

    `files` is a share from 0 to 1; 1 where the file system does not count them. `device` tells
    one file system from another.
    """

    device: int
    free: int
    whole: int
    files: float


def room(path: Path) -> Room:
    """Return what is left where `path`, or the first directory above it that exists, lies."""
    there = next(one for one in (path, *path.parents) if one.exists())
    found = os.statvfs(there)
    files = found.f_favail / found.f_files if found.f_files else 1.0
    whole = found.f_blocks * found.f_frsize
    return Room(there.stat().st_dev, found.f_bavail * found.f_frsize, whole, files)


def memory() -> Mapping[str, int]:
    """Return what the kernel says of memory, in bytes: MemTotal, MemAvailable and more."""
    lines = (_PROC / "meminfo").read_text().splitlines()
    pairs = (line.split(":", 1) for line in lines)
    return {name: int(value.split()[0]) * 1024 for name, value in pairs}


def cpu_seconds() -> tuple[float, float]:
    """Return the seconds that all CPUs have worked since the start, and those that have passed."""
    with (_PROC / "stat").open() as lines:
        # user, nice, system, idle, iowait, irq, softirq, steal; what guests took stands in user
        ticks = [int(one) for one in lines.readline().split()[1:9]]
    idle, whole = sum(ticks[3:5]), sum(ticks)
    a_second = os.sysconf("SC_CLK_TCK")
    return (whole - idle) / a_second, whole / a_second


def is_clock_synchronised() -> bool:
    """Whether the kernel's clock follows another one (adjtimex(2), nothing is set)."""
    buffer = ctypes.create_string_buffer(_TIMEX_BYTES)
    state: int = ctypes.CDLL(None, use_errno=True).adjtimex(buffer)
    return state not in (_UNSYNCHRONISED, -1)


def listeners() -> Mapping[Listener, frozenset[str]]:
    """Return what listens on this machine, with the names of its processes where root asks."""
    owners = dict(_owners())
    return {
        one: frozenset(name for name in [owners.get(inode, "")] if name)
        for one, inode in listening(_PROC / "self" / "net")
    }


def _owners() -> Iterator[tuple[int, str]]:
    for directory in _PROC.glob("[0-9]*"):
        with suppress(OSError):  # it has ended, or is somebody else's
            name = (directory / "comm").read_text(errors="replace").strip()
            for link in (directory / "fd").iterdir():
                with suppress(OSError):
                    if found := re.fullmatch(r"socket:\[(\d+)\]", str(link.readlink())):
                        yield int(found[1]), name
