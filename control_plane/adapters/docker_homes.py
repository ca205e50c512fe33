"""The homes of virtual users: volumes of the engine.

Invariant: only a volume that bears this realm's label is touched.
"""

from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import requests
from docker.errors import APIError, NotFound
from docker.types import Mount

from control_plane.adapters import home_writing
from control_plane.adapters.docker_api import HOLDER, REALM, Connection, nowhere, translated
from control_plane.adapters.docker_place import Where
from control_plane.domain.containers import WORKSPACE
from control_plane.errors import ConflictError


class DockerHomes:
    """The homes of one realm in the engine at `where` (None: DOCKER_HOST, else the socket)."""

    purpose = "archiving"  # what the containers are for that a home is reached through

    def __init__(self, realm: str, where: Where = None, *, timeout: float = 60) -> None:
        """Connect at the first use."""
        self._realm = realm
        self._connection = Connection(where, timeout)

    def exists(self, volume: str) -> bool:
        """Whether there is such a home; ConflictError when a volume of that name is not ours."""
        with translated():
            return self._is_there(volume)

    def archive(self, volume: str, path: Path) -> bool:
        """Write a home as a tar.gz that its owner alone may read; False when there is none.

        The directory is made if it lacks. UnavailableError when it cannot be written.
        """
        chunks = self.content(volume)
        if chunks is None:
            return False
        with closing(chunks):
            home_writing.write(path, chunks)
        return True

    def content(self, volume: str) -> Generator[bytes, None, None] | None:
        """Return the tar of a home; None when there is none."""
        return self._content(volume) if self.exists(volume) else None

    def remove(self, volume: str) -> None:
        """Remove a home; ConflictError while a container uses it, a missing one is no error."""
        with translated():
            if not self._is_there(volume):
                return
            self._drop_holder(volume)
            try:
                self._connection.api.remove_volume(volume)
            except APIError as error:
                if error.status_code != requests.codes.conflict:
                    raise
                raise ConflictError(f"The home {volume} is still in use.") from error

    def close(self) -> None:
        """Close the connections to the engine."""
        self._connection.close()

    def _content(self, volume: str) -> Generator[bytes, None, None]:
        place = nowhere() + WORKSPACE
        with translated(), self._holder(volume, place) as holder:
            chunks, _ = self._connection.api.get_archive(holder, place)
            yield from home_writing.whole(chunks)

    def _is_there(self, volume: str) -> bool:
        try:
            found = self._connection.api.inspect_volume(volume)
        except NotFound:
            return False
        if (found["Labels"] or {}).get(REALM) != self._realm:
            raise ConflictError(
                f"The volume {volume} does not bear the label of this realm, so it stays.",
                "Save or remove it yourself.",
            )
        return True

    @contextmanager
    def _holder(self, volume: str, place: str) -> Iterator[str]:
        """Give a created container that never starts, with the home at that place in it."""
        self._drop_holder(volume)
        api = self._connection.api
        mount = Mount(place, volume, type="volume", no_copy=True)
        holder = api.create_container(
            self._image(),
            command=["true"],
            name=self._holder_name(volume),
            labels={REALM: self._realm, HOLDER: volume},
            host_config=api.create_host_config(mounts=[mount], network_mode="none"),
        )["Id"]
        try:
            yield holder
        finally:
            api.remove_container(holder, force=True, v=True)

    def _drop_holder(self, volume: str) -> None:
        """Remove what a process that was killed left behind."""
        with suppress(NotFound):
            self._connection.api.remove_container(self._holder_name(volume), force=True, v=True)

    def _image(self) -> str:
        """Return any image: nothing of it is used but that the engine wants one.

        The oldest, for whoever tries new ones out may be about to remove them.
        """
        found: list[Mapping[str, Any]] = self._connection.api.images()
        if not found:
            raise ConflictError(
                "A home is archived through a container, and the engine has no image.",
                "Install any image.",
            )
        return str(min(found, key=lambda one: one["Created"])["Id"])

    def _holder_name(self, volume: str) -> str:
        return f"{volume}-{self.purpose}"
