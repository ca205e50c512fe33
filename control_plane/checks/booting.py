"""An image started as the portal starts it, in a realm of its own that is gone afterwards.

Invariant: whatever happens meanwhile, no container, network, volume or file of the realm is left.
"""

import asyncio
import secrets
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import IPv4Network
from pathlib import Path
from tempfile import TemporaryDirectory

from control_plane.adapters import readiness
from control_plane.adapters.application_client import ApplicationClient
from control_plane.adapters.docker_inside import DockerInside
from control_plane.adapters.docker_place import EnginePlace
from control_plane.adapters.engine import DockerEngine
from control_plane.domain import containers, labels
from control_plane.domain.containers import Bounds
from control_plane.domain.entities import Application, Image, Person, Policy, Session, State
from control_plane.errors import EngineUnavailableError

UID, GIDS = 20001, (20001, 20011)
_FIRST_ADDRESS = 2  # after the network's own and the engine's gateway
_POLL = 0.05  # seconds


@dataclass(frozen=True, slots=True)
class Terms:
    """What a session gets where its policy says nothing; times in seconds, memory in bytes."""

    start_timeout: float
    memory: int
    cpus: float
    pids: int
    bounds: Bounds = field(default_factory=Bounds)


@dataclass(frozen=True, slots=True)
class Realm:
    """A slice of the engine for one check, and two ways to look at it."""

    name: str
    engine: DockerEngine
    inside: DockerInside


@dataclass(frozen=True, slots=True)
class Subject:
    """What is checked, and under which terms."""

    image: Image
    application: Application
    terms: Terms

    @property
    def is_desktop(self) -> bool:
        """Whether it says that it is one."""
        return labels.app_type(self.image) == "vncapp"

    @property
    def user(self) -> str:
        """The sign-in name: one that is percent-encoded in paths, except for older images.

        The nginx inside those compares what is decoded with what is not.
        """
        return "alice" if labels.kind(self.image) == "older" else "alice@lab"

    @property
    def as_root(self) -> bool:
        """Whether it starts as root."""
        return containers.runs_as_root(self.application, self.image)


@dataclass(frozen=True, slots=True)
class Booted:
    """A started container, its session, and when the engine was asked for it (monotonic)."""

    container: str
    session: Session
    client: ApplicationClient
    asked_at: float


@dataclass(frozen=True, slots=True)
class Waited:
    """When the port took a connection and the ready path answered 2xx, in seconds after the asking.

    None is never. `status` is what the container ended with, if it ended meanwhile.
    """

    connected: float | None
    ready: float | None
    status: int | None = None


@contextmanager
def realm(place: EnginePlace) -> Iterator[Realm]:
    """Give a realm of the engine at that place; in the end all that bears its name is removed."""
    name = f"check-{secrets.token_hex(4)}"
    with (
        TemporaryDirectory(prefix=f"remoteapp-{name}-") as directory,
        closing(DockerEngine(name, place, directory=Path(directory))) as engine,
        closing(DockerInside(name, place)) as inside,
    ):
        _check_is_there(engine)
        try:
            yield Realm(name, engine, inside)
        finally:
            inside.sweep()


@contextmanager
def booted(where: Realm, subject: Subject, options: Mapping[str, str]) -> Iterator[Booted]:
    """Give a started container, removed in the end; StartError when the engine refuses it."""
    session = _session(where, subject, options)
    home = containers.home_volume(where.name, UID)
    person = Person(subject.user, UID, UID, GIDS, home, home_is_volume=True)
    spec = containers.spec(
        session, subject.application, _policy(subject.terms), subject.image, person,
        realm=where.name, bounds=subject.terms.bounds,
    )  # fmt: skip
    asked_at = time.monotonic()
    container = where.engine.run(spec)
    try:
        with closing(_client(session)) as client:
            yield Booted(container, session, client, asked_at)
    finally:
        where.engine.remove(container)


def wait(where: Realm, one: Booted, seconds: float) -> Waited:
    """Wait until the ready path answers 2xx, the container ends or the time is over."""
    address, port, path = one.session.address, one.session.port, one.session.ready_path
    deadline, connected = time.monotonic() + seconds, None
    while time.monotonic() < deadline:
        if connected is None and _connects(address, port):
            connected = time.monotonic() - one.asked_at
        if connected is not None and asyncio.run(readiness.answers(address, port, path)):
            return Waited(connected, time.monotonic() - one.asked_at)
        if not runs(where, one):
            return Waited(connected, None, where.engine.exit_status(one.container))
        time.sleep(_POLL)
    return Waited(connected, None)


def wait_for_end(where: Realm, one: Booted, seconds: float) -> float | None:
    """Return after how many seconds the container ended; None when it did not."""
    begun = time.monotonic()
    while runs(where, one):
        if time.monotonic() - begun > seconds:
            return None
        time.sleep(_POLL)
    return time.monotonic() - begun


def runs(where: Realm, one: Booted) -> bool:
    """Whether the container runs."""
    return any(found.id == one.container and found.running for found in where.engine.containers())


def _check_is_there(engine: DockerEngine) -> None:
    try:
        engine.check()
    except EngineUnavailableError as error:
        hint = "See that it runs and that you may use it: root may, and the group docker."
        raise EngineUnavailableError(error.message, hint) from error


def _session(where: Realm, subject: Subject, options: Mapping[str, str]) -> Session:
    session_id = secrets.token_hex(16)
    values = containers.placeholders(session_id, subject.user)
    block = IPv4Network(where.engine.range_of("internet"))
    # Never the address of the container before: its connections may linger.
    place = secrets.randbelow(block.num_addresses - _FIRST_ADDRESS - 1)
    return Session(
        id=session_id,
        owner=subject.user,
        grant_id=secrets.token_hex(16),
        application=subject.image.name,
        image=subject.application.image,
        type=labels.app_type(subject.image),
        state=State.STARTING,
        created_at=datetime.now(UTC),
        address=str(block[_FIRST_ADDRESS + place]),
        port=containers.port_of(subject.application, subject.image),
        ready_path=containers.ready_path_of(subject.application, subject.image, values),
        options=options,
        strip_path=subject.application.strip_path,
    )


def _policy(terms: Terms) -> Policy:
    return Policy(
        allow_home=True,
        memory=terms.memory,
        cpus=terms.cpus,
        pids=terms.pids,
        network="internet",
    )


def _client(session: Session) -> ApplicationClient:
    return ApplicationClient(
        session.address,
        session.port,
        session.owner,
        labels.base_path(session.owner, session.id),
        strip_path=session.strip_path,
    )


def _connects(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), timeout=1).close()
    except OSError:
        return False
    return True
