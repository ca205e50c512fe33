"""The ledger and the audit log over HTTP: by whom and when, as JSON and as CSV."""

import csv
import io
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from starlette.testclient import TestClient
from web.conftest import ClientOf

from control_plane.domain.entities import AuditRow, UsageRow
from control_plane.domain.ports import Plane

USAGE, AUDIT = "/api/v1/admin/usage", "/api/v1/admin/audit"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def used(plane: Plane) -> None:
    """Three sessions: two of alice's (of the groups lab and staff), one of bob's."""
    for number, (user, groups, application) in enumerate(
        [
            ("alice", ("lab", "staff"), "Hello"),
            ("alice", ("lab", "staff"), "=1+1"),
            ("bob", (), "Hello"),
        ]
    ):
        row = UsageRow(
            session_id=str(number) * 32,
            user=user,
            application=application,
            image="example/app",
            started_at=NOON,
            ended_at=NOON + HOUR,
            groups=groups,
            cpu_seconds=60.0,
            memory_gib_seconds=1800.0,
        )
        plane.records.save_usage(row)


def lines(answer: httpx2.Response) -> list[tuple[object, ...]]:
    """Return what a report says of each name."""
    return [tuple(one.values()) for one in answer.json()["items"]]


def rows(answer: httpx2.Response) -> list[list[str]]:
    """Return the rows of a CSV."""
    assert answer.headers["content-type"].partition(";")[0] == "text/csv"
    return list(csv.reader(io.StringIO(answer.text)))


# usage


@pytest.mark.usefixtures("used")
def test_usage_is_summed_up_by_user_group_and_application(admins: TestClient) -> None:
    assert lines(admins.get(USAGE)) == [
        ("alice", 2, 7200, 120, 3600),
        ("bob", 1, 3600, 60, 1800),
    ]
    by_group = [("lab", 2, 7200, 120, 3600), ("staff", 2, 7200, 120, 3600)]
    assert lines(admins.get(f"{USAGE}?by=group")) == by_group
    by_application = admins.get(f"{USAGE}?by=application")
    assert [one[0] for one in lines(by_application)] == ["=1+1", "Hello"]
    part = admins.get(f"{USAGE}?limit=1&offset=1").json()
    assert ([one["name"] for one in part["items"]], part["total"]) == (["bob"], 2)


@pytest.mark.usefixtures("used")
def test_a_period_counts_the_part_of_a_session_that_lies_in_it(admins: TestClient) -> None:
    half = admins.get(f"{USAGE}?since=2026-03-01T12:30:00Z&until=2026-03-02T00:00:00Z")
    assert lines(half) == [("alice", 2, 3600, 60, 1800), ("bob", 1, 1800, 30, 900)]
    assert lines(admins.get(f"{USAGE}?until=2026-01-01T00:00:00Z")) == []


@pytest.mark.usefixtures("used")
def test_usage_as_csv_is_no_formula_to_a_spreadsheet(admins: TestClient) -> None:
    answer = admins.get(f"{USAGE}?by=application", headers={"Accept": "text/csv"})
    assert answer.headers["content-disposition"] == 'attachment; filename="usage.csv"'
    assert rows(answer) == [
        ["name", "sessions", "seconds", "cpu_seconds", "memory_gib_seconds"],
        ["'=1+1", "1", "3600.0", "60.0", "1800.0"],
        ["Hello", "2", "7200.0", "120.0", "3600.0"],
    ]
    assert rows(admins.get(f"{USAGE}?by=application&format=csv")) == rows(answer)
    as_json = admins.get(f"{USAGE}?format=json", headers={"Accept": "text/csv"})
    assert as_json.json()["total"] == 2


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("by=day", "by"),
        ("since=yesterday", "since"),
        ("since=2026-03-01T12:00:00", "since"),
        ("until=0001-01-01T00:00:00%2B14:00", "until"),
        ("until=1700000000", "until"),
        ("format=pdf", "format"),
    ],
)
@pytest.mark.parametrize("path", [USAGE, AUDIT])
def test_a_query_that_makes_no_sense_is_refused_by_name(
    admins: TestClient, path: str, query: str, field: str
) -> None:
    answer = admins.get(f"{path}?{query}")
    assert (answer.status_code, [one["field"] for one in answer.json()["errors"]]) == (422, [field])


# audit


@pytest.fixture
def told(plane: Plane, admins: TestClient) -> None:
    """Three acts, an hour apart."""
    assert admins
    acts = [
        AuditRow(NOON, "admin", "grant", "alice", "192.0.2.1", after={"image": "hello"}),
        AuditRow(NOON + HOUR, "@cmd", "revoke", "alice", before={"image": "hello"}),
        AuditRow(NOON + 2 * HOUR, "admin", "user-remove", "bob", detail="-1, with\nlines"),
    ]
    for one in acts:
        plane.records.add_audit(one)


@pytest.mark.usefixtures("told")
def test_acts_are_listed_newest_first_and_in_parts(admins: TestClient) -> None:
    period = "since=2026-03-01T00:00:00Z&until=2026-03-02T00:00:00Z"
    answer = admins.get(f"{AUDIT}?{period}&limit=2").json()
    assert ([one["action"] for one in answer["items"]], answer["total"]) == (
        ["user-remove", "revoke"],
        3,
    )
    (last,) = admins.get(f"{AUDIT}?{period}&offset=2").json()["items"]
    assert last == {
        "at": "2026-03-01T12:00:00Z",
        "actor": "admin",
        "action": "grant",
        "target": "alice",
        "address": "192.0.2.1",
        "detail": "",
        "before": None,
        "after": {"image": "hello"},
    }


@pytest.mark.usefixtures("told")
@pytest.mark.parametrize(
    ("query", "actions"),
    [
        ("target=alice", ["revoke", "grant"]),
        ("target=alice&actor=admin", ["grant"]),
        ("action=user-remove", ["user-remove"]),
        ("until=2026-03-01T12:30:00Z", ["grant"]),
        ("actor=nobody", []),
    ],
)
def test_acts_are_found_by_who_what_whom_and_when(
    admins: TestClient, query: str, actions: list[str]
) -> None:
    assert [one["action"] for one in admins.get(f"{AUDIT}?{query}").json()["items"]] == actions


@pytest.mark.usefixtures("told")
def test_the_audit_log_as_csv_is_whole_and_no_formula(admins: TestClient) -> None:
    period = "since=2026-03-01T00:00:00Z&until=2026-03-02T00:00:00Z"
    answer = admins.get(f"{AUDIT}?{period}&limit=1&format=csv")
    assert rows(answer) == [
        ["at", "actor", "action", "target", "address", "detail", "before", "after"],
        ["2026-03-01T14:00:00Z", "admin", "user-remove", "bob", "", "'-1, with\nlines", "", ""],
        ["2026-03-01T13:00:00Z", "'@cmd", "revoke", "alice", "", "", '{"image": "hello"}', ""],
        [
            "2026-03-01T12:00:00Z",
            "admin",
            "grant",
            "alice",
            "192.0.2.1",
            "",
            "",
            '{"image": "hello"}',
        ],
    ]


@pytest.mark.parametrize("sign", [*"=+-@\t\r\n", "\uff1d", "\uff0b", "\uff0d", "\uff20"])
def test_no_sign_begins_a_formula(admins: TestClient, plane: Plane, sign: str) -> None:
    plane.records.add_audit(AuditRow(NOON, "admin", "test", "x", detail=f"{sign}1"))
    answer = admins.get(f"{AUDIT}?action=test&format=csv")
    assert f"'{sign}1" in answer.text


def test_a_long_audit_log_is_sent_whole(admins: TestClient, plane: Plane) -> None:
    for number in range(1203):
        plane.records.add_audit(AuditRow(NOON, "admin", "test", str(number)))
    answer = admins.get(f"{AUDIT}?action=test", headers={"Accept": "text/csv"})
    assert {one[3] for one in rows(answer)[1:]} == {str(number) for number in range(1203)}
    assert len(rows(answer)) == 1204


# who may


@pytest.mark.parametrize("path", [USAGE, AUDIT])
def test_only_administrators_read_either(client_of: ClientOf, path: str) -> None:
    assert client_of("admin", "admin:read").get(path).status_code == 200
    assert client_of("admin", "admin:write").get(path).status_code == 403
    assert client_of("alice", "sessions:read", "sessions:write").get(path).status_code == 403
