"""The engine's images for administrators: what there is, who uses it, pull, take in, remove.

Invariant: an image that a session runs from is never removed, and every act stands in the audit
log with how it came out.
"""

from collections.abc import Collection, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from control_plane import acts
from control_plane.domain.entities import Application, Image, Session
from control_plane.domain.names import shown
from control_plane.domain.ports import Plane, PullProgress
from control_plane.domain.roles import Actor, must_hold
from control_plane.errors import (
    ConflictError,
    ControlPlaneError,
    ImageMissingError,
    InvalidError,
    NotFoundError,
    TooLargeError,
)

_CHANGE = frozenset({"admin:write"})
LATEST = ":latest"


@dataclass(frozen=True, slots=True)
class Entry:
    """One name of an image, the sessions that run from the image, the applications that name it."""

    image: Image
    sessions: tuple[Session, ...]
    applications: tuple[Application, ...]


def listed(plane: Plane) -> Sequence[Entry]:
    """Return an entry for each name of each image, by name; one query and one call."""
    found = plane.image_library.images()
    ids = {image.name: image.id for image in found}
    living = [one for one in list(plane.access.sessions.values()) if one.living]
    applications = plane.accounting.applications()
    return [
        Entry(
            image,
            tuple(one for one in living if ids.get(_whole(one.image)) == image.id),
            tuple(one for one in applications if _whole(one.image) == image.name),
        )
        for image in found
    ]


def of_name(plane: Plane, name: str) -> Sequence[Entry]:
    """Return the entries of the image of that name, under all its names; ImageMissingError."""
    image = plane.engine.image(_whole(name))
    return [entry for entry in listed(plane) if entry.image.id == image.id]


def named(plane: Plane, names: Collection[str]) -> Sequence[Entry]:
    """Return the entries of just these names, by name."""
    wanted = {_whole(one) for one in names}
    return [entry for entry in listed(plane) if entry.image.name in wanted]


def pull(plane: Plane, actor: Actor, name: str) -> Generator[PullProgress, None, None]:
    """Begin to pull; what the registry refuses at once is raised at once.

    InvalidError for what is no reference; ConflictError says what the registry said, or that the
    image is being pulled already. Closing the generator ends the pull.
    """
    must_hold(actor, _CHANGE)
    with _noting_failure(plane, actor, "image-pull", name):
        steps = plane.image_library.pull(name)
    return _pulled(plane, actor, name, steps)


def upload(plane: Plane, actor: Actor, chunks: Iterable[bytes], longest: int) -> Sequence[str]:
    """Take in an archive of at most `longest` bytes; return the names. TooLargeError, InvalidError.

    It goes to the engine as it comes.
    """
    must_hold(actor, _CHANGE)
    with _noting_failure(plane, actor, "image-upload", ""):
        names = plane.image_library.load(_bounded(chunks, longest))
    for name in names:
        acts.note(plane.books, actor, "image-upload", name)
    return names


def remove(plane: Plane, actor: Actor, name: str) -> Entry:
    """Remove a name, and the image with its last name; return what was there.

    NotFoundError; ConflictError with the sessions that use it. An application that names it stays,
    and is not available any more.
    """
    must_hold(actor, _CHANGE)
    entry = next((one for one in listed(plane) if one.image.name == _whole(name)), None)
    if entry is None:
        raise NotFoundError(f"There is no image {shown(name)} on this machine.")
    if entry.sessions:
        raise ConflictError(
            f"The image {entry.image.name} is in use by {len(entry.sessions)} sessions.",
            "Stop them first.",
            entry.sessions,
        )
    _remove(plane, entry.image.name)
    before = {"id": entry.image.id, "size": entry.image.size}
    acts.note(plane.books, actor, "image-remove", entry.image.name, before=before)
    return entry


def too_large(longest: int) -> TooLargeError:
    """Return what is said of an archive over its bound."""
    return TooLargeError(f"The archive is larger than {longest} bytes.")


def _whole(name: str) -> str:
    """Return a name with its tag."""
    return name if ":" in name.rpartition("/")[2] else name + LATEST


def _remove(plane: Plane, name: str) -> None:
    try:
        plane.image_library.remove(name)
    except (ImageMissingError, InvalidError) as error:
        raise NotFoundError(f"There is no image {shown(name)} on this machine.") from error


def _pulled(
    plane: Plane, actor: Actor, name: str, steps: Iterator[PullProgress]
) -> Generator[PullProgress, None, None]:
    with _noting_failure(plane, actor, "image-pull", name):
        yield from steps
    after = {"id": plane.engine.image(_whole(name)).id}
    acts.note(plane.books, actor, "image-pull", name, after=after)


@contextmanager
def _noting_failure(plane: Plane, actor: Actor, action: str, target: str) -> Iterator[None]:
    try:
        yield
    except InvalidError:
        raise  # nothing was done; and what was typed may be anything, a password too
    except ControlPlaneError as error:
        acts.note(plane.books, actor, action, target, detail=f"failed: {error.message}")
        raise
    except GeneratorExit:
        acts.note(plane.books, actor, action, target, detail="broken off")
        raise


def _bounded(chunks: Iterable[bytes], longest: int) -> Iterator[bytes]:
    length = 0
    for chunk in chunks:
        length += len(chunk)
        if length > longest:
            raise too_large(longest)
        yield chunk
