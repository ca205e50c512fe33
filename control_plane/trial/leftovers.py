"""What a realm has in the engine, and its removal.

Invariant: nothing without the realm's label is touched.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import docker
from docker.errors import APIError, NotFound
from docker.models.containers import Container

from control_plane.adapters.docker_api import REALM

_GRACE = 5.0
_POLL = 0.1


def sweep(realm: str, *, volumes: bool = False) -> None:
    """Stop and remove the realm's containers and its network, the homes only with `volumes`."""
    label = {"label": f"{REALM}={realm}"}
    with _client() as client:
        _remove(client.containers.list(all=True, filters=label, ignore_removed=True))
        for network in client.networks.list(filters=label):
            with suppress(NotFound):
                network.remove()
        for volume in client.volumes.list(filters=label) if volumes else ():
            with suppress(NotFound):
                volume.remove(force=True)


def remove_images(repository: str) -> None:
    """Remove every image of the repositories that match, such as `remoteapp/*`."""
    with _client() as client:
        for image in client.images.list(filters={"reference": repository}):
            with suppress(NotFound):
                client.images.remove(image.id, force=True)


def _remove(containers: list[Container]) -> None:
    for one in containers:
        with suppress(APIError):  # it does not run
            one.kill("SIGTERM")
    deadline = time.monotonic() + _GRACE
    while any(_runs(one) for one in containers) and time.monotonic() < deadline:
        time.sleep(_POLL)
    for one in containers:
        with suppress(NotFound):
            one.remove(force=True, v=True)


def _runs(container: Container) -> bool:
    with suppress(NotFound):
        container.reload()
        return bool(container.status == "running")
    return False


@contextmanager
def _client() -> Iterator[docker.DockerClient]:
    client = docker.from_env()
    try:
        yield client
    finally:
        client.close()
