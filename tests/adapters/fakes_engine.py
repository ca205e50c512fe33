"""An engine, its images and its homes in memory; they pass the contract tests of the real ones."""

import itertools
import os
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from control_plane.adapters.docker_files import MOST_ENTRIES
from control_plane.adapters.transfers import Transfers, reference
from control_plane.domain.containers import ContainerSpec
from control_plane.domain.entities import Image, Network, Sample
from control_plane.domain.files import Found, Listing, Look, ordered
from control_plane.domain.labels import IMAGE
from control_plane.domain.ports import Container, PullProgress
from control_plane.errors import (
    ConflictError,
    EngineUnavailableError,
    FieldError,
    ImageMissingError,
    InvalidError,
    NotFoundError,
    StartError,
    UnavailableError,
)

HELLO = "remoteapp/hello:latest"
RANGES: Mapping[Network, str] = {"internet": "10.213.0.0/21", "none": "10.213.8.0/21"}
MADE = datetime(2026, 1, 1, tzinfo=UTC)


def hello() -> Image:
    """Return an image that keeps the contract."""
    labels = {IMAGE + "contract": "1", IMAGE + "type": "webapp", IMAGE + "ui_name": "Hello"}
    return Image("sha256:hello", HELLO, labels, 88_000_000, MADE)


@dataclass
class FakeEngine:
    """Containers as a dict; `away` makes every call fail, `deaf` containers ignore SIGTERM.

    `published_on` is the address that it publishes ports on, if it does.
    """

    known: dict[str, Image] = field(default_factory=lambda: {HELLO: hello()})
    found: dict[str, Container] = field(default_factory=dict)
    specs: dict[str, ContainerSpec] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)
    samples: dict[str, Sample] = field(default_factory=dict)
    ended: list[str] = field(default_factory=list)
    away: bool = False
    deaf: bool = False
    published_on: str = ""
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def check(self) -> None:
        if self.away:
            raise EngineUnavailableError("The container engine does not answer.")

    def session_range(self) -> str:
        self.check()
        return self.published_on or "10.213.0.0/20"

    def range_of(self, network: Network) -> str:
        self.check()
        return self.published_on or RANGES[network]

    def image(self, name: str) -> Image:
        self.check()
        for image in self.known.values():
            if name in (image.name, image.id):
                return image
        raise ImageMissingError(name)

    def images(self) -> Mapping[str, Image]:
        self.check()
        return dict(self.known)

    def images_named(self, names: Collection[str]) -> Mapping[str, Image]:
        every = self.images() if names else {}
        return {name: every[name] for name in names if name in every}

    def run(self, spec: ContainerSpec) -> str:
        self.image(spec.image)
        for volume in spec.volumes:
            if not Path(volume.source).exists():
                raise StartError("engine", f"The engine refused: {volume.source} does not exist")
        container_id = f"container-{next(self._numbers)}"
        self.specs[container_id] = spec
        self.found[container_id] = Container(
            container_id,
            running=True,
            started=True,
            labels=spec.labels,
            address=spec.address,
            port=spec.published_port if self.published_on else 0,
        )
        self.samples[container_id] = Sample(0.01, 1024**2)
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

    def limit(self, container_id: str, memory: int, cpus: float, pids: int) -> None:
        self.check()
        if container_id in self.found:
            spec = self.specs[container_id]
            self.specs[container_id] = replace(spec, memory=memory, cpus=cpus, pids=pids)

    def detach(self, container_id: str) -> None:
        self.check()
        if container_id in self.found:
            self.found[container_id] = replace(self.found[container_id], address="")

    def attach(self, container_id: str, network: Network, address: str) -> None:
        self.check()
        del network
        if container_id not in self.found:
            raise StartError("engine", f"The engine refused: No such container: {container_id}")
        self.found[container_id] = replace(self.found[container_id], address=address)

    def sample(self, container_id: str) -> Sample | None:
        self.check()
        found = self.found.get(container_id)
        return self.samples[container_id] if found and found.running else None

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


@dataclass
class FakeLibrary:
    """The images of a FakeEngine; `registry` is what a registry has, `used` what runs.

    An archive is the names in it, a line each, after the word `archive`.
    """

    engine: FakeEngine = field(default_factory=FakeEngine)
    registry: dict[str, Image] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    transfers: Transfers = field(default_factory=Transfers)

    def images(self) -> Sequence[Image]:
        return [image for _, image in sorted(self.engine.images().items())]

    def pull(self, name: str) -> Iterator[PullProgress]:
        pulling = self._pulling(reference(name))
        next(pulling)
        return pulling

    def load(self, archive: Iterable[bytes]) -> Sequence[str]:
        with self.transfers.one(object()):
            self.engine.check()
            head, *names = b"".join(archive).decode(errors="replace").split("\n")
            if head != "archive" or not names:
                problem = FieldError("body", "must be an archive as `docker save NAME` makes it")
                raise InvalidError("The archive was not taken in: invalid tar header", [problem])
            for name in names:
                self.engine.known[name] = replace(hello(), id=f"sha256:{name}", name=name)
            return names

    def remove(self, name: str) -> None:
        whole = reference(name)
        image = self.engine.images().get(whole)
        if image is None:
            raise ImageMissingError(whole)
        if image.id in self.used:
            raise ConflictError(f"The image {whole} is in use by 1 containers.")
        del self.engine.known[whole]

    def _pulling(self, whole: str) -> Generator[PullProgress, None, None]:
        with self.transfers.one(whole):
            self.engine.check()
            if whole not in self.registry:
                raise ConflictError(f"The image {whole} could not be pulled: manifest unknown")
            yield PullProgress("", f"Pulling {whole}")
            yield PullProgress("layer", "Downloading", 50, 100)
            self.engine.known[whole] = self.registry[whole]
            yield PullProgress("", f"Status: Downloaded newer image for {whole}")


@dataclass
class FakeHomes:
    """Homes as a dict of bytes; `used` are those that a container has, `full` has no room."""

    found: dict[str, bytes] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    full: str = ""

    def exists(self, volume: str) -> bool:
        return volume in self.found

    def archive(self, volume: str, path: Path) -> bool:
        if volume not in self.found:
            return False
        if volume == self.full:
            raise UnavailableError(f"The home could not be written to {path}.")
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_bytes(self.found[volume])
        return True

    def remove(self, volume: str) -> None:
        if volume in self.used:
            raise ConflictError(f"The home {volume} is still in use.")
        self.found.pop(volume, None)


@dataclass
class FakeFiles:
    """Homes as real directories by the name of their volume or place; listed as they are.

    `shells`: whether images have one; `looks` is what was asked.
    """

    engine: FakeEngine = field(default_factory=FakeEngine)
    homes: dict[str, Path] = field(default_factory=dict)
    shells: bool = True
    looks: list[Look] = field(default_factory=list)

    def listed(self, look: Look) -> Listing:
        self.engine.check()
        self.looks.append(look)
        home = self.homes.get(look.home.source)
        if home is None and not look.path:
            return Listing("", ())
        if not self.shells:
            raise ConflictError("The image of this application has no shell.")
        place = (home / look.path) if home else Path("/nowhere")
        if not home or not place.is_dir() or not place.resolve().is_relative_to(home.resolve()):
            raise NotFoundError("There is no such directory.")
        found = [_found(home, one) for one in sorted(place.iterdir(), key=os.fsencode)]
        seen = [one for one in found if not one.name.startswith(".")]
        return ordered(look.path, seen[:MOST_ENTRIES], cut=len(seen) > MOST_ENTRIES)


def _found(home: Path, path: Path) -> Found:
    name = os.fsencode(path.name).decode(errors="replace")
    inside = Path(os.path.realpath(path)).is_relative_to(home.resolve())
    if path.is_symlink() and not (inside and path.exists()):
        return Found(name, "link")
    if path.is_dir():
        return Found(name, "directory")
    return Found(name, "file" if path.is_file() else "other")
