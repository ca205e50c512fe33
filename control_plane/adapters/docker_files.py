"""A look into a home: the image's own shell lists one directory, in a container made for that.

Invariant: the container is the user, has no network, no capability and nothing it may write to;
what it takes and what is read of it is bounded, and it is gone afterwards.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests
from docker.errors import APIError, NotFound

from control_plane.adapters import docker_mounts
from control_plane.adapters.docker_api import REALM, Connection, translated
from control_plane.adapters.docker_place import Where
from control_plane.domain.containers import WORKSPACE
from control_plane.domain.files import Found, Kind, Listing, Look, ordered
from control_plane.domain.labels import RUN
from control_plane.errors import ConflictError, NotFoundError, UnavailableError

MOST_ENTRIES = 500
_MOST_BYTES = 512 * 1024
_SECONDS = 10
_MEMORY = 128 * 1024**2
_PIDS = 16
_ABSENT, _OUTSIDE = 65, 66
# What the engine says where a program is not in the image, and where it may not be run.
_NO_PROGRAM = (126, 127)
# Words: the home, the path in it, how many entries at most. Only what every shell has by itself,
# but for readlink: where that lacks, a link to a file is told as one that leads out. A name is
# never a word of a command by itself, and NUL ends it: no name holds one. The newline keeps the
# engine from cutting a long line in two, perhaps within a character.
_SCRIPT = r"""
LC_ALL=C
inside() { case $1 in "$home"|"$home"/*) return 0 ;; esac; return 1; }
cd -P "$1" 2>/dev/null || exit 65
home=$(pwd -P; echo x); home=${home%?x}
[ -z "$2" ] || cd -P "./$2" 2>/dev/null || exit 65
here=$(pwd -P; echo x); here=${here%?x}
inside "$here" || exit 66
[ -r . ] || exit 65
count=0
for name in *; do
  [ -e "./$name" ] || [ -L "./$name" ] || continue
  count=$((count + 1))
  if [ "$count" -gt "$3" ]; then printf 'cut\0\0\n'; break; fi
  kind=other
  if [ -d "./$name" ]; then kind=directory; elif [ -f "./$name" ]; then kind=file; fi
  if [ -L "./$name" ]; then
    case $kind in
      directory) end=$(cd -P "./$name" 2>/dev/null && pwd -P; echo x) ;;
      file) end=$(readlink -f "./$name" 2>/dev/null; echo x) ;;
      *) end=x ;;
    esac
    inside "${end%?x}" || kind=link
  fi
  printf '%s\0%s\0\n' "$kind" "$name"
done
printf 'end\0\0\n'
"""


class DockerFiles:
    """The homes of one realm in the engine at `where` (None: DOCKER_HOST, else the socket)."""

    def __init__(self, realm: str, where: Where = None, *, seconds: float = _SECONDS) -> None:
        """Connect at the first use; one look takes `seconds` at most."""
        self._realm, self._seconds = realm, seconds
        self._connection = Connection(where)

    def listed(self, look: Look) -> Listing:
        """Return what lies in a directory; a home that was never used is empty.

        NotFoundError for a directory that is not there, or leads out of the home; ConflictError
        where the image has no shell; UnavailableError when it takes too long.
        """
        with translated(image=look.image):
            if look.home.is_volume and not self._is_made(look):
                return _of_nothing(look)
            with self._container(look) as container:
                self._start(container)
                status = self._end_of(container)
                output = self._output(container) if status == 0 else b""
        if status in (_ABSENT, _OUTSIDE):
            raise NotFoundError(
                "That directory leads out of the home."
                if status == _OUTSIDE
                else "There is no such directory, or you may not read it."
            )
        if status in _NO_PROGRAM:
            raise _no_shell()
        return _read(look, output)

    def close(self) -> None:
        """Close the connections to the engine."""
        self._connection.close()

    @property
    def _api(self) -> Any:
        return self._connection.api

    def _is_made(self, look: Look) -> bool:
        """Whether there is that volume, and the owner's: mounted, it would be made as nobody's."""
        try:
            labels = self._api.inspect_volume(look.home.source)["Labels"] or {}
        except NotFound:
            return False
        ours = labels.get(REALM) == self._realm
        return ours and labels.get(RUN + "user", look.person.name) == look.person.name

    @contextmanager
    def _container(self, look: Look) -> Iterator[str]:
        """Give a created container; `reconcile` knows it by its key, and removes one left over."""
        person = look.person
        made: str = self._api.create_container(
            look.image,
            entrypoint=["sh", "-c", _SCRIPT, "sh"],
            command=[WORKSPACE, look.path, str(MOST_ENTRIES)],
            user=f"{person.uid}:{person.gid}",
            labels={REALM: self._realm, RUN + "url_id": look.key},
            host_config=self._bounds(look),
            working_dir="/",
            healthcheck={"test": ["NONE"]},
        )["Id"]
        try:
            yield made
        finally:
            self._api.remove_container(made, force=True, v=True)

    def _bounds(self, look: Look) -> Any:
        return self._api.create_host_config(
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            read_only=True,
            mem_limit=_MEMORY,
            memswap_limit=_MEMORY,
            nano_cpus=int(0.5e9),
            pids_limit=_PIDS,
            group_add=[str(gid) for gid in look.person.gids],
            mounts=[docker_mounts.home_to_read(look.home)],
            network_mode="none",
            log_config={"Type": "json-file", "Config": {"max-size": "1m", "max-file": "1"}},
        )

    def _start(self, container: str) -> None:
        try:
            self._api.start(container)
        except APIError as error:
            state = self._api.inspect_container(container)["State"]
            if state["ExitCode"] in _NO_PROGRAM:
                raise _no_shell() from error
            raise

    def _end_of(self, container: str) -> int:
        try:
            return int(self._api.wait(container, timeout=self._seconds)["StatusCode"])
        except (requests.ReadTimeout, requests.ConnectionError) as error:
            raise UnavailableError(
                "Looking into the home took too long.", "Type the path of the file."
            ) from error

    def _output(self, container: str) -> bytes:
        found = b""
        for chunk in self._api.logs(container, stderr=False, stream=True, follow=False):
            found += chunk
            if len(found) > _MOST_BYTES:
                break
        return found


def _of_nothing(look: Look) -> Listing:
    if look.path:
        raise NotFoundError("There is no such directory, or you may not read it.")
    return Listing("", ())


def _read(look: Look, output: bytes) -> Listing:
    """Return what the script printed: pairs of kind and name, then its end."""
    words = output.decode(errors="replace").split("\0")
    pairs = [(kind.lstrip("\n"), name) for kind, name in zip(words[::2], words[1::2], strict=False)]
    if not pairs or pairs[-1][0] != "end":
        raise UnavailableError("The engine broke off while it read the home.")
    entries = [Found(name, _KINDS[kind]) for kind, name in pairs if kind in _KINDS]
    return ordered(look.path, entries, cut=("cut", "") in pairs)


_KINDS: dict[str, Kind] = {
    "directory": "directory",
    "file": "file",
    "link": "link",
    "other": "other",
}


def _no_shell() -> ConflictError:
    return ConflictError(
        "The image of this application has no shell to look into your home with.",
        "Type the path of the file.",
    )
