"""What the kernel of this machine says of a container's processes and of what they listen on.

Invariant: nothing runs in the container for it, so an image without any program can be judged.
"""

import struct
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

from control_plane.errors import UnavailableError

_PROC = Path("/proc")
_LISTENS = "0A"
_ENGINES_RESOLVER = IPv4Address("127.0.0.11")


@dataclass(frozen=True, slots=True)
class Process:
    """One process: `uids` and `gids` are the real, effective, saved and file system's.

    `capabilities` is everything that it has or could get, as bits.
    """

    name: str
    uids: frozenset[int]
    gids: frozenset[int]
    groups: frozenset[int]
    capabilities: int


@dataclass(frozen=True, slots=True)
class Listener:
    """An address and a TCP port that takes connections."""

    address: IPv4Address | IPv6Address
    port: int

    def __str__(self) -> str:
        """Return it as people write it."""
        host = f"[{self.address}]" if self.address.version == 6 else self.address  # noqa: PLR2004 - of IP
        return f"{host}:{self.port}"


class HiddenError(UnavailableError):
    """The processes of a container are no processes of this machine, or are not ours to see."""


def processes(container: str, first: int) -> tuple[Process, ...]:
    """Return the first process of a container and all that come from it.

    HiddenError when that is no process that we see.
    """
    _check_is_here(container, first)
    statuses = dict(_statuses())
    found = _family(first, {number: int(one["PPid"]) for number, one in statuses.items()})
    return tuple(_process(statuses[number]) for number in sorted(found))


def listeners(container: str, first: int) -> tuple[Listener, ...]:
    """Return what listens in a container, but for the engine's own resolver."""
    _check_is_here(container, first)
    whole = listening(_PROC / str(first) / "net")
    found = {one for one, _ in whole if one.address != _ENGINES_RESOLVER}
    return tuple(sorted(found, key=lambda one: (one.port, str(one))))


def listening(tables: Path) -> Iterator[tuple[Listener, int]]:
    """Give what listens by the kernel's tables of a network namespace, with the socket's inode."""
    for table in ("tcp", "tcp6"):
        for line in (tables / table).read_text().splitlines()[1:]:
            if one := _listener(line):
                yield one, int(line.split()[9])


def _check_is_here(container: str, first: int) -> None:
    with suppress(OSError):
        if container in (_PROC / str(first) / "cgroup").read_text():
            return
    raise HiddenError(
        "The processes of containers cannot be seen from here.",
        "Run control-plane image check as root on the machine that the engine runs on.",
    )


def _statuses() -> Iterator[tuple[int, Mapping[str, str]]]:
    for path in _PROC.glob("[0-9]*/status"):
        with suppress(OSError):  # it has ended meanwhile
            # A name may be any bytes, also in a process that is none of the container's.
            text = path.read_text(errors="replace")
            lines = (line.partition(":") for line in text.split("\n"))
            yield int(path.parent.name), {name: value.strip() for name, _, value in lines}


def _family(first: int, parents: Mapping[int, int]) -> set[int]:
    """Return `first` and its descendants: orphans in a container become children of it."""
    found, new = set[int](), {first} & set(parents)
    while new:
        found |= new
        new = {number for number, parent in parents.items() if parent in new} - found
    return found


def _process(status: Mapping[str, str]) -> Process:
    capabilities = 0
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        capabilities |= int(status[name], 16)
    uids, gids, groups = (
        frozenset(map(int, status[name].split())) for name in ("Uid", "Gid", "Groups")
    )
    return Process(status["Name"], uids, gids, groups, capabilities)


def _listener(line: str) -> Listener | None:
    words = line.split()
    if words[3] != _LISTENS:
        return None
    address, _, port = words[1].partition(":")
    # The kernel prints an address in words of its own byte order.
    packed = b"".join(
        struct.pack("=I", int(address[place : place + 8], 16))
        for place in range(0, len(address), 8)
    )
    return Listener(ip_address(packed), int(port, 16))
