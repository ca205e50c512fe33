"""What the engine says of itself, and why it does not, told apart.

Invariant: an engine that hangs is waited for as long as was asked, once.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import requests
from docker.errors import DockerException

from control_plane.adapters import docker_networks, docker_storage
from control_plane.adapters.docker_api import Connection
from control_plane.adapters.docker_place import EnginePlace
from control_plane.domain.engine_facts import Facts
from control_plane.errors import EngineUnavailableError

_LIMITS = {"MemoryLimit": "memory", "CpuCfsQuota": "cpus", "PidsLimit": "pids"}
_FRACTION = re.compile(r"\.\d+")


def ask(place: EnginePlace, realm: str, seconds: float) -> Facts:
    """Return what the engine at `place` says; EngineUnavailableError says what keeps it."""
    with closing(Connection(place, seconds)) as connection:
        try:
            info = connection.api.info()
            now = datetime.now(UTC)
            found = _networks(connection.api, realm)
        except (DockerException, requests.RequestException) as error:
            raise _away(error, place.host, seconds) from error
    return Facts(
        version=info["ServerVersion"],
        live_restore=bool(info.get("LiveRestoreEnabled")),
        lacking=tuple(word for key, word in _LIMITS.items() if not info.get(key)),
        root=Path(info["DockerRootDir"]),
        ahead=(_moment(info["SystemTime"]) - now).total_seconds(),
        networks=tuple(_misshapen(found, realm)),
        subnets=tuple(one for each in found.values() if (one := _subnet(each))),
        filters_calls=filters_calls(info.get("SecurityOptions") or ()),
        bounds_disk=docker_storage.can_bound(place, info),
    )


def filters_calls(options: Iterable[str]) -> bool:
    """Whether seccomp is among an engine's security options, with any profile but none."""
    found = [one.split(",") for one in options]
    return any(one[0] == "name=seccomp" and "profile=unconfined" not in one for one in found)


def _networks(api: Any, realm: str) -> Mapping[str, Mapping[str, Any]]:
    ours = docker_networks.names(realm).values()
    return {one["Name"]: one for one in api.networks(names=list(ours)) if one["Name"] in ours}


def _subnet(network: Mapping[str, Any]) -> IPv4Network | None:
    configured = network["IPAM"]["Config"]
    return IPv4Network(configured[0]["Subnet"]) if configured else None


def _misshapen(found: Mapping[str, Mapping[str, Any]], realm: str) -> Iterator[str]:
    for network, name in docker_networks.names(realm).items():
        present = found.get(name)
        if present and (subnet := _subnet(present)):
            wanted = docker_networks.Wanted(name, subnet, internal=network == "none")
            if not wanted.describes(present):
                yield f"The network {name} lets containers reach what they must not."


def _away(error: Exception, where: str, seconds: float) -> EngineUnavailableError:
    causes = list(_causes(error))
    if any(isinstance(one, PermissionError) for one in causes):
        return EngineUnavailableError(
            f"Permission denied on the engine's socket {where}.",
            "Whoever asks must be root or in the socket's group, which is docker.",
        )
    if any(isinstance(one, requests.Timeout | TimeoutError) for one in causes):
        return EngineUnavailableError(
            f"The engine times out: {where} takes connections and said nothing for {seconds:g} s."
        )
    if any(isinstance(one, FileNotFoundError | ConnectionRefusedError) for one in causes):
        return EngineUnavailableError(f"The engine does not run: nobody answers at {where}.")
    return EngineUnavailableError(f"The engine at {where} does not answer: {error}")


def _causes(error: BaseException) -> Iterator[BaseException]:
    at: BaseException | None = error
    while at:
        yield at
        at = at.__cause__ or at.__context__


def _moment(text: str) -> datetime:
    """Read the engine's nanoseconds, which are more than a datetime holds."""
    return datetime.fromisoformat(_FRACTION.sub("", text.replace("Z", "+00:00")))
