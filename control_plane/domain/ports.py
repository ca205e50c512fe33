"""What the use cases need of the world, and `Plane`, which holds one of each.

A port stands here where a real adapter and a fake that passes the same contract tests exist.
"""

from asyncio import Queue
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Protocol

from control_plane.domain.access import Access
from control_plane.domain.containers import ContainerSpec
from control_plane.domain.entities import (
    Application,
    AuditRow,
    Event,
    Grant,
    Image,
    Person,
    Policy,
    Session,
    SignIn,
    Token,
    UsageRow,
    User,
)
from control_plane.domain.routes import Route


class Accounting(Protocol):
    """Who may run what: users, applications, policies, grants."""

    def user(self, name: str) -> User | None:
        """Return the user of that name."""

    def users(self) -> Sequence[User]:
        """Return every user, by name."""

    def add_user(self, user: User) -> None:
        """Add a user; ConflictError when the name is taken."""

    def change_user(self, user: User) -> None:
        """Replace the user of that name; NotFoundError when there is none."""

    def remove_user(self, name: str) -> None:
        """Remove a user and the grants; NotFoundError when there is none."""

    def next_uid(self, first: int, last: int, taken: Callable[[int], bool]) -> int:
        """Reserve a uid that was never given before; ConflictError when none is left."""

    def applications(self) -> Sequence[Application]:
        """Return every application, by image."""

    def add_application(self, application: Application) -> None:
        """Add an application; ConflictError when the image is known already."""

    def remove_application(self, image: str) -> None:
        """Remove an application and its grants; NotFoundError when there is none."""

    def grant(self, grant_id: str) -> Grant | None:
        """Return one grant with its application and policy."""

    def granted(self, grant_ids: Collection[str]) -> set[str]:
        """Return those of the ids that are still grants, in one query."""

    def grants_of(self, user: str) -> Sequence[Grant]:
        """Return the user's grants with applications and policies, in one query."""

    def add_grant(self, image: str, user: str, policy: Policy) -> Grant:
        """Grant; the same user, application and policy again returns the grant that exists.

        NotFoundError names the user or the application that is unknown.
        """

    def revoke(self, image: str, user: str, policy: Policy | None) -> int:
        """Remove the grants of that policy (None: of any); return how many."""


class Records(Protocol):
    """What happened: sessions, sign-ins, passwords, tokens, ledger, audit."""

    def add_session(self, session: Session) -> None:
        """Write a new session's record."""

    def save_session(self, session: Session) -> None:
        """Replace the record of that id, or write it when there is none."""

    def session(self, session_id: str) -> Session | None:
        """Return one record."""

    def open_sessions(self) -> Sequence[Session]:
        """Return the living ones and the failures nobody has dismissed, oldest first."""

    def ended_sessions(self, owner: str, since: datetime) -> Sequence[Session]:
        """Return the owner's stopped or failed ones that ended after `since`, newest first."""

    def addresses_ended_since(self, since: datetime) -> Sequence[str]:
        """Return the addresses of the sessions that ended after `since`."""

    def cursor(self, name: str) -> int:
        """Return a named counter; 0 before it was ever set."""

    def set_cursor(self, name: str, value: int) -> None:
        """Set a named counter."""

    def add_signin(self, signin: SignIn) -> None:
        """Write a sign-in."""

    def end_signin(self, signin_id: str) -> None:
        """Forget a sign-in; an unknown id is no error."""

    def end_signins(self, user: str, but: str = "") -> int:
        """Forget all of a user's sign-ins except `but`; return how many."""

    def signins(self, now: datetime) -> Sequence[SignIn]:
        """Return the sign-ins that have not expired, and forget those that have."""

    def password(self, user: str) -> str | None:
        """Return the hash of a virtual user's password."""

    def set_password(self, user: str, digest: str) -> None:
        """Set or replace it."""

    def forget_user(self, user: str) -> None:
        """Remove password, sign-ins and tokens; ledger and audit stay."""

    def add_token(self, token: Token) -> None:
        """Write a token."""

    def tokens(self, now: datetime) -> Sequence[Token]:
        """Return the tokens that have not expired."""

    def remove_token(self, user: str, token_id: str) -> bool:
        """Remove that user's token; False when there is none."""

    def remove_tokens(self, user: str) -> int:
        """Remove all of a user's tokens; return how many."""

    def add_attempt(self, name: str, address: str, at: datetime) -> None:
        """Count an attempt to sign in, before it is judged."""

    def attempts(self, name: str, address: str, since: datetime) -> tuple[int, int]:
        """Return the attempts since then: of this pair, and of the address with any name."""

    def forget_attempts(self, name: str, address: str, before: datetime) -> None:
        """Forget the attempts of this pair, and every one that is older than `before`."""

    def add_usage(self, row: UsageRow) -> None:
        """Write a line of the ledger; a second one for the same session changes nothing."""

    def usage(self) -> Sequence[UsageRow]:
        """Return the ledger, oldest first."""

    def add_audit(self, row: AuditRow) -> None:
        """Write an act."""

    def audit(self) -> Sequence[AuditRow]:
        """Return the acts, oldest first."""


class Stores(Protocol):
    """What notices that another process wrote to a database."""

    def version(self) -> object:
        """Return a value that differs after every write to either database, by any process."""

    def check(self) -> None:
        """Raise StoreUnavailableError when a database does not answer."""


@dataclass(frozen=True, slots=True)
class Container:
    """What the engine says of one container of this realm."""

    id: str
    running: bool
    started: bool
    labels: Mapping[str, str]
    address: str


class Engine(Protocol):
    """The container engine, as a closed set of verbs on this realm's containers."""

    def check(self) -> None:
        """Raise EngineUnavailableError when the engine does not answer."""

    def session_range(self) -> str:
        """Make the session network if it lacks; return its range, such as 10.213.0.0/20."""

    def image(self, name: str) -> Image:
        """Return what the engine knows of an image; ImageMissingError."""

    def images(self) -> Mapping[str, Image]:
        """Return every image by each of its names, in one call."""

    def run(self, spec: ContainerSpec) -> str:
        """Create and start; return the container's id. On an error nothing is left.

        A home that is a volume is made, and made the user's, before its first use.
        """

    def containers(self) -> Sequence[Container]:
        """Return this realm's containers, running or not."""

    def signal(self, container_id: str, name: str) -> None:
        """Send a signal; one that is gone or has ended is no error."""

    def remove(self, container_id: str) -> None:
        """Kill and remove; one that is gone is no error."""

    def log(self, container_id: str, tail: int) -> str:
        """Return the last lines of the output; empty when it is gone."""

    def exit_status(self, container_id: str) -> int:
        """Return the status a container ended with; 0 when it is gone."""

    def ends(self, since: datetime) -> Iterator[str]:
        """Yield the id of each container of this realm that ends, from `since` on, for ever.

        EngineUnavailableError when the stream breaks.
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


class Outcome(Enum):
    """How a wait ended."""

    CAME = "came"
    ENDED = "ended"
    TIMED_OUT = "timed out"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Answer:
    """Wait until the application answers 2xx on its ready path, or its container ends."""

    container_id: str
    address: str
    port: int
    path: str
    seconds: float


@dataclass(frozen=True, slots=True)
class End:
    """Wait until the container ends."""

    container_id: str
    seconds: float


@dataclass(frozen=True, slots=True)
class After:
    """Wait until other work is done, however it ended."""

    work: Future[None]


Wait = Answer | End | After
Job = Generator[Wait, Outcome, None]


class Jobs(Protocol):
    """Long work: one job a session at a time, steps on a bounded executor, waits on none."""

    def submit(self, session_id: str, job: Job) -> Future[None]:
        """Run a job after the one under way for that session, which is interrupted."""

    def busy(self, session_id: str) -> bool:
        """Whether a job is under way or waiting for that session."""

    def ended(self, container_id: str) -> None:
        """Tell the waits that a container has ended."""

    def close(self) -> None:
        """Let the steps under way finish; what waits is continued by the next process."""


class Events(Protocol):
    """What people are told while it happens."""

    def tell(self, session: Session, message: str) -> Event:
        """Tell everyone who listens; safe from any thread."""

    def since(self, event_id: int | None) -> Sequence[Event] | None:
        """Return what was told after that id; None when that is not known any more."""

    def latest(self) -> int:
        """Return the id of what was told last."""

    def subscribe(self) -> Queue[Event | None]:
        """Return a queue that gets what is told from now on; None means that it ends."""

    def unsubscribe(self, queue: Queue[Event | None]) -> None:
        """Forget a queue."""

    def close(self) -> None:
        """End every stream."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Defaults of the policy, and the bounds of a site."""

    memory: int
    cpus: float
    pids: int
    max_sessions: int
    sessions_per_user: int
    keep_ended: timedelta
    start_timeout: float
    stop_timeout: float


@dataclass(frozen=True, slots=True)
class Site:
    """What one installation is: its slice of the engine, its address, its rules."""

    realm: str
    public_url: str
    methods: tuple[str, ...]
    admins: frozenset[str]
    limits: Limits
    secret: bytes


@dataclass(frozen=True, slots=True)
class Plane:
    """One of each: all that a use case is given."""

    site: Site
    accounting: Accounting
    records: Records
    stores: Stores
    engine: Engine
    gateway: Gateway
    passwords: Passwords
    host: Host
    jobs: Jobs
    events: Events
    access: Access
    clock: Callable[[], datetime]
