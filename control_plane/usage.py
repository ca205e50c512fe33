"""The usage ledger and the audit log: what is written down for later.

Invariant: a session has one row in the ledger, however often its end is noticed, and a row that
was closed stays as it is.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import wait
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise
from typing import Literal

from control_plane.domain.entities import AuditRow, Load, Sample, Session, State, UsageRow
from control_plane.domain.ports import Plane

log = logging.getLogger(__name__)

GIB = 1024**3
By = Literal["user", "group", "application"]
Measure = Literal["seconds", "cpu_seconds", "memory_gib_seconds"]


@dataclass(frozen=True, slots=True)
class Line:
    """What somebody or something took: sessions, and seconds of time, CPU and GiB of memory."""

    name: str
    sessions: int
    seconds: float
    cpu_seconds: float
    memory_gib_seconds: float


def note_start(plane: Plane, session: Session) -> None:
    """Open the ledger's row of a session; it bears the groups that its owner is in now."""
    plane.records.save_usage(_opened(plane, session))


def sample_all(plane: Plane) -> None:
    """Count what every running session has used by now; returns when all are counted."""
    running = [one for one in list(plane.access.sessions.values()) if one.state is State.READY]
    works = [plane.jobs.aside(_sampling(plane, session)) for session in running]
    for failed in [one for one in wait(works).done if one.exception()]:
        log.warning("a session was not counted error=%s", failed.exception())


def sample(plane: Plane, session: Session) -> None:
    """Count what one session has used by now; one whose container has ended stays as it is."""
    taken = plane.engine.sample(session.container_id) if session.container_id else None
    if taken is None:
        return
    with plane.access.lock:  # else a row that is closed meanwhile would be opened again
        row = plane.records.usage_of(session.id) or _opened(plane, session)
        if row.ended_at is None:
            counted = _counted(row, taken, plane.clock())
            plane.records.save_usage(counted)
            plane.loads[session.id] = _load(row, counted, taken)


def note_end(plane: Plane, session: Session) -> None:
    """Close the ledger's row of a session that has ended."""
    with plane.access.lock:
        plane.loads.pop(session.id, None)
        row = plane.records.usage_of(session.id) or _opened(plane, session)
        if row.ended_at is None:
            at = session.ended_at or plane.clock()
            plane.records.save_usage(replace(row, ended_at=at, reason=session.ends_because))


def note_act(  # noqa: PLR0913 - one argument a column
    plane: Plane,
    actor: str,
    action: str,
    target: str,
    address: str = "",
    *,
    detail: str = "",
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
) -> None:
    """Write an act into the audit log."""
    row = AuditRow(plane.clock(), actor, action, target, address, detail, before, after)
    plane.records.add_audit(row)


def report(
    rows: Sequence[UsageRow], by: By, since: datetime | None, until: datetime
) -> Sequence[Line]:
    """Return what was used in a period, by name; `until` also ends what still runs.

    A session that lies partly in the period counts by the part of its time that does, and so do
    its CPU and memory. In a report by group, a session counts for each of its owner's groups.
    """
    lines: dict[str, Line] = {}
    for row in [one for one in rows if _touches(one, since, until)]:
        part = _part(row, since, until)
        for name in _names(row, by):
            lines[name] = _sum(lines.get(name, Line(name, 0, 0, 0, 0)), part)
    return [lines[name] for name in sorted(lines)]


def over_time(
    rows: Sequence[UsageRow], by: By, what: Measure, since: datetime, steps: Sequence[datetime]
) -> Mapping[str, Sequence[float]]:
    """Return what was used in each step of a period, by name, in seconds.

    `steps` are the ends of the steps in their order; the last also ends what still runs.
    """
    found: dict[str, list[float]] = {}
    for row in rows:
        ended = replace(row, ended_at=row.ended_at or steps[-1])
        for at, (begin, end) in enumerate(pairwise((since, *steps))):
            if ended.started_at < end and begin <= (ended.ended_at or end):
                used: float = getattr(_part(ended, begin, end), what)
                for name in _names(row, by):
                    found.setdefault(name, [0.0] * len(steps))[at] += used
    return found


def _sampling(plane: Plane, session: Session) -> Callable[[], None]:
    return lambda: sample(plane, session)


def _opened(plane: Plane, session: Session) -> UsageRow:
    owner = plane.access.user(session.owner)
    return UsageRow(
        session_id=session.id,
        user=session.owner,
        application=session.application,
        image=session.image,
        started_at=session.created_at,
        grant_id=session.grant_id,
        groups=owner.groups if owner else (),
    )


def _counted(row: UsageRow, taken: Sample, now: datetime) -> UsageRow:
    """Return the row with one more sample; a counter that fell began anew."""
    fresh = taken.cpu_seconds - row.cpu_counter
    seconds = (now - (row.sampled_until or row.started_at)).total_seconds()
    return replace(
        row,
        cpu_seconds=row.cpu_seconds + (fresh if fresh >= 0 else taken.cpu_seconds),
        memory_gib_seconds=row.memory_gib_seconds + taken.memory / GIB * seconds,
        sampled_until=now,
        cpu_counter=taken.cpu_seconds,
    )


def _load(before: UsageRow, counted: UsageRow, taken: Sample) -> Load:
    at = counted.sampled_until or counted.started_at
    seconds = (at - (before.sampled_until or before.started_at)).total_seconds()
    fresh = counted.cpu_seconds - before.cpu_seconds
    return Load(fresh / seconds if seconds > 0 else 0.0, taken.memory, at)


def _names(row: UsageRow, by: By) -> Sequence[str]:
    if by == "group":
        return row.groups
    return (row.user,) if by == "user" else (row.application,)


def _touches(row: UsageRow, since: datetime | None, until: datetime) -> bool:
    before = since is not None and row.ended_at is not None and row.ended_at < since
    return not before and row.started_at <= until


def _part(row: UsageRow, since: datetime | None, until: datetime) -> Line:
    end = row.ended_at or until
    inside = (min(end, until) - max(row.started_at, since or row.started_at)).total_seconds()
    whole = (end - row.started_at).total_seconds()
    share = max(0.0, inside) / whole if whole > 0 else 1.0
    return Line(
        row.user, 1, max(0.0, inside), row.cpu_seconds * share, row.memory_gib_seconds * share
    )


def _sum(line: Line, part: Line) -> Line:
    return Line(
        line.name,
        line.sessions + part.sessions,
        line.seconds + part.seconds,
        line.cpu_seconds + part.cpu_seconds,
        line.memory_gib_seconds + part.memory_gib_seconds,
    )
