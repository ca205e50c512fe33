"""The bodies of administration: sessions, what everyone is told, the ledger, the audit log."""

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field

from control_plane import messages
from control_plane.web.schemas import Answer, Body, Moment, Page, PolicyAnswer, SessionAnswer


class AdminSessionFilter(Page):
    """Which sessions."""

    user: str = ""
    application: str = Field(default="", description="The name in the catalogue, or the image.")
    state: Literal["starting", "ready", "stopping", "failed"] | None = None


class AdminSessionAnswer(SessionAnswer):
    """A session as an administrator sees it."""

    image: str
    options: dict[str, str]
    policy: PolicyAnswer | None = Field(description="What it runs under; null: not known.")


class AdminSessionList(Answer):
    """Sessions."""

    items: list[AdminSessionAnswer]
    total: int


class SendMessage(Body):
    """Tell whoever follows a session."""

    text: Annotated[str, Field(min_length=1, max_length=messages.LONGEST)]


class Announce(Body):
    """Tell everyone."""

    text: Annotated[str, Field(min_length=1, max_length=1000)]
    until: Moment | None = Field(default=None, description="Absent: until it is taken back.")


class AnnouncementAnswer(Answer):
    """What everyone is told."""

    text: str
    until: AwareDatetime | None


# usage, audit, figures

Format = Literal["json", "csv"]
FORMAT = "Absent: what `Accept` asks for. CSV is always the whole, whatever `limit` says."


class UsageFilter(Page):
    """Which part of the ledger, and how it is summed up."""

    by: Literal["user", "group", "application"] = "user"
    since: Moment | None = None
    until: Moment | None = Field(default=None, description="Absent: now.")
    format: Format | None = Field(default=None, description=FORMAT)


class UsageLine(Answer):
    """What somebody or something took: seconds of time, of CPU, and of a GiB of memory."""

    name: str
    sessions: int
    seconds: float
    cpu_seconds: float
    memory_gib_seconds: float


class UsageList(Answer):
    """A report of usage."""

    items: list[UsageLine]
    total: int


class AuditFilter(Page):
    """Which acts."""

    actor: str = ""
    action: str = ""
    target: str = ""
    words: str = Field(default="", description="Each of them stands somewhere in the act.")
    since: Moment | None = None
    until: Moment | None = None
    format: Format | None = Field(default=None, description=FORMAT)


class AuditLine(Answer):
    """An act: who did what to what, from where, what it was before and is after."""

    at: AwareDatetime
    actor: str
    action: str
    target: str
    address: str
    detail: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class AuditList(Answer):
    """Acts, the newest first."""

    items: list[AuditLine]
    total: int


class SessionCounts(Answer):
    """How many sessions are in which state."""

    starting: int
    ready: int
    stopping: int
    failed: int


class StatsAnswer(Answer):
    """Figures of the portal."""

    users: int
    groups: int
    applications: int
    grants: int
    sessions: SessionCounts
