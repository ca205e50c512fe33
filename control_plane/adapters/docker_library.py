"""The engine's images for administrators: list, pull, take in an archive, remove.

Invariant: nothing is forced, an archive that is refused leaves the names as they were that the
engine told of, and in no case one that is not let in.
"""

import re
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import Any

import requests
from docker.errors import APIError, DockerException

from control_plane.adapters.docker_api import Connection, away, image_of, translated
from control_plane.adapters.docker_place import Where
from control_plane.adapters.transfers import Transfers, reference
from control_plane.domain.entities import Image
from control_plane.domain.ports import PullProgress
from control_plane.errors import (
    ConflictError,
    ControlPlaneError,
    FieldError,
    ImageMissingError,
    InvalidError,
)

_LOADED = re.compile(r"Loaded image(?: ID)?: (\S+)")


class DockerLibrary:
    """The images of the engine at `where` (None: DOCKER_HOST, else the local socket)."""

    def __init__(
        self,
        where: Where = None,
        *,
        timeout: float = 60,
        admits: Callable[[str], bool] = lambda _: True,
    ) -> None:
        """Connect at the first use; of an archive no name is taken in that `admits` refuses."""
        self._connection = Connection(where, timeout)
        self._admits = admits
        self._transfers = Transfers()
        self._naming = threading.Lock()

    def images(self) -> Sequence[Image]:
        """Return one entry for each name of each image, by name; what has none is left out."""
        with translated():
            found = self._connection.api.images()
        named = [
            image_of(one, name)
            for one in found
            for name in one.get("RepoTags") or ()
            if "<none>" not in name
        ]
        return sorted(named, key=lambda image: image.name)

    def pull(self, name: str) -> Iterator[PullProgress]:
        """Begin to pull; what the registry refuses at once is raised at once.

        InvalidError; ConflictError says what the registry said. To stop looking ends the pull.
        """
        pulling = self._pulling(reference(name))
        next(pulling)
        return pulling

    def load(self, archive: Iterable[bytes]) -> Sequence[str]:
        """Take in an archive as `docker save` makes it; return the names. InvalidError."""
        with self._transfers.one(object()), ExitStack() as alone:
            before, begun = self._by_name(), False
            loaded: list[str] = []

            def whole() -> Iterator[bytes]:
                nonlocal before, begun
                yield from archive
                # Now the engine gives the names. What they were before is asked no earlier, and of
                # one archive at a time, for others give names, too.
                alone.enter_context(self._naming)
                before, begun = self._by_name(), True

            with _reaching(), closing(self._connection.patient()) as api:
                try:
                    for line in _said(api.load_image(whole(), quiet=True)):
                        loaded += _loaded(line)
                    _check_named(loaded)
                    self._check_admitted(loaded)
                except BaseException as error:
                    _put_back(api, loaded or (self._untold(before) if begun else ()), before)
                    if isinstance(error, APIError | InvalidError):
                        raise _not_taken(error) from error
                    raise
        return loaded

    def names(self, image: str) -> Sequence[str]:
        """Return all names of an image, those without `:latest` too; ImageMissingError."""
        with translated(image=image):
            tags = self._connection.api.inspect_image(image).get("RepoTags") or ()
        return sorted({name for tag in tags for name in (tag, tag.removesuffix(":latest"))})

    def remove(self, name: str) -> None:
        """Take a name off an image, and the image with its last name.

        ImageMissingError; ConflictError while a container uses it.
        """
        whole = reference(name)
        image = next((one for one in self.images() if one.name == whole), None)
        if image is None:
            raise ImageMissingError(whole)
        with translated(image=whole):
            self._check_unused(image)
            self._connection.api.remove_image(whole)

    def close(self) -> None:
        """Close the connections to the engine."""
        self._connection.close()

    def _by_name(self) -> dict[str, str]:
        return {image.name: image.id for image in self.images()}

    def _untold(self, before: Mapping[str, str]) -> Sequence[str]:
        """Return the names that are not let in and are another image's now.

        Of an archive without a manifest, as Docker made them before 1.10, engines before 28 give
        the names and tell of none. What is let in may be what somebody pulled meanwhile.
        """
        changed = (name for name, image in self._by_name().items() if before.get(name) != image)
        return [name for name in changed if not self._admits(name)]

    def _pulling(self, whole: str) -> Generator[PullProgress, None, None]:
        with (
            self._transfers.one(whole),
            _reaching(),
            closing(self._connection.patient()) as api,
        ):
            try:
                lines = api.pull(whole, stream=True, decode=True)
            except APIError as error:
                raise _not_pulled(whole, str(error.explanation)) from error
            yield PullProgress("", f"Pulling {whole}")
            for line in lines:
                if "error" in line:
                    raise _not_pulled(whole, str(line["error"]))
                yield _progress(line)

    def _check_admitted(self, loaded: Sequence[str]) -> None:
        if others := [name for name in loaded if not self._admits(name)]:
            raise InvalidError(f"images of the name {others[0]} are not let in on this host")

    def _check_unused(self, image: Image) -> None:
        found = self._connection.api.containers(all=True)
        if used := sum(one["ImageID"] == image.id for one in found):
            raise ConflictError(
                f"The image {image.name} is in use by {used} containers.",
                "Stop the sessions that use it first.",
            )


@contextmanager
def _reaching() -> Iterator[None]:
    """Say it when the engine is away, and let its own words pass."""
    try:
        yield
    except (APIError, ControlPlaneError):
        raise
    except (DockerException, requests.RequestException) as error:
        raise away() from error


def _progress(line: Mapping[str, Any]) -> PullProgress:
    detail = line.get("progressDetail") or {}
    return PullProgress(
        layer=line.get("id", ""),
        status=line.get("status", ""),
        current=detail.get("current", 0),
        total=detail.get("total", 0),
    )


def _not_pulled(whole: str, words: str) -> ConflictError:
    return ConflictError(f"The image {whole} could not be pulled: {words}")


def _said(lines: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    with suppress(requests.JSONDecodeError):  # the SDK's, of an engine that says nothing at all
        yield from lines


def _loaded(line: Mapping[str, Any]) -> list[str]:
    if "error" in line:
        raise InvalidError(str(line["error"]))
    match = _LOADED.match(line.get("stream", ""))
    return [match[1]] if match else []


def _check_named(loaded: Sequence[str]) -> None:
    if not loaded:
        raise InvalidError("it holds no image")
    if any(name.startswith("sha256:") for name in loaded):
        raise InvalidError("it holds an image without a name: save it by its name")


def _not_taken(error: APIError | InvalidError) -> InvalidError:
    words = error.message if isinstance(error, InvalidError) else error.explanation
    problem = FieldError("body", "must be an archive as `docker save NAME` makes it")
    return InvalidError(f"The archive was not taken in: {words}", [problem])


def _put_back(api: Any, loaded: Sequence[str], before: Mapping[str, str]) -> None:
    """Give the names back to the images that had them, and remove what is new."""
    for name in loaded:
        fresh = api.inspect_image(name)["Id"]
        if name in before:
            api.tag(before[name], *name.rsplit(":", 1))
        elif not name.startswith("sha256:"):
            api.remove_image(name)
        if fresh not in before.values():
            with suppress(APIError):  # gone with its name
                api.remove_image(fresh)
