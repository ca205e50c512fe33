"""Control groups, version 1, that an engine needs for true figures where no init has mounted them.

Invariant: what is mounted here is written down first, so that it is unmounted even after a kill.
"""

import logging
from contextlib import suppress
from pathlib import Path

from control_plane.trial import programs

log = logging.getLogger(__name__)

_ROOT = Path("/sys/fs/cgroup")
_OPTIONAL = ("perf_event", "hugetlb", "net_cls,net_prio")
_MOUNTED = "cgroups"


def mount(run: Path) -> None:
    """Mount those that lack; on a machine with version 2 nothing is to be done."""
    if not (_ROOT / "memory").is_mount():
        return
    lacking = [name for name in _OPTIONAL if not (_ROOT / name).is_mount()]
    (run / _MOUNTED).write_text("\n".join(lacking))
    for name in lacking:
        _mount(name)


def unmount(run: Path) -> None:
    """Unmount what `mount` mounted.

    The empty directories stay: to remove one would unmount it in every other namespace too.
    """
    with suppress(OSError):
        for name in (run / _MOUNTED).read_text().split():
            programs.run(["umount", str(_ROOT / name)])


def _mount(name: str) -> None:
    (_ROOT / name).mkdir(exist_ok=True)
    words = ["mount", "-t", "cgroup", "-o", name, "cgroup", str(_ROOT / name)]
    if programs.run(words).returncode:
        log.info("the kernel has no such controller name=%s", name)
