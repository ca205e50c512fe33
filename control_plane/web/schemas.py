"""The bodies of the HTTP API: what comes in is checked here, what goes out is described here.

Times are RFC 3339 UTC, durations seconds, memory bytes.
"""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
)

from control_plane.web import language

Scope = Literal["sessions:read", "sessions:write", "shares:write", "admin:read", "admin:write"]
MONTH = 30 * 24 * 3600
YEAR = 366 * 24 * 3600
PASSWORD_LEAST = 8
LARGEST_PAGE = 500
LONGEST_TAIL = 5000
_DATE = re.compile(r"\d{4}-\d\d-\d\d[Tt]", re.ASCII)


def _written(value: object) -> object:
    # pydantic would take a number of seconds, too.
    if not (isinstance(value, str) and _DATE.match(value)):
        raise ValueError("must be text, by RFC 3339")
    return value


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("must lie within the years 1 to 9999 in UTC") from None


# RFC 3339 with an offset, as it is sent; UTC from here on.
Moment = Annotated[
    AwareDatetime, Field(strict=False), BeforeValidator(_written), AfterValidator(_in_utc)
]
# A sentence for people: it goes out in the language of whoever asks; English for programs.
Said = Annotated[
    str,
    PlainSerializer(
        lambda text: language.spoken().sentence(text), return_type=str, when_used="json-unless-none"
    ),
]


class Body(BaseModel):
    """What a client sends: an unknown field is an error."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Query(BaseModel):
    """What stands behind the question mark: an unknown word is an error."""

    model_config = ConfigDict(extra="forbid")


class Page(Query):
    """A part of a list."""

    limit: int = Field(default=LARGEST_PAGE, ge=0, le=LARGEST_PAGE, description="At most so many.")
    offset: int = Field(default=0, ge=0, le=10**9, description="Leave out so many first.")


class SessionFilter(Page):
    """Which sessions."""

    state: Literal["living", "all"] = Field(
        default="living", description="`all`: also the ended ones that are still kept."
    )


class Tail(Query):
    """How much of an output."""

    tail: int = Field(default=200, ge=0, le=LONGEST_TAIL, description="So many lines from the end.")


class Icon(Query):
    """Which version of an icon."""

    digest: str = Field(
        default="", max_length=100, description="As in `icon_url`: then it may be kept for ever."
    )


class Directory(Query):
    """Which directory of the home."""

    path: str = Field(default="", max_length=4096, description="Below the home, or /workspace/…")


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


class Extend(Body):
    """Let a session run on."""

    seconds: Annotated[
        int, Field(ge=1, le=YEAR, description="Added to its end, as far as the policy allows.")
    ]


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
    message: Said
    log_tail: str


class SessionAnswer(Answer):
    """A session; `access` is the caller's, who may administer one that he may not enter."""

    id: str
    grant_id: str = Field(description="Empty where it is another's.")
    application: str
    type: Literal["vncapp", "webapp"]
    owner: str
    access: Literal["owner", "control", "view", "none"]
    state: Literal["starting", "ready", "stopping", "stopped", "failed"]
    url: str = Field(description="Absolute, with its end slash.")
    created_at: AwareDatetime
    ready_at: AwareDatetime | None
    ends_at: AwareDatetime | None
    ended_at: AwareDatetime | None
    ends_because: Said
    cut_off: bool = Field(description="It computes on and nobody may enter.")
    failure: FailureAnswer | None


class PolicyAnswer(Answer):
    """What a started application may do; no field is left to a default."""

    allow_home: bool
    volumes: list[str] = Field(description="Each SOURCE:TARGET:MODE.")
    allow_startup_data: bool
    has_app_license: bool = Field(description="The licence itself is never shown.")
    share: Literal["none", "view", "control"]
    memory: int
    cpus: float
    pids: int
    network: Literal["internet", "none"]
    max_sessions: int
    max_lifetime: int = Field(description="0: no end.")
    legacy_home: bool


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
    problem: Said = Field(description="Why it cannot be started here; empty where it can.")
    warnings: list[Said] = Field(description="Where it differs from other applications.")
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


class FileAnswer(Answer):
    """One thing in a directory of the home."""

    name: str = Field(description="What of it is no text is U+FFFD.")
    kind: Literal["directory", "file", "link", "other"] = Field(
        description="`link`: it leads out of the home, or nowhere; others are what they lead to."
    )
    path: str = Field(description="To ask or to start with; empty where it cannot be chosen.")


class FileList(Answer):
    """A directory of the home: its directories first."""

    path: str = Field(description="Below the home; empty for the home itself.")
    items: list[FileAnswer]
    cut: bool = Field(description="It holds more than is told.")


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
    message: Said
    at: AwareDatetime
    by: str | None = Field(
        default=None, description="The administrator who says it; absent: it is a change."
    )


class FieldProblem(Answer):
    """One bad field."""

    field: str
    message: Said


class Problem(Answer):
    """An error, by RFC 9457."""

    type: str = Field(description="urn:remoteapp:<code>")
    title: str
    status: int
    detail: Said
    hint: Said | None = None
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
