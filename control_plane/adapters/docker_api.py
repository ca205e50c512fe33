"""The way to the Docker engine: a connection, our labels there, and what its errors mean to us.

Invariant: no exception of the SDK leaves the adapters.
"""

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import docker
import requests
from docker.errors import APIError, DockerException, ImageNotFound, NotFound

from control_plane.domain.entities import Image
from control_plane.domain.labels import RUN
from control_plane.errors import EngineUnavailableError, ImageMissingError, StartError

REALM = RUN + "realm"
# On a container that never starts: it is there to look into an image or a volume.
HOLDER = RUN + "holder"


class Connection:
    """A client of the engine at `host` (None: DOCKER_HOST, else the local socket).

    It connects at its first use, so that an engine that is away is no obstacle before.
    """

    def __init__(self, host: str | None, timeout: float = 60) -> None:
        """Wait `timeout` seconds for an answer."""
        self._host = host
        self._timeout = timeout

    @cached_property
    def api(self) -> Any:
        """The client that everything shares."""
        return self._client(self._timeout)

    def patient(self) -> Any:
        """Return a client of its own that waits for ever; whoever asks closes it."""
        return self._client(None)

    def close(self) -> None:
        """Close it if it was ever used."""
        if "api" in self.__dict__:
            self.api.close()

    def _client(self, timeout: float | None) -> Any:
        environment = docker.utils.kwargs_from_env()
        if self._host:
            environment["base_url"] = self._host
        return docker.APIClient(version="auto", timeout=timeout, **environment)


def nowhere() -> str:
    """Return a path that no image has: in its place an image might have a link to elsewhere."""
    return f"/{secrets.token_hex(16)}"


def image_of(listed: Mapping[str, Any], name: str) -> Image:
    """Return one entry of the engine's list of images as ours."""
    created = datetime.fromtimestamp(listed["Created"], UTC)
    return Image(listed["Id"], name, listed.get("Labels") or {}, listed["Size"], created)


@contextmanager
def translated(image: str = "") -> Iterator[None]:
    """Raise what the engine answers, or that it does not, as errors of ours."""
    try:
        yield
    except ImageNotFound as error:
        raise ImageMissingError(image) from error
    except APIError as error:
        if error.is_client_error():
            raise refused(error) from error
        raise away() from error
    except (DockerException, requests.RequestException) as error:
        raise away() from error
    except OSError as error:
        raise StartError("engine", f"The container could not be prepared: {error}") from error


@contextmanager
def gone_is_fine() -> Iterator[None]:
    """Pass over a container that is gone, or going."""
    try:
        yield
    except NotFound:
        return
    except APIError as error:
        # 409: it is not running, or its removal is under way.
        if error.status_code != requests.codes.conflict:
            raise


def refused(error: APIError) -> StartError:
    """Return the engine's own words as an error of ours."""
    return StartError("engine", f"The engine refused: {error.explanation}")


def away() -> EngineUnavailableError:
    """Return what is said while the engine does not answer."""
    return EngineUnavailableError(
        "The container engine does not answer.", "It is tried again; see the engine's log."
    )
