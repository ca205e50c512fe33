"""Bad input gets a clear answer, and nothing is left behind."""

import pytest
from portal import HELLO, TERMINAL, RunningPortal
from stack.conftest import Realm, misbehaving, until

from control_plane.errors import ControlPlaneError

ODD_NAMES = ["../../etc", "a b", "root", "x" * 300, "ünïcode", "alice\x00", "", "'; DROP TABLE"]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_an_odd_name_is_refused_like_any_wrong_one(portal: RunningPortal, name: str) -> None:
    guest = portal.guest("127.0.0.9", Origin=portal.url)
    answer = guest.post("/login", data={"name": name, "password": "x", "next": "/"})
    assert answer.status_code == 401
    assert "Name and password do not match." in answer.text


@pytest.mark.parametrize("name", ["../../etc", "a b", "root", "x" * 300, "ünïcode", "Upper", "9x"])
def test_an_odd_name_is_no_virtual_users(portal: RunningPortal, name: str) -> None:
    with pytest.raises(ControlPlaneError):
        portal.remoteappdb("user", "create", "--", name)
    assert name not in portal.remoteappdb("user", "list", "--no-decoration").split()


@pytest.mark.parametrize(
    ("content", "media", "status"),
    [
        (b"grant_id=x", "application/x-www-form-urlencoded", 415),
        (b"{}", "text/plain", 415),
        (b"{not json", "application/json", 415),
        (b"", "application/json", 415),
        (b"[" * 5000, "application/json", 415),
        (b"[]", "application/json", 422),
        (b"{}", "application/json", 422),
        (b'{"grant_id": 5}', "application/json", 422),
        (b'{"grant_id": "x", "unknown": 1}', "application/json", 422),
        (b'{"grant_id": "x", "options": "wide"}', "application/json", 422),
        (b'{"grant_id": "' + b"x" * 100_000 + b'"}', "application/json", 413),
        (b'{"grant_id": "../../etc"}', "application/json", 404),
        ('{"grant_id": "ünï"}'.encode(), "application/json; charset=utf-8", 404),
    ],
)
def test_a_body_that_does_not_fit(
    portal: RunningPortal, content: bytes, media: str, status: int
) -> None:
    api = portal.api("alice")
    answer = api.post("/api/v1/sessions", content=content, headers={"Content-Type": media})
    assert answer.status_code == status
    assert answer.json()["detail"]
    assert (status != 422) or answer.json()["errors"]


@pytest.mark.parametrize("options", [{"startup_file": "/x"}, {"resolution": "1x1"}, {"x": 1}])
def test_an_option_that_is_not_offered_is_422_and_named(
    portal: RunningPortal, options: dict[str, object]
) -> None:
    body = {"grant_id": portal.grants["alice", TERMINAL], "options": options}
    answer = portal.api("alice").post("/api/v1/sessions", json=body)
    assert answer.status_code == 422
    assert [one["field"] for one in answer.json()["errors"]] == [f"options.{next(iter(options))}"]


@pytest.mark.parametrize("query", ["limit=x", "limit=-1", "limit=9999", "offset=1.5", "state=x"])
def test_a_query_that_does_not_fit_is_422_and_named(portal: RunningPortal, query: str) -> None:
    answer = portal.api("alice").get(f"/api/v1/sessions?{query}")
    assert answer.status_code == 422
    assert [one["field"] for one in answer.json()["errors"]] == [query.split("=", maxsplit=1)[0]]


def test_a_body_that_nginx_refuses_is_a_problem_too(portal: RunningPortal) -> None:
    answer = portal.api("alice").post("/api/v1/sessions", content=b"x" * 2_000_000)
    assert answer.status_code == 413
    assert answer.json()["type"] == "urn:remoteapp:too-large"


def test_odd_field_names_and_event_ids_are_no_fault_of_ours(portal: RunningPortal) -> None:
    api = portal.api("alice")
    body = b'{"grant_id": "GRANT", "options": {"\\ud800": 1}}'
    body = body.replace(b"GRANT", portal.grants["alice", TERMINAL].encode())
    answer = api.post(
        "/api/v1/sessions", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code in {415, 422}
    odd = {"Last-Event-ID": "9" * 5000, "Accept": "text/event-stream"}
    with api.stream("GET", "/api/v1/sessions", headers=odd) as stream:
        assert stream.status_code == 200


def test_an_unknown_path_and_a_wrong_method_are_problems_too(portal: RunningPortal) -> None:
    api = portal.api("alice")
    unknown, wrong = api.get("/api/v1/nothing"), api.put("/api/v1/sessions")
    assert (unknown.status_code, wrong.status_code) == (404, 405)
    assert unknown.headers["content-type"] == wrong.headers["content-type"]
    assert unknown.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "flags",
    [
        ("--volume", "/data:/data:ro"),
        ("--volume", "/:/data:ro"),
        ("--volume", "data"),
        ("--gpus", "1"),
        ("--network", "lan"),
        ("--max-lifetime", "-1"),
        ("--memory", "lots"),
        ("--cpus", "-1"),
        ("--pids", "x"),
        ("--share", "everything"),
    ],
)
def test_a_policy_that_is_not_enforced_or_makes_no_sense_is_refused(
    portal: RunningPortal, flags: tuple[str, ...]
) -> None:
    with pytest.raises(ControlPlaneError):
        portal.remoteappdb("app", "grant", HELLO, "charlie", "--allow-home", *flags)
    assert portal.api("charlie").get("/api/v1/applications").json()["total"] == 0


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--env", "HELLO_EXIT=3"], "exited"),
        (["--env", "HELLO_NEVER=1"], "not-ready"),
    ],
)
def test_an_image_that_does_not_become_ready_fails_with_its_output(
    portal: RunningPortal, realm: Realm, words: list[str], code: str
) -> None:
    with misbehaving(portal, realm, words) as grant:
        api = portal.api("alice")
        session = api.post("/api/v1/sessions", json={"grant_id": grant}).json()
        path = f"/api/v1/sessions/{session['id']}"
        until(lambda: api.get(path).json()["state"] == "failed", 40)
        failure = api.get(path).json()["failure"]
        assert failure["code"] == code
        assert "hello:" in failure["log_tail"]
        until(realm.holds_only)
        assert session["id"] in {one["id"] for one in api.get("/api/v1/sessions").json()["items"]}
        assert api.get(session["url"]).status_code == 404
        assert api.delete(path).status_code == 204
        assert api.get("/api/v1/sessions").json()["items"] == []


def test_an_image_that_is_missing_is_said_at_once_and_shown_as_not_available(
    portal: RunningPortal, realm: Realm
) -> None:
    image = "no/such:image"
    portal.remoteappdb("app", "create", "--no-verify", image)
    grant = portal.remoteappdb("app", "grant", image, "alice", "--no-verify")
    try:
        api = portal.api("alice")
        mine = api.get("/api/v1/applications").json()["items"]
        assert [one["available"] for one in mine if one["image"] == image] == [False]
        answer = api.post("/api/v1/sessions", json={"grant_id": grant})
        assert answer.status_code == 409
        assert answer.json()["type"] == "urn:remoteapp:image-missing"
        assert api.get("/api/v1/sessions").json()["items"] == []
        assert realm.containers() == {}
    finally:
        portal.remoteappdb("app", "remove", image)
