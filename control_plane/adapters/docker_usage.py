"""What a container has used: from the kernel's files, else from the engine's slow statistics.

Invariant: only files whose path bears the container's id are read, so that a process of this
machine is never taken for one of an engine elsewhere.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from control_plane.domain.entities import Sample

CGROUPS = Path("/sys/fs/cgroup")


def from_files(container_id: str, pid: int, cgroups: Path) -> Sample | None:
    """Return what the control groups count; None when they cannot be read."""
    for path in _paths(container_id, pid):
        for read in (_first_version, _second_version):
            with suppress(OSError):
                return read(cgroups, path)
    return None


def from_statistics(found: Mapping[str, Any]) -> Sample | None:
    """Return what the engine's statistics say; None when the container has ended."""
    memory = found["memory_stats"]
    if not memory.get("usage"):
        return None
    counted = memory["stats"]
    inactive = counted.get("total_inactive_file", counted.get("inactive_file", 0))
    return _sample(found["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9, memory["usage"], inactive)


def _paths(container_id: str, pid: int) -> Iterator[str]:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
            path = line.split(":", 2)[2].lstrip("/")
            if container_id in path and not path.startswith(".."):
                yield path
    # Where processes of others are hidden: as the engine names them, without systemd and with.
    yield f"docker/{container_id}"
    yield f"system.slice/docker-{container_id}.scope"


def _first_version(cgroups: Path, path: str) -> Sample:
    memory = cgroups / "memory" / path
    nanoseconds = int((cgroups / "cpuacct" / path / "cpuacct.usage").read_text())
    usage = int((memory / "memory.usage_in_bytes").read_text())
    return _sample(nanoseconds / 1e9, usage, _table(memory / "memory.stat")["total_inactive_file"])


def _second_version(cgroups: Path, path: str) -> Sample:
    group = cgroups / path
    microseconds = _table(group / "cpu.stat")["usage_usec"]
    usage = int((group / "memory.current").read_text())
    return _sample(microseconds / 1e6, usage, _table(group / "memory.stat")["inactive_file"])


def _sample(cpu_seconds: float, usage: int, inactive: int) -> Sample:
    return Sample(cpu_seconds, max(0, usage - inactive))


def _table(path: Path) -> Mapping[str, int]:
    rows = (line.split() for line in path.read_text().splitlines())
    return {name: int(value) for name, value in rows}
