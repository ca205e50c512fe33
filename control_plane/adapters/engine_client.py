"""The ports Engine and HomeFiles behind the engine's door: what may be asked is judged there.

Invariant: nothing here knows the engine, and nothing that the door refuses is done.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import cast

from control_plane.adapters.engine_link import SECONDS, Link
from control_plane.domain.containers import ContainerSpec
from control_plane.domain.engine_facts import Facts
from control_plane.domain.entities import Image, Network, Sample
from control_plane.domain.files import Listing, Look
from control_plane.domain.ports import Container
from control_plane.errors import EngineUnavailableError


class EngineClient:
    """The engine, as far as the door at that socket lets us."""

    def __init__(self, socket: Path, seconds: float = SECONDS) -> None:
        """Connect at each call."""
        self._link = Link(socket, seconds)

    def check(self) -> None:
        """Raise EngineUnavailableError when the engine, or its door, does not answer."""
        self._link.call("engine", "check")

    def session_range(self) -> str:
        """Return what holds every session's address; the networks are made if they lack."""
        return cast("str", self._link.call("engine", "session_range"))

    def range_of(self, network: Network) -> str:
        """Return the part of the session range that the sessions on this network get."""
        return cast("str", self._link.call("engine", "range_of", network=network))

    def image(self, name: str) -> Image:
        """Return what the engine knows of an image; ImageMissingError."""
        return cast("Image", self._link.call("engine", "image", name=name))

    def images(self) -> Mapping[str, Image]:
        """Return every image by each of its names."""
        return cast("Mapping[str, Image]", self._link.call("engine", "images"))

    def images_named(self, names: Collection[str]) -> Mapping[str, Image]:
        """Return those of these images that there are, by name."""
        found = self._link.call("engine", "images_named", names=tuple(names))
        return cast("Mapping[str, Image]", found)

    def run(self, spec: ContainerSpec) -> str:
        """Create and start a container; StartError says what the rules do not allow."""
        return cast("str", self._link.call("engine", "run", spec=spec))

    def containers(self) -> Sequence[Container]:
        """Return this realm's containers, running or not."""
        return cast("Sequence[Container]", self._link.call("engine", "containers"))

    def signal(self, container_id: str, name: str) -> None:
        """Send a signal; one that is gone or has ended is no error."""
        self._link.call("engine", "signal", container_id=container_id, name=name)

    def remove(self, container_id: str) -> None:
        """Kill and remove; one that is gone is no error."""
        self._link.call("engine", "remove", container_id=container_id)

    def limit(self, container_id: str, memory: int, cpus: float, pids: int) -> None:
        """Put other limits on a container; one that is gone is no error."""
        limits = {"memory": memory, "cpus": cpus, "pids": pids}
        self._link.call("engine", "limit", container_id=container_id, **limits)

    def detach(self, container_id: str) -> None:
        """Cut a container off its session network; cut off already or gone is no error."""
        self._link.call("engine", "detach", container_id=container_id)

    def attach(self, container_id: str, network: Network, address: str) -> None:
        """Connect a container at a new address, whether it was cut off before or not."""
        place = {"network": network, "address": address}
        self._link.call("engine", "attach", container_id=container_id, **place)

    def sample(self, container_id: str) -> Sample | None:
        """Return what a container has used; None when it has ended or is gone."""
        found = self._link.call("engine", "sample", container_id=container_id)
        return cast("Sample | None", found)

    def log(self, container_id: str, tail: int) -> str:
        """Return the last lines of the output; empty when the container is gone."""
        return cast("str", self._link.call("engine", "log", container_id=container_id, tail=tail))

    def exit_status(self, container_id: str) -> int:
        """Return the status a container ended with; 0 when it is gone."""
        return cast("int", self._link.call("engine", "exit_status", container_id=container_id))

    def ends(self, since: datetime) -> Iterator[str]:
        """Yield the id of each container of this realm that ends, from `since` on."""
        body = json.dumps({"since": since.isoformat()}).encode()
        yield from self._link.lines("/engine/ends", body)
        raise EngineUnavailableError("The engine's door closed its stream of events.")


class ConditionClient:
    """Asks how the engine is, through the door at that socket."""

    def __init__(self, socket: Path, seconds: float = SECONDS) -> None:
        """Connect at each call."""
        self._link = Link(socket, seconds)

    def facts(self) -> Facts:
        """Return what it says of itself; EngineUnavailableError says why it does not."""
        return cast("Facts", self._link.call("condition", "facts"))


class FilesClient:
    """Looks into homes, as their owners, through the door at that socket."""

    def __init__(self, socket: Path) -> None:
        """Connect at each call."""
        self._link = Link(socket)

    def listed(self, look: Look) -> Listing:
        """Return what lies in a directory of a home."""
        return cast("Listing", self._link.call("files", "listed", look=look))
