"""The audit log: who did what to what, searched by what stands in it."""

from datetime import UTC, datetime, time, timedelta

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
FILTERS = ("actor", "action", "target", "since", "until")


async def listed(request: Request) -> Response:
    """GET /admin/audit: the newest first; days are those of UTC."""
    visit = entry.look(request)
    asked = lists.wanted(request.query_params, *FILTERS)
    return await run_in_threadpool(_listed, visit, asked)


def _listed(visit: entry.Visit, asked: lists.Wanted) -> Response:
    more = asked.more or {}
    words = {name: more[name] for name in ("actor", "action", "target")}
    days = {"since": _day(more["since"]), "until": _day(more["until"], after=True)}
    records = visit.plane.records
    total = records.audit_count(**words, **days)
    shown = lists.cut(
        asked,
        total,
        COLUMNS,
        lambda offset, count: records.audit(**words, **days, limit=count, offset=offset),
    )
    return visit.page("admin/audit.html", {"list": shown})


def _day(text: str, *, after: bool = False) -> datetime | None:
    """Return when a day such as 2026-03-31 begins, or when it is `after`; None for no day."""
    try:
        day = datetime.combine(datetime.fromisoformat(text).date(), time(), UTC)
        return day + timedelta(days=1) if after else day
    except (ValueError, OverflowError):
        return None
