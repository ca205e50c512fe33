"""An engine in memory; it passes the contract tests of the real one."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from control_plane.domain.containers import ContainerSpec
from control_plane.domain.entities import Image
from control_plane.domain.labels import IMAGE
from control_plane.domain.ports import Container
from control_plane.errors import EngineUnavailableError, ImageMissingError

HELLO = "remoteapp/hello:latest"


@dataclass
class FakeEngine:
    """Containers as a dict; `away` makes every call fail, `deaf` containers ignore SIGTERM."""

    known: dict[str, Image] = field(
        default_factory=lambda: {
            HELLO: Image("sha256:hello", HELLO, {IMAGE + "contract": "1", IMAGE + "type": "webapp"})
        }
    )
    found: dict[str, Container] = field(default_factory=dict)
    specs: dict[str, ContainerSpec] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)
    ended: list[str] = field(default_factory=list)
    away: bool = False
    deaf: bool = False
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def check(self) -> None:
        if self.away:
            raise EngineUnavailableError("The container engine does not answer.")

    def session_range(self) -> str:
        self.check()
        return "10.213.0.0/20"

    def image(self, name: str) -> Image:
        self.check()
        for image in self.known.values():
            if name in (image.name, image.id):
                return image
        raise ImageMissingError(name)

    def images(self) -> Mapping[str, Image]:
        self.check()
        return dict(self.known)

    def run(self, spec: ContainerSpec) -> str:
        self.image(spec.image)
        container_id = f"container-{next(self._numbers)}"
        self.specs[container_id] = spec
        self.found[container_id] = Container(
            container_id, running=True, started=True, labels=spec.labels, address=spec.address
        )
        return container_id

    def containers(self) -> Sequence[Container]:
        self.check()
        return list(self.found.values())

    def signal(self, container_id: str, name: str) -> None:
        self.check()
        if name == "SIGTERM" and container_id in self.found and not self.deaf:
            self.end(container_id, 0)

    def end(self, container_id: str, status: int) -> None:
        """End a container as if its application had."""
        self.found[container_id] = replace(self.found[container_id], running=False)
        self.statuses[container_id] = status
        self.ended.append(container_id)

    def remove(self, container_id: str) -> None:
        self.check()
        self.found.pop(container_id, None)
        self.statuses.pop(container_id, None)

    def log(self, container_id: str, tail: int) -> str:
        self.check()
        return "line\n" * min(tail, 2) if container_id in self.found else ""

    def exit_status(self, container_id: str) -> int:
        self.check()
        return self.statuses.get(container_id, 0)

    def ends(self, since: datetime) -> Iterator[str]:
        del since
        yield from self.ended
        raise EngineUnavailableError("The engine closed its stream of events.")
