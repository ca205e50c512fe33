"""What was used: by user, group or application, as a table, as plots over time and as CSV."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal, cast, get_args

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from control_plane import usage as ledger
from control_plane.domain.entities import UsageRow
from control_plane.usage import Line
from control_plane.web import lists
from control_plane.web.admin_pages import entry
from control_plane.web.lists import Column

By = Literal["user", "group", "application"]
HOUR = 3600
MOST_BARS = 62
PERIODS = {"7": 7, "30": 30, "90": 90, "365": 365}
COLUMNS: tuple[Column[Line], ...] = (
    Column("name", "Name", lambda one: one.name.casefold()),
    Column("sessions", "Sessions", lambda one: one.sessions),
    Column("hours", "Hours", lambda one: one.seconds),
    Column("cpu", "CPU hours", lambda one: one.cpu_seconds),
    Column("memory", "GiB hours of memory", lambda one: one.memory_gib_seconds),
)


async def listed(request: Request) -> Response:
    """GET /admin/usage?by=&days=: the last days, up to now."""
    visit = entry.look(request)
    asked = lists.wanted(request.query_params, "by", "days")
    return await run_in_threadpool(_listed, visit, asked)


def _listed(visit: entry.Visit, asked: lists.Wanted) -> Response:
    more = asked.more or {}
    by = cast("By", more["by"] if more["by"] in get_args(By) else "user")
    days = PERIODS.get(more["days"], 30)
    until = visit.plane.clock()
    since = datetime.combine((until - timedelta(days=days - 1)).date(), time(), UTC)
    rows = visit.plane.records.usage(since, until)
    lines = ledger.report(rows, by, since, until)
    context = {
        "list": lists.listed(asked, lines, COLUMNS, lambda one: one.name),
        "by": by,
        "days": days,
        "periods": PERIODS.values(),
        "since": since,
        "bars": _bars(rows, since, until),
    }
    return visit.page("admin/usage.html", context)


def _bars(
    rows: Sequence[UsageRow], since: datetime, until: datetime
) -> list[tuple[date, float, float]]:
    """Return per bar its first day, the hours of sessions in it, and its height from 0 to 1."""
    days = (until.date() - since.date()).days + 1
    width = timedelta(days=-(-days // MOST_BARS))
    found: list[tuple[date, float]] = []
    begin = since
    while begin < until:
        end = min(begin + width, until)
        lines = ledger.report(rows, "user", begin, end)
        found.append((begin.date(), sum(one.seconds for one in lines) / HOUR))
        begin += width
    most = max((hours for _, hours in found), default=0) or 1
    return [(day, hours, hours / most) for day, hours in found]
