"""Figures, what everyone is told, and who may administer at all."""

import pytest
from starlette.testclient import TestClient
from usecases.conftest import Clock, grant_of
from web.conftest import ClientOf

from control_plane import sessions
from control_plane.domain.access import Caller
from control_plane.domain.ports import Plane
from control_plane.web.app import API
from control_plane.web.operations import Operation

ANNOUNCEMENT = "/api/v1/admin/announcement"
ADMINISTRATION = [one for one in API if one.path.startswith("/admin/")]


def test_the_figures_are_those_of_the_portal(
    admins: TestClient, plane: Plane, alice: Caller
) -> None:
    admins.post("/api/v1/admin/groups", json={"name": "staff"})
    session = sessions.begin(plane, alice, grant_of(plane, "alice"), {}, instead=False)
    plane.jobs.submit(session.id, iter(())).result(5)  # type: ignore[arg-type] # a job without a step
    counts = admins.get("/api/v1/admin/stats").json()
    assert sum(counts.pop("sessions").values()) == 1
    assert counts == {"users": 4, "groups": 1, "applications": 1, "grants": 2}


def test_what_is_announced_is_told_until_it_is_taken_back(admins: TestClient, plane: Plane) -> None:
    assert admins.get(ANNOUNCEMENT).status_code == 404
    put = admins.put(ANNOUNCEMENT, json={"text": "We restart at six."})
    expected = {"text": "We restart at six.", "until": None}
    assert (put.status_code, put.json()) == (200, expected)
    assert admins.get(ANNOUNCEMENT).json() == expected
    assert admins.delete(ANNOUNCEMENT).status_code == 204
    assert admins.delete(ANNOUNCEMENT).status_code == 404
    assert plane.records.announcement() is None


def test_an_announcement_ends_at_its_time(admins: TestClient, clock: Clock) -> None:
    until = (clock() + 2 * (clock() - clock()).resolution).replace(year=2090).isoformat()
    assert admins.put(ANNOUNCEMENT, json={"text": "Soon.", "until": until}).status_code == 200
    assert admins.get(ANNOUNCEMENT).json()["until"].startswith("2090-")
    past = admins.put(ANNOUNCEMENT, json={"text": "Late.", "until": "2020-01-01T00:00:00+01:00"})
    assert (past.status_code, past.json()["errors"][0]["field"]) == (422, "until")
    assert admins.get(ANNOUNCEMENT).json()["text"] == "Soon."


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"text": ""}, "text"),
        ({"text": "x" * 1001}, "text"),
        ({"text": "Hi.", "until": 1700000000}, "until"),
        ({"text": "Hi.", "until": "tomorrow"}, "until"),
        ({"text": "Hi.", "until": "9999-12-31T23:59:59-14:00"}, "until"),
    ],
)
def test_an_announcement_that_makes_no_sense_is_refused(
    admins: TestClient, body: dict[str, object], field: str
) -> None:
    answer = admins.put(ANNOUNCEMENT, json=body)
    assert (answer.status_code, [one["field"] for one in answer.json()["errors"]]) == (422, [field])


@pytest.mark.parametrize("one", ADMINISTRATION, ids=lambda one: f"{one.method} {one.path}")
def test_administration_takes_the_scope_that_the_table_names(
    client_of: ClientOf, one: Operation
) -> None:
    path = "/api/v1" + one.path.replace("{id}", "0" * 32).replace("{name:path}", "nothing")
    assert one.scope == ("admin:write" if one.changes else "admin:read")
    others = {"sessions:read", "sessions:write", "shares:write", "admin:read", "admin:write"}
    lacking = client_of("admin", *(others - {one.scope})).request(one.method, path)
    assert (lacking.status_code, one.scope in lacking.json()["detail"]) == (403, True)
    plain = client_of("alice", "sessions:read", "sessions:write", "shares:write")
    assert plain.request(one.method, path).status_code == 403
    holding = client_of("admin", one.scope).request(one.method, path)
    assert holding.status_code != 403
