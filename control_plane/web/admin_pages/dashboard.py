"""The first page of administration: what runs, how the machine is, what is not well, who came.

Invariant: nothing that may be slow is waited for: what the engine and the checks say was asked in
the background, and the ledger is read once a minute.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from control_plane.domain.entities import AuditRow, Session, State
from control_plane.domain.ports import Plane
from control_plane.domain.stores import Records
from control_plane.web import plots
from control_plane.web.admin_pages import entry
from control_plane.web.plots import Plots

DAYS = 14
_MOST_ROWS = 5
# What applications are kept from, by where they live.
APART = {
    "domain": (
        "Each session has a host of its own (apps_domain): applications are kept from the portal "
        "and from one another."
    ),
    "port": (
        "Applications have a port of their own (apps_port): they are kept from the portal, but not "
        "from one another. Only apps_domain does that, too."
    ),
    "one": (
        "This portal is semi-trusted: applications share its own address, and their scripts can do "
        "in it whatever their visitor may. apps_port or apps_domain keeps them apart."
    ),
}
_STATES = (State.READY, State.STARTING, State.STOPPING, State.FAILED)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Present:
    """The sessions that there are now: by state, by application, and the newest."""

    states: Sequence[tuple[str, int]]
    applications: Sequence[tuple[str, int]]
    newest: Sequence[Session]

    @property
    def living(self) -> int:
        """How many have not ended."""
        return sum(count for state, count in self.states if state != State.FAILED.value)


@dataclass(frozen=True, slots=True)
class Visits:
    """Who came, and who was refused: the last ones, and how many in a day."""

    came: Sequence[AuditRow]
    refused: Sequence[AuditRow]
    came_in_a_day: int
    refused_in_a_day: int


async def show(request: Request) -> Response:
    """GET /admin and /admin/."""
    return await run_in_threadpool(_shown, entry.look(request))


def _shown(visit: entry.Visit) -> Response:
    plane = visit.plane
    now = plane.clock()
    context = {
        "present": _present(plane),
        "figures": plane.condition.figures(),
        "apart": APART[plane.site.origins.mode],
        "elsewhere": plane.site.reach.elsewhere,
        "examined": plane.condition.examined(),
        "visits": _visits(plane.records, now),
        "usage": _usage(visit, now),
        "people": len(plane.accounting.users()),
    }
    return visit.page("admin/dashboard.html", context)


def _present(plane: Plane) -> Present:
    sessions = list(plane.access.sessions.values())
    states = Counter(one.state for one in sessions)
    living = [one for one in sessions if one.living]
    applications = Counter(one.application for one in living).most_common(_MOST_ROWS)
    newest = sorted(sessions, key=lambda one: one.created_at, reverse=True)[:_MOST_ROWS]
    return Present([(one.value, states[one]) for one in _STATES], applications, newest)


def _visits(records: Records, now: datetime) -> Visits:
    came, refused = "sign-in", "sign-in-refused"
    return Visits(
        records.audit(action=came, limit=_MOST_ROWS),
        records.audit(action=refused, limit=_MOST_ROWS),
        records.audit_count(action=came, since=now - _DAY),
        records.audit_count(action=refused, since=now - _DAY),
    )


def _usage(visit: entry.Visit, now: datetime) -> Plots:
    """Return the last days' hours of sessions; the page comes every few seconds."""
    kept = visit.request.app.state
    minute = now.replace(second=0, microsecond=0)
    if getattr(kept, "recent_usage_at", None) != minute:
        since = datetime.combine((now - (DAYS - 1) * _DAY).date(), time(), UTC)
        rows = visit.plane.records.usage(since, now)
        kept.recent_usage = plots.of(rows, "user", "seconds", since, now)
        kept.recent_usage_at = minute
    found: Plots = kept.recent_usage
    return found
