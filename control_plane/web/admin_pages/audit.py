"""The audit log: who did what to what, searched by what stands in it.

Invariant: days are those of UTC; what is downloaded as CSV is what was searched for, all of it.
"""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, time, timedelta
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from control_plane.domain.entities import AuditRow
from control_plane.web import lists
from control_plane.web.admin_pages import entry
from control_plane.web.lists import Column

COLUMNS: tuple[Column[AuditRow], ...] = (
    Column("at", "When"),
    Column("actor", "Who"),
    Column("action", "Did what"),
    Column("target", "To what"),
    Column("detail", "More"),
)
_EXACT = ("actor", "action", "target")
# What may stand there, to be chosen from; any word may be typed.
ACTIONS = (
    *("sign-in", "sign-in-refused", "sign-out-everywhere", "password"),
    *("token-issue", "token-revoke"),
    *("user-create", "user-change", "user-remove"),
    *("group-create", "group-change", "group-remove"),
    *("application-create", "application-change", "application-remove"),
    *("grant", "grant-change", "revoke"),
    *("image-pull", "image-upload", "image-remove"),
    *("session-stop", "session-message", "announce", "apply"),
)


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for, as the records are asked."""

    words: str
    actor: str
    action: str
    target: str
    since: datetime | None
    until: datetime | None


async def listed(request: Request) -> Response:
    """GET /admin/audit: the newest first."""
    visit = entry.look(request)
    asked = lists.wanted(request.query_params, *_EXACT, "since", "until")
    return await run_in_threadpool(_listed, visit, asked)


def _listed(visit: entry.Visit, asked: lists.Wanted) -> Response:
    more = asked.more or {}
    exact = {name: more[name] for name in _EXACT}
    one = Search(
        asked.words, **exact, since=_day(more["since"]), until=_day(more["until"], after=True)
    )
    total = visit.plane.records.audit_count(**asdict(one))
    shown = lists.cut(asked, total, COLUMNS, lambda at, count: _found(visit, one, at, count))
    context = {"list": shown, "actions": ACTIONS, "csv": _csv(one, exact)}
    return visit.page("admin/audit.html", context)


def _found(visit: entry.Visit, one: Search, offset: int, count: int) -> list[AuditRow]:
    return list(visit.plane.records.audit(**asdict(one), limit=count, offset=offset))


def _csv(one: Search, exact: dict[str, str]) -> str:
    days = {"since": one.since, "until": one.until}
    told = {name: day.strftime("%Y-%m-%dT%H:%M:%SZ") for name, day in days.items() if day}
    asked = {name: text for name, text in ({"words": one.words} | exact).items() if text}
    return f"/api/v1/admin/audit?{urlencode({'format': 'csv'} | asked | told)}"


def _day(text: str, *, after: bool = False) -> datetime | None:
    """Return when a day such as 2026-03-31 begins, or when it is `after`; None for no day."""
    try:
        day = datetime.combine(datetime.fromisoformat(text).date(), time(), UTC)
        return day + timedelta(days=1) if after else day
    except (ValueError, OverflowError):
        return None
