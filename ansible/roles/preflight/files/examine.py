"""Look at a host before anything is changed on it; print {problems, warnings} as JSON.

Sent to the host's Python by the role, with what to look for as JSON in the first argument. Every
sentence says what, where, what is allowed and what to do. Nothing is changed, and nothing but
Python's own library is needed: RHEL 9 has Python 3.9.
"""
# ruff: noqa: T201 (it prints)

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

LISTENING = "0A"  # as the kernel writes the state of a socket
LEAST_PYTHON = (3, 11)
SECONDS = 10
_ANOTHER_RANGE = "Choose a private /20 that nothing else has, such as 10.213.240.0/20."


@dataclass(frozen=True)
class Route:
    """One route of the host: where it leads, and whether a gateway stands between."""

    network: IPv4Network
    interface: str
    is_direct: bool


def main() -> None:
    """Print what stands in the way, and what is only worth knowing."""
    wanted = json.loads(sys.argv[1])
    problems = [
        *python(wanted["python"], will_be_installed=wanted["python_will_be_installed"]),
        *disk(wanted["places"], wanted["least_disk_megabytes"]),
        *ports(wanted["ports"]),
        *overlaps(IPv4Network(wanted["session_range"]), wanted["networks"], wanted["addresses"]),
    ]
    warnings = [
        *shadowed(IPv4Network(wanted["session_range"])),
        *clock(),
        *name(wanted["host"], wanted["apps_domain"]),
    ]
    print(json.dumps({"problems": problems, "warnings": warnings}))


def python(program: str, *, will_be_installed: bool) -> Iterator[str]:
    """Say when the Python of the control plane is too old, or is nowhere to come from."""
    least = ".".join(map(str, LEAST_PYTHON))
    todo = (
        "Name a newer one by remoteapp_python and its packages by remoteapp_python_packages; on "
        "Ubuntu 22.04 /usr/bin/python3.11 and [python3.11, python3.11-venv]."
    )
    found = _version(program)
    promised = re.search(r"python(\d+)\.(\d+)$", program)
    if found is None and promised and will_be_installed:
        found = (int(promised[1]), int(promised[2]))
    if found is None:
        yield f"remoteapp_python: {program} does not run on the host; at least {least}. {todo}"
    elif found < LEAST_PYTHON:
        version = ".".join(map(str, found))
        yield f"remoteapp_python: {program} is Python {version}; at least {least} is needed. {todo}"


def disk(places: Iterable[str], least: int) -> Iterator[str]:
    """Say which of these directories, or the nearest above that exists, has too little room."""
    for place in places:
        there = next(one for one in (Path(place), *Path(place).parents) if one.exists())
        room = os.statvfs(there)
        free = room.f_bavail * room.f_frsize // 1024**2
        if free < least:
            yield (
                f"Disk: {free} MB are free for {place} (on the file system of {there}); at least "
                f"{least} MB are needed. Make room, or lower remoteapp_least_disk_megabytes."
            )


def ports(allowed: Mapping[str, list[str]]) -> Iterator[str]:
    """Say which program has a port that is ours; a port may be held by the programs named."""
    owners = _owners()
    for number, programs in allowed.items():
        holders = {owners.get(one, "an unknown program") for one in _listeners(int(number))}
        for holder in sorted(holders.difference(programs)):
            yield (
                f"Port {number}: {holder} listens on it; only {' or '.join(programs)} may. Stop it "
                "or move it to another port; ours are set by remoteapp_public_url, "
                "remoteapp_nginx_http_port and apps_port of remoteapp_settings."
            )


def overlaps(wanted: IPv4Network, ours: Iterable[str], addresses: Iterable[str]) -> Iterator[str]:
    """Say what of the host lies in the session range; networks of the engine, `ours`, may."""
    own = _subnets(ours)
    for route in _routes():
        is_near = route.is_direct or route.network.subnet_of(wanted)
        if is_near and route.network.overlaps(wanted) and route.network not in own:
            yield (
                f"remoteapp_session_range = {wanted}: the host reaches {route.network} through "
                f"{route.interface}. {_ANOTHER_RANGE}"
            )
    for address in map(IPv4Address, addresses):
        if address in wanted and not any(address in network for network in own):
            yield f"remoteapp_session_range = {wanted}: the host has {address}. {_ANOTHER_RANGE}"


def shadowed(wanted: IPv4Network) -> Iterator[str]:
    """Warn of a wider network behind a gateway, a part of which can no longer be reached."""
    for route in _routes():
        is_wider = route.network.supernet_of(wanted) and route.network != wanted
        if is_wider and not route.is_direct and route.network.prefixlen:
            yield (
                f"remoteapp_session_range = {wanted}: the host reaches {route.network} through "
                f"{route.interface}; what has addresses of the range there is out of reach now."
            )


def clock() -> Iterator[str]:
    """Warn when nothing keeps the clock right."""
    words = ["timedatectl", "show", "--property=NTPSynchronized", "--value"]
    if _output(words) != "yes":
        yield (
            "Clock: it is not synchronised; sign-ins, certificates and the ledger go by it. "
            "Install systemd-timesyncd or chrony."
        )


def name(host: str, apps_domain: str) -> Iterator[str]:
    """Warn when the portal's name is unknown here: people and an authority have to find it."""
    if not _is_known(host):
        yield (
            f"Name: {host} of remoteapp_public_url is unknown to the host's resolver. Enter it "
            "into the DNS before people come; certificates by ACME need it now."
        )
    if apps_domain and not _is_known(f"{'0' * 32}.{apps_domain}"):
        yield (
            f"Name: *.{apps_domain} of apps_domain is unknown to the host's resolver. Enter the "
            "wildcard into the DNS before people come: each session has a name below it."
        )


def _is_known(host: str) -> bool:
    try:
        socket.getaddrinfo(host, None)
    except OSError:
        return False
    return True


def _version(program: str) -> tuple[int, int] | None:
    code = "import sys; print(*sys.version_info[:2])"
    words = (_output([program, "-c", code]) or "").split()
    return (int(words[0]), int(words[1])) if len(words) == len(LEAST_PYTHON) else None


def _listeners(port: int) -> Iterator[str]:
    """Return the inodes of the sockets that listen on a port."""
    for table in ("tcp", "tcp6"):
        with suppress(OSError):  # no IPv6
            for line in Path("/proc/net", table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                    yield fields[9]


def _owners() -> dict[str, str]:
    """Return which program has which socket, by its inode."""
    found = {}
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):  # it has ended meanwhile
            target = descriptor.readlink().name
            if target.startswith("socket:["):
                found[target[8:-1]] = (descriptor.parent.parent / "comm").read_text().strip()
    return found


def _routes() -> Iterator[Route]:
    """Return the routes of IPv4 but the default one's."""
    for line in Path("/proc/net/route").read_text().splitlines()[1:]:
        interface, network, gateway, *_, mask = line.split()[:8]
        found = IPv4Network(f"{_address(network)}/{_address(mask)}")
        if found.prefixlen:
            yield Route(found, interface, is_direct=_address(gateway) == IPv4Address(0))


def _address(written: str) -> IPv4Address:
    return IPv4Address(int.from_bytes(bytes.fromhex(written), sys.byteorder))


def _subnets(networks: Iterable[str]) -> set[IPv4Network]:
    """Return the subnets of the engine's networks of these names; none where no engine runs."""
    shape = "{{range .IPAM.Config}}{{.Subnet}} {{end}}"
    outputs = (_output(["docker", "network", "inspect", "-f", shape, one]) for one in networks)
    return {IPv4Network(one) for output in outputs for one in (output or "").split()}


def _output(words: list[str]) -> str | None:
    """Return what a program prints, or None where it is not there or fails."""
    with suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(  # noqa: S603 - words of our own
            words, capture_output=True, text=True, timeout=SECONDS, check=True
        )
        return done.stdout.strip()
    return None


if __name__ == "__main__":
    main()
