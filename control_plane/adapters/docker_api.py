"""The way to the Docker engine: a connection, our labels there, and what its errors mean to us.

Invariant: no exception of the SDK leaves the adapters.
"""

import secrets
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import docker
import requests
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.tls import TLSConfig
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection

from control_plane.adapters import docker_place
from control_plane.adapters.docker_place import EnginePlace, Where
from control_plane.domain.entities import Image
from control_plane.domain.labels import RUN
from control_plane.errors import EngineUnavailableError, ImageMissingError, StartError

REALM = RUN + "realm"
# On a container that never starts: it is there to look into an image or a volume.
HOLDER = RUN + "holder"
_CONNECT_SECONDS = 5.0  # another machine may be off, and then nothing answers at all
# Nor does it say so when it goes away while we listen: asked after 30 s, given up after a minute.
_KEEP_ALIVE = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
)


class Connection:
    """A client of an engine, which connects at its first use: one that is away is no obstacle."""

    def __init__(self, where: Where, timeout: float = 60) -> None:
        """Wait `timeout` seconds for an answer."""
        self._place = docker_place.at(where)
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
        place = self._place
        if not place.elsewhere:
            return docker.APIClient(place.host, version="auto", timeout=timeout)
        seconds = (min(_CONNECT_SECONDS, timeout or _CONNECT_SECONDS), timeout)
        return _ClientElsewhere(place.host, version="auto", timeout=seconds, tls=_tls(place))


class _ClientElsewhere(docker.APIClient):  # type: ignore[misc]  # the SDK has no types
    """A client that no variable of the environment gives a proxy or other authorities."""

    trust_env = property(lambda _: False, lambda _, __: None)

    def get_adapter(self, url: str) -> HTTPAdapter:
        """Return what keeps connections that notice when the other machine has gone."""
        if not isinstance(self.adapters["https://"], _KeptAlive):
            self.mount("https://", _KeptAlive())
        return super().get_adapter(url)  # type: ignore[no-any-return] # docker tells no types


class _KeptAlive(HTTPAdapter):
    def init_poolmanager(self, *arguments: Any, **options: Any) -> Any:
        wanted = [*HTTPConnection.default_socket_options, *_KEEP_ALIVE]
        return super().init_poolmanager(*arguments, **options, socket_options=wanted)


def _tls(place: EnginePlace) -> TLSConfig | bool:
    files = place.certificates
    if files is None:
        return False
    return TLSConfig((str(files.cert), str(files.key)), str(files.ca), verify=True)


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
        raise away(error) from error
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


def away(error: BaseException | None = None) -> EngineUnavailableError:
    """Return what is said while the engine does not answer, or a side does not trust the other."""
    while error:
        if isinstance(error, ssl.SSLError):
            return EngineUnavailableError(
                f"The container engine's connection is refused: {error}.",
                "See engine.tls_ca, engine.tls_cert and engine.tls_key.",
            )
        error = error.__cause__ or error.__context__
    return EngineUnavailableError(
        "The container engine does not answer.", "It is tried again; see the engine's log."
    )
