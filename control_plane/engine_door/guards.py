"""The verbs of the ports, each behind the rules: what passes goes to the engine as it was judged.

Invariant: no container is touched but by its whole id and with this realm's label, no volume but
this realm's homes, and no image whose name the rules do not have.
"""

import logging
import re
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from ipaddress import IPv4Network

from control_plane.adapters import engine_facts
from control_plane.adapters.docker_files import DockerFiles
from control_plane.adapters.docker_homes import DockerHomes
from control_plane.adapters.docker_library import DockerLibrary
from control_plane.adapters.docker_place import EnginePlace
from control_plane.adapters.engine import DockerEngine
from control_plane.adapters.transfers import reference
from control_plane.domain.containers import ContainerSpec
from control_plane.domain.engine_facts import Facts
from control_plane.domain.entities import Image, Network, Sample
from control_plane.domain.files import Listing, Look
from control_plane.domain.names import shown
from control_plane.domain.ports import Container, PullProgress
from control_plane.engine_door import judging
from control_plane.engine_door.host import DoorHost
from control_plane.engine_door.judging import Known
from control_plane.engine_door.rules import Rules
from control_plane.errors import (
    ForbiddenError,
    ImageMissingError,
    NotFoundError,
    StartError,
)

log = logging.getLogger(__name__)

SIGNALS = ("SIGTERM", "SIGKILL")
_HINT = "The rules of the engine's door stand in /etc/remoteapp/engine.toml of the host."
_CONTAINER = re.compile(r"[0-9a-f]{64}")
_IMAGE_ID = re.compile(r"sha256:[0-9a-f]{64}")
# A name or an id; no `..`, which would make another address of the engine's of it.
_IMAGE = re.compile(r"(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._:/@-]{0,254}", re.ASCII)
_KEY = re.compile(r"[a-z0-9-]{1,64}")
_LONGEST_LOG = 10_000  # lines
_MOST_CHARACTERS = 1024**2
_LONGEST_PATH = 4096


_FACTS_SECONDS = 5.0


class GuardedEngine:
    """The engine of one realm behind the rules."""

    def __init__(
        self, rules: Rules, engine: DockerEngine, library: DockerLibrary, host: DoorHost
    ) -> None:
        """Look at nothing yet."""
        self._rules, self._host = rules, host
        self._engine, self._library = engine, library
        self._ours: frozenset[str] = frozenset()

    def check(self) -> None:
        """Raise EngineUnavailableError when the engine does not answer."""
        self._engine.check()

    def session_range(self) -> str:
        """Return what holds every session's address; the networks are made if they lack."""
        return self._engine.session_range()

    def range_of(self, network: Network) -> str:
        """Return the part of the session range that the sessions on this network get."""
        return self._engine.range_of(network)

    def image(self, name: str) -> Image:
        """Return what the engine knows of an image; ImageMissingError."""
        return self._engine.image(_plain(name))

    def images(self) -> Mapping[str, Image]:
        """Return every image by each of its names."""
        return self._engine.images()

    def images_named(self, names: Collection[str]) -> Mapping[str, Image]:
        """Return those of these images that there are, by name."""
        return self._engine.images_named([name for name in names if _IMAGE.fullmatch(name)])

    def run(self, spec: ContainerSpec) -> str:
        """Create and start a container; StartError names the rule that it breaks."""
        known = self._known(spec)
        if why := judging.refusal(spec, known, self._rules):
            raise _refused(f"A container is refused: {why}.")
        # As they were judged: nothing on the way to a source can be moved by anyone but root.
        made = self._engine.run(replace(spec, volumes=known.volumes))
        self._ours |= {made}
        return made

    def containers(self) -> Sequence[Container]:
        """Return this realm's containers, running or not."""
        found = self._engine.containers()
        self._ours = frozenset(one.id for one in found)
        return found

    def signal(self, container_id: str, name: str) -> None:
        """Send a signal; one that is gone, has ended or is not this realm's is no error."""
        if name not in SIGNALS:
            raise _refused(f"The signal {shown(name)} is none of {', '.join(SIGNALS)}.")
        if self._is_ours(container_id):
            self._engine.signal(container_id, name)

    def remove(self, container_id: str) -> None:
        """Kill and remove; one that is gone or not this realm's is no error."""
        if self._is_ours(container_id):
            self._engine.remove(container_id)

    def limit(self, container_id: str, memory: int, cpus: float, pids: int) -> None:
        """Put other limits on a container, up to the ceilings."""
        if why := judging.limit_refusal(memory, cpus, pids, self._rules):
            raise _refused(f"A limit is refused: {why}.")
        if self._is_ours(container_id):
            self._engine.limit(container_id, memory, cpus, pids)

    def detach(self, container_id: str) -> None:
        """Cut a container off its session network."""
        if self._is_ours(container_id):
            self._engine.detach(container_id)

    def attach(self, container_id: str, network: Network, address: str) -> None:
        """Connect a container at a new address of the session range."""
        half = IPv4Network(self._engine.range_of(network))
        if why := judging.address_refusal(address, half, network, self._rules):
            raise _refused(f"An address is refused: {why}.")
        if not self._is_ours(container_id):
            raise StartError("engine", f"The engine refused: No such container: {container_id}")
        self._engine.attach(container_id, network, address)

    def sample(self, container_id: str) -> Sample | None:
        """Return what a container has used; None when it has ended, is gone or is not ours."""
        return self._engine.sample(container_id) if self._is_ours(container_id) else None

    def log(self, container_id: str, tail: int) -> str:
        """Return the last lines of the output; empty when it is gone or not ours."""
        if not self._is_ours(container_id):
            return ""
        lines = min(max(tail, 1), _LONGEST_LOG)
        return self._engine.log(container_id, lines)[-_MOST_CHARACTERS:]

    def exit_status(self, container_id: str) -> int:
        """Return the status a container ended with; 0 when it is gone or not ours."""
        return self._engine.exit_status(container_id) if self._is_ours(container_id) else 0

    def ends(self, since: datetime, until: datetime) -> Iterator[str]:
        """Yield the id of each container of this realm that ends from `since` until then."""
        return self._engine.ends(since, until)

    def _known(self, spec: ContainerSpec) -> Known:
        if not _IMAGE_ID.fullmatch(spec.image):
            raise ImageMissingError(shown(spec.image))
        resolved, why_not = self._host.resolved(spec.volumes)
        return Known(
            image=self._engine.image(spec.image),
            names=tuple(self._library.names(spec.image)),
            owner=self._host.owner(judging.owner_of(spec), spec.uid),
            closed=tuple(self._host.powerful().values()),
            volumes=resolved,
            why_not=why_not,
            half=IPv4Network(self._engine.range_of(spec.network)),
        )

    def _is_ours(self, container_id: str) -> bool:
        if not _CONTAINER.fullmatch(container_id):
            return False
        # A label never changes, so what was this realm's once is; what is new is asked for.
        return container_id in self._ours or container_id in {one.id for one in self.containers()}


class GuardedLibrary:
    """The engine's images: names that the rules have come and go, all can be seen."""

    def __init__(self, rules: Rules, library: DockerLibrary) -> None:
        """Look at nothing yet."""
        self._rules, self._library = rules, library

    def images(self) -> Sequence[Image]:
        """Return one entry for each name of each image, by name."""
        return self._library.images()

    def pull(self, name: str) -> Iterator[PullProgress]:
        """Begin to pull an image whose name the rules have."""
        self._check(name)
        return self._library.pull(name)

    def load(self, archive: Iterable[bytes]) -> Sequence[str]:
        """Take in an archive of images whose names the rules have, all of them."""
        return self._library.load(archive)

    def remove(self, name: str) -> None:
        """Take a name that the rules have off an image."""
        self._check(name)
        self._library.remove(name)

    def _check(self, name: str) -> None:
        whole = reference(name)
        if not self._rules.admits_image(whole, whole.removesuffix(":latest")):
            allowed = ", ".join(self._rules.images)
            raise ForbiddenError(f"The name {whole} fits none of {allowed}.", _HINT)


class GuardedHomes:
    """The homes of this realm's virtual users, and those apart."""

    def __init__(self, rules: Rules, homes: DockerHomes) -> None:
        """Look at nothing yet."""
        self._homes = homes
        self._names = re.compile(rf"remoteapp-{re.escape(rules.realm)}-(home|apart)-[0-9]{{1,10}}")

    def exists(self, volume: str) -> bool:
        """Whether there is such a home."""
        return self._homes.exists(self._ours(volume))

    def content(self, volume: str) -> Generator[bytes, None, None] | None:
        """Return the tar of a home; None when there is none."""
        return self._homes.content(self._ours(volume))

    def remove(self, volume: str) -> None:
        """Remove a home."""
        self._homes.remove(self._ours(volume))

    def _ours(self, volume: str) -> str:
        if not self._names.fullmatch(volume):
            raise ForbiddenError(f"The volume {shown(volume)} is no home of this realm.", _HINT)
        return volume


class GuardedCondition:
    """What the engine says of itself; nobody learns of other realms by it."""

    def __init__(self, rules: Rules, place: EnginePlace) -> None:
        """Look at nothing yet."""
        self._rules, self._place = rules, place

    def facts(self) -> Facts:
        """Return what it says of itself; EngineUnavailableError says why it does not."""
        return engine_facts.ask(self._place, self._rules.realm, _FACTS_SECONDS)


class GuardedFiles:
    """Looks into homes, each as the home's own owner."""

    def __init__(
        self, rules: Rules, files: DockerFiles, library: DockerLibrary, host: DoorHost
    ) -> None:
        """Look at nothing yet."""
        self._rules, self._files, self._library, self._host = rules, files, library, host

    def listed(self, look: Look) -> Listing:
        """Return what lies in a directory of a home; ForbiddenError where the rules bar it."""
        if not _is_plain(look.path):
            raise NotFoundError("There is no such directory, or you may not read it.")
        if why := self._why_not(look):
            raise ForbiddenError(f"A look into a home is refused: {why}.", _HINT)
        return self._files.listed(look)

    def _why_not(self, look: Look) -> str:
        if not _KEY.fullmatch(look.key):
            return "its key is odd"
        if not _IMAGE_ID.fullmatch(look.image):
            return "an image is named by its whole id"
        if not self._rules.admits_image(*self._library.names(look.image)):
            return f"none of the image's names fits one of {', '.join(self._rules.images)}"
        owner = self._host.owner(look.person.name, look.person.uid)
        why = judging.person_refusal(look.person, owner, self._rules)
        return why or judging.home_refusal(look.home, owner, self._rules)


def _plain(name: str) -> str:
    """Return the name or the id of an image; what cannot be one is missing."""
    if not _IMAGE.fullmatch(name):
        raise ImageMissingError(shown(name))
    return name


def _is_plain(path: str) -> bool:
    return not path.startswith("/") and ".." not in path.split("/") and len(path) <= _LONGEST_PATH


def _refused(message: str) -> StartError:
    log.warning("refused reason=%s", message)
    return StartError("engine", message, _HINT)
