"""What was used: by user, group or application, as a table, as plots over time and as CSV.

Invariant: days are those of UTC, in the table as in the plots and in the CSV.
"""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import cast, get_args
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from control_plane import usage as ledger
from control_plane.usage import By, Line, Measure
from control_plane.web import lists, plots
from control_plane.web.admin_pages import entry
from control_plane.web.lists import Column

PERIODS = (7, 30, 90, 365)
_USUAL_PERIOD = 30
_LONGEST = timedelta(days=3660)
FILTERS = ("by", "what", "days", "since", "until")
COLUMNS: tuple[Column[Line], ...] = (
    Column("name", "Name", lambda one: one.name.casefold()),
    Column("sessions", "Sessions", lambda one: one.sessions),
    Column("hours", "Hours", lambda one: one.seconds),
    Column("cpu", "CPU hours", lambda one: one.cpu_seconds),
    Column("memory", "GiB hours of memory", lambda one: one.memory_gib_seconds),
)


@dataclass(frozen=True, slots=True)
class Period:
    """From the beginning of a day to the end of one, or to now; `days` is 0 for dates one chose.

    `problem` says why what was typed is not the period.
    """

    since: datetime
    until: datetime
    days: int = 0
    problem: str = ""

    @property
    def last(self) -> date:
        """The last day of it."""
        return (self.until - timedelta(microseconds=1)).date()


async def listed(request: Request) -> Response:
    """GET /admin/usage?by=&what=&days=&since=&until=: the last days, or those between two dates."""
    visit = entry.look(request)
    asked = lists.wanted(request.query_params, *FILTERS)
    return await run_in_threadpool(_listed, visit, asked)


def _listed(visit: entry.Visit, asked: lists.Wanted) -> Response:
    more = asked.more or {}
    by = cast("By", more["by"] if more["by"] in get_args(By) else "user")
    what = cast("Measure", more["what"] if more["what"] in get_args(Measure) else "seconds")
    period = period_of(more["days"], more["since"], more["until"], visit.plane.clock())
    rows = visit.plane.records.usage(period.since, period.until)
    lines = ledger.report(rows, by, period.since, period.until)
    context = {
        "list": lists.listed(
            asked if asked.sort else replace(asked, sort="-hours"),
            lines,
            COLUMNS,
            lambda one: one.name,
        ),
        "by": by,
        "what": what,
        "period": period,
        "periods": PERIODS,
        "plots": plots.of(rows, by, what, period.since, period.until) if lines else None,
        "csv": _csv(by, period),
    }
    return visit.page("admin/usage.html", context)


def period_of(days: str, first: str, last: str, now: datetime) -> Period:
    """Return the period that was asked for; dates count before the number of days."""
    length = int(days) if days in map(str, PERIODS) else _USUAL_PERIOD
    usual = Period(_morning(now.date() - timedelta(days=length - 1)), now, length)
    if not (first or last):
        return usual
    try:
        until = min(_morning(date.fromisoformat(last) + timedelta(days=1)), now) if last else now
        since = _morning(date.fromisoformat(first)) if first else until - timedelta(days=length)
    except (ValueError, OverflowError):
        return Period(usual.since, now, length, "A day is written such as 2026-03-31.")
    since = _morning(since.date())
    if since >= until:
        return Period(usual.since, now, length, "The first day has to lie before the last.")
    return Period(max(since, _morning((until - _LONGEST).date())), until)


def _csv(by: By, period: Period) -> str:
    moments = {"since": period.since, "until": period.until}
    told = {name: one.strftime("%Y-%m-%dT%H:%M:%SZ") for name, one in moments.items()}
    return f"/api/v1/admin/usage?{urlencode({'format': 'csv', 'by': by, **told})}"


def _morning(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
