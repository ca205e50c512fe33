"""What the door knows of its host: people, who of them can become root, and what may be mounted.

Invariant: all of it comes from the host's user database and file system at the moment of asking.
"""

import grp
import pwd
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from control_plane.adapters.folders import FoldersElsewhere, HostFolders
from control_plane.adapters.pam_host import PamHost
from control_plane.domain.entities import Person, Volume
from control_plane.engine_door.judging import Owner
from control_plane.engine_door.rules import Rules
from control_plane.errors import InvalidError

# What is never mounted, whatever the roots are: the portal's own.
KEPT = (Path("/etc/remoteapp"), Path("/var/lib/remoteapp"), Path("/var/lib/remoteapp-engine"))


class DoorHost:
    """This host under these rules; `elsewhere`: no path of it means anything to the engine."""

    def __init__(
        self,
        rules: Rules,
        *,
        elsewhere: bool,
        state: Path = KEPT[-1],
        people: PamHost | None = None,
    ) -> None:
        """Look at nothing yet; `state` is the door's own directory, `people` are the host's."""
        self._rules, self._elsewhere = rules, elsewhere
        self._people = people or PamHost("")
        self._on_host = HostFolders(rules.volume_roots, [*KEPT, state])
        self._folders = FoldersElsewhere() if elsewhere else self._on_host

    def owner(self, name: str, uid: int) -> Owner:
        """Return whom the host knows under that name and that number."""
        person = self._people.person(name)
        return Owner(
            uid=uid,
            uid_taken=self._people.knows_uid(uid),
            person=person,
            powerful=person is not None and name in self.powerful(),
            home_why_not=self._home_why_not(person),
        )

    def powerful(self) -> dict[str, Path]:
        """Return the homes of those who can become root, by their names."""
        found: dict[str, Path] = {}
        for name in self._powerful_names():
            with suppress(KeyError, ValueError):
                found[name] = Path(pwd.getpwnam(name).pw_dir)
        return found

    def resolved(self, volumes: Sequence[Volume]) -> tuple[tuple[Volume, ...], str]:
        """Return the volumes as their sources resolve now, and why one may not be mounted."""
        try:
            return tuple(self._folders.resolved(one) for one in volumes), ""
        except InvalidError as error:
            return (), "; ".join(one.message for one in error.errors)

    def _home_why_not(self, person: Person | None) -> str:
        """Return why nobody gets the home of somebody mounted; empty where one may."""
        if person is None:
            return ""
        if self._elsewhere:
            return "the engine is on another machine, which does not have it"
        return self._on_host.opens(Path(person.home).resolve())

    def _powerful_names(self) -> Iterator[str]:
        yield "root"
        yield from self._rules.powerful_users
        groups = set()
        for name in self._rules.powerful_groups:
            with suppress(KeyError):
                group = grp.getgrnam(name)
                groups.add(group.gr_gid)
                yield from group.gr_mem
        yield from (one.pw_name for one in pwd.getpwall() if one.pw_gid in groups)
