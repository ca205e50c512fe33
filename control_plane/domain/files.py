"""What lies in a home, as its owner sees it.

Invariant: a path is relative to the home and never leads up out of it.
"""

from dataclasses import dataclass
from typing import Literal

from control_plane.domain.containers import WORKSPACE, HomeMount
from control_plane.domain.entities import Person
from control_plane.domain.options import LONGEST_FILE
from control_plane.errors import FieldError, InvalidError

# A link that leads out of the home, or nowhere, is `link`; any other is what it leads to.
Kind = Literal["directory", "file", "link", "other"]
_ROOM = LONGEST_FILE - len(WORKSPACE) - 1


@dataclass(frozen=True, slots=True)
class Look:
    """A look into one directory of a home, through a container of that image.

    `key` is what the container is known by while it lives.
    """

    key: str
    image: str
    person: Person
    home: HomeMount
    path: str


@dataclass(frozen=True, slots=True)
class Found:
    """One thing in a directory; what its name holds that is no text stands there as U+FFFD."""

    name: str
    kind: Kind

    @property
    def plain(self) -> bool:
        """Whether the name can be chosen: all of it printable text."""
        return self.name.isprintable() and "\N{REPLACEMENT CHARACTER}" not in self.name


@dataclass(frozen=True, slots=True)
class Listing:
    """A directory of a home; `cut`: it holds more than is told. Directories come first."""

    path: str
    entries: tuple[Found, ...]
    cut: bool = False

    def path_of(self, one: Found) -> str:
        """Return the path of an entry as a container has it; empty where it cannot be chosen."""
        path = "/".join(filter(None, (WORKSPACE, self.path, one.name)))
        usable = one.plain and one.kind in ("file", "directory") and len(path) <= LONGEST_FILE
        return path if usable else ""


def checked_path(text: str) -> str:
    """Return the path below the home, without slashes around it; InvalidError.

    It may be given with the place that the home has in containers.
    """
    below = text.removeprefix(WORKSPACE) if f"{text}/".startswith(f"{WORKSPACE}/") else text
    parts = [part for part in below.split("/") if part not in ("", ".")]
    path = "/".join(parts)
    if ".." in parts or len(path) > _ROOM or not path.isprintable():
        told = f"must be a path within the home, of at most {_ROOM} printable characters"
        raise InvalidError("There is no such directory.", [FieldError("path", told)])
    return path


def ordered(path: str, entries: list[Found], *, cut: bool) -> Listing:
    """Return a listing: directories first, then by name."""
    found = sorted(entries, key=lambda one: (one.kind != "directory", one.name.casefold()))
    return Listing(path, tuple(found), cut)
