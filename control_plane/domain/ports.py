"""What the use cases need of the world, and `Plane`, which holds one of each.

A port stands here where a real adapter and a fake that passes the same contract tests exist; the
stores stand in `stores`, long work in `jobs`, the forwarder of shares in `forwarding`.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from control_plane.domain.access import Access
from control_plane.domain.condition import Condition, Unwatched
from control_plane.domain.containers import Bounds, ContainerSpec
from control_plane.domain.entities import Grant, Image, Load, Network, Person, Sample, Volume
from control_plane.domain.face import Face
from control_plane.domain.files import Listing, Look
from control_plane.domain.forwarding import Forwarder
from control_plane.domain.image_checks import ImageChecks
from control_plane.domain.jobs import Events, Jobs
from control_plane.domain.origins import Origins
from control_plane.domain.providers import Provider
from control_plane.domain.reach import Reach
from control_plane.domain.routes import Route
from control_plane.domain.stores import Accounting, Records, Stores


@dataclass(frozen=True, slots=True)
class Container:
    """What the engine says of one container of this realm.

    `address` is empty where it cannot be reached; `port` is the one that is published there, 0
    where its own ports are reached.
    """

    id: str
    running: bool
    started: bool
    labels: Mapping[str, str]
    address: str
    port: int = 0


class Engine(Protocol):
    """The container engine, as a closed set of verbs on this realm's containers."""

    def check(self) -> None:
        """Raise EngineUnavailableError when the engine does not answer."""

    def session_range(self) -> str:
        """Make the session networks if they lack; return what holds every session's address.

        That is a range such as 10.213.0.0/20, or the one address that all ports are published on.
        """

    def range_of(self, network: Network) -> str:
        """Return the part of the session range that the sessions on this network get.

        One address alone means that sessions differ by their ports, and not by their addresses.
        """

    def image(self, name: str) -> Image:
        """Return what the engine knows of an image; ImageMissingError."""

    def images(self) -> Mapping[str, Image]:
        """Return every image by each of its names, in one call."""

    def images_named(self, names: Collection[str]) -> Mapping[str, Image]:
        """Return those of these images that there are, by name; sooner than all of them."""

    def run(self, spec: ContainerSpec) -> str:
        """Create and start; return the container's id. On an error nothing is left.

        A home that is a volume is made, and made the user's, before its first use. A volume of
        the host whose source lacks is an error and never made.
        """

    def containers(self) -> Sequence[Container]:
        """Return this realm's containers, running or not."""

    def signal(self, container_id: str, name: str) -> None:
        """Send a signal; one that is gone or has ended is no error."""

    def remove(self, container_id: str) -> None:
        """Kill and remove; one that is gone is no error."""

    def limit(self, container_id: str, memory: int, cpus: float, pids: int) -> None:
        """Put other limits on a running container; one that is gone is no error."""

    def detach(self, container_id: str) -> None:
        """Cut a running container off its session network; cut off already is no error."""

    def attach(self, container_id: str, network: Network, address: str) -> None:
        """Connect a container that was cut off at a new address, or at its port again."""

    def sample(self, container_id: str) -> Sample | None:
        """Return what a container has used; None when it has ended or is gone."""

    def log(self, container_id: str, tail: int) -> str:
        """Return the last lines of the output; empty when it is gone."""

    def exit_status(self, container_id: str) -> int:
        """Return the status a container ended with; 0 when it is gone."""

    def ends(self, since: datetime) -> Iterator[str]:
        """Yield the id of each container of this realm that ends, from `since` on, for ever.

        EngineUnavailableError when the stream breaks.
        """


@dataclass(frozen=True, slots=True)
class PullProgress:
    """How far a pull is: a layer (empty: the whole), a word, bytes done and in all (0: unknown)."""

    layer: str
    status: str
    current: int = 0
    total: int = 0


class Library(Protocol):
    """The engine's images, for administrators."""

    def images(self) -> Sequence[Image]:
        """Return one entry for each name of each image, by name."""

    def pull(self, name: str) -> Iterator[PullProgress]:
        """Pull an image by its whole reference; ConflictError says what the registry said."""

    def load(self, archive: Iterable[bytes]) -> Sequence[str]:
        """Take in an archive as `docker save` makes it; return the names. InvalidError."""

    def remove(self, name: str) -> None:
        """Take a name off an image, and the image with its last name.

        ImageMissingError; ConflictError while a container uses it.
        """


class Homes(Protocol):
    """The homes of virtual users: volumes of the engine."""

    def exists(self, volume: str) -> bool:
        """Whether there is such a home."""

    def archive(self, volume: str, path: Path) -> bool:
        """Write a home as a tar.gz that its owner alone may read, whole or not at all.

        False when there is no such home.
        """

    def remove(self, volume: str) -> None:
        """Remove a home; ConflictError while a container uses it, a missing one is no error."""


class HomeFiles(Protocol):
    """A look into homes, as their owners."""

    def listed(self, look: Look) -> Listing:
        """Return what lies in a directory; a home that was never used is empty.

        NotFoundError for a directory that is not there, or leads out of the home; ConflictError
        where the image cannot tell; UnavailableError when it takes too long.
        """


class Gateway(Protocol):
    """nginx, as far as we tell it anything."""

    def publish(self, route: Route) -> None:
        """Hand over one more route; GatewayError."""

    def withdraw(self, session_id: str) -> None:
        """Take a route back; an unknown one is no error."""

    def replace(self, routes: Sequence[Route]) -> bool:
        """Make these the routes, all of them; return whether that changed anything."""

    def poke(self) -> None:
        """Hand the routes over again where nginx's reload was put off and is due."""

    def check(self) -> None:
        """Raise GatewayError when the last hand-over was not taken, or was taken with faults."""


class Disk(Protocol):
    """Where the state is written."""

    def check(self) -> None:
        """Raise StoreUnavailableError when nothing can be written, or too little room is left."""


class Passwords(Protocol):
    """How people prove who they are."""

    def hash(self, password: str) -> str:
        """Return a memory-hard hash."""

    def verify(self, digest: str | None, password: str) -> bool:
        """Compare; without a digest it takes as long and is False."""


class Host(Protocol):
    """The host's own user database, and PAM."""

    def person(self, name: str) -> Person | None:
        """Return a system user who may sign in (never uid 0 or below UID_MIN)."""

    def knows_name(self, name: str) -> bool:
        """Whether the host has a user of that name, whoever it is."""

    def knows_uid(self, uid: int) -> bool:
        """Whether the host has given that uid to anyone."""

    def authenticate(self, name: str, password: str) -> bool:
        """Ask PAM; False for every failure alike."""


class Folders(Protocol):
    """What of the host may be mounted into containers."""

    def resolved(self, volume: Volume) -> Volume:
        """Return the volume with its source's links resolved; InvalidError says why not.

        The source exists, lies under one of `[volumes] roots`, and every directory above it is
        root's and writable by nobody else.
        """


@dataclass(frozen=True, slots=True)
class Limits:
    """Defaults of the policy, and the bounds of a site; `max_lifetime` 0 is no end."""

    memory: int
    cpus: float
    pids: int
    max_sessions: int
    sessions_per_user: int
    keep_ended: timedelta
    start_timeout: float
    stop_timeout: float
    network: Network = "internet"
    max_lifetime: int = 0
    bounds: Bounds = field(default_factory=Bounds)


@dataclass(frozen=True, slots=True)
class Site:
    """What one installation is: its slice of the engine, its address, its rules.

    `demo` are grants from the settings for everyone who signs in and has an identity here.
    `archives` is where the homes of those who left are kept. `reach` is what the engine's own
    place bars. `guests`: whether a share's link lets in people without an account.
    """

    realm: str
    public_url: str
    methods: tuple[str, ...]
    admins: frozenset[str]
    limits: Limits
    secret: bytes
    apps_domain: str = ""
    apps_port: int = 8444
    virtual_uids: tuple[int, int] = (70000, 99999)
    auto_create_users: bool = False
    demo: tuple[Grant, ...] = ()
    archives: Path = Path("/var/lib/remoteapp/backups/homes")
    reach: Reach = field(default_factory=Reach)
    face: Face = field(default_factory=Face)
    guests: bool = False

    @property
    def origins(self) -> Origins:
        """Where its pages and its applications live."""
        return Origins(self.public_url, self.apps_domain, self.apps_port)


@dataclass(frozen=True, slots=True)
class Books:
    """What administration needs, beside a running service or without one."""

    site: Site
    accounting: Accounting
    records: Records
    host: Host
    folders: Folders
    passwords: Passwords
    clock: Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Plane:
    """One of each: all that a use case is given.

    `admits` says whether the allow list lets a name sign in; `providers` vouch for people
    elsewhere, by the method's name. `condition` watches the machine and the installation. `loads`
    is what each session that runs took when it was counted last, by its id.
    """

    site: Site
    accounting: Accounting
    records: Records
    stores: Stores
    disk: Disk
    engine: Engine
    image_library: Library
    image_checks: ImageChecks
    homes: Homes
    files: HomeFiles
    gateway: Gateway
    forwarder: Forwarder
    passwords: Passwords
    host: Host
    folders: Folders
    admits: Callable[[str], bool]
    providers: Mapping[str, Provider]
    jobs: Jobs
    events: Events
    access: Access
    clock: Callable[[], datetime]
    condition: Condition = field(default_factory=Unwatched)
    loads: dict[str, Load] = field(default_factory=dict)

    @property
    def books(self) -> Books:
        """The part of it that administration needs."""
        return Books(
            self.site,
            self.accounting,
            self.records,
            self.host,
            self.folders,
            self.passwords,
            self.clock,
        )
