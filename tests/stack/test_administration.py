"""Administration through nginx: people, grants, what runs, what is written down, and refusals."""

import csv
import io
import secrets
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from portal import HELLO, RunningPortal
from stack.conftest import Realm, cookie_of, until, websocket
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

ADMIN = "/api/v1/admin"
MIB = 1024**2


@pytest.fixture
def admin(portal: RunningPortal) -> httpx.Client:
    return portal.api("admin")


@pytest.fixture
def hello(admin: httpx.Client) -> str:
    """The id of the application that everybody of the cast starts."""
    (found,) = admin.get(f"{ADMIN}/applications", params={"image": HELLO}).json()["items"]
    assert found["warnings"] == []
    return str(found["id"])


@pytest.fixture
def newcomer(admin: httpx.Client) -> Iterator[dict[str, Any]]:
    """Someone who came through the API, and leaves by it."""
    name = f"new.{secrets.token_hex(3)}"
    body = {"name": name, "password": f"{name}-has-a-long-password"}
    made = admin.post(f"{ADMIN}/users", json=body)
    assert made.status_code == 201, made.text
    yield made.json()
    assert admin.delete(f"{ADMIN}/users/{name}?home=delete").status_code in (200, 404)


def of(portal: RunningPortal, name: str) -> httpx.Client:
    """Return a newcomer's client, with a token of theirs."""
    answer = portal.guest().post(
        "/api/v1/tokens", json={"name": "tests"}, auth=(name, f"{name}-has-a-long-password")
    )
    assert answer.status_code == 201, answer.text
    return portal.guest(Authorization=f"Bearer {answer.json()['token']}")


def granted(admin: httpx.Client, hello: str, name: str, **policy: Any) -> str:
    """Grant hello to a user; return the grant's address."""
    body = {"user": name, "application": hello, "policy": policy}
    made = admin.post(f"{ADMIN}/grants", json=body)
    assert made.status_code == 201, made.text
    return str(made.headers["location"])


def started(portal: RunningPortal, api: httpx.Client) -> dict[str, Any]:
    """Start all that somebody was granted, which is one; return it when it is ready."""
    (grant,) = api.get("/api/v1/applications").json()["items"]
    answer = api.post("/api/v1/sessions", json={"grant_id": grant["grant_id"]})
    assert answer.status_code == 202, answer.text
    return portal.wait_for(api, answer.json()["id"], "ready")


def is_deaf(socket: ClientConnection) -> bool:
    """Whether nothing comes back any more from the container."""
    try:
        socket.send("still there?")
        socket.recv(1)
    except (ConnectionClosed, TimeoutError):
        return True
    return False


def test_what_is_granted_by_the_api_runs_is_seen_stopped_and_written_down(
    portal: RunningPortal, realm: Realm, admin: httpx.Client, hello: str, newcomer: dict[str, Any]
) -> None:
    name = newcomer["name"]
    granted(admin, hello, name, memory="200m", max_lifetime=3600)
    api = of(portal, name)
    session = started(portal, api)
    limits = realm.containers()[session["id"]].attrs["HostConfig"]
    assert limits["Memory"] == 200 * MIB
    (seen,) = admin.get(f"{ADMIN}/sessions?user={name}").json()["items"]
    assert (seen["id"], seen["access"], seen["state"]) == (session["id"], "none", "ready")
    assert admin.get(session["url"]).status_code == 404
    assert "listening" in admin.get(f"/api/v1/sessions/{session['id']}/log").text
    assert admin.get(f"{ADMIN}/stats").json()["sessions"]["ready"] == 1
    assert admin.delete(f"{ADMIN}/sessions/{session['id']}").status_code == 204
    assert realm.containers() == {}
    ended = api.get(f"/api/v1/sessions/{session['id']}").json()
    assert ended["ends_because"] == "stopped by the administrator admin"
    by_user = admin.get(f"{ADMIN}/usage").json()["items"]
    assert [one["sessions"] for one in by_user if one["name"] == name] == [1]
    stop = admin.get(f"{ADMIN}/audit?action=session-stop&target={session['id']}").json()["items"]
    assert [(one["actor"], one["address"]) for one in stop] == [("admin", "127.0.0.1")]


def test_a_message_reaches_the_owner_who_follows_the_session(
    portal: RunningPortal, realm: Realm, admin: httpx.Client
) -> None:
    session = portal.start("alice")
    path = f"/api/v1/sessions/{session['id']}/events"
    with portal.api("alice").stream("GET", path) as stream:
        lines = (line for line in stream.iter_lines() if line.startswith("data:"))
        next(lines)
        body = {"text": "We restart at six."}
        admin.post(f"{ADMIN}/sessions/{session['id']}/message", json=body)
        assert '"message":"We restart at six."' in next(lines)
    del realm


def test_a_session_is_extended_up_to_its_longest_life_from_now(
    portal: RunningPortal, realm: Realm, admin: httpx.Client, hello: str, newcomer: dict[str, Any]
) -> None:
    granted(admin, hello, newcomer["name"], max_lifetime=1000)
    api = of(portal, newcomer["name"])
    session = started(portal, api)
    path = f"/api/v1/sessions/{session['id']}/extend"
    extended = api.post(path, json={"seconds": 100_000})
    assert extended.status_code == 200
    assert extended.json()["ends_at"] > session["ends_at"]
    assert portal.api("alice").post(path, json={"seconds": 1}).status_code == 404
    del realm


def test_who_is_disabled_loses_what_runs_or_it_computes_on_alone(
    portal: RunningPortal, realm: Realm, admin: httpx.Client, hello: str, newcomer: dict[str, Any]
) -> None:
    name, user = newcomer["name"], f"{ADMIN}/users/{newcomer['id']}"
    granted(admin, hello, name)
    api = of(portal, name)
    session = started(portal, api)
    bearer = api.headers["Authorization"]
    seen = f"{ADMIN}/sessions/{session['id']}"
    with websocket(portal, session["url"] + "ws", Authorization=bearer) as socket:
        admin.patch(user, json={"enabled": False, "keep_running": True})
        until(lambda: admin.get(seen).json()["cut_off"], 5)
        until(lambda: is_deaf(socket), 5)
    assert api.get("/api/v1/me").status_code == 401
    assert realm.containers()[session["id"]].status == "running"
    admin.patch(user, json={"enabled": True})
    until(lambda: not admin.get(seen).json()["cut_off"])
    back = of(portal, name)
    until(lambda: back.get(session["url"]).status_code == 200)
    admin.patch(user, json={"enabled": False})
    until(lambda: session["id"] not in realm.containers(), 5)
    assert admin.get(seen).json()["ends_because"] == "the account was disabled"


def test_a_grant_that_is_revoked_ends_what_runs_of_it(
    portal: RunningPortal, realm: Realm, admin: httpx.Client, hello: str, newcomer: dict[str, Any]
) -> None:
    grant = granted(admin, hello, newcomer["name"])
    api = of(portal, newcomer["name"])
    session = started(portal, api)
    assert admin.delete(grant).status_code == 204
    assert api.get("/api/v1/applications").json()["total"] == 0
    until(lambda: api.get(session["url"]).status_code == 404, 5)
    until(lambda: session["id"] not in realm.containers())
    assert admin.delete(grant).status_code == 404


def test_a_user_leaves_with_the_report_that_was_foretold(
    portal: RunningPortal, realm: Realm, admin: httpx.Client, hello: str, newcomer: dict[str, Any]
) -> None:
    name = newcomer["name"]
    grant = granted(admin, hello, name, allow_home=True)
    api = of(portal, name)
    session = started(portal, api)
    home = f"remoteapp-{portal.realm}-home-{newcomer['uid']}"
    leaving = f"{ADMIN}/users/{name}?home=delete"
    foretold = admin.delete(f"{leaving}&dry_run=true")
    assert foretold.json() == {
        "user": name,
        "grants": [grant.rpartition("/")[2]],
        "groups": [],
        "tokens": 1,
        "signins": 0,
        "sessions": [session["id"]],
        "home": home,
        "home_action": "delete",
    }
    assert api.get("/api/v1/me").status_code == 200
    done = admin.delete(leaving)
    assert (done.status_code, done.json()) == (200, foretold.json())
    assert admin.delete(leaving).status_code == 404
    until(lambda: api.get("/api/v1/me").status_code == 401)
    until(lambda: session["id"] not in realm.containers(), 5)
    until(lambda: home not in {one.name for one in realm.api.volumes.list()}, 30)
    acts = {"user-create", "user-remove", "home-delete"}
    audit = f"{ADMIN}/audit?target={name}"
    until(lambda: acts <= {one["action"] for one in admin.get(audit).json()["items"]})


def test_a_volume_outside_the_roots_is_refused_by_name(
    portal: RunningPortal, admin: httpx.Client, hello: str
) -> None:
    (portal.volumes / "data").mkdir(exist_ok=True)
    for source, status in ((f"{portal.volumes}/data", 201), ("/etc", 422), ("/var/run", 422)):
        policy = {"volumes": [f"{source}:/data:ro"]}
        body = {"user": "charlie", "application": hello, "policy": policy}
        answer = admin.post(f"{ADMIN}/grants", json=body)
        assert answer.status_code == status
        if status == 201:
            admin.delete(answer.headers["location"])
        else:
            assert [one["field"] for one in answer.json()["errors"]] == ["policy.volumes"]


def test_entity_tags_and_csv_pass_through_nginx(
    admin: httpx.Client, newcomer: dict[str, Any]
) -> None:
    user = f"{ADMIN}/users/{newcomer['id']}"
    match = {"If-Match": admin.get(user).headers["etag"]}
    assert admin.patch(user, json={"enabled": False}, headers=match).status_code == 200
    stale = admin.patch(user, json={"enabled": True}, headers=match)
    assert (stale.status_code, stale.json()["type"]) == (412, "urn:remoteapp:stale")
    answer = admin.get(f"{ADMIN}/audit?target={newcomer['id']}", headers={"Accept": "text/csv"})
    table = list(csv.DictReader(io.StringIO(answer.text)))
    assert [one["action"] for one in table] == ["user-disable", "user-create"]


def test_what_is_announced_by_a_browser_needs_the_portals_own_origin(
    portal: RunningPortal,
) -> None:
    browser = portal.client("admin")
    path, body = f"{ADMIN}/announcement", {"text": "We restart at six."}
    assert browser.put(path, json=body).status_code == 200
    stranger = portal.guest(Cookie=cookie_of(browser), Origin="https://evil.example")
    assert stranger.get(path).json()["text"] == "We restart at six."
    assert stranger.delete(path).status_code == 403
    assert browser.delete(path).status_code == 204


@pytest.mark.parametrize(
    ("who", "method", "path", "content", "status"),
    [
        ("", "GET", "users", b"", 401),
        ("", "POST", "users", b"{}", 401),
        ("alice", "GET", "users", b"", 403),
        ("alice", "POST", "grants", b"{}", 403),
        ("admin", "GET", "users/nobody", b"", 404),
        ("admin", "GET", "nothing", b"", 404),
        ("admin", "DELETE", "grants/00000000000000000000000000000000", b"", 404),
        ("admin", "PUT", "users", b"{}", 405),
        ("admin", "POST", "users", b'{"name": "alice"}', 409),
        ("admin", "POST", "users", b'{"name": "www-data", "kind": "system"}', 409),
        ("admin", "POST", "groups", b'{"name": "x", "members": ["' + b"x" * 90_000 + b'"]}', 413),
        ("admin", "POST", "groups", b'{"name": "' + b"x" * 2_000_000 + b'"}', 413),
        ("admin", "POST", "users", b'{"name": NaN}', 415),
        ("admin", "POST", "users", b'{"name": "a", "name": "b"}', 415),
        ("admin", "POST", "users", b'{"name": "a\\u0000"}', 422),
        ("admin", "POST", "users", b'{"name": "a\\ud800"}', 422),
        ("admin", "POST", "users", b'{"name": "Doris"}', 422),
        ("admin", "GET", "users?limit=9999", b"", 422),
        ("admin", "GET", "audit?actor=%00", b"", 422),
        ("admin", "GET", "sessions?state=asleep", b"", 422),
    ],
)
def test_a_refusal_is_a_problem_with_the_status_of_its_kind(  # noqa: PLR0913, PLR0917 - pytest gives what it names
    portal: RunningPortal, who: str, method: str, path: str, content: bytes, status: int
) -> None:
    client = portal.api(who) if who else portal.guest()
    media = {"Content-Type": "application/json"}
    answer = client.request(method, f"{ADMIN}/{path}", content=content, headers=media)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"]


def test_administration_with_a_reading_token_is_looking_only(
    portal: RunningPortal, admin: httpx.Client
) -> None:
    body = {"name": "auditor", "scopes": ["admin:read"], "expires_in": 600}
    token = admin.post("/api/v1/tokens", json=body).json()["token"]
    auditor = portal.guest(Authorization=f"Bearer {token}")
    assert auditor.get(f"{ADMIN}/audit").status_code == 200
    assert auditor.post(f"{ADMIN}/groups", json={"name": "staff"}).status_code == 403
    assert auditor.get("/api/v1/applications").status_code == 403
