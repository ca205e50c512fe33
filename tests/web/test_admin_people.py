"""Users and groups over HTTP: made, listed, changed by whoever saw them last, removed."""

import httpx2
import pytest
from starlette.testclient import TestClient
from web.conftest import ClientOf, token_of

from control_plane import lifecycle
from control_plane.domain.ports import Plane

USERS, GROUPS = "/api/v1/admin/users", "/api/v1/admin/groups"
DORIS = {
    "id": "doris",
    "name": "doris",
    "kind": "virtual",
    "enabled": True,
    "admin": False,
    "uid": 70003,
    "gid": 70003,
    "groups": [],
}


@pytest.fixture
def doris(admins: TestClient) -> str:
    """A virtual user's address."""
    answer = admins.post(USERS, json={"name": "doris", "password": "doris's password"})
    return answer.headers["location"]


def fields(answer: httpx2.Response) -> list[str]:
    """Return which fields a problem names."""
    return [one["field"] for one in answer.json()["errors"]]


# users


def test_a_user_is_made_whole_and_found_where_the_answer_says(admins: TestClient) -> None:
    made = admins.post(USERS, json={"name": "doris", "password": "doris's password"})
    assert (made.status_code, made.headers["location"]) == (201, f"{USERS}/doris")
    assert made.json() == DORIS
    shown = admins.get(made.headers["location"])
    assert (shown.json(), shown.headers["etag"]) == (DORIS, made.headers["etag"])


def test_a_user_signs_in_with_the_password_that_was_set(admins: TestClient, doris: str) -> None:
    credentials = ("doris", "doris's password")
    del admins.headers["Authorization"]
    answer = admins.post("/api/v1/tokens", json={"name": "laptop"}, auth=credentials)
    assert answer.status_code == 201
    assert doris


def test_names_with_odd_characters_are_found_by_their_percent_encoded_form(
    admins: TestClient,
) -> None:
    made = admins.post(USERS, json={"name": "a.b-c@example.org"})
    assert made.headers["location"] == f"{USERS}/a.b-c%40example.org"
    assert admins.get(made.headers["location"]).json()["id"] == "a.b-c@example.org"


@pytest.mark.parametrize(
    ("body", "status", "named"),
    [
        ({}, 422, ["name"]),
        ({"name": "Doris"}, 422, ["name"]),
        ({"name": "x" * 65}, 422, ["name"]),
        ({"name": 5}, 422, ["name"]),
        ({"name": "doris", "kind": "ghost"}, 422, ["kind"]),
        ({"name": "doris", "password": "short"}, 422, ["password"]),
        ({"name": "doris", "admin": "yes"}, 422, ["admin"]),
        ({"name": "doris", "groups": "staff"}, 422, ["groups"]),
        ({"name": "doris", "shoe_size": 9}, 422, ["shoe_size"]),
        ({"name": "doris", "groups": ["nobody"]}, 404, None),
        ({"name": "alice"}, 409, None),
        ({"name": "dora"}, 409, None),
        ({"name": "erin", "kind": "system"}, 404, None),
        ({"name": "dora", "kind": "system", "password": "dora's password"}, 409, None),
    ],
)
def test_a_user_that_cannot_be_is_refused_by_field_and_nothing_is_made(
    admins: TestClient, body: dict[str, object], status: int, named: list[str] | None
) -> None:
    answer = admins.post(USERS, json=body)
    assert answer.status_code == status
    assert named is None or fields(answer) == named
    assert admins.get(USERS).json()["total"] == 4


def test_users_are_listed_in_parts_and_by_what_is_asked(admins: TestClient, doris: str) -> None:
    admins.patch(doris, json={"enabled": False})

    def names(query: str) -> list[str]:
        return [one["name"] for one in admins.get(f"{USERS}?{query}").json()["items"]]

    admins.post(GROUPS, json={"name": "staff", "members": ["bob", "doris"]})
    assert names("") == ["admin", "alice", "bob", "charlie", "doris"]
    assert names("limit=2&offset=1") == ["alice", "bob"]
    assert admins.get(f"{USERS}?limit=2").json()["total"] == 5
    assert names("enabled=false") == ["doris"]
    assert names("admin=true") == ["admin"]
    assert names("group=staff") == ["bob", "doris"]
    assert names("q=LI") == ["alice", "charlie"]
    assert names("kind=system") == []


@pytest.mark.parametrize(
    "query", ["kind=ghost", "enabled=perhaps", "limit=501", "usr=alice", "q=%00"]
)
def test_a_filter_that_is_unknown_or_senseless_is_refused_by_name(
    admins: TestClient, query: str
) -> None:
    answer = admins.get(f"{USERS}?{query}")
    assert (answer.status_code, fields(answer)) == (422, [query.split("=", maxsplit=1)[0]])


def test_only_what_is_sent_changes(admins: TestClient, doris: str) -> None:
    admins.post(GROUPS, json={"name": "staff"})
    assert admins.patch(doris, json={"groups": ["staff"]}).json() == {**DORIS, "groups": ["staff"]}
    changed = admins.patch(doris, json={"enabled": False})
    assert changed.json() == {**DORIS, "groups": ["staff"], "enabled": False}
    assert admins.get(doris).json() == changed.json()


def test_who_is_disabled_is_kept_out_until_enabled_again(
    admins: TestClient, plane: Plane, doris: str
) -> None:
    lifecycle.refresh(plane)
    theirs = {"Authorization": f"Bearer {token_of(plane, 'doris', 'sessions:read')}"}
    assert admins.get("/api/v1/me", headers=theirs).status_code == 200
    admins.patch(doris, json={"enabled": False})
    lifecycle.refresh(plane)
    assert admins.get("/api/v1/me", headers=theirs).status_code == 401
    admins.patch(doris, json={"enabled": True})
    lifecycle.refresh(plane)
    assert admins.get("/api/v1/me", headers=theirs).status_code == 200


def test_what_somebody_else_has_changed_meanwhile_is_not_changed(
    admins: TestClient, doris: str
) -> None:
    seen = admins.get(doris).headers["etag"]
    first = admins.patch(doris, json={"enabled": False}, headers={"If-Match": seen})
    assert first.status_code == 200
    stale = admins.patch(doris, json={"enabled": True}, headers={"If-Match": seen})
    assert (stale.status_code, stale.json()["type"]) == (412, "urn:remoteapp:stale")
    assert admins.get(doris).json()["enabled"] is False
    either = f'"other", {first.headers["etag"]}'
    assert admins.patch(doris, json={"admin": False}, headers={"If-Match": either}).is_success
    assert admins.patch(doris, json={"admin": False}, headers={"If-Match": "*"}).is_success
    weak = f"W/{first.headers['etag']}"
    assert admins.patch(doris, json={}, headers={"If-Match": weak}).status_code == 412


def test_a_dry_run_tells_what_would_go_and_leaves_it(
    admins: TestClient, plane: Plane, doris: str
) -> None:
    token_of(plane, "doris", "sessions:read")
    report = admins.delete(f"{doris}?home=archive&dry_run=true")
    expected = {
        "user": "doris",
        "grants": [],
        "groups": [],
        "tokens": 1,
        "signins": 0,
        "sessions": [],
        "home": "remoteapp-unit-home-70003",
        "home_action": "archive",
    }
    assert (report.status_code, report.json()) == (200, expected)
    assert admins.get(doris).status_code == 200
    assert admins.delete(f"{doris}?home=archive").json() == expected
    assert admins.get(doris).status_code == 404
    assert [one.action for one in plane.records.home_tasks()] == ["archive"]


@pytest.mark.parametrize("query", ["home=burn", "dryrun=true", "keep_running=maybe"])
def test_a_removal_with_a_word_that_is_not_understood_removes_nothing(
    admins: TestClient, doris: str, query: str
) -> None:
    answer = admins.delete(f"{doris}?{query}")
    assert (answer.status_code, fields(answer)) == (422, [query.split("=", maxsplit=1)[0]])
    assert admins.get(doris).status_code == 200


@pytest.mark.parametrize("collection", ["users", "groups", "applications", "grants", "sessions"])
@pytest.mark.parametrize("name", ["nobody", "%00", "%ed%a0%80", "..%2F..", "x" * 300])
def test_an_unknown_id_is_404_and_never_a_silent_success(
    admins: TestClient, collection: str, name: str
) -> None:
    path = f"/api/v1/admin/{collection}/{name}"
    bodies = {"groups": {"members": []}, "grants": {"policy": {}}}
    assert admins.get(path).status_code == 404
    assert admins.delete(path).status_code == 404
    changed = admins.patch(path, json=bodies.get(collection, {}))
    no_such_path = "%2F" in name
    assert changed.status_code == (405 if collection == "sessions" and not no_such_path else 404)


# groups


def test_a_group_is_made_changed_and_removed(admins: TestClient) -> None:
    made = admins.post(GROUPS, json={"name": "staff", "members": ["bob", "alice"]})
    assert (made.status_code, made.headers["location"]) == (201, f"{GROUPS}/staff")
    assert made.json() == {"id": "staff", "name": "staff", "members": ["alice", "bob"]}
    assert admins.get(f"{USERS}/bob").json()["groups"] == ["staff"]
    seen = {"If-Match": made.headers["etag"]}
    changed = admins.patch(f"{GROUPS}/staff", json={"members": ["charlie"]}, headers=seen)
    assert changed.json()["members"] == ["charlie"]
    assert admins.patch(f"{GROUPS}/staff", json={"members": []}, headers=seen).status_code == 412
    assert admins.delete(f"{GROUPS}/staff").status_code == 204
    assert admins.get(f"{GROUPS}/staff").status_code == 404


def test_groups_are_listed_by_name_and_by_member(admins: TestClient) -> None:
    admins.post(GROUPS, json={"name": "staff", "members": ["bob"]})
    admins.post(GROUPS, json={"name": "guests", "members": ["alice", "bob"]})

    def names(query: str) -> list[str]:
        return [one["name"] for one in admins.get(f"{GROUPS}?{query}").json()["items"]]

    assert names("") == ["guests", "staff"]
    assert names("member=alice") == ["guests"]
    assert names("q=ta") == ["staff"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": "Staff!"}, 422),
        ({"name": "staff", "members": [5]}, 422),
        ({"name": "staff", "members": ["nobody"]}, 404),
        ({"name": "guests"}, 409),
    ],
)
def test_a_group_that_cannot_be_is_refused_and_nothing_is_made(
    admins: TestClient, body: dict[str, object], status: int
) -> None:
    admins.post(GROUPS, json={"name": "guests"})
    assert admins.post(GROUPS, json=body).status_code == status
    assert admins.get(GROUPS).json()["total"] == 1


def test_everyone_sees_the_groups_that_they_are_in(admins: TestClient, plane: Plane) -> None:
    admins.post(GROUPS, json={"name": "staff", "members": ["bob"]})
    lifecycle.refresh(plane)
    bobs = {"Authorization": f"Bearer {token_of(plane, 'bob', 'sessions:read')}"}
    told = admins.get("/api/v1/me", headers=bobs)
    assert (told.json()["name"], told.json()["groups"]) == ("bob", ["staff"])


# who may


def test_nobody_makes_an_administrator_without_being_one_in_full(client_of: ClientOf) -> None:
    lesser = client_of("admin", "admin:read", "admin:write")
    refused = lesser.post(USERS, json={"name": "doris", "admin": True})
    assert refused.status_code == 403
    assert "sessions:read" in refused.json()["detail"]
    assert lesser.patch(f"{USERS}/alice", json={"admin": True}).status_code == 403
    assert lesser.post(USERS, json={"name": "doris"}).status_code == 201


def test_every_act_stands_in_the_audit_log_without_a_secret(admins: TestClient, doris: str) -> None:
    admins.patch(doris, json={"password": "another password"})
    admins.delete(doris)
    told = admins.get("/api/v1/admin/audit?target=doris").json()["items"]
    assert [one["action"] for one in told] == ["user-remove", "password", "user-create"]
    assert {one["actor"] for one in told} == {"admin"}
    assert told[-1]["before"] is None
    assert told[-1]["after"]["kind"] == "virtual"
    assert "password" not in str([one["before"] for one in told] + [one["after"] for one in told])
