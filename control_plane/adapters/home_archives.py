"""The homes of a realm, all of them, out of the engine and into it.

Invariant: the one way to a home is a container that never starts; owners, modes and times stay.
A home in use is read as it is at that moment.
"""

import secrets
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing

from control_plane.adapters.docker_api import HOLDER, REALM, translated
from control_plane.adapters.docker_homes import DockerHomes
from control_plane.adapters.home_writing import whole
from control_plane.domain.containers import home_volume
from control_plane.domain.labels import RUN

_OWNER = RUN + "user"


class HomeArchives(DockerHomes):
    """The homes of one realm, as streams of tar."""

    purpose = "backup"  # the service may be archiving the same home

    def names(self) -> dict[str, str]:
        """Return the owner of each home there is, by its name without the realm's prefix."""
        with translated():
            found = self._connection.api.volumes(filters={"label": f"{REALM}={self._realm}"})
        volumes = {one["Name"]: one["Labels"].get(_OWNER, "") for one in found["Volumes"] or ()}
        prefix = self._prefix
        return {
            name.removeprefix(prefix): owner
            for name, owner in sorted(volumes.items())
            if name.startswith((f"{prefix}home-", f"{prefix}apart-"))
        }

    def volume(self, name: str) -> str:
        """Return what the engine calls a home."""
        return self._prefix + name

    def read(self, name: str, root: str) -> Generator[bytes, None, None]:
        """Yield the tar of a home, `root` its only directory; UnavailableError when it breaks."""
        place = f"/{root}"
        with translated(), self._holder(self.volume(name), place) as holder:
            chunks, _ = self._connection.api.get_archive(holder, place)
            yield from whole(chunks)

    def fill(self, name: str, owner: str, tar: Iterable[bytes], root: str) -> None:
        """Make a home of what `read` gave."""
        volume = self.volume(name)
        with translated():
            labels = {REALM: self._realm, _OWNER: owner}
            self._connection.api.create_volume(volume, labels=labels)
            with (
                self._holder(volume, f"/{root}") as holder,
                closing(self._connection.patient()) as api,
            ):
                api.put_archive(holder, "/", tar)

    def running(self) -> Sequence[str]:
        """Return the containers of this realm that are somebody's session."""
        with translated():
            found = self._connection.api.containers(
                all=True, filters={"label": f"{REALM}={self._realm}"}
            )
        return [one["Id"] for one in found if not one["Labels"].get(HOLDER)]

    @property
    def _prefix(self) -> str:
        return home_volume(self._realm, 0).removesuffix("home-0")


def new_root() -> str:
    """Return the name of a root directory that no image has."""
    return secrets.token_hex(16)
