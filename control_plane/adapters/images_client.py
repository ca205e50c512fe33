"""The ports Library and Homes behind the engine's door: images and archives pass as streams.

Invariant: an image is under way once at a time here, as with the engine itself; an archive of a
home is written by whoever asked for it, and not by the door.
"""

import json
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import cast

from control_plane.adapters import home_writing
from control_plane.adapters.engine_link import Link
from control_plane.adapters.transfers import Transfers, reference
from control_plane.domain.entities import Image
from control_plane.domain.ports import PullProgress


class LibraryClient:
    """The engine's images, as far as the door at that socket lets us."""

    def __init__(self, socket: Path) -> None:
        """Connect at each call."""
        self._link = Link(socket)
        self._transfers = Transfers()

    def images(self) -> Sequence[Image]:
        """Return one entry for each name of each image, by name."""
        return cast("Sequence[Image]", self._link.call("image_library", "images"))

    def pull(self, name: str) -> Iterator[PullProgress]:
        """Begin to pull; ConflictError says what the registry said. To stop looking ends it."""
        pulling = self._pulling(reference(name))
        next(pulling)
        return pulling

    def load(self, archive: Iterable[bytes]) -> Sequence[str]:
        """Take in an archive as `docker save` makes it; return the names. InvalidError."""
        with (
            self._transfers.one(object()),
            self._link.open("/image_library/load", archive) as answer,
        ):
            return cast("Sequence[str]", json.loads(answer.read())["names"])

    def remove(self, name: str) -> None:
        """Take a name off an image; ImageMissingError, ConflictError while it is used."""
        self._link.call("image_library", "remove", name=name)

    def _pulling(self, whole: str) -> Generator[PullProgress, None, None]:
        body = json.dumps({"name": whole}).encode()
        with (
            self._transfers.one(whole),
            closing(self._link.lines("/image_library/pull", body)) as lines,
        ):
            for step in lines:
                yield PullProgress(**step)


class HomesClient:
    """The homes of virtual users, as far as the door at that socket lets us."""

    def __init__(self, socket: Path) -> None:
        """Connect at each call."""
        self._link = Link(socket)

    def exists(self, volume: str) -> bool:
        """Whether there is such a home; ConflictError when a volume of that name is not ours."""
        return cast("bool", self._link.call("homes", "exists", volume=volume))

    def archive(self, volume: str, path: Path) -> bool:
        """Write a home as a tar.gz that its owner alone may read; False when there is none."""
        if not self.exists(volume):
            return False
        body = json.dumps({"volume": volume}).encode()
        with closing(self._link.read("/homes/archive", body)) as chunks:
            home_writing.write(path, chunks)
        return True

    def remove(self, volume: str) -> None:
        """Remove a home; ConflictError while a container uses it, a missing one is no error."""
        self._link.call("homes", "remove", volume=volume)
