"""What only a check asks of the engine: a size, a look into a container, the end of a realm.

Invariant: only what bears the realm's label is removed, and nothing in a container makes a look
into it endless.
"""

import io
import tarfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from pathlib import PurePosixPath
from typing import Any

from docker.errors import APIError, NotFound

from control_plane.adapters.docker_api import REALM, Connection, gone_is_fine, translated
from control_plane.adapters.docker_place import Where

# What the engine says where a program is not in the image, and where it may not be run.
_NO_PROGRAM = (126, 127)
_POLL = 0.05  # seconds
_INIT = "docker-init"  # what the engine itself puts into a container
# A tar's first entry, with what may stand before it (attributes, a large number).
_HEADERS = 64 * 1024  # bytes


class DockerInside:
    """The containers of a realm in the engine at `where` (None: DOCKER_HOST, else the socket)."""

    def __init__(
        self, realm: str, where: Where = None, *, timeout: float = 60, patience: float = 10
    ) -> None:
        """Connect at the first use; a command in a container gets `patience` seconds."""
        self._realm, self._patience = realm, patience
        self._connection = Connection(where, timeout)

    def size(self, image: str) -> int:
        """Return an image's bytes; ImageMissingError."""
        with translated(image=image):
            return int(self._api.inspect_image(image)["Size"])

    def main_process(self, container: str) -> int:
        """Return the first process's number on the engine's machine; 0 when it has ended."""
        with translated():
            return int(self._api.inspect_container(container)["State"]["Pid"])

    def run(self, container: str, words: Sequence[str], user: str) -> bool | None:
        """Run a command in a container; whether it succeeded, None where there is no such one.

        What it prints is not read. One that has not ended in time did not succeed; it runs on.
        """
        with translated():
            made = self._api.exec_create(
                container, list(words), stdout=False, stderr=False, user=user
            )
            try:
                self._api.exec_start(made["Id"], detach=True)
            except APIError:  # the engine refuses at once what it does not find
                return None
            status = self._exit_status(made["Id"])
        return None if status in _NO_PROGRAM else status == 0

    def owner(self, container: str, path: str) -> tuple[int, int] | None:
        """Return the uid and gid of a file in a container; None when there is none."""
        with translated():
            try:
                chunks, _ = self._api.get_archive(container, path, chunk_size=_HEADERS)
            except NotFound:
                return None
            with closing(chunks):
                return _first_owner(chunks)

    def written(self, container: str) -> Sequence[str]:
        """Return the files that differ from the image's, without the folders that hold others."""
        with translated():
            found = {PurePosixPath(one["Path"]) for one in self._api.diff(container) or ()}
        folders = {folder for one in found for folder in one.parents}
        return sorted(str(one) for one in found - folders if one.name != _INIT)

    def sweep(self) -> None:
        """Remove every container, volume and network of the realm."""
        label = {"label": f"{REALM}={self._realm}"}
        with translated():
            self._remove_containers(label)
            for network in self._api.networks(filters=label):
                with suppress(NotFound):
                    self._api.remove_network(network["Id"])
            # What was asked for when a signal came may stand there only now.
            self._remove_containers(label)
            for volume in self._api.volumes(filters=label)["Volumes"] or ():
                with suppress(NotFound):
                    self._api.remove_volume(volume["Name"], force=True)

    def close(self) -> None:
        """Close the connections to the engine."""
        self._connection.close()

    @property
    def _api(self) -> Any:
        return self._connection.api

    def _exit_status(self, made: str) -> int | None:
        deadline = time.monotonic() + self._patience
        while time.monotonic() < deadline:
            status = self._api.exec_inspect(made)["ExitCode"]
            if status is not None:
                return int(status)
            time.sleep(_POLL)
        return None

    def _remove_containers(self, label: dict[str, str]) -> None:
        for one in self._api.containers(all=True, filters=label):
            with gone_is_fine():
                self._api.remove_container(one["Id"], force=True, v=True)


def _first_owner(chunks: Iterator[bytes]) -> tuple[int, int] | None:
    """Return whose the first entry of a tar is, without reading what it holds."""
    head = b""
    while len(head) < _HEADERS and (chunk := next(chunks, b"")):
        head += chunk
    try:
        with tarfile.open(fileobj=io.BytesIO(head), mode="r:") as tar:
            entry = tar.next()
    except tarfile.TarError:
        return None
    return (entry.uid, entry.gid) if entry else None
