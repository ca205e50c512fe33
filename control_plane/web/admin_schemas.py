"""The bodies of administration: users, groups, applications, grants.

Invariant: shapes are judged here, what a value may be in `domain`; no answer bears a secret.
"""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from control_plane.domain.policy_fields import (
    CPUS,
    LONGEST_LICENSE,
    NETWORKS,
    PIDS,
    SESSIONS,
    SHARES,
    YEAR,
)
from control_plane.web.schemas import (
    PASSWORD_LEAST,
    Answer,
    Body,
    Page,
    Query,
)

Name = Annotated[str, Field(min_length=1, max_length=256)]
Text = Annotated[str, Field(max_length=4000)]
Word = Annotated[str, Field(max_length=255)]
Kind = Literal["system", "virtual"]
Home = Literal["keep", "archive", "delete"]
KEEP_RUNNING = "What runs computes on, and nobody may enter."


def _without_defaults(schema: dict[str, Any]) -> None:
    for field in schema["properties"].values():
        field.pop("default", None)


# What a PATCH does not send stays: its defaults are never read, nor told.
CHANGE = ConfigDict(json_schema_extra=_without_defaults)


# users and groups


class UserFilter(Page):
    """Which users."""

    q: str = Field(default="", description="A part of the name.")
    kind: Kind | None = None
    enabled: bool | None = None
    admin: bool | None = None
    group: str = Field(default="", description="Who is in this group.")


class CreateUser(Body):
    """Make somebody known."""

    name: Name
    kind: Kind = "virtual"
    password: str | None = Field(
        default=None, min_length=PASSWORD_LEAST, max_length=1024, description="Virtual users only."
    )
    admin: bool = False
    enabled: bool = True
    groups: list[Name] = Field(default=[])


class ChangeUser(Body):
    """Change a user; a new password and disabling end the sign-ins and tokens."""

    model_config = CHANGE

    enabled: bool = True
    admin: bool = False
    groups: list[Name] = Field(default=[])
    password: str = Field(default="", min_length=PASSWORD_LEAST, max_length=1024)
    keep_running: bool = Field(default=False, description=f"While disabling. {KEEP_RUNNING}")


class RemoveUser(Query):
    """How a user leaves."""

    home: Home | None = Field(default=None, description="Of a virtual user; absent: `keep`.")
    keep_running: bool = Field(default=False, description=KEEP_RUNNING)
    dry_run: bool = Field(default=False, description="Only tell what would go.")


class UserAnswer(Answer):
    """A user; the id is the name."""

    id: str
    name: str
    kind: Kind
    enabled: bool
    admin: bool
    uid: int | None = Field(description="Of a virtual user.")
    gid: int | None
    groups: list[str]


class UserList(Answer):
    """Users."""

    items: list[UserAnswer]
    total: int


class DepartureAnswer(Answer):
    """What goes with a user, or would."""

    user: str
    grants: list[str] = Field(description="Ids of the grants to this user alone.")
    groups: list[str]
    tokens: int
    signins: int
    sessions: list[str] = Field(description="Ids of what runs.")
    home: str = Field(description="The engine's volume; empty where there is none of ours.")
    home_action: Home


class GroupFilter(Page):
    """Which groups."""

    q: str = Field(default="", description="A part of the name.")
    member: str = Field(default="", description="The groups of this user.")


class CreateGroup(Body):
    """Make a group."""

    name: Name
    members: list[Name] = Field(default=[])


class ChangeGroup(Body):
    """Change who is in a group."""

    members: list[Name] = Field(description="All of them.")


class GroupAnswer(Answer):
    """A group; the id is the name."""

    id: str
    name: str
    members: list[str]


class GroupList(Answer):
    """Groups."""

    items: list[GroupAnswer]
    total: int


# applications and grants


class AdminApplicationFilter(Page):
    """Which applications."""

    q: str = Field(default="", description="A part of the image, the name or the category.")
    image: str = ""


class ChangeApplication(Body):
    """Change an application."""

    model_config = CHANGE

    image: Word = ""
    display_name: Word = Field(default="", description="Empty: what the image says.")
    description: Text = ""
    category: Word = ""
    port: int | None = Field(default=None, ge=1, le=65535)
    command: list[str] = Field(default=[])
    environment: dict[str, str] = Field(default={})
    ready_path: Word = ""
    strip_path: bool = Field(default=False, description="It sees the path below the session's.")
    run_as: Literal["user", "root"] = Field(
        default="user", description="Of an image without labels of ours."
    )


class CreateApplication(ChangeApplication):
    """Make an application; all after the category is for images that declare nothing."""

    image: Annotated[str, Field(min_length=1, max_length=255)]


class AdminApplicationAnswer(Answer):
    """An application, as accounting holds it."""

    id: str
    image: str
    display_name: str
    description: str
    category: str
    port: int | None
    command: list[str]
    environment: dict[str, str]
    ready_path: str
    strip_path: bool
    run_as: Literal["user", "root"]
    warnings: list[str] = Field(description="What bars its start just now, or has a catch.")


class AdminApplicationList(Answer):
    """Applications."""

    items: list[AdminApplicationAnswer]
    total: int


class GrantFilter(Page):
    """Which grants."""

    user: str = Field(default="", description="To this user by name.")
    group: str = Field(default="", description="To this group.")
    everyone: bool | None = None
    application: str = Field(default="", description="The application's id, or its image.")


def _or_null(**schema: Any) -> Any:
    """Return a field that the domain judges, and what the document tells of it."""
    text = schema.pop("description", None)
    either: list[Any] = [schema, {"type": "null"}]
    return Field(default=None, description=text, json_schema_extra={"anyOf": either})


def _closed(schema: dict[str, Any]) -> None:
    _without_defaults(schema)
    schema["additionalProperties"] = False


class PolicyFields(Body):
    """What a started application may do; null is the default."""

    # The domain refuses what it does not know by name, and says what will come later.
    model_config = ConfigDict(extra="allow", json_schema_extra=_closed)

    allow_home: Any = _or_null(type="boolean", description="Mounts the home at /workspace.")
    volumes: Any = _or_null(
        type="array",
        items={"type": "string"},
        description="Each `SOURCE:TARGET:MODE`, the mode `ro` or `rw`.",
    )
    allow_startup_data: Any = _or_null(type="boolean", description="The option `startup_file`.")
    app_license: Any = _or_null(
        type="string",
        maxLength=LONGEST_LICENSE,
        description="Reaches the container and is never shown again.",
    )
    share: Any = _or_null(enum=list(SHARES))
    memory: Any = Field(
        default=None,
        description="Bytes, or text such as `512m`.",
        json_schema_extra={"anyOf": [{"type": kind} for kind in ("integer", "string", "null")]},
    )
    cpus: Any = _or_null(type="number", minimum=CPUS[0], maximum=CPUS[1])
    pids: Any = _or_null(type="integer", minimum=PIDS[0], maximum=PIDS[1])
    network: Any = _or_null(enum=list(NETWORKS))
    max_sessions: Any = _or_null(type="integer", minimum=SESSIONS[0], maximum=SESSIONS[1])
    max_lifetime: Any = _or_null(
        type="integer", minimum=0, maximum=YEAR, description="Seconds; 0: no end."
    )
    legacy_home: Any = _or_null(
        type="boolean",
        description="An image that starts as root gets the real home and writable volumes.",
    )


class CreateGrant(Body):
    """Grant an application to one of a user, a group, or everyone."""

    user: Name | None = None
    group: Name | None = None
    everyone: bool = False
    application: Annotated[str, Field(min_length=1, max_length=64, description="Its id.")]
    policy: PolicyFields = Field(default_factory=PolicyFields)


class ChangeGrant(Body):
    """Change a grant's policy: what is not sent stays, null puts the default back."""

    policy: PolicyFields


class RevokeGrant(Query):
    """How a grant ends."""

    keep_running: bool = Field(default=False, description=KEEP_RUNNING)


class StoredPolicyAnswer(Answer):
    """A policy as it is stored; null is the site's default."""

    allow_home: bool
    volumes: list[str] = Field(description="Each SOURCE:TARGET:MODE.")
    allow_startup_data: bool
    has_app_license: bool = Field(description="The licence itself is never shown.")
    share: Literal["none", "view", "control"]
    memory: int | None
    cpus: float | None
    pids: int | None
    network: Literal["internet", "none"] | None
    max_sessions: int | None
    max_lifetime: int | None = Field(description="0: no end.")
    legacy_home: bool


class GrantAnswer(Answer):
    """A grant to one of a user, a group, or everyone."""

    id: str
    user: str | None
    group: str | None
    everyone: bool
    application: str = Field(description="The application's id.")
    image: str
    policy: StoredPolicyAnswer
    problem: str = Field(description="Why a volume is refused, so that it cannot be started.")
    warnings: list[str] = Field(description="What the policy lifts, and the risk of it.")


class GrantList(Answer):
    """Grants."""

    items: list[GrantAnswer]
    total: int
