"""Whether the engine's storage can bound what a container writes outside its volumes.

Invariant: what cannot be known counts as no, for an engine refuses a bound that it cannot keep.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from control_plane.adapters.docker_place import EnginePlace

MOUNTS = Path("/proc/self/mountinfo")
# Each container is a file system of its own there, with a size of its own.
_ALWAYS = frozenset({"btrfs", "zfs"})
_QUOTAS = frozenset({"pquota", "prjquota"})


def can_bound(place: EnginePlace, info: Mapping[str, Any], mounts: Path = MOUNTS) -> bool:
    """Judge by what the engine says of itself, and how this machine has mounted its directory."""
    if info["Driver"] in _ALWAYS:
        return True
    below = dict(info.get("DriverStatus") or ()).get("Backing Filesystem")
    if place.elsewhere or (info["Driver"], below) != ("overlay2", "xfs"):
        return False
    return bool(_options(Path(info["DockerRootDir"]), mounts.read_text()) & _QUOTAS)


def _options(path: Path, mounts: str) -> set[str]:
    """Return the options of the file system that a path lies on (proc(5), mountinfo)."""
    lines = [line.split() for line in mounts.splitlines()]
    found = {words[4]: words[-1] for words in lines}  # of several at one place the last is on top
    places = [str(one) for one in (path, *path.parents)]
    return set(next((found[one] for one in places if one in found), "").split(","))
