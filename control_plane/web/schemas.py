"""The bodies of the HTTP API: what comes in is checked here, what goes out is described here.

Times are RFC 3339 UTC, durations seconds, memory bytes.
"""

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

Scope = Literal["sessions:read", "sessions:write", "shares:write", "admin:read", "admin:write"]
MONTH = 30 * 24 * 3600
YEAR = 366 * 24 * 3600
PASSWORD_LEAST = 8


class Body(BaseModel):
    """What a client sends: an unknown field is an error."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Answer(BaseModel):
    """What a client gets."""

    model_config = ConfigDict(from_attributes=True)


class StartSession(Body):
    """Start an application."""

    grant_id: Annotated[
        str, Field(min_length=1, max_length=64, description="From GET /applications.")
    ]
    options: dict[str, Any] = Field(
        default={}, description="`resolution`: WIDTHxHEIGHT, 320-7680 x 200-4320; absent: fit."
    )
    replace: bool = Field(default=False, description="Stop the oldest of this grant first.")


class IssueToken(Body):
    """Issue a token."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    scopes: list[Scope] = Field(default=["sessions:read", "sessions:write"], min_length=1)
    expires_in: Annotated[int, Field(ge=60, le=YEAR)] = MONTH


class ChangePassword(Body):
    """Change one's own password."""

    old: Annotated[str, Field(max_length=1024)]
    new: Annotated[str, Field(min_length=PASSWORD_LEAST, max_length=1024)]


class FailureAnswer(Answer):
    """Why a session failed."""

    code: str
    message: str
    log_tail: str


class SessionAnswer(Answer):
    """A session as its owner sees it."""

    id: str
    grant_id: str
    application: str
    type: Literal["vncapp", "webapp"]
    owner: str
    access: Literal["owner", "control", "view"]
    state: Literal["starting", "ready", "stopping", "stopped", "failed"]
    url: str = Field(description="Absolute, with its end slash.")
    created_at: AwareDatetime
    ready_at: AwareDatetime | None
    ends_at: AwareDatetime | None
    ended_at: AwareDatetime | None
    ends_because: str
    failure: FailureAnswer | None


class PolicyAnswer(Answer):
    """What a started application may do; no field is left to a default."""

    allow_home: bool
    share: Literal["none", "view", "control"]
    memory: int
    cpus: float
    pids: int
    max_sessions: int


class ApplicationAnswer(Answer):
    """One entry of the catalogue."""

    grant_id: str
    display_name: str
    image: str
    type: Literal["vncapp", "webapp"]
    description: str
    category: str
    icon_url: str
    available: bool = Field(
        description="False where the engine lacks the image or we cannot start it."
    )
    policy: PolicyAnswer
    options: list[str]
    sessions: list[SessionAnswer]


class TokenAnswer(Answer):
    """A token, without its value."""

    id: str
    name: str
    scopes: list[Scope]
    created_at: AwareDatetime
    expires_at: AwareDatetime


class NewTokenAnswer(TokenAnswer):
    """A token with its value, which is told once."""

    token: str


class MeAnswer(Answer):
    """Who is signed in."""

    name: str
    kind: Literal["system", "virtual"]
    groups: list[str]
    admin: bool
    scopes: list[Scope]


class SessionList(Answer):
    """Sessions."""

    items: list[SessionAnswer]
    total: int


class ApplicationList(Answer):
    """The catalogue."""

    items: list[ApplicationAnswer]
    total: int


class TokenList(Answer):
    """Tokens."""

    items: list[TokenAnswer]
    total: int


class StateEvent(Answer):
    """The data of an event of kind `state`."""

    session: str
    state: str
    message: str
    at: AwareDatetime


class FieldProblem(Answer):
    """One bad field."""

    field: str
    message: str


class Problem(Answer):
    """An error, by RFC 9457."""

    type: str = Field(description="urn:remoteapp:<code>")
    title: str
    status: int
    detail: str
    hint: str | None = None
    errors: list[FieldProblem] | None = None
    sessions: list[SessionAnswer] | None = Field(
        default=None, description="What stands in the way: the running sessions."
    )
    reference: str | None = Field(default=None, description="The id under which the log has it.")


class Health(Answer):
    """Whether the process is up."""

    status: Literal["up"]


class Readiness(Answer):
    """Whether each part that is needed answers; a sentence where one does not."""

    ready: bool
    checks: dict[str, str]


PAGE = {"limit": "At most so many, up to 500.", "offset": "Leave out so many first."}
STATE = {"state": "`all`: also the ended ones that are still kept."}
TAIL = {"tail": "So many lines from the end, up to 5000."}
