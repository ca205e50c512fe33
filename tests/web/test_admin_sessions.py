"""What runs, as administrators see it; and what owners may ask for themselves."""

from collections.abc import Mapping
from typing import Any

import pytest
from starlette.testclient import TestClient
from usecases.conftest import APPLICATION, grant_of, until
from web.conftest import ClientOf

from control_plane import sessions
from control_plane.domain.access import Caller
from control_plane.domain.entities import Policy, Session
from control_plane.domain.ports import Plane
from control_plane.errors import StartError

SESSIONS = "/api/v1/admin/sessions"
UNKNOWN = "0" * 32


@pytest.fixture
def running(plane: Plane, alice: Caller, admins: TestClient) -> Session:
    """A session of alice's that is ready; the portal is up."""
    assert admins
    return ready(plane, alice)


def ready(plane: Plane, caller: Caller) -> Session:
    """Start what somebody was granted first; return it when it is ready."""
    grant = grant_of(plane, caller.user.name)
    session = sessions.begin(plane, caller, grant, {}, instead=False)
    until(lambda: plane.access.sessions[session.id].ready_at)
    return plane.access.sessions[session.id]


def test_administrators_see_everyones_sessions_and_may_enter_none(
    admins: TestClient, running: Session
) -> None:
    (shown,) = admins.get(SESSIONS).json()["items"]
    assert (shown["id"], shown["owner"], shown["state"]) == (running.id, "alice", "ready")
    assert (shown["access"], shown["cut_off"], shown["image"]) == ("none", False, running.image)
    assert shown["policy"]["allow_home"] is True
    assert admins.get(f"{SESSIONS}/{running.id}").json() == shown
    assert admins.get(f"/api/v1/sessions/{running.id}").status_code == 404


def test_sessions_are_found_by_owner_application_and_state(
    admins: TestClient, plane: Plane, running: Session
) -> None:
    bob = Caller(plane.access.users["bob"], frozenset())
    failed = sessions.begin(plane, bob, grant_of(plane, "bob"), {}, instead=False)
    sessions.fail(plane, failed, StartError("exited", "It ended."), "")

    def owners(query: str) -> list[str]:
        return [one["owner"] for one in admins.get(f"{SESSIONS}?{query}").json()["items"]]

    assert owners("") == ["alice", "bob"]
    assert owners("user=bob") == ["bob"]
    assert owners("state=ready") == ["alice"]
    assert owners("state=failed") == ["bob"]
    assert owners("application=Hello") == owners(f"application={running.image}")
    assert owners("limit=1") == ["alice"]
    assert admins.get(f"{SESSIONS}?state=asleep").status_code == 422


def test_an_administrator_stops_a_session_which_its_owner_is_told(
    admins: TestClient, plane: Plane, running: Session
) -> None:
    assert admins.delete(f"{SESSIONS}/{running.id}").status_code == 204
    ended = plane.records.session(running.id)
    assert ended
    assert (ended.state, ended.ends_because) == ("stopped", "stopped by the administrator admin")
    assert admins.get(f"{SESSIONS}/{running.id}").json()["state"] == "stopped"
    assert admins.get(SESSIONS).json()["total"] == 0
    (act,) = admins.get("/api/v1/admin/audit?action=session-stop").json()["items"]
    assert (act["actor"], act["target"], act["detail"]) == ("admin", running.id, "of alice")


def test_a_message_reaches_whoever_follows_the_session(
    admins: TestClient, plane: Plane, running: Session
) -> None:
    before = plane.events.latest()
    answer = admins.post(f"{SESSIONS}/{running.id}/message", json={"text": "We restart at six."})
    assert answer.status_code == 204
    told = plane.events.since(before)
    assert told
    assert [(one.session, one.message) for one in told] == [(running.id, "We restart at six.")]


@pytest.mark.parametrize("body", [{}, {"text": ""}, {"text": 5}, {"text": "x" * 501}])
def test_a_message_that_says_nothing_is_refused(
    admins: TestClient, running: Session, body: Mapping[str, Any]
) -> None:
    answer = admins.post(f"{SESSIONS}/{running.id}/message", json=body)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "text")


def test_nobody_is_told_of_a_session_that_has_ended(admins: TestClient, running: Session) -> None:
    admins.delete(f"{SESSIONS}/{running.id}")
    body = {"text": "Too late."}
    assert admins.post(f"{SESSIONS}/{running.id}/message", json=body).status_code == 409
    assert admins.post(f"{SESSIONS}/{UNKNOWN}/message", json=body).status_code == 404


def test_the_output_is_the_owners_and_an_administrators(
    client_of: ClientOf, running: Session
) -> None:
    path = f"/api/v1/sessions/{running.id}/log"
    assert client_of("alice", "sessions:read").get(path).status_code == 200
    assert client_of("admin", "sessions:read", "admin:read").get(path).status_code == 200
    assert client_of("admin", "sessions:read").get(path).status_code == 404
    assert client_of("charlie", "sessions:read").get(path).status_code == 404


def test_an_owner_extends_what_has_an_end(client_of: ClientOf, plane: Plane, alice: Caller) -> None:
    grant = grant_of(plane, "alice")
    plane.accounting.change_grant(grant, lambda _: Policy(max_lifetime=3600))
    client = client_of("alice", "sessions:read", "sessions:write")
    session = ready(plane, alice)
    path = f"/api/v1/sessions/{session.id}/extend"
    before = client.get(f"/api/v1/sessions/{session.id}").json()["ends_at"]
    extended = client.post(path, json={"seconds": 600})
    assert extended.status_code == 200
    assert extended.json()["ends_at"] > before
    for wrong in ({}, {"seconds": 0}, {"seconds": 1.5}, {"seconds": "600"}):
        refused = client.post(path, json=wrong)
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "seconds")


def test_what_has_no_end_or_is_not_ones_own_cannot_be_extended(
    client_of: ClientOf, running: Session
) -> None:
    path, body = f"/api/v1/sessions/{running.id}/extend", {"seconds": 600}
    assert client_of("alice", "sessions:write").post(path, json=body).status_code == 409
    assert client_of("charlie", "sessions:write").post(path, json=body).status_code == 404
    assert client_of("alice", "sessions:read").post(path, json=body).status_code == 403


def test_the_catalogue_tells_the_whole_policy_but_the_licence(
    client_of: ClientOf, plane: Plane
) -> None:
    licensed = Policy(app_license="a-secret", network="none", max_lifetime=60)
    plane.accounting.change_grant(grant_of(plane, "alice"), lambda _: licensed)
    answer = client_of("alice", "sessions:read").get("/api/v1/applications")
    (shown,) = answer.json()["items"]
    assert shown["policy"] == {
        "allow_home": False,
        "volumes": [],
        "allow_startup_data": False,
        "has_app_license": True,
        "share": "none",
        "memory": 256 * 1024**2,
        "cpus": 1,
        "pids": 128,
        "network": "none",
        "max_sessions": 1,
        "max_lifetime": 60,
        "legacy_home": False,
    }
    assert "a-secret" not in answer.text
    assert APPLICATION
