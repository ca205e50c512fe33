"""Applications and grants over HTTP: what there is, who may run it, under which policy."""

from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
from adapters.fakes_engine import HELLO, FakeEngine
from starlette.testclient import TestClient
from usecases.conftest import APPLICATION

from control_plane.domain.ports import Plane

APPLICATIONS, GRANTS = "/api/v1/admin/applications", "/api/v1/admin/grants"
AWAY = "The container engine does not answer, so its image was not looked for."
DEFAULT = {
    "allow_home": False,
    "volumes": [],
    "allow_startup_data": False,
    "has_app_license": False,
    "share": "none",
    "memory": None,
    "cpus": None,
    "pids": None,
    "network": None,
    "max_sessions": None,
    "max_lifetime": None,
    "legacy_home": False,
}


@pytest.fixture
def grant(admins: TestClient) -> str:
    """The address of a grant of hello to charlie."""
    answer = admins.post(GRANTS, json={"user": "charlie", "application": APPLICATION})
    return answer.headers["location"]


def fields(answer: httpx2.Response) -> list[str]:
    """Return which fields a problem names."""
    return [one["field"] for one in answer.json()["errors"]]


# applications


def test_an_application_of_a_missing_image_is_made_with_a_warning(admins: TestClient) -> None:
    body = {
        "image": "example/lab:1",
        "display_name": "Lab",
        "category": "Physics",
        "port": 8080,
        "command": ["serve", "--base", "{base_path}"],
        "environment": {"LAB": "1"},
        "strip_path": False,
        "run_as": "user",
    }
    made = admins.post(APPLICATIONS, json=body)
    assert made.status_code == 201
    assert made.json() == {
        **body,
        "id": made.json()["id"],
        "description": "",
        "ready_path": "",
        "warnings": ["This machine does not have its image."],
    }
    assert made.headers["location"] == f"{APPLICATIONS}/{made.json()['id']}"
    shown = admins.get(made.headers["location"])
    assert (shown.json(), shown.headers["etag"]) == (made.json(), made.headers["etag"])


def test_what_is_allowed_and_has_a_catch_is_said(
    plane: Plane, admins: TestClient, engine: FakeEngine
) -> None:
    older = {"eu.simphony-project.docker.ui_name": "Old"}
    engine.known[HELLO] = replace(engine.known[HELLO], labels=older)
    address = f"{APPLICATIONS}/{APPLICATION}"
    (older_caution,) = admins.get(address).json()["warnings"]
    assert older_caution.startswith("It was made for simphony-remote: it starts as root")
    changed = admins.patch(address, json={"strip_path": True}).json()
    assert (changed["strip_path"], len(changed["warnings"])) == (True, 2)
    # On a host of its own all of it is the session's.
    object.__setattr__(plane, "site", replace(plane.site, apps_domain="apps.test"))
    assert len(admins.get(address).json()["warnings"]) == 1
    body = {"user": "charlie", "application": APPLICATION, "policy": {"legacy_home": True}}
    (risk,) = admins.post(GRANTS, json=body).json()["warnings"]
    assert "leave a set-uid file on the host" in risk


def test_labels_that_nobody_can_read_are_named_and_break_no_list(
    admins: TestClient, engine: FakeEngine
) -> None:
    odd = {"eu.simphony-project.docker.contract": "7"}
    engine.known[HELLO] = replace(engine.known[HELLO], labels=odd)
    sentence = "Its contract version is 7; this portal knows 1."
    assert admins.get(f"{APPLICATIONS}/{APPLICATION}").json()["warnings"] == [sentence]
    (image,) = admins.get("/api/v1/admin/images").json()["items"]
    assert (image["kind"], image["problems"]) == ("contract", [sentence])


def test_an_application_says_what_keeps_it_from_starting(
    admins: TestClient, engine: FakeEngine
) -> None:
    address = f"{APPLICATIONS}/{APPLICATION}"
    assert admins.get(address).json()["warnings"] == []
    engine.away = True
    assert admins.get(address).json()["warnings"] == [AWAY]
    assert admins.patch(address, json={"category": "Work"}).json()["category"] == "Work"


@pytest.mark.parametrize(
    ("body", "status", "named"),
    [
        ({}, 422, ["image"]),
        ({"image": "not an image"}, 422, ["image"]),
        ({"image": "a", "port": 0}, 422, ["port"]),
        ({"image": "a", "port": "80"}, 422, ["port"]),
        ({"image": "a", "command": "serve"}, 422, ["command"]),
        ({"image": "a", "environment": {"a b": "1"}}, 422, ["environment"]),
        ({"image": "a", "environment": {"A": 1}}, 422, ["environment.A"]),
        ({"image": "a", "environment": {"A": "\0"}}, 422, ["environment.A"]),
        ({"image": "a", "ready_path": "/a b"}, 422, ["ready_path"]),
        ({"image": "a", "strip_path": "yes"}, 422, ["strip_path"]),
        ({"image": "a", "run_as": "admin"}, 422, ["run_as"]),
        ({"image": "a", "run_as": "root", "command": ["sh"]}, 422, ["command"]),
        ({"image": "a", "colour": "red", "port": 0}, 422, ["port", "colour"]),
        ({"image": HELLO}, 409, None),
    ],
)
def test_an_application_that_cannot_be_is_refused_by_field(
    admins: TestClient, body: dict[str, object], status: int, named: list[str] | None
) -> None:
    answer = admins.post(APPLICATIONS, json=body)
    assert answer.status_code == status
    assert named is None or fields(answer) == named
    assert admins.get(APPLICATIONS).json()["total"] == 1


def test_an_application_changes_by_what_is_sent_and_only_if_it_was_not_changed(
    admins: TestClient,
) -> None:
    address = f"{APPLICATIONS}/{APPLICATION}"
    seen = admins.get(address)
    match = {"If-Match": seen.headers["etag"]}
    changed = admins.patch(address, json={"port": 9000}, headers=match)
    assert changed.json() == {**seen.json(), "port": 9000}
    assert admins.patch(address, json={"port": None}, headers=match).status_code == 412
    assert admins.patch(address, json={"port": None}).json() == seen.json()


def test_applications_are_found_by_a_part_of_what_people_read(admins: TestClient) -> None:
    admins.post(APPLICATIONS, json={"image": "example/lab:1", "category": "Physics"})

    def images(query: str) -> list[str]:
        return [one["image"] for one in admins.get(f"{APPLICATIONS}?{query}").json()["items"]]

    assert images("") == ["example/lab:1", HELLO]
    assert images("q=physICS") == ["example/lab:1"]
    assert images(f"image={HELLO}") == [HELLO]
    assert images("limit=1&offset=1") == [HELLO]


def test_an_application_goes_with_its_grants(admins: TestClient) -> None:
    assert admins.get(GRANTS).json()["total"] == 2
    assert admins.delete(f"{APPLICATIONS}/{APPLICATION}").status_code == 204
    assert admins.get(GRANTS).json() == {"items": [], "total": 0}


# grants


@pytest.mark.parametrize(
    ("whom", "shown"),
    [
        ({"user": "charlie"}, {"user": "charlie", "group": None, "everyone": False}),
        ({"group": "staff"}, {"user": None, "group": "staff", "everyone": False}),
        ({"everyone": True}, {"user": None, "group": None, "everyone": True}),
    ],
)
def test_a_grant_is_for_a_user_a_group_or_everyone(
    admins: TestClient, whom: dict[str, object], shown: dict[str, object]
) -> None:
    admins.post("/api/v1/admin/groups", json={"name": "staff"})
    made = admins.post(GRANTS, json={**whom, "application": APPLICATION})
    assert made.status_code == 201
    assert made.json() == {
        **shown,
        "id": made.json()["id"],
        "application": APPLICATION,
        "image": HELLO,
        "policy": DEFAULT,
        "problem": "",
        "warnings": [],
    }
    assert made.headers["location"] == f"{GRANTS}/{made.json()['id']}"
    found = admins.get(made.headers["location"])
    assert (found.json(), found.headers["etag"]) == (made.json(), made.headers["etag"])


def test_a_grant_holds_all_of_its_policy_and_hides_the_licence(
    admins: TestClient, plane: Plane, root: Path
) -> None:
    (root / "data").mkdir()
    sent = {
        "allow_home": True,
        "volumes": [f"{root}/data:/data:ro"],
        "allow_startup_data": True,
        "share": "view",
        "memory": "512m",
        "cpus": 0.5,
        "pids": 100,
        "network": "none",
        "max_sessions": 2,
        "max_lifetime": 3600,
        "legacy_home": False,
    }
    body = {
        "user": "charlie",
        "application": APPLICATION,
        "policy": {**sent, "app_license": "a-secret"},
    }
    made = admins.post(GRANTS, json=body)
    expected = {**sent, "memory": 512 * 1024**2, "cpus": 0.5, "has_app_license": True}
    assert made.json()["policy"] == expected
    assert "a-secret" not in made.text + admins.get(GRANTS).text
    assert "a-secret" not in admins.get("/api/v1/admin/audit").text
    kept = plane.accounting.grant(made.json()["id"])
    assert kept
    assert kept.policy.app_license == "a-secret"


@pytest.mark.parametrize(
    ("body", "status", "named"),
    [
        ({}, 422, ["user"]),
        ({"user": "charlie", "everyone": True}, 422, ["user"]),
        ({"user": "charlie", "group": "staff"}, 422, ["user"]),
        ({"everyone": False}, 422, ["user"]),
        ({"user": "charlie", "policy": "all"}, 422, ["policy"]),
        ({"user": "charlie", "policy": {"memory": "lots"}}, 422, ["policy.memory"]),
        ({"user": "charlie", "policy": {"gpus": 1}}, 422, ["policy.gpus"]),
        ({"user": "charlie", "policy": {"legacy_home": 1}}, 422, ["policy.legacy_home"]),
        ({"user": "charlie", "policy": {"colour": "red"}}, 422, ["policy.colour"]),
        ({"user": "charlie", "policy": {"volumes": ["/etc"]}}, 422, ["policy.volumes"]),
        ({"user": "charlie", "policy": {"volumes": ["/etc:/x:ro"]}}, 422, ["policy.volumes"]),
        (
            {"user": "charlie", "policy": {"pids": 0, "cpus": True}},
            422,
            ["policy.cpus", "policy.pids"],
        ),
        ({"user": "nobody"}, 404, None),
        ({"group": "nobody"}, 404, None),
    ],
)
def test_a_grant_that_cannot_be_is_refused_by_field(
    admins: TestClient, body: dict[str, object], status: int, named: list[str] | None
) -> None:
    answer = admins.post(GRANTS, json={**body, "application": APPLICATION})
    assert answer.status_code == status
    assert named is None or fields(answer) == named
    assert admins.get(GRANTS).json()["total"] == 2


def test_a_grant_of_an_unknown_application_is_404(admins: TestClient) -> None:
    assert admins.post(GRANTS, json={"user": "bob", "application": "0" * 32}).status_code == 404


def test_a_policy_changes_by_what_is_sent_and_null_puts_the_default_back(
    admins: TestClient, grant: str
) -> None:
    changed = admins.patch(grant, json={"policy": {"memory": "1g", "allow_home": True}})
    assert changed.json()["policy"] == {**DEFAULT, "memory": 1024**3, "allow_home": True}
    changed = admins.patch(grant, json={"policy": {"memory": None, "pids": 50}})
    assert changed.json()["policy"] == {**DEFAULT, "allow_home": True, "pids": 50}
    assert fields(admins.patch(grant, json={"policy": {"gpus": 1}})) == ["policy.gpus"]


def test_a_licence_that_somebody_else_has_changed_meanwhile_is_not_overwritten(
    admins: TestClient, grant: str
) -> None:
    seen = admins.patch(grant, json={"policy": {"app_license": "first"}})
    match = {"If-Match": seen.headers["etag"]}
    admins.patch(grant, json={"policy": {"app_license": "second"}})
    assert admins.get(grant).json() == seen.json()
    refused = admins.patch(grant, json={"policy": {"pids": 50}}, headers=match)
    assert refused.status_code == 412


def test_a_volume_that_went_bad_is_said(admins: TestClient, root: Path) -> None:
    (root / "data").mkdir()
    policy = {"volumes": [f"{root}/data:/data:ro"]}
    body = {"user": "charlie", "application": APPLICATION, "policy": policy}
    made = admins.post(GRANTS, json=body)
    assert made.json()["problem"] == ""
    (root / "data").rmdir()
    found = admins.get(made.headers["location"]).json()
    assert f"{root}/data" in found["problem"]
    assert found["policy"]["volumes"] == policy["volumes"]


def test_grants_are_found_by_whom_they_are_for_and_of_what(admins: TestClient, grant: str) -> None:
    admins.post("/api/v1/admin/groups", json={"name": "staff"})
    other = admins.post(APPLICATIONS, json={"image": "example/lab:1"}).json()["id"]
    admins.post(GRANTS, json={"group": "staff", "application": other})
    admins.post(GRANTS, json={"everyone": True, "application": other})

    def whom(query: str) -> list[str]:
        items = admins.get(f"{GRANTS}?{query}").json()["items"]
        return sorted(one["user"] or one["group"] or "everyone" for one in items)

    assert grant
    assert whom("") == ["alice", "bob", "charlie", "everyone", "staff"]
    assert whom("user=charlie") == ["charlie"]
    assert whom("group=staff") == ["staff"]
    assert whom("everyone=true") == ["everyone"]
    assert whom("everyone=false") == ["alice", "bob", "charlie", "staff"]
    assert whom(f"application={other}") == whom("application=example/lab:1")
    assert whom(f"application={other}") == ["everyone", "staff"]
    assert len(whom("limit=2")) == 2


def test_a_grant_is_revoked_once(admins: TestClient, plane: Plane, grant: str) -> None:
    assert admins.delete(f"{grant}?keep_running=true").status_code == 204
    assert admins.delete(grant).status_code == 404
    assert plane.records.kept_running() == {f"grant:{grant.rpartition('/')[2]}"}
