"""What a container is reached at: a fixed address of its network, or a port that is published.

Invariant: it is the address or the port that the session was given; the engine chooses neither.
"""

from collections.abc import Collection, Mapping
from typing import Any

from control_plane.adapters.docker_place import EnginePlace
from control_plane.domain.containers import ContainerSpec


def published(place: EnginePlace, spec: ContainerSpec) -> Mapping[str, tuple[str, int]]:
    """Return which of the container's ports is published where, as the SDK wants it."""
    if not place.published_on:
        return {}
    return {f"{spec.port}/tcp": (place.published_on, spec.published_port)}


def own_address(place: EnginePlace, address: str) -> str | None:
    """Return the address that a container has to have on its network; None: any."""
    return None if place.published_on else address


def found(
    place: EnginePlace, networks: Collection[str], listed: Mapping[str, Any]
) -> tuple[str, int]:
    """Return the address and the published port (0: none) of a container in the engine's list.

    The address is empty where it cannot be reached.
    """
    on = [one for name, one in listed["NetworkSettings"]["Networks"].items() if name in networks]
    if not on:
        return "", 0
    if not place.published_on:
        return _configured(on[0]), 0
    ports = [one for one in listed["Ports"] if one.get("IP") == place.published_on]
    return (place.published_on, ports[0]["PublicPort"]) if ports else ("", 0)


def _configured(endpoint: Mapping[str, Any]) -> str:
    configured = endpoint.get("IPAMConfig") or {}
    return configured.get("IPv4Address") or endpoint.get("IPAddress") or ""
