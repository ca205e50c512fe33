"""The two networks of a realm's sessions, each one half of the session range.

Invariant: a container reaches no other container through either, and through the closed one
nothing but the engine's host: its own ports on the gateway's address stay open to containers,
unless the host's firewall shuts them.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any

from docker.errors import APIError
from docker.types import IPAMConfig, IPAMPool

from control_plane.adapters.docker_api import REALM
from control_plane.domain.entities import Network
from control_plane.errors import EngineUnavailableError

log = logging.getLogger(__name__)

# Sixteen private ranges of two times 2 046 addresses; the first that the engine has free is taken.
RANGES = tuple(IPv4Network(f"10.213.{16 * number}.0/20") for number in range(16))
_OURS = f"{RANGES[0]} to {RANGES[-1]}"
_ICC = "com.docker.network.bridge.enable_icc"


@dataclass(frozen=True, slots=True)
class Wanted:
    """One session network as it has to be."""

    name: str
    subnet: IPv4Network
    internal: bool

    def describes(self, found: Mapping[str, Any]) -> bool:
        """Whether the engine's network is this one, in all that protects anybody."""
        return (
            _subnet(found) == self.subnet
            and found["Internal"] == self.internal
            and found["Options"].get(_ICC) == "false"
        )


def names(realm: str) -> Mapping[Network, str]:
    """Return what the engine calls the networks."""
    return {"internet": f"remoteapp-{realm}", "none": f"remoteapp-{realm}-closed"}


def halves(whole: IPv4Network) -> Mapping[Network, IPv4Network]:
    """Return the part of the session range that each network has."""
    lower, upper = whole.subnets()
    return {"internet": lower, "none": upper}


def provided(api: Any, realm: str, only: IPv4Network | None = None) -> IPv4Network:
    """Make what lacks of the two networks, in `only` if given; return the range that holds both.

    One of another shape or range is made anew unless a container is on it: EngineUnavailableError.
    """
    several = [only] if only else [*_homes(_found(api, realm)), *RANGES]
    for whole in several:
        if _made(api, realm, whole):
            return whole
    raise EngineUnavailableError(
        "No range is free for the session networks.",
        f"Remove a network of the engine that overlaps {only or _OURS}.",
    )


def _found(api: Any, realm: str) -> Mapping[str, Mapping[str, Any]]:
    ours = names(realm).values()
    return {one["Name"]: one for one in api.networks(names=list(ours)) if one["Name"] in ours}


def _homes(found: Mapping[str, Mapping[str, Any]]) -> list[IPv4Network]:
    """Return the ranges that the networks which are there lie in: what is used may stay."""
    subnets = [one for network in found.values() if (one := _subnet(network))]
    return [whole for whole in RANGES if any(one.subnet_of(whole) for one in subnets)]


def _subnet(found: Mapping[str, Any]) -> IPv4Network | None:
    configured = found["IPAM"]["Config"]
    return IPv4Network(configured[0]["Subnet"]) if configured else None


def _made(api: Any, realm: str, whole: IPv4Network) -> bool:
    """Make both networks in this range; False when another network overlaps it."""
    found = _found(api, realm)
    for network, subnet in halves(whole).items():
        wanted = Wanted(names(realm)[network], subnet, internal=network == "none")
        present = found.get(wanted.name)
        if present and wanted.describes(present):
            continue
        if present:
            _remove_unused(api, realm, present)
        try:
            _make(api, realm, wanted)
        except APIError as error:
            log.info("range not taken range=%s error=%s", whole, error.explanation)
            return False
    return True


def _remove_unused(api: Any, realm: str, network: Mapping[str, Any]) -> None:
    name = network["Name"]
    if (network.get("Labels") or {}).get(REALM) != realm:
        raise EngineUnavailableError(
            f"The engine has a network {name} that is not this realm's.",
            f"Remove it (docker network rm {name}), or choose another realm.",
        )
    on_it = len(api.containers(all=True, filters={"network": name}))
    if on_it:
        raise EngineUnavailableError(
            f"The network {name} has to be made anew, and {on_it} containers are on it.",
            "Stop their sessions, or remove them (docker rm --force); then it is made.",
        )
    api.remove_network(network["Id"])


def _make(api: Any, realm: str, wanted: Wanted) -> None:
    api.create_network(
        wanted.name,
        driver="bridge",
        internal=wanted.internal,
        options={_ICC: "false"},
        ipam=IPAMConfig(pool_configs=[IPAMPool(subnet=str(wanted.subnet))]),
        labels={REALM: realm},
        check_duplicate=True,
    )
    log.info("network made name=%s range=%s", wanted.name, wanted.subnet)
