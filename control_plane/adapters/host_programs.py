"""What programs of the host say when they are asked: systemd, the journal, the packet filter.

Invariant: nothing of the host is changed, and no program is waited for longer than a few seconds.
"""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from control_plane.errors import UnavailableError

SYSTEMD = "/run/systemd/system"
_SECONDS = 15.0
_PROPERTIES = ("Id", "LoadState", "ActiveState", "UnitFileState", "Result")
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit in systemd's own words: loaded, active, enabled, success."""

    name: str
    load: str
    active: str
    enabled: str
    result: str


def has_systemd() -> bool:
    """Whether systemd is what runs this machine (sd_booted(3))."""
    return os.path.isdir(SYSTEMD)  # noqa: PTH112 - systemd's own test


def units(names: Sequence[str]) -> Mapping[str, Unit]:
    """Return how each of these units is; one that is not there is `not-found`."""
    words = ["systemctl", "show", f"--property={','.join(_PROPERTIES)}", "--", *names]
    blocks = said(words).strip().split("\n\n")
    rows = [dict(line.split("=", 1) for line in one.splitlines()) for one in blocks]
    return {name: Unit(name, *_values(row)) for name, row in zip(names, rows, strict=True)}


def last_lines(unit: str, count: int = 3) -> list[str]:
    """Return what a unit said last; nothing where the journal is not ours to read."""
    words = ["journalctl", "--unit", unit, "--lines", str(count), "--output=cat", "--no-pager"]
    try:
        return [line for line in said(words).splitlines() if not line.startswith("-- ")]
    except UnavailableError:
        return []


def table_of_packet_filter(family: str, name: str) -> str | None:
    """Return one table of nftables as text; None when there is none. UnavailableError."""
    if "Permission" in (text := said(["nft", "list", "tables"], may_fail=True)):
        raise UnavailableError("Only root may see the packet filter.")
    if f"table {family} {name}" not in text.splitlines():
        return None
    return said(["nft", "list", "table", family, name])


def said(words: Sequence[str], *, may_fail: bool = False) -> str:
    """Run a program to its end and return what it prints; UnavailableError."""
    program = shutil.which(words[0], path=PATH)
    if program is None:
        raise UnavailableError(f"The program {words[0]} is not there.")
    try:
        done = subprocess.run(  # noqa: S603 - words of our own
            [program, *words[1:]],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            env={"PATH": PATH, "LC_ALL": "C"},
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise UnavailableError(f"{words[0]} said nothing for {_SECONDS:g} s.") from error
    if done.returncode and not may_fail:
        raise UnavailableError(f"{words[0]} failed: {(done.stderr or done.stdout).strip()}")
    return done.stdout + (done.stderr if may_fail else "")


def _values(row: Mapping[str, str]) -> tuple[str, str, str, str]:
    return (
        row.get("LoadState", ""),
        row.get("ActiveState", ""),
        row.get("UnitFileState", ""),
        row.get("Result", ""),
    )
