"""What the routes one-shot reports: written by it alone, read by the control plane.

Invariant: times are seconds of the machine's uptime, which no clock change moves, so the one-shot,
the control plane and the kernel's process table agree on them.
"""

import json
import os
import time
from dataclasses import asdict, dataclass, fields
from hashlib import sha256
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Status:
    """How the last hand-over ended, and what the running nginx still has to load.

    `candidate` and `installed` are digests; `again_at` is from when on handing the routes in again
    leads further: a reload that was put off, or a failure that may be over by then.
    """

    candidate: str = ""
    installed: str = ""
    path: str = ""
    refused: tuple[str, ...] = ()
    error: str = ""
    changed_at: float = 0.0
    waiting_since: float | None = None
    reloaded_at: float = 0.0
    draining: int = 0
    again_at: float | None = None


def uptime() -> float:
    """Return the seconds since the machine started."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def digest(content: bytes) -> str:
    """Return what stands for a text in the status."""
    return sha256(content).hexdigest()


def read(path: Path) -> Status:
    """Return the last report; an empty one where there is none that can be read."""
    try:
        content = json.loads(path.read_bytes())
        known = {field.name: content[field.name] for field in fields(Status)}
        return Status(**known | {"refused": tuple(known["refused"])})
    except (OSError, ValueError, LookupError, TypeError):
        return Status()


def write(path: Path, status: Status) -> None:
    """Replace the report in one step, readable for everyone."""
    replace_file(path, json.dumps(asdict(status), indent=1).encode() + b"\n")


def replace_file(path: Path, content: bytes, mode: int = 0o644, gid: int = -1) -> None:
    """Put a file in place in one step; nobody whom the mode keeps out ever sees it.

    `gid` is its group; -1: that of this process.
    """
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchown(descriptor, -1, gid)
        os.fchmod(descriptor, mode)
        file.write(content)
    fresh.replace(path)
