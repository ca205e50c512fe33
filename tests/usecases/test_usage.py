"""The ledger: what is counted, when, and for whom."""

from datetime import UTC, datetime, timedelta

import pytest
from adapters.fakes_engine import FakeEngine
from usecases.conftest import Clock, grant_of, until

from control_plane import sessions, usage
from control_plane.domain.access import Caller
from control_plane.domain.entities import Sample, Session, State, UsageRow
from control_plane.domain.ports import Plane

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def running(plane: Plane, caller: Caller) -> Session:
    session = sessions.begin(plane, caller, grant_of(plane, "alice"), {}, instead=False)
    until(lambda: plane.access.sessions[session.id].state is State.READY)
    until(lambda: not plane.jobs.busy(session.id))
    return plane.access.sessions[session.id]


def row_of(plane: Plane, session: Session) -> UsageRow:
    row = plane.records.usage_of(session.id)
    assert row
    return row


def test_samples_are_summed_and_the_last_one_is_taken_before_the_stop(
    plane: Plane, alice: Caller, engine: FakeEngine, clock: Clock
) -> None:
    session = running(plane, alice)
    engine.samples[session.container_id] = Sample(2.0, 1024**3)
    clock.ahead = timedelta(seconds=30)
    usage.sample_all(plane)
    first = row_of(plane, session)
    assert (first.cpu_seconds, first.ended_at) == (2.0, None)
    assert first.memory_gib_seconds == pytest.approx(30, abs=2)
    engine.samples[session.container_id] = Sample(5.0, 1024**3)
    sessions.ask_to_stop(plane, session, "stopped by alice").result(5)
    last = row_of(plane, session)
    assert (last.cpu_seconds, last.reason) == (5.0, "stopped by alice")
    assert last.sampled_until
    assert last.ended_at
    assert last.sampled_until <= last.ended_at


def test_a_counter_that_fell_began_anew(plane: Plane, alice: Caller, engine: FakeEngine) -> None:
    session = running(plane, alice)
    for seconds in (4.0, 1.0, 3.0):
        engine.samples[session.container_id] = Sample(seconds, 0)
        usage.sample_all(plane)
    assert row_of(plane, session).cpu_seconds == 7.0


def test_a_sample_that_comes_too_late_opens_no_closed_row(
    plane: Plane, alice: Caller, engine: FakeEngine
) -> None:
    session = running(plane, alice)
    sessions.ask_to_stop(plane, session, "stopped by alice").result(5)
    closed = row_of(plane, session)
    engine.samples[session.container_id] = Sample(9.0, 0)
    usage.sample(plane, session)
    assert row_of(plane, session) == closed


def line(user: str, begun: datetime, hours: int | None, **more: object) -> UsageRow:
    end = begun + hours * HOUR if hours is not None else None
    return UsageRow(f"{user}-{begun}", user, "Hello", "hello:1", begun, end, **more)  # type: ignore[arg-type] # fields by name


def test_a_report_counts_the_part_that_lies_in_the_period() -> None:
    rows = [
        line("alice", NOON, 2, cpu_seconds=100.0, memory_gib_seconds=10.0),
        line("alice", NOON + 10 * HOUR, None, cpu_seconds=40.0),
        line("bob", NOON - 4 * HOUR, 1, cpu_seconds=7.0),
    ]
    found = usage.report(rows, "user", NOON + HOUR, NOON + 14 * HOUR)
    assert found == [usage.Line("alice", 2, 5 * 3600.0, 90.0, 5.0)]


def test_a_report_by_group_counts_a_session_for_each_group_of_its_owner() -> None:
    rows = [
        line("alice", NOON, 1, groups=("lab", "staff"), cpu_seconds=5.0),
        line("bob", NOON, 1, groups=("lab",), cpu_seconds=3.0),
        line("charlie", NOON, 1, cpu_seconds=1.0),
    ]
    found = usage.report(rows, "group", None, NOON + HOUR)
    assert [(one.name, one.sessions, one.cpu_seconds) for one in found] == [
        ("lab", 2, 8.0),
        ("staff", 1, 5.0),
    ]
