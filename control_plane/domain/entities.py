"""The nouns of the product as plain values.

Times are aware UTC datetimes, memory is in bytes, durations are in seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

UserKind = Literal["system", "virtual"]
AppType = Literal["vncapp", "webapp"]
Sharing = Literal["none", "view", "control"]
ShareKind = Literal["user", "group", "link"]
ShareAccess = Literal["view", "control"]
Network = Literal["internet", "none"]
RunAs = Literal["user", "root"]
Source = Literal["pam", "virtual", "oidc", "github", "world", "link"]
SCOPES = ("sessions:read", "sessions:write", "shares:write", "admin:read", "admin:write")


@dataclass(frozen=True, slots=True)
class User:
    """Someone accounting knows; `uid` and `gid` are set for virtual users only.

    `groups` are names in their order.
    """

    name: str
    kind: UserKind
    enabled: bool = True
    admin: bool = False
    uid: int | None = None
    gid: int | None = None
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """A named set of users; `members` are sign-in names in their order."""

    name: str
    members: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Application:
    """A catalogue entry; the fields after `category` are for images that declare nothing."""

    id: str
    image: str
    display_name: str = ""
    description: str = ""
    category: str = ""
    port: int | None = None
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    ready_path: str = ""
    strip_path: bool = False
    run_as: RunAs = "user"


@dataclass(frozen=True, slots=True)
class Volume:
    """A directory or file of the host in a container; both paths are absolute."""

    source: str
    target: str
    mode: Literal["ro", "rw"]

    def __str__(self) -> str:
        """Return it as people write it."""
        return f"{self.source}:{self.target}:{self.mode}"


@dataclass(frozen=True, slots=True)
class Policy:
    """What a started application may do; None means the default of the settings.

    `max_lifetime` is in seconds, 0 for no end. `app_license` is a secret. `legacy_home` lifts
    what keeps an image that starts as root from what is the host's.
    """

    allow_home: bool = False
    volumes: tuple[Volume, ...] = ()
    allow_startup_data: bool = False
    app_license: str = field(default="", repr=False)
    share: Sharing = "none"
    memory: int | None = None
    cpus: float | None = None
    pids: int | None = None
    network: Network | None = None
    max_sessions: int | None = None
    max_lifetime: int | None = None
    legacy_home: bool = False


@dataclass(frozen=True, slots=True)
class Grantee:
    """Whom a grant is for: a user or a group by name, or every user (`name` is empty)."""

    kind: Literal["user", "group", "everyone"]
    name: str = ""

    def __str__(self) -> str:
        """Return it as a message says it."""
        return "everyone" if self.kind == "everyone" else f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class Grant:
    """They may start this application under this policy; `id` is 32 hex digits."""

    id: str
    grantee: Grantee
    application: Application
    policy: Policy


@dataclass(frozen=True, slots=True)
class Holdings:
    """All that accounting holds, as one value: each sequence in the order of its names.

    `groups` are names; who is in one stands with the user. A grant's application is one of
    `applications`, its grantee one of `users` or `groups`.
    """

    users: tuple[User, ...] = ()
    groups: tuple[str, ...] = ()
    applications: tuple[Application, ...] = ()
    grants: tuple[Grant, ...] = ()


@dataclass(frozen=True, slots=True)
class Image:
    """What the engine says of an image, with our labels read; `size` is in bytes."""

    id: str
    name: str
    labels: Mapping[str, str]
    size: int = 0
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """Who a container runs as: numbers, the sign-in name, and where the home lies.

    `home` is a directory of the host or the name of an engine volume (`home_is_volume`).
    """

    name: str
    uid: int
    gid: int
    gids: tuple[int, ...]
    home: str
    home_is_volume: bool


class State(StrEnum):
    """Where a session is in its life."""

    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"


LIVING = frozenset({State.STARTING, State.READY, State.STOPPING})


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a session failed: one word, a sentence, the last lines of the container's output."""

    code: str
    message: str
    log_tail: str = ""


@dataclass(frozen=True, slots=True)
class Session:
    """One running application of one user; `id` is 32 hex digits and never an authorisation.

    `address` and `port` are where nginx finds it: the container's own, or a published port.
    `policy` is what it was started under, complete and without the licence; None where only a
    container's labels told of it. `cut_off`: it computes on and nobody may enter. `strip_path`:
    the application sees the path below the session's.
    """

    id: str
    owner: str
    grant_id: str
    application: str
    image: str
    type: AppType
    state: State
    created_at: datetime
    address: str
    port: int
    ready_path: str
    options: Mapping[str, str] = field(default_factory=dict)
    container_id: str = ""
    ready_at: datetime | None = None
    ends_at: datetime | None = None
    ended_at: datetime | None = None
    ends_because: str = ""
    failure: Failure | None = None
    dismissed: bool = False
    policy: Policy | None = None
    cut_off: bool = False
    warned: bool = False
    strip_path: bool = False

    @property
    def living(self) -> bool:
        """Whether it counts against a limit: starting, ready or stopping."""
        return self.state in LIVING


@dataclass(frozen=True, slots=True)
class SignIn:
    """A browser that is signed in; `id` is the digest of what the cookie carries.

    `source` is what vouched for the user; a stranger is someone whom accounting does not know, a
    guest came by a link and is called `guest:<share id>`, in pages by `display`. `shares` are the
    links that it entered, and the sessions whose foreign web application it opened knowingly.
    """

    id: str
    user: str
    kind: Literal["user", "stranger", "guest"]
    created_at: datetime
    expires_at: datetime
    address: str = ""
    source: Source = "virtual"
    shares: tuple[str, ...] = ()
    display: str = ""


@dataclass(frozen=True, slots=True)
class Share:
    """Whom a session's owner lets in, how far, and until when; `id` is 32 hex digits.

    `name` is a user's or a group's, empty for a link; `digest` is the SHA-256 of a link's secret.
    """

    id: str
    session_id: str
    owner: str
    kind: ShareKind
    name: str
    access: ShareAccess
    created_at: datetime
    expires_at: datetime
    digest: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Token:
    """An API credential; `digest` is the SHA-256 of what its owner holds."""

    id: str
    user: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime
    digest: str


@dataclass(frozen=True, slots=True)
class Link:
    """An account elsewhere (an issuer's subject) and the user here whom it signs in."""

    issuer: str
    subject: str
    user: str


@dataclass(frozen=True, slots=True)
class Sample:
    """What a container has used: CPU-seconds since its start, and bytes of memory just now.

    Memory is the usage less the inactive file cache.
    """

    cpu_seconds: float
    memory: int


@dataclass(frozen=True, slots=True)
class Load:
    """What a session took when it was counted last: CPUs since the time before, bytes of memory."""

    cpus: float
    memory: int
    at: datetime


@dataclass(frozen=True, slots=True)
class UsageRow:
    """One line of the usage ledger: who ran what, for how long, what it took, why it ended.

    `groups` are the user's at the start. `cpu_counter` is the container's counter at
    `sampled_until`, from which the next sample is counted on.
    """

    session_id: str
    user: str
    application: str
    image: str
    started_at: datetime
    ended_at: datetime | None = None
    reason: str = ""
    groups: tuple[str, ...] = ()
    grant_id: str = ""
    cpu_seconds: float = 0.0
    memory_gib_seconds: float = 0.0
    sampled_until: datetime | None = None
    cpu_counter: float = 0.0


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One act: who did what to what, from where; what it was before and is after, as JSON."""

    at: datetime
    actor: str
    action: str
    target: str
    address: str = ""
    detail: str = ""
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class HomeTask:
    """What becomes of the home of a virtual user who was removed, once nothing uses it.

    `volume` is the engine's volume; `by` is who asked.
    """

    volume: str
    user: str
    action: Literal["archive", "delete"]
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Announcement:
    """What an administrator tells everyone, until a moment (None: until it is taken back)."""

    text: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class LastStart:
    """When a user started something last of a grant, and what was chosen.

    Beside what a session has, the resolution may be `window`: as large as that is next time.
    """

    owner: str
    grant_id: str
    at: datetime
    options: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Event:
    """What is told of a session; `id` grows over restarts too.

    That is a change of its state, or what an administrator says (`by`), which changes nothing.
    """

    id: int
    session: str
    owner: str
    state: State
    message: str
    at: datetime
    by: str = ""
