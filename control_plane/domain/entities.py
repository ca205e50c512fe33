"""The nouns of the product as plain values.

Times are aware UTC datetimes, memory is in bytes, durations are in seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal

UserKind = Literal["system", "virtual"]
AppType = Literal["vncapp", "webapp"]
Share = Literal["none", "view", "control"]
SCOPES = ("sessions:read", "sessions:write", "shares:write", "admin:read", "admin:write")


@dataclass(frozen=True, slots=True)
class User:
    """Someone accounting knows; `uid` and `gid` are set for virtual users only."""

    name: str
    kind: UserKind
    enabled: bool = True
    admin: bool = False
    uid: int | None = None
    gid: int | None = None


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


@dataclass(frozen=True, slots=True)
class Policy:
    """What a started application may do; None means the default of the settings."""

    allow_home: bool = False
    share: Share = "none"
    memory: int | None = None
    cpus: float | None = None
    pids: int | None = None
    max_sessions: int | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """This user may start this application under this policy; `id` is 32 hex digits."""

    id: str
    user: str
    application: Application
    policy: Policy


@dataclass(frozen=True, slots=True)
class Image:
    """What the engine says of an image, with our labels read."""

    id: str
    name: str
    labels: Mapping[str, str]


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
    """One running application of one user; `id` is 32 hex digits and never an authorisation."""

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

    @property
    def living(self) -> bool:
        """Whether it counts against a limit: starting, ready or stopping."""
        return self.state in LIVING


@dataclass(frozen=True, slots=True)
class SignIn:
    """A browser that is signed in; `id` is the digest of what the cookie carries."""

    id: str
    user: str
    kind: Literal["user"]
    created_at: datetime
    expires_at: datetime
    address: str = ""


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
class UsageRow:
    """One line of the usage ledger: who ran what, from when to when, and why it ended."""

    session_id: str
    user: str
    application: str
    image: str
    started_at: datetime
    ended_at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One act: who did what to what, from where."""

    at: datetime
    actor: str
    action: str
    target: str
    address: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """A change of a session's state as it is told to people; `id` grows over restarts too."""

    id: int
    session: str
    owner: str
    state: State
    message: str
    at: datetime
