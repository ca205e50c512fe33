"""What only a check asks of the engine: a size, a look into a container, the end of a realm.

Invariant: only what bears the realm's label is removed.
"""

import io
import tarfile
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from docker.errors import APIError, NotFound

from control_plane.adapters.docker_api import REALM, Connection, gone_is_fine, translated

# What the engine says where a program is not in the image, and where it may not be run.
_NO_PROGRAM = (126, 127)


class DockerInside:
    """The containers of a realm in the engine at `host` (None: DOCKER_HOST, else the socket)."""

    def __init__(self, realm: str, host: str | None = None, *, timeout: float = 60) -> None:
        """Connect at the first use."""
        self._realm = realm
        self._connection = Connection(host, timeout)

    def size(self, image: str) -> int:
        """Return an image's bytes; ImageMissingError."""
        with translated(image=image):
            return int(self._api.inspect_image(image)["Size"])

    def main_process(self, container: str) -> int:
        """Return the first process's number on the engine's machine; 0 when it has ended."""
        with translated():
            return int(self._api.inspect_container(container)["State"]["Pid"])

    def run(self, container: str, words: Sequence[str], user: str) -> bool | None:
        """Run a command in a container; whether it succeeded, None where there is no such one."""
        with translated():
            made = self._api.exec_create(container, list(words), user=user)["Id"]
            try:
                self._api.exec_start(made)
            except APIError:  # newer engines refuse at once what they do not find
                return None
            status = self._api.exec_inspect(made)["ExitCode"]
        return None if status in _NO_PROGRAM else status == 0

    def owner(self, container: str, path: str) -> tuple[int, int] | None:
        """Return the uid and gid of a small file in a container; None when there is none."""
        with translated():
            try:
                chunks, _ = self._api.get_archive(container, path)
            except NotFound:
                return None
            with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tar:
                entry = tar.next()
        return (entry.uid, entry.gid) if entry else None

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

    def _remove_containers(self, label: dict[str, str]) -> None:
        for one in self._api.containers(all=True, filters=label):
            with gone_is_fine():
                self._api.remove_container(one["Id"], force=True, v=True)
